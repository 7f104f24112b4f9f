"""The bare fixed steps are those of the loop, and what goes wrong in them is told at the right time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from node_core import odeint
from node_core.solution import Solution, SolveError, Status
from node_core.solvers.fixed import BLOCK
from tests.solvers.problems import EXPLICIT, FIXED, Counting, D, vector

NAMES = [name for name in FIXED if name in EXPLICIT]
EACH = pytest.mark.parametrize("name", NAMES)


def swinging(t: Tensor, y: Tensor) -> Tensor:
    """x' = -sin(y) cos t, y' = x."""
    return torch.stack((-torch.sin(y[..., 1]) * torch.cos(t), y[..., 0]), -1)


def odeint_at(f: Any, y0: Tensor, ts: Any, name: str, dt: float, **options: Any) -> Solution:
    """A solve by the bare steps."""
    return odeint(f, y0, ts, method=name, dt=dt, **options)


def by_the_loop(f: Any, y0: Tensor, ts: Any, name: str, dt: float, **options: Any) -> Solution:
    """The same solve with an event that never happens, which only the loop looks for."""
    return odeint(f, y0, ts, method=name, dt=dt, event=lambda t, y: torch.ones(()), **options)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("ts", [[0.0, 4.0], [4.0, 0.0], [0.0, 0.5, 1.03, 1.04, 4.0], [0.0, 3.999]])
@pytest.mark.parametrize("dense", [True, False])
def test_they_are_the_steps_of_the_loop(name: str, dtype: torch.dtype, ts: list[float], dense: bool) -> None:
    y0 = torch.tensor([[1.0, 0.5], [0.3, -2.0]], dtype=dtype)
    counted = Counting(swinging)
    bare = odeint(counted, y0, ts, method=name, dt=0.01, dense=dense)
    looped = by_the_loop(swinging, y0, ts, name, 0.01, dense=dense)
    # Sums of products are taken in another order.
    torch.testing.assert_close(bare.ys, looped.ys, rtol=1e-12 if dtype is D else 2e-5, atol=1e-6)
    np.testing.assert_array_equal(bare.steps.t, looped.steps.t)
    np.testing.assert_array_equal(bare.steps.dt, looped.steps.dt)
    assert bare.steps.accepted.all()
    assert bare.stats.nfe == counted.calls
    assert bare.stats.nfe <= looped.stats.nfe  # the loop interpolates for its event
    if dense:
        between = torch.linspace(min(ts), max(ts), 57, dtype=D)
        torch.testing.assert_close(
            bare(between), looped(between), rtol=1e-12 if dtype is D else 2e-5, atol=1e-6
        )


class Growing:
    """y' = 50 y until `end`, and infinite from then on; with `strict` it cannot even be asked about such a state."""

    def __init__(self, end: float, strict: bool = False) -> None:
        self.end, self.strict = end, strict

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        if self.strict and not bool(torch.isfinite(y).all()):
            raise RuntimeError("no such state")
        return torch.where(t > self.end, math.inf, 1.0) * y


@EACH
@pytest.mark.parametrize("step", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
@pytest.mark.parametrize("strict", [False, True])
def test_an_explosion_is_told_at_its_step(name: str, step: int, strict: bool) -> None:
    dt, ts = 1.0 / 128, [0.0, 0.5 / 128, 4.0]
    found: list[Solution | str] = []
    for solve in (odeint_at, by_the_loop):
        try:
            found.append(
                solve(Growing((step - 1) * dt, strict), vector(1.0), ts, name, dt, on_error="return")
            )
        except RuntimeError as error:  # asked within the very step that explodes, as the loop does
            found.append(str(error))
    bare, looped = found
    if isinstance(bare, str) or isinstance(looped, str):
        assert bare == looped == "no such state"
        assert strict
        return
    assert bare.status is looped.status is Status.NON_FINITE
    assert bare.message == looped.message
    np.testing.assert_array_equal(bare.steps.t, looped.steps.t)
    np.testing.assert_array_equal(bare.steps.accepted, looped.steps.accepted)
    torch.testing.assert_close(bare.ys, looped.ys)
    if bare.steps.n_accepted:
        end = float(bare.steps.t[-1])
        torch.testing.assert_close(bare(0.9 * end), looped(0.9 * end))


@EACH
def test_a_field_without_a_value_at_the_start_is_told_so(name: str) -> None:
    with pytest.raises(SolveError, match=r"f\(t, y\) is not finite at t = 0: check the field and y0 there"):
        odeint(lambda t, y: y / 0.0, vector(1.0), [0.0, 1.0], method=name, dt=0.1)


@EACH
def test_what_f_raises_is_raised(name: str) -> None:
    def f(t: Tensor, y: Tensor) -> Tensor:
        if t > 0.5:
            raise KeyError("mine")
        return -y

    with pytest.raises(KeyError, match="mine"):
        odeint(f, vector(1.0), [0.0, 1.0], method=name, dt=0.01)


@EACH
def test_the_time_limit_ends_them(name: str) -> None:
    def slow(t: Tensor, y: Tensor) -> Tensor:
        for _ in range(2000):
            y = y * 1.0
        return -y

    solution = odeint(slow, vector(1.0), [0.0, 1.0], method=name, dt=1e-3, time_limit=0.05, on_error="return")
    assert solution.status is Status.TIME_LIMIT
    assert 0 < solution.steps.n_accepted < 1000
    reached = float(solution.steps.t[-1] + solution.steps.dt[-1])
    assert f"time_limit = 0.05 s is over at t = {reached:.6g} of 1" in solution.message
    assert len(solution.ys) == 1
    assert float(solution(reached)) == pytest.approx(math.exp(-reached), abs=1e-3)


@EACH
def test_a_field_may_reuse_and_keep_what_it_is_given_and_gives(name: str) -> None:
    seen: list[Tensor] = []
    kept = torch.empty(1, dtype=D)

    def f(t: Tensor, y: Tensor) -> Tensor:
        seen.append(y)
        return kept.copy_(-y)

    for dense in (True, False):
        seen.clear()
        solution = odeint(f, vector(1.0), [0.0, 1.0], method=name, dt=0.1, dense=dense)
        fresh = odeint(lambda t, y: -y, vector(1.0), [0.0, 1.0], method=name, dt=0.1, dense=dense)
        assert torch.equal(solution.ys, fresh.ys)
        assert len({y.data_ptr() for y in seen}) == len(seen)
