"""What the time series lesson trains."""

from __future__ import annotations

from dataclasses import replace

from node_core.training.series.config import LIVE_FIELDS, SeriesConfig
from node_core.training.series.presets import SPIRALS
from pages.ui.live.lesson import LiveLesson

SERIES = LiveLesson("series", "node_core.training.series.train:advance", SPIRALS, LIVE_FIELDS)
_FITTED = replace(SERIES, live_fields=tuple(name for name in LIVE_FIELDS if name != "shown"))


def lesson_for(config: SeriesConfig) -> LiveLesson[SeriesConfig]:
    """The lesson; a model that is fitted to one series begins anew for another one."""
    return _FITTED if config.direct else SERIES
