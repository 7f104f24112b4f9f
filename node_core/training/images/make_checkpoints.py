"""Train the nets in assets/architectures/checkpoints: convolutional ones take minutes, a page should not begin so.

    python -m node_core.training.images.make_checkpoints [name ...]

Deterministic on one machine; half a minute to three minutes each.
"""

from __future__ import annotations

from dataclasses import replace

from node_core.training.images.checkpoint import FOLDER, save
from node_core.training.images.config import ImagesConfig
from node_core.training.images.train import ImageTrainer
from node_core.training.pretraining import main, pretrain, write

CONV = ImagesConfig(kind="conv", channels=16, rtol=1e-2, atol=1e-2)
RUNS: dict[str, ImagesConfig] = {
    "conv_none": replace(CONV, model="resnet", layers=0),
    "conv_resnet1": replace(CONV, model="resnet", layers=1),
    "conv_resnet6": replace(CONV, model="resnet", layers=6),
    "conv_rknet": replace(CONV, model="rknet"),
    "conv_odenet": replace(CONV, model="odenet"),
}
"""name: what is trained, to its end."""
COLUMNS = ("iteration", "loss", "accuracy", "nfe_forward", "nfe_backward", "seconds")


def make(name: str) -> str:
    """Train and write one net; returns a line about it."""
    config = RUNS[name]
    trainer = ImageTrainer(config)
    rows, last = pretrain(trainer, config.iterations)
    raw = save(config, trainer.export(), [{key: row[key] for key in COLUMNS} for row in rows])
    write(FOLDER, name, {"safetensors": raw})
    error, seconds = last.scalars["test_error"], last.scalars["seconds"]
    return f"{name}: {error:.2%} of the test images wrong after {seconds:.0f} s, {len(raw)} bytes"


if __name__ == "__main__":
    main(__doc__, RUNS, make)
