"""Train the checkpoints in assets/checkpoints/classifiers, with which the pages' first pictures are there at once.

    python -m node_core.training.make_checkpoints [name ...]

Deterministic on one machine; a few minutes for all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from node_core.data.dataset import DataConfig
from node_core.training.checkpoint import FOLDER, save
from node_core.training.config import TrainConfig
from node_core.training.train import Trainer

RUNS: dict[str, tuple[TrainConfig, int]] = {
    "moons": (TrainConfig(data=DataConfig("moons", n=400, noise=0.1)), 150),
    "circles_augmented": (TrainConfig(data=DataConfig("circles", n=400), augment=1), 250),
    "annulus_stuck": (TrainConfig(data=DataConfig("annulus", n=400, noise=0.0)), 150),
    "annulus_augmented": (TrainConfig(data=DataConfig("annulus", n=400, noise=0.0), augment=1), 250),
    "annulus_resnet": (
        TrainConfig(data=DataConfig("annulus", n=400, noise=0.0), model="resnet", layers=6),
        250,
    ),
    "two_spirals": (
        TrainConfig(data=DataConfig("two_spirals", n=400, noise=0.02), augment=1, hidden=(48, 48)),
        500,
    ),
    "sign_flip_augmented": (
        TrainConfig(data=DataConfig("sign_flip", n=100), loss="flow_map", augment=1, hidden=(16, 16)),
        250,
    ),
}
"""name: what is trained, and for how many iterations."""


def make(name: str) -> str:
    """Train and write one checkpoint; returns a line about it."""
    config, iterations = RUNS[name]
    trainer = Trainer(config)
    for _ in range(iterations):
        trainer.iterate()
    snapshot = trainer.snapshot(grid=False)
    raw = save(config, trainer.export())
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.safetensors").write_bytes(raw)
    return f"{name}: {snapshot.scalars['message']} NFE {snapshot.scalars['nfe_forward']}, {len(raw)} bytes"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the named checkpoints, or all."""
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
