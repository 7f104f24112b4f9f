"""Table 1, computed: see `node_core.studies.architectures.table_config`."""

from __future__ import annotations

from collections.abc import Callable

from node_core.data.images import image_set
from node_core.studies.architectures import memory
from node_core.studies.architectures.memory_config import MemoryConfig
from node_core.studies.architectures.table_config import (
    TableConfig,
    TableEntry,
    TableResult,
    entry_of,
    row_config,
    rows_of,
)
from node_core.training.images.config import ImagesConfig
from node_core.training.images.train import ImageTrainer

Told = Callable[[int, int], None]
"""Called with the iterations done, and how many there are."""


def run(config: TableConfig) -> TableResult:
    """Train every row with every seed.

    Raises:
        ValueError: the images can't be had, or a training exploded.
    """
    note = image_set(config.train.data).note
    entries = tuple(train_entry(training) for _, training in config.runs())
    return TableResult(config, entries, rows_of(entries, row_memory(config) if config.memory else None), note)


def train_entry(config: ImagesConfig, told: Told | None = None) -> TableEntry:
    """One training to its end.

    Raises:
        ValueError: the images can't be had, or the training exploded.
    """
    trainer = ImageTrainer(config)
    while trainer.iteration < config.iterations:
        trainer.iterate()
        if told is not None:
            told(trainer.iteration, config.iterations)
    return entry_of(config, trainer.snapshot().scalars)


def row_memory(config: TableConfig) -> dict[str, float]:
    """Peak memory of a training step of each row (MiB), measured in processes of their own.

    Raises:
        ValueError: they can't be measured here.
    """
    asked = MemoryConfig(tuple(row_config(name, config.train) for name in config.models))
    return dict(zip(config.models, memory.run(asked).mib.tolist(), strict=True))
