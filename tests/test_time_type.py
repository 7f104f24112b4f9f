"""Times that are large beside the time span: f is told them in a type that can tell them apart, or it is said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.systems import SYSTEMS
from node_core.gradients.names import CONTINUOUS, GRADIENTS
from node_core.solution import Solution
from node_core.solvers.methods import METHODS

EACH = pytest.mark.parametrize("name", list(METHODS))
STARTS = pytest.mark.parametrize("start", [1e3, 1e5, 1.7e9, -1.7e9])
MODES = [
    (name, gradient)
    for name, method in METHODS.items()
    for gradient in (CONTINUOUS if method.family == "scipy" else GRADIENTS)
]
SPAN = 1.5  # a float32 and a float64 can add it to each of the starts


class Swinging:
    """y' = y cos(2 pi (t - start)): with the start left out of it, the same field at every start."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.types: set[torch.dtype] = set()

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        self.types.add(t.dtype)
        return torch.cos(2 * math.pi * (t - self.start)) * y


def solve(f: Any, start: float, name: str, y0: Tensor | None = None, **options: Any) -> Solution:
    steps: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5} if METHODS[name].adaptive else {"dt": 1 / 64}
    y0 = torch.tensor([1.0, 0.5]) if y0 is None else y0
    return odeint(f, y0, [start, start + 0.75, start + SPAN], method=name, **steps, **options)


@EACH
@STARTS
@pytest.mark.parametrize("backward", [False, True])
def test_a_state_of_float32_is_as_accurate_as_at_the_start_of_time(
    name: str, start: float, backward: bool
) -> None:
    found = []
    for t0 in (0.0, start):
        field, y0 = Swinging(t0), torch.tensor([1.0, 0.5])
        steps: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5} if METHODS[name].adaptive else {"dt": 1 / 64}
        ts = [t0 + SPAN, t0] if backward else [t0, t0 + SPAN]
        found.append(odeint(field, y0, ts, method=name, **steps).ys[-1])
        assert found[-1].dtype == torch.float32
        assert field.types == {torch.float64 if t0 else torch.float32}
    # What is left of the times near 1.7e9 is a hundred thousandth of a step; LSODA chooses other ones for that.
    close = 5e-4 if name in ("scipy_lsoda", "scipy_adams") else 1e-5
    torch.testing.assert_close(found[1], found[0], rtol=close, atol=close)


@pytest.mark.parametrize(("name", "gradient"), MODES)
def test_so_are_gradients(name: str, gradient: str) -> None:
    found = []
    for start in (0.0, 1e5):
        y0 = torch.tensor([1.0, 0.5], requires_grad=True)
        solution = solve(Swinging(start), start, name, y0, gradient=gradient)
        found.append(torch.autograd.grad(solution.ys.square().sum(), y0)[0])
    close = 2e-3 if name in ("scipy_lsoda", "scipy_adams") else 2e-5
    torch.testing.assert_close(found[1], found[0], rtol=close, atol=close)


@EACH
def test_so_are_dense_output_jumps_and_events(name: str) -> None:
    start = 1.7e9

    class Pushed(Swinging):
        def __call__(self, t: Tensor, y: Tensor) -> Tensor:
            return super().__call__(t, y) * 0.0 + (t - self.start >= 0.5).to(y.dtype)

    solution = solve(Pushed(start), start, name, jumps=[start + 0.5])
    between = torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(
        solution(between + start)[:, 0], torch.tensor([1.0, 1.0, 1.5]), rtol=1e-4, atol=1e-4
    )
    told: list[Tensor] = []

    def event(t: Tensor, y: Tensor) -> Tensor:
        told.append(t)
        return t - (start + 0.8125)

    stopped = solve(Pushed(start), start, name, jumps=[start + 0.5], event=event)
    assert {t.dtype for t in told} == {torch.float64}
    assert stopped.t_event is not None
    assert float(stopped.t_event) - start == pytest.approx(0.8125, abs=1e-6)
    assert stopped.y_event is not None
    assert float(stopped.y_event[0]) == pytest.approx(1.3125, abs=1e-4)


