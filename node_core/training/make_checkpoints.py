"""Train the checkpoints in assets/checkpoints/classifiers, with which the pages' first pictures are there at once.

    python -m node_core.training.make_checkpoints [name ...]

Deterministic on one machine; a few minutes for all of them.
"""

from __future__ import annotations

import argparse
import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch

from node_core.data.dataset import DataConfig
from node_core.training import picture
from node_core.training.checkpoint import FOLDER, save
from node_core.training.config import TrainConfig
from node_core.training.snapshot import Row
from node_core.training.train import Trainer

FLIP = TrainConfig(data=DataConfig("sign_flip", n=200, noise=0.05), loss="flow_map", lr=0.02)
SHELL = TrainConfig(data=DataConfig("annulus", n=2000, noise=0.0), lr=0.02, rtol=1e-4, atol=1e-4)
SPIRALS = TrainConfig(data=DataConfig("two_spirals", n=400, noise=0.02))
RUNS: dict[str, tuple[TrainConfig, int]] = {
    "annulus": (SHELL, 300),
    "annulus_augmented": (replace(SHELL, augment=1), 300),
    "annulus_resnet": (replace(SHELL, model="resnet", layers=3), 300),
    "blobs": (TrainConfig(data=DataConfig("blobs", n=400, noise=0.0)), 100),
    "circles": (TrainConfig(data=DataConfig("circles", n=400, noise=0.05)), 300),
    "circles_augmented": (TrainConfig(data=DataConfig("circles", n=400, noise=0.05), augment=1), 250),
    "moons": (TrainConfig(data=DataConfig("moons", n=400, noise=0.1)), 150),
    "sign_flip": (FLIP, 200),
    "sign_flip_augmented": (replace(FLIP, augment=1), 200),
    "sign_flip_resnet": (replace(FLIP, model="resnet", layers=3), 200),
    "three_spirals": (TrainConfig(data=DataConfig("three_spirals", n=400, noise=0.02)), 800),
    "two_spirals": (replace(SPIRALS, augment=1, hidden=(48, 48)), 400),
    "two_spirals_plain": (SPIRALS, 600),
    "xor": (TrainConfig(data=DataConfig("xor", n=400, noise=0.05)), 200),
}
"""name: what is trained, and for how many iterations. The first pictures of the ODE-Net page and its presets begin
with these, so each has the page's own settings."""

CURVE = 200  # rows of a history that are kept
COLUMNS = ("iteration", "loss", "accuracy", "test_accuracy", "nfe_forward", "nfe_backward")
DIGITS = 5
FINE = 128  # samples along a side of the boundary: the channel through a shell is thin
PATIENCE = 60.0  # s for a boundary; a live run gives up much earlier


def make(name: str) -> str:
    """Train and write one checkpoint, beside it its curves and its boundary; returns a line about it."""
    config, iterations = RUNS[name]
    trainer = Trainer(config)
    rows: list[Row] = []
    every = max(1, iterations // CURVE)
    for done in range(1, iterations + 1):
        row = trainer.iterate()
        if done % every == 0:
            rows.append(row)
        if done % (10 * every) == 0 or done == iterations:
            shown = trainer.snapshot(grid=False).scalars
            rows[-1] = {**rows[-1], "test_accuracy": float(cast(float, shown["test_accuracy"]))}
    snapshot = trainer.snapshot(grid=False)
    raw = save(config, trainer.export())
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.safetensors").write_bytes(raw)
    beside: dict[str, Any] = {"history": {key: [_rounded(row.get(key)) for row in rows] for key in COLUMNS}}
    beside["logs"] = {key: [_rounded(float(v)) for v in values] for key, values in trainer.logs.items()}
    frame = picture.frame_of(trainer.data, snapshot.arrays["trajectories"])
    grid = picture.boundary(trainer.model, config, trainer.data, frame, time_limit=PATIENCE, size=FINE)
    if grid is not None:
        pixels = base64.b64encode(zlib.compress(grid.tobytes(), 9)).decode()
        beside |= {"frame": frame, "grid_shape": grid.shape, "grid": pixels}
    (FOLDER / f"{name}.json").write_text(json.dumps(beside) + "\n", encoding="utf-8")
    return f"{name}: {snapshot.scalars['message']} NFE {snapshot.scalars['nfe_forward']}, {len(raw)} bytes"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


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
