"""A page with the compiled solves and one without show the same pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from node_core.data.dataset import DataConfig
from node_core.native.library import SWITCH, functions
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer

pytestmark = pytest.mark.skipif(
    functions(torch.float32) is None,
    reason="the kernel is not compiled here: make run, or node_core/native/build.py",
)


def test_training_goes_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the rounding of float32, which training magnifies; at a tolerance that float32 can judge."""
    data = DataConfig("moons", n=128, noise=0.1)
    config = TrainConfig(data=data, hidden=(16, 16), batch=32, rtol=1e-3, atol=1e-3, lr=3e-3)
    runs: list[tuple[Any, Any]] = []
    for native in "10":
        monkeypatch.setenv(SWITCH, native)
        trainer = Trainer(config)
        values = [trainer.iterate()["loss"] for _ in range(12)]
        grid = torch.linspace(-1.0, 1.0, 20).reshape(10, 2)
        with torch.no_grad():
            found = trainer.model(grid)
        runs.append((np.array(values), found.numpy()))
    (losses, logits), (expected_losses, expected_logits) = runs
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    np.testing.assert_allclose(logits, expected_logits, atol=1e-3)
    assert losses[-1] < losses[0]
