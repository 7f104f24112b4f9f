"""Train the flows in assets/checkpoints/flows, with which the CNF page's first pictures are there at once.

    python -m node_core.training.make_cnf_checkpoints [name ...]

Deterministic on one machine; about a minute each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from node_core.cnf.painted import TargetConfig
from node_core.training.cnf import FlowTrainer
from node_core.training.cnf_checkpoint import FOLDER, save_flow
from node_core.training.cnf_config import CNFConfig

_TARGETS = ("two_moons", "two_circles", "eight_gaussians", "pinwheel", "s_curve", "two_spirals")
RUNS: dict[str, CNFConfig] = {
    name: CNFConfig(
        target=TargetConfig(name), lr=0.01, lr_end=0.02, iterations=3000 if name == "two_spirals" else 1200
    )
    for name in _TARGETS
}
"""name: what is trained, to its end."""


def make(name: str) -> str:
    """Train and write one flow; returns a line about it."""
    config = RUNS[name]
    trainer = FlowTrainer(config)
    rows = [trainer.iterate() for _ in range(config.iterations)]
    snapshot = trainer.snapshot()
    raw = save_flow(config, trainer.export(), rows)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.safetensors").write_bytes(raw)
    gap, nfe = snapshot.scalars["gap"], snapshot.scalars["nfe_forward"]
    return f"{name}: {gap:.3f} nats above the entropy, NFE {nfe:.0f}, {len(raw)} bytes"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the named flows, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(RUNS))
    names = parser.parse_args(arguments).names or list(RUNS)
    unknown = sorted(set(names) - set(RUNS))
    if unknown:
        parser.error(f"no run named {unknown[0]!r}: choose from {', '.join(RUNS)}")
    torch.set_num_threads(1)
    for name in names:
        print(make(name), flush=True)


if __name__ == "__main__":
    main()
