"""Train the models in assets/series/checkpoints, with which the first pictures of Time series are there at once.

    python -m node_core.training.series.make_checkpoints [name ...]

Deterministic on one machine; about a minute each.
"""

from __future__ import annotations

from dataclasses import replace

from node_core.training.pretraining import main, pretrain, write
from node_core.training.series.checkpoint import FOLDER, save
from node_core.training.series.config import SeriesConfig
from node_core.training.series.presets import CO2, HARES, SPIRALS, with_model
from node_core.training.series.train import SeriesTrainer

RUNS: dict[str, SeriesConfig] = {
    "spirals": replace(SPIRALS, lr_end=0.02, iterations=1200),
    "spirals_gru": replace(with_model(SPIRALS, "gru"), lr_end=0.02, iterations=1500),
    "hares": replace(HARES, lr_end=0.02, iterations=700),
    "hares_universal": replace(with_model(HARES, "universal"), lr_end=0.02, iterations=600),
    "hares_neural_ode": replace(with_model(HARES, "neural_ode"), lr_end=0.02, iterations=600),
    "co2": replace(CO2, lr_end=0.02, iterations=900),
}
"""name: what is trained, to its end."""


def make(name: str) -> str:
    """Train and write one model; returns a line about it."""
    config = RUNS[name]
    trainer = SeriesTrainer(config)
    rows, last = pretrain(trainer, config.iterations)
    raw = save(config, trainer.export(), rows)
    write(FOLDER, name, {"safetensors": raw})
    return f"{name}: {last.scalars['message']} {len(raw)} bytes"


if __name__ == "__main__":
    main(__doc__, RUNS, make)
