"""A solution that goes on: the pieces are the whole, also from a pickle, and with gradients through the seam."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from node_core import odeint
from node_core.solution import Solution
from tests.solvers.problems import D, rotation, vector

TS = [0.0, 1.0, 2.0, 3.0]


def test_a_solve_that_gave_up_goes_on_from_its_last_step_until_it_is_whole() -> None:
    whole = odeint(rotation, vector(1.0, 0.0), TS)
    piece = odeint(rotation, vector(1.0, 0.0), TS, max_steps=4, on_error="return")
    found, pieces = [piece.ys], 1
    while not piece.status.ok:
        assert len(piece.steps) == 4
        piece = odeint(rotation, pickle.loads(pickle.dumps(piece)), TS, max_steps=4, on_error="return")
        found.append(piece.ys[1:])
        pieces += 1
    assert pieces > 2
    torch.testing.assert_close(torch.cat(found), whole.ys, rtol=0, atol=1e-5)


def test_it_goes_on_with_its_last_step_size() -> None:
    first = odeint(rotation, vector(1.0, 0.0), [0.0, 10.0])
    rest = odeint(rotation, first, 12.0)
    assert rest.ts.tolist() == [10.0, 12.0]
    assert rest.steps.dt[0] == pytest.approx(max(first.steps.dt[-2:]))
    assert float(rest.ys[-1, 0]) == pytest.approx(math.cos(12.0), abs=1e-4)
    assert odeint(rotation, first, [12.0], dt0=0.01).steps.dt[0] == pytest.approx(0.01)
    loose = odeint(rotation, first, [14.0], min_step=0.4, rtol=1e-2, atol=1e-2)
    assert loose.steps.dt[0] >= 0.4 > max(first.steps.dt[-2:])
    back = odeint(rotation, first, [10.0, 0.0])
    assert float(back.ys[-1, 0]) == pytest.approx(1.0, abs=1e-4)
    steps = odeint(rotation, first, [0.0, 10.0, 11.0], method="rk4", dt=0.1)
    assert steps.ts.tolist() == [10.0, 11.0]


def test_arrays_of_numpy_go_on_as_arrays() -> None:
    first = odeint(lambda t, y: -y, np.ones(2), [0.0, 1.0])
    rest = odeint(lambda t, y: -y, first, [0.0, 2.0])
    assert isinstance(rest.ys, np.ndarray)
    np.testing.assert_allclose(rest.ys[-1], np.exp([-2.0, -2.0]), atol=1e-5)


@pytest.mark.parametrize("mode", ["backprop", "adjoint", "checkpointed"])
def test_gradients_go_through_the_seam_and_structures_stay(mode: str) -> None:
    x0 = torch.tensor(1.0, dtype=D, requires_grad=True)

    def f(t: Any, y: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"x": -y["x"]}

    first = odeint(f, {"x": x0}, [0.0, 1.0], gradient=mode)
    second = odeint(f, first, torch.tensor([2.0], dtype=D), gradient=mode)
    (slope,) = torch.autograd.grad(second.ys["x"][-1], x0)
    assert slope.item() == pytest.approx(math.exp(-2), abs=1e-6)


def test_what_cannot_go_on_is_told_how() -> None:
    fallen = odeint(rotation, vector(1.0, 0.0), [0.0, 3.0], event=lambda t, y: y[0])
    with pytest.raises(ValueError, match=r"ended at an event: begin behind it.*sol\.y_event"):
        odeint(rotation, fallen, [4.0])
    whole = odeint(rotation, vector(1.0, 0.0), TS)
    with pytest.raises(ValueError, match=r"ts ends at 3, but the solution that y0 is has reached t = 3"):
        odeint(rotation, whole, TS)
    for ts in ([], [math.nan]):
        with pytest.raises(ValueError, match=r"holds no time to go on to"):
            odeint(rotation, whole, ts)
    assert isinstance(whole, Solution)
