"""A file that somebody uploads, as the beginning of a run on series."""

from __future__ import annotations

from dataclasses import dataclass

from node_core.runs.state import TrainState
from node_core.training.checkpoint import REFUSED
from node_core.training.series.build import build_model
from node_core.training.series.checkpoint import load
from node_core.training.series.config import SeriesConfig
from node_core.training.series.data import prepared


@dataclass(frozen=True)
class SavedRun:
    """What a file holds: its configuration and where it stood."""

    config: SeriesConfig
    state: TrainState


def read_run(raw: bytes) -> SavedRun:
    """Read and check a file of `node_core.training.series.checkpoint.save`.

    Raises:
        ValueError: it is damaged, or has not as many weights as its model.
    """
    config, state, _ = load(raw)
    count = sum(p.numel() for p in build_model(config, prepared(config)).parameters())
    if len(state.parameters) != count:
        raise ValueError(f"{REFUSED}: it has {len(state.parameters)} weights, its model {count}.")
    return SavedRun(config, state)
