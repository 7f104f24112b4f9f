"""What the Architectures lesson trains; no field changes while a run goes on: a row of the table is one training."""

from __future__ import annotations

from node_core.training.images.config import ImagesConfig
from pages.ui.live.lesson import LiveLesson

ARCHITECTURES = LiveLesson("architectures", "node_core.training.images.train:advance", ImagesConfig())
