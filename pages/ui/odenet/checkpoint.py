"""The ODE-Net's checkpoints."""

from __future__ import annotations

from node_core.training.classifier.checkpoint import check_size, save
from node_core.training.classifier.config import needs_reset
from pages.ui.live.checkpoint import Checkpoints
from pages.ui.odenet.controls import show_config
from pages.ui.odenet.lesson import ODENET

LOAD = "node_core.training.classifier.checkpoint:load"
CHECKPOINTS = Checkpoints(ODENET, save, check_size, LOAD, show_config, needs_reset)
