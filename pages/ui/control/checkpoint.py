"""The controllers' checkpoints."""

from __future__ import annotations

from node_core.training.control.checkpoint import save_controller
from node_core.training.control.config import ControlConfig, control_needs_reset
from pages.ui.control.controls import show_config
from pages.ui.control.lesson import CONTROL
from pages.ui.live.checkpoint import Checkpoints

LOAD = "node_core.training.control.checkpoint:read_controller"


def _any_size(_config: ControlConfig) -> None:
    """A controller of the widest net is still a small file."""


CHECKPOINTS = Checkpoints(CONTROL, save_controller, _any_size, LOAD, show_config, control_needs_reset)
