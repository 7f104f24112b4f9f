"""What the ODE-Net lesson trains."""

from __future__ import annotations

from node_core.training.classifier.config import LIVE_FIELDS, TrainConfig
from pages.ui.live.lesson import LiveLesson

ODENET = LiveLesson("odenet", "node_core.training.classifier.train:advance", TrainConfig(), LIVE_FIELDS)
