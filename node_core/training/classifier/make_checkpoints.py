"""Train the checkpoints in assets/odenet/checkpoints, with which the pages' first pictures are there at once.

    python -m node_core.training.classifier.make_checkpoints [name ...]

Deterministic on one machine; a few minutes for all of them.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

from node_core.data.dataset import DataConfig
from node_core.training.classifier import picture
from node_core.training.classifier.checkpoint import FOLDER, save
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer
from node_core.training.pretraining import main, pretrain, write

FLIP = TrainConfig(data=DataConfig("sign_flip", n=200, noise=0.05), loss="flow_map", lr=0.02)
SHELL = TrainConfig(data=DataConfig("annulus", n=2000, noise=0.0), lr=0.02, rtol=1e-4, atol=1e-4)
RINGS = TrainConfig(data=DataConfig("circles", n=400, noise=0.05))
SPIRALS = TrainConfig(data=DataConfig("two_spirals", n=400, noise=0.02))
RUNS: dict[str, tuple[TrainConfig, int]] = {
    "annulus": (SHELL, 300),
    "annulus_augmented": (replace(SHELL, augment=1), 300),
    "annulus_resnet": (replace(SHELL, model="resnet", layers=3), 300),
    "blobs": (TrainConfig(data=DataConfig("blobs", n=400, noise=0.0)), 100),
    "circles": (RINGS, 300),
    "circles_augmented": (replace(RINGS, augment=1), 300),
    "circles_coarse": (replace(RINGS, lr=0.02, method="euler", dt=0.5), 400),
    "circles_resnet": (replace(RINGS, model="resnet", layers=3), 300),
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
with these, so each has the page's own settings. What the page sets side by side has as many iterations."""

CURVE = 200  # rows of a history that are kept
COLUMNS = ("iteration", "loss", "accuracy", "test_accuracy", "nfe_forward", "nfe_backward")
DIGITS = 5
FINE = 128  # samples along a side of the boundary: the channel through a shell is thin
PATIENCE = 60.0  # s for a boundary; a live run gives up much earlier


def make(name: str) -> str:
    """Train and write one checkpoint, beside it its curves and its boundary; returns a line about it."""
    config, iterations = RUNS[name]
    trainer = Trainer(replace(config, iterations=iterations))
    every = max(1, iterations // CURVE)
    rows, last = pretrain(trainer, 10 * every)
    kept = [row for row in rows if row["iteration"] % every == 0 or row is rows[-1]]
    beside: dict[str, Any] = {"history": {key: [_rounded(row.get(key)) for row in kept] for key in COLUMNS}}
    beside["logs"] = {key: [_rounded(float(v)) for v in values] for key, values in trainer.arrays.items()}
    frame = picture.frame_of(trainer.data, last.arrays["trajectories"])
    grid = picture.boundary(trainer.model, config, trainer.data, frame, time_limit=PATIENCE, size=FINE)
    if grid is not None:
        pixels = base64.b64encode(zlib.compress(grid.tobytes(), 9)).decode()
        beside |= {"frame": frame, "grid_shape": grid.shape, "grid": pixels}
    raw = save(config, trainer.export())
    write(FOLDER, name, {"safetensors": raw, "json": f"{json.dumps(beside)}\n".encode()})
    return f"{name}: {last.scalars['message']} NFE {last.scalars['nfe_forward']}, {len(raw)} bytes"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


if __name__ == "__main__":
    main(__doc__, RUNS, make)