@pytest.mark.parametrize("name", ["dopri5", "tsit5", "rodas5p", "rk4"])
@pytest.mark.parametrize("start", [1e5, 1.7e9])
def test_the_clock_moves_by_just_what_a_step_is_long(name: str, start: float) -> None:
    y0 = torch.tensor([1.0], dtype=torch.float64)
    steps: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10} if METHODS[name].adaptive else {"dt": 0.01}
    solution = odeint(lambda t, y: -y, y0, [start, start + 1.0], method=name, **steps)
    log = solution.steps
    np.testing.assert_array_equal(
        log.t[log.accepted][:-1] + log.dt[log.accepted][:-1], log.t[log.accepted][1:]
    )
    # The differences of such times are exact, and so the solution is that of the whole span.
    assert math.fsum(log.dt[log.accepted]) == 1.0
    assert float(solution.ys[-1]) == pytest.approx(math.exp(-1.0), abs=1e-9)


def test_each_sample_has_its_exact_steps() -> None:
    y0 = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    ts = [1.7e9, 1.7e9 + 1.0]
    solution = odeint(lambda t, y: -y, y0, ts, rtol=1e-10, atol=1e-10, batch="per_sample")
    torch.testing.assert_close(solution.ys[-1], y0 * math.exp(-1.0), rtol=1e-9, atol=0.0)


def test_the_trial_is_counted() -> None:
    field = Swinging(1e5)
    calls = 0

    def counted(t: Tensor, y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return field(t, y)

    solution = solve(counted, 1e5, "dopri5", dense=False)
    assert solution.stats.nfe == calls


def joined(t: Tensor, y: Tensor) -> Tensor:
    """A field that puts the time beside the state, which two types forbid."""
    return -y + 0.0 * torch.cat((y, t[None]))[:1]


def test_a_field_that_cannot_take_it_gets_the_type_of_the_state_while_that_does() -> None:
    solution = solve(joined, 1e3, "dopri5")
    torch.testing.assert_close(
        solution.ys[-1], torch.tensor([1.0, 0.5]) * math.exp(-SPAN), rtol=1e-4, atol=1e-4
    )


@EACH
def test_where_that_does_not_it_is_told_so(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"torch.float32, which cannot tell the times of ts apart.*ts - ts\[0\]"
    ):
        solve(joined, 1.7e9, name)


def test_what_each_sample_is_told_has_the_type_of_the_state() -> None:
    y0 = torch.tensor([[1.0], [2.0]])
    with pytest.raises(
        ValueError, match=r"torch.float32, which cannot tell .* or give y0 \(and f\) more digits"
    ):
        solve(lambda t, y: -y, 1.7e9, "dopri5", y0, batch="per_sample")


def test_times_that_no_type_tells_apart_are_refused() -> None:
    y0 = torch.tensor([1.0], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"near 1\.7e\+18 they are 3\.8e\+02 apart, and ts spans 9\.98e\+03"):
        odeint(lambda t, y: -y, y0, [1.7e18, 1.7e18 + 1e4])


def test_a_net_of_its_own_time_is_refused_and_one_without_is_not() -> None:
    with pytest.raises(ValueError, match=r"torch.float32, which cannot tell"):
        solve(MLPField(2, (8,), time_dependent=True), 1.7e9, "dopri5")
    field = MLPField(2, (8,))
    at_start, late = (solve(field, start, "dopri5").ys[-1] for start in (0.0, 1.7e9))
    torch.testing.assert_close(late, at_start, rtol=1e-5, atol=1e-6)


class Shifted:
    """A field that takes floats, at another start of time."""

    accepts_float_time = True

    def __init__(self, field: Any, start: float) -> None:
        self.field, self.start = field, start

    def __call__(self, t: float, y: Tensor) -> Tensor:
        assert isinstance(t, float)
        return self.field(t - self.start, y)


def test_a_system_calculates_with_the_float_that_it_is_told() -> None:
    y0, found = torch.tensor([1.0, 0.0]), []
    for start in (0.0, 1e6):
        field = SYSTEMS["sudden_bend"].field(bend=3.0)
        found.append(odeint(Shifted(field, start), y0, [start, start + 6.0], rtol=1e-5, atol=1e-5).ys[-1])
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


def test_ordinary_times_are_told_in_the_type_of_the_state() -> None:
    for ts, dtype in (([0.0, 1.0], torch.float32), ([5.0, 6.0], torch.float32), ([-1.0, 1.0], torch.float64)):
        field = Swinging(0.0)
        odeint(field, torch.ones(2, dtype=dtype), ts, rtol=1e-5, atol=1e-5)
        assert field.types == {dtype}
