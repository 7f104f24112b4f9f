"""Train the flows in assets/cnf/checkpoints, with which the CNF page's first pictures are there at once.

    python -m node_core.training.flow.make_checkpoints [name ...]

Deterministic on one machine; about a minute each, those of the four ways to train the same field (`ways`) a quarter.
"""

from __future__ import annotations

from node_core.cnf.painted import TargetConfig
from node_core.training.flow.checkpoint import FOLDER, save_flow
from node_core.training.flow.compared import trained_by
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import FlowTrainer
from node_core.training.flow.ways import TARGETS, WAYS, checkpoint_name, recipe
from node_core.training.pretraining import main, pretrain, write

_TARGETS = ("two_moons", "two_circles", "eight_gaussians", "pinwheel", "s_curve", "two_spirals")
RUNS: dict[str, CNFConfig] = {
    name: CNFConfig(
        target=TargetConfig(name), lr=0.01, lr_end=0.02, iterations=3000 if name == "two_spirals" else 1200
    )
    for name in _TARGETS
}
"""name: what is trained, to its end."""
COMPARED = {checkpoint_name(target, way): recipe(way, target) for target in TARGETS for way in WAYS}
"""name: the parts of a training that is shown beside others."""


def make(name: str) -> str:
    """Train and write one flow; returns a line about it."""
    if name in COMPARED:
        return _make_compared(name)
    config = RUNS[name]
    trainer = FlowTrainer(config)
    rows, last = pretrain(trainer, config.iterations)
    raw = save_flow(config, trainer.export(), rows)
    write(FOLDER, name, {"safetensors": raw})
    gap, nfe = last.scalars["gap"], last.scalars["nfe_forward"]
    return f"{name}: {gap:.3f} nats above the entropy, NFE {nfe:.0f}, {len(raw)} bytes"


def _make_compared(name: str) -> str:
    configs = COMPARED[name]
    trainer, rows = trained_by(configs)
    raw = save_flow(configs[-1], trainer.export(), rows)
    write(FOLDER, name, {"safetensors": raw})
    return f"{name}: NLL {rows[-1]['nll']:.3f} nats after {rows[-1]['seconds']:.1f} s, {len(raw)} bytes"


if __name__ == "__main__":
    main(__doc__, (*RUNS, *COMPARED), make)
