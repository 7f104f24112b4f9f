"""Gradients by the times: of ts, however it was written down."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from node_core import odeint
from tests.gradients.test_gradients import MODES
from tests.solvers.problems import D, forced, forced_exact, vector


@pytest.mark.parametrize("mode", MODES)
def test_a_time_within_a_list_can_be_differentiated_by(mode: str) -> None:
    """y' = y cos t: dy(T)/dT = y(T) cos T, and dy(T)/dt0 = -y(T) cos t0."""
    start, end = torch.tensor(0.3, requires_grad=True), torch.tensor([1.7], dtype=D, requires_grad=True)
    for ts in ([0.3, end], (start, 1, end), [start, np.float64(1.0), end]):
        given: Any = ts
        y = odeint(forced, vector(1.0), given, gradient=mode, rtol=1e-9, atol=1e-9).ys[-1, 0]
        exact = float(forced_exact(1.7) / forced_exact(0.3))
        found = torch.autograd.grad(y, [t for t in ts if isinstance(t, Tensor)])
        wanted = (
            [exact * math.cos(1.7)] if len(found) == 1 else [-exact * math.cos(0.3), exact * math.cos(1.7)]
        )
        np.testing.assert_allclose([float(g) for g in found], wanted, rtol=1e-5)


def test_a_list_that_holds_something_else_is_no_sequence_of_times() -> None:
    mixed: Any = [0.0, torch.tensor([1.0, 2.0])]
    with pytest.raises(ValueError, match=r"no sequence of times: give at least two"):
        odeint(forced, vector(1.0), mixed)
