"""What the Control lesson trains."""

from __future__ import annotations

from node_core.training.control.config import LIVE_FIELDS, ControlConfig
from pages.ui.live.lesson import LiveLesson

CONTROL = LiveLesson("control", "node_core.training.control.train:advance", ControlConfig(), LIVE_FIELDS)
