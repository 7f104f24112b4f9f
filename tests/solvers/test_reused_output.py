"""A field that returns one array again and again: what it returned belongs to the solver, in every method and mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from node_core import odeint
from node_core.gradients.names import CONTINUOUS, GRADIENTS
from node_core.solution import Solution
from node_core.solvers.methods import METHODS
from tests.solvers.problems import D, vector

EACH = pytest.mark.parametrize("name", list(METHODS))
Y0 = vector(1.0, 0.5)
TS = [0.0, 1.3, 1.4, 5.0]


def turning(t: Tensor, y: Tensor) -> Tensor:
    """x' = -sin(y) cos t, y' = x cos t, for states (..., 2); t is 0-d, or has a row for each sample."""
    return torch.stack((-torch.sin(y[..., 1]), y[..., 0]), -1) * torch.cos(t)


class Reusing:
    """The same, in one tensor for each shape of the state."""

    def __init__(self) -> None:
        self.kept: dict[torch.Size, Tensor] = {}

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        return self.kept.setdefault(y.shape, torch.empty_like(y, requires_grad=False)).copy_(turning(t, y))


class NumpyTurning:
    """The same for a solve that runs in numpy, in a new array at each call or in one for all."""

    accepts_numpy = True
    accepts_float_time = True

    def __init__(self, reuse: bool) -> None:
        self.reuse, self.kept = reuse, np.empty(2)

    def __call__(self, t: Any, y: Any) -> Any:
        if isinstance(y, Tensor):  # the derivatives that a stiff method asks for
            return turning(torch.tensor(t, dtype=D), y)
        slope = np.array((-np.sin(y[1]), y[0])) * np.cos(t)
        if not self.reuse:
            return slope
        self.kept[:] = slope
        return self.kept


def solve(f: Any, name: str, y0: Tensor = Y0, **options: Any) -> Solution:
    steps: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4} if METHODS[name].adaptive else {"dt": 0.2}
    return odeint(f, y0, TS, method=name, **steps, **options)


def same(a: Solution, b: Solution) -> None:
    """Both solves took the same steps through the same states, to the last bit."""
    assert a.stats.nfe == b.stats.nfe
    np.testing.assert_array_equal(a.steps.dt, b.steps.dt)
    assert torch.equal(a.ys, b.ys)


@EACH
@pytest.mark.parametrize("y0", [Y0, torch.stack((Y0, 2 * Y0))], ids=["one", "batch"])
@pytest.mark.parametrize("event", [None, lambda t, y: y.sum() + 0.2], ids=["to the end", "event"])
def test_a_solve_and_its_dense_output_are_the_same(
    name: str, y0: Tensor, event: Callable[[Any, Tensor], Tensor] | None
) -> None:
    fresh, reused = (solve(f, name, y0, event=event) for f in (turning, Reusing()))
    same(fresh, reused)
    end = 5.0 if fresh.t_event is None else float(fresh.t_event)
    between = torch.linspace(0.0, end, 41, dtype=D)
    assert torch.equal(fresh(between), reused(between))


@EACH
def test_a_solve_in_numpy_is_the_same(name: str) -> None:
    fresh, reused = (solve(NumpyTurning(reuse), name) for reuse in (False, True))
    same(fresh, reused)
    between = torch.linspace(0.0, 5.0, 41, dtype=D)
    assert torch.equal(fresh(between), reused(between))


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.family == "explicit" and m.adaptive])
def test_per_sample_steps_are_the_same(name: str) -> None:
    y0 = torch.stack((Y0, 2 * Y0))
    same(*(solve(f, name, y0, batch="per_sample") for f in (turning, Reusing())))


@pytest.mark.parametrize(
    ("name", "gradient"),
    [
        (name, gradient)
        for name, method in METHODS.items()
        for gradient in (CONTINUOUS if method.family == "scipy" else GRADIENTS)
    ],
)
def test_gradients_are_the_same(name: str, gradient: str) -> None:
    found = []
    for f in (turning, Reusing()):
        y0 = Y0.clone().requires_grad_()
        solution = solve(f, name, y0, gradient=gradient)
        found.append((solution, torch.autograd.grad(solution.ys.square().sum(), y0)[0]))
    same(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("name", list(METHODS))
def test_a_field_may_return_its_state_itself(name: str) -> None:
    fresh, itself = (solve(f, name) for f in (lambda t, y: 1.0 * y, lambda t, y: y))
    same(fresh, itself)
