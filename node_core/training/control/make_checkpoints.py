"""Train the controllers in assets/control/checkpoints, with which the Control page's first pictures are there at once.

    python -m node_core.training.control.make_checkpoints [name ...]

Deterministic on one machine; about a minute each.
"""

from __future__ import annotations

from node_core.training.control.checkpoint import FOLDER, save_controller
from node_core.training.control.config import ControlConfig
from node_core.training.control.train import ControlTrainer
from node_core.training.pretraining import main, pretrain, write

RUNS: dict[str, ControlConfig] = {
    "cart_pole_balance": ControlConfig(
        "cart_pole", "balance", limit=10.0, horizon=3.0, batch=64, lr_end=0.02, iterations=400
    ),
    "pendulum_swing_up": ControlConfig(curriculum="fixed", lr_end=0.02, iterations=500),
    "pendulum_balance": ControlConfig(
        "pendulum", "balance", horizon=3.0, batch=64, lr_end=0.02, iterations=300
    ),
    "lotka_volterra_hold": ControlConfig(
        "lotka_volterra", "hold", limit=0.5, horizon=8.0, batch=64, lr_end=0.02, iterations=300
    ),
}
"""name: what is trained, to its end."""


def make(name: str) -> str:
    """Train and write one controller; returns a line about it."""
    config = RUNS[name]
    trainer = ControlTrainer(config)
    rows, last = pretrain(trainer, 50)
    raw = save_controller(config, trainer.export(), rows)
    write(FOLDER, name, {"safetensors": raw})
    success, cost = last.scalars["success"], last.scalars["cost"]
    return f"{name}: {success:.0%} of held-out starts, cost {cost:.3f}, {len(raw)} bytes"


if __name__ == "__main__":
    main(__doc__, RUNS, make)
