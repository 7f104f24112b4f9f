"""The checkpoints of models of series."""

from __future__ import annotations

from node_core.training.series.checkpoint import save
from node_core.training.series.config import SeriesConfig, needs_reset
from pages.ui.live.checkpoint import Checkpoints
from pages.ui.series.controls import show_config
from pages.ui.series.lesson import SERIES

LOAD = "node_core.studies.series.saved:read_run"


def _fits(config: SeriesConfig) -> None:
    """Every model that the page can make is small enough."""


CHECKPOINTS = Checkpoints(SERIES, save, _fits, LOAD, show_config, needs_reset)
