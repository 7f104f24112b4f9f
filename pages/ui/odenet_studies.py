"""Studies of a trained net below the live view: each tab computes when it is opened."""

from __future__ import annotations

from node_core.training.config import TrainConfig


def studies(config: TrainConfig, token: str) -> None:
    """Draw the tabs."""
