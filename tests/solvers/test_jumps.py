"""A field that jumps in time, and a solver that was told of it (`jumps=`) or kept on a short leash (`max_step=`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.gradients.names import CONTINUOUS, GRADIENTS
from node_core.solution import Solution
from node_core.solvers.field_clock import FieldClock, inside
from node_core.solvers.methods import METHODS
from tests.solvers.problems import ADAPTIVE, FIXED, D, vector

EACH = pytest.mark.parametrize("name", list(METHODS))
PER_SAMPLE = [name for name, method in METHODS.items() if method.family == "explicit" and method.adaptive]
MODES = [
    (name, gradient)
    for name, method in METHODS.items()
    for gradient in (CONTINUOUS if method.family == "scipy" else GRADIENTS)
]
START, END = 5.0, 5.01


def solve(
    f: Any, y0: Tensor, ts: Any, name: str, *, tolerance: float = 1e-8, dt: float = 0.3, **options: Any
) -> Solution:
    steps: dict[str, Any] = {"rtol": tolerance, "atol": tolerance} if METHODS[name].adaptive else {"dt": dt}
    return odeint(f, y0, ts, method=name, **steps, **options)


class Pulse:
    """y' = 100 from t = 5 to 5.01 and else 0, with the edges open or closed."""

    def __init__(self, closed: bool) -> None:
        self.closed = closed

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        on = (t >= START) & (t <= END) if self.closed else (t > START) & (t < END)
        return 100.0 * on.to(y.dtype) + 0.0 * y


class NumpyPulse:
    """The same for a solve that runs in numpy."""

    accepts_numpy = True
    accepts_float_time = True

    def __call__(self, t: float, y: Any) -> Any:
        return 100.0 * float(START <= t < END) + 0.0 * y


@EACH
@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("ts", [(0.0, 10.0), (10.0, 0.0), (START, END), (END, START)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_pulse_is_met_whatever_f_says_at_its_edges(
    name: str, closed: bool, ts: tuple[float, float], dtype: torch.dtype
) -> None:
    y0 = torch.tensor([0.25, 0.5], dtype=dtype)
    tolerance = 1e-8 if dtype is D else 1e-5
    solution = solve(Pulse(closed), y0, ts, name, tolerance=tolerance, jumps=[START, END])
    gained = math.copysign(1.0, ts[1] - ts[0])
    torch.testing.assert_close(solution.ys[-1], y0 + gained, rtol=1e-6, atol=1e-6 if dtype is D else 2e-5)
    ends = solution.steps.t + solution.steps.dt
    for jump in (START, END):
        if jump != ts[1]:
            assert jump in solution.steps.t  # a step begins exactly there
        assert jump == ts[0] or np.abs(ends - jump).min() < 1e-14


@EACH
def test_it_is_stepped_over_without_them(name: str) -> None:
    # What the two arguments are for; should a method learn to see it by itself, their documentation is out of date.
    assert float(solve(Pulse(True), vector(0.0), [0.0, 10.0], name, dt=0.37).ys[-1]) == 0.0


@EACH
def test_a_solve_in_numpy_meets_it_too(name: str) -> None:
    solution = solve(NumpyPulse(), vector(0.25), [0.0, 10.0], name, jumps=[START, END])
    assert float(solution.ys[-1]) == pytest.approx(1.25, abs=1e-9)
    assert float(solution(5.005)) == pytest.approx(0.75, abs=1e-6)


# y' = u(t) - y with u = 0, 3, -1, switched at 1 and at 1.7
EDGES, LEVELS = (1.0, 1.7), (0.0, 3.0, -1.0)


def switched(t: Tensor, y: Tensor) -> Tensor:
    u = torch.where(t < EDGES[0], LEVELS[0], torch.where(t < EDGES[1], LEVELS[1], LEVELS[2]))
    return u - y


def switched_exact(ts: Any, y0: float = 1.0) -> np.ndarray:
    values = []
    for t in np.asarray(ts, dtype=float):
        y, now = y0, 0.0
        for level, until in zip(LEVELS, (*EDGES, math.inf), strict=True):
            span = min(t, until) - now
            if span > 0:
                y, now = level + (y - level) * math.exp(-span), now + span
        values.append(y)
    return np.array(values)


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_step_method_keeps_its_order_across_a_jump(name: str) -> None:
    exact, errors = switched_exact([3.0]), []
    for dt in (0.13, 0.065):
        solution = solve(switched, vector(1.0), [0.0, 3.0], name, dt=dt, jumps=EDGES)
        errors.append(abs(solution.ys[-1].numpy() - exact)[0])
    # The jumps lie on no grid, so that a slope is met only roughly.
    assert math.log2(errors[0] / errors[1]) > METHODS[name].order - 0.35
    untold = solve(switched, vector(1.0), [0.0, 3.0], name, dt=0.065)
    assert (
        abs(untold.ys[-1].numpy() - exact)[0] > 1e-3 > (1e-2 if METHODS[name].order == 1 else 1) * errors[1]
    )


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize(
    "edges", [EDGES, EDGES[::-1], np.array(EDGES), torch.tensor(EDGES, dtype=D), [1.7, 1.0, 99.0]]
)
def test_an_adaptive_method_is_as_accurate_as_between_the_jumps(name: str, edges: Any) -> None:
    ts = [0.0, 0.5, *EDGES, 2.2, 3.0]
    solution = solve(switched, vector(1.0), ts, name, jumps=edges)
    np.testing.assert_allclose(solution.ys[:, 0], switched_exact(ts), atol=1e-6)
    between = np.linspace(0.0, 3.0, 301)
    np.testing.assert_allclose(solution(between)[:, 0], switched_exact(between), atol=1e-5)


@pytest.mark.parametrize("name", ["bosh3", "fehlberg45", "dopri5", "tsit5", "dopri8", "rodas5p"])
def test_jumps_cost_no_rejections_and_few_evaluations(name: str) -> None:
    told = solve(switched, vector(1.0), [0.0, 3.0], name, jumps=EDGES)
    untold = solve(switched, vector(1.0), [0.0, 3.0], name)
    assert told.stats.n_rejected <= 3
    assert told.stats.nfe < untold.stats.nfe


def test_a_fixed_grid_goes_on_behind_a_jump() -> None:
    solution = odeint(switched, vector(1.0), [0.0, 2.0], method="rk4", dt=0.5, jumps=[0.7, 1.5 + 1e-12])
    np.testing.assert_allclose(solution.steps.t, [0.0, 0.5, 0.7, 1.0, 1.5], atol=1e-9)


class Driven(nn.Module):
    """y' = gain u(t) - rate y, whose solution is known in both parameters."""

    def __init__(self, dtype: torch.dtype = D) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.8, dtype=dtype))
        self.gain = nn.Parameter(torch.tensor(1.5, dtype=dtype))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        on = ((t >= EDGES[0]) & (t < EDGES[1])).to(y.dtype)
        return self.gain * on - self.rate * y

    def exact(self, y0: Tensor, t: float = 3.0) -> Tensor:
        """The state at t behind the second edge."""
        a, b = EDGES
        pushed = (torch.exp(-self.rate * (t - b)) - torch.exp(-self.rate * (t - a))) / self.rate
        return y0 * torch.exp(-self.rate * t) + self.gain * pushed


def gradients(value: Tensor, y0: Tensor, field: Driven) -> list[float]:
    found = torch.autograd.grad(value.square().sum(), (y0, field.rate, field.gain))
    return [float(g) for g in found]


@pytest.mark.parametrize(("name", "gradient"), MODES)
def test_gradients_are_right_across_a_jump(name: str, gradient: str) -> None:
    field, y0 = Driven(), vector(1.0).requires_grad_()
    coarse = METHODS[name].order < 3
    solution = solve(
        field, y0, [0.0, 1.0, 1.3, 3.0], name, dt=0.02 if coarse else 0.1, jumps=EDGES, gradient=gradient
    )
    found = gradients(solution.ys[-1] + 0.0 * solution.ys.sum(), y0, field)
    expected = gradients(field.exact(y0), y0, field)
    loose = 0.05 if METHODS[name].order == 1 else 1e-3 if coarse else 1e-5
    np.testing.assert_allclose(found, expected, rtol=loose)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("name", ["rk4", "dopri5", "dopri8", "trapezoid", "rodas5p"])
def test_outputs_at_and_between_jumps_have_their_gradients(name: str, gradient: str) -> None:
    field, y0 = Driven(), vector(1.0).requires_grad_()
    ts = [0.0, 0.4, *EDGES, 2.0]
    solution = solve(field, y0, ts, name, dt=0.01, jumps=EDGES, gradient=gradient)
    (found,) = torch.autograd.grad(solution.ys.sum(), field.rate)
    # The first two outputs see no push, the third ends it, the fourth comes behind it.
    a, b = EDGES
    rate = field.rate
    pushed = field.gain * (1 - torch.exp(-rate * (b - a))) / rate
    total = sum(y0 * torch.exp(-rate * t) for t in ts) + pushed + pushed * torch.exp(-rate * (ts[-1] - b))
    (expected,) = torch.autograd.grad(total.sum(), rate)
    assert float(found) == pytest.approx(float(expected), rel=2e-5)


@pytest.mark.parametrize("gradient", ["backprop", "checkpointed"])
def test_a_second_derivative_is_right_across_a_jump(gradient: str) -> None:
    field, y0 = Driven(), vector(1.0).requires_grad_()
    second = []
    for value in (
        solve(field, y0, [0.0, 3.0], "dopri5", jumps=EDGES, gradient=gradient).ys[-1],
        field.exact(y0),
    ):
        (first,) = torch.autograd.grad(value.sum(), field.rate, create_graph=True)
        second.append(float(torch.autograd.grad(first, field.rate)[0]))
    assert second[0] == pytest.approx(second[1], rel=1e-5)


@pytest.mark.parametrize("name", ["rk4", "dopri5", "rodas5p", "scipy_lsoda"])
def test_the_ends_may_be_jumps_when_they_are_differentiated(name: str) -> None:
    field, y0 = Driven(), vector(1.0)
    options: dict[str, Any] = {"jumps": EDGES, "gradient": "adjoint", "dt": 0.01}
    for span, slope in (((0.3, 1.0), -0.8), ((1.0, 1.7), None), ((1.7, 2.4), -0.8)):
        ts = torch.tensor(span, dtype=D, requires_grad=True)
        solution = solve(field, y0, ts, name, **options)
        (found,) = torch.autograd.grad(solution.ys[-1].sum(), ts)
        end = float(solution.ys[-1].detach())
        inner = 1.5 - 0.8 * end if slope is None else slope * end
        start = 1.5 - 0.8 if slope is None else slope
        assert float(found[1]) == pytest.approx(inner, rel=1e-6)
        assert float(found[0]) == pytest.approx(-start * math.exp(-0.8 * 0.7), rel=1e-5)


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_each_sample_meets_the_jumps_at_its_own_pace(name: str) -> None:
    field, y0 = Driven(), torch.tensor([[1.0], [-4.0], [30.0]], dtype=D, requires_grad=True)
    ts = [0.0, 1.0, 1.3, 3.0]
    options: dict[str, Any] = {"jumps": EDGES, "dt0": 0.2}
    together = solve(field, y0, ts, name, batch="per_sample", **options)
    for i in range(3):
        alone = solve(field, y0[i], ts, name, **options)
        log = together.steps.of(i)
        # The error estimate of dopri8 is near round-off here, which the two ways have of their own.
        np.testing.assert_allclose(log.t, alone.steps.t, rtol=1e-3)
        torch.testing.assert_close(together.ys[:, i], alone.ys, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(together.ys[-1], field.exact(y0), rtol=1e-6, atol=1e-6)
    found = torch.autograd.grad(together.ys[-1].sum(), (field.rate, y0))
    expected = torch.autograd.grad(field.exact(y0).sum(), (field.rate, y0))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@EACH
def test_an_event_behind_a_jump_is_found(name: str) -> None:
    # y rises through 0.5 only because of the push
    def event(t: Tensor, y: Tensor) -> Tensor:
        return y[0] - 0.8

    field = Driven()
    with torch.no_grad():
        solution = solve(field, vector(1.0), [0.0, 1.0, 3.0], name, dt=0.01, jumps=EDGES, event=event)
        assert solution.t_event is not None
        first = math.log(1 / 0.8) / 0.8
        assert float(solution.t_event) == pytest.approx(first, abs=0.01)
        again = solve(field, vector(0.0), [0.0, 3.0], name, dt=0.01, jumps=EDGES, event=event)
    assert again.t_event is not None
    pushed = EDGES[0] - math.log(1 - 0.8 * 0.8 / 1.5) / 0.8
    assert float(again.t_event) == pytest.approx(pushed, abs=0.01 if METHODS[name].order == 1 else 1e-4)


def test_a_closed_form_field_takes_them_as_stops() -> None:
    field, y0 = MLPField(2, (8,), dtype=D), vector(1.0, 0.5)
    told, untold = (solve(field, y0, [0.0, 2.0], "dopri5", jumps=jumps) for jumps in ([0.7], None))
    torch.testing.assert_close(told.ys, untold.ys, rtol=1e-7, atol=1e-7)
    timed = MLPField(2, (8,), time_dependent=True, dtype=D)
    told, untold = (solve(timed, y0, [0.0, 2.0], "dopri5", jumps=jumps) for jumps in ([0.7], None))
    torch.testing.assert_close(told.ys, untold.ys, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", ["trapezoid", "rodas5p", "scipy_radau"])
def test_a_given_jacobian_is_asked_on_the_same_side(name: str) -> None:
    asked: list[float] = []

    def f(t: Any, y: Tensor) -> Tensor:
        return torch.where(torch.as_tensor(t < 1.0), -1.0, -30.0) * y

    def jacobian(t: Any, y: Any) -> Any:
        asked.append(float(t))
        rate = -1.0 if t < 1.0 else -30.0
        return (
            torch.full((*y.shape, 1), rate, dtype=D)
            if isinstance(y, Tensor)
            else np.full((*y.shape, 1), rate)
        )

    solution = solve(f, vector(1.0), [0.0, 2.0], name, dt=0.02, jumps=[1.0], jacobian=jacobian)
    assert float(solution.ys[-1]) == pytest.approx(math.exp(-31.0), abs=1e-6)
    assert 1.0 not in asked
    assert asked


# -- max_step -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("ts", [(4.4, 5.6), (5.6, 4.4)])
def test_no_step_is_longer_than_max_step(name: str, ts: tuple[float, float]) -> None:
    solution = solve(Pulse(True), vector(0.25), ts, name, tolerance=1e-4, max_step=0.005)
    assert np.abs(solution.steps.dt).max() <= 0.005 * (1 + 1e-12)
    assert float(solution.ys[-1]) == pytest.approx(0.25 + math.copysign(1.0, ts[1] - ts[0]), abs=0.02)


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("gradient", CONTINUOUS)
def test_the_backward_solve_keeps_to_max_step(name: str, gradient: str) -> None:
    y0 = vector(1.0).requires_grad_()
    solution = solve(lambda t, y: -y, y0, [0.0, 2.0], name, tolerance=1e-3, max_step=0.05, gradient=gradient)
    solution.ys[-1].sum().backward()
    assert np.abs(solution.backward_steps.dt).max() <= 0.05 * (1 + 1e-12)


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_each_sample_keeps_to_max_step(name: str) -> None:
    solution = solve(
        lambda t, y: -y, torch.ones(2, 1), [0.0, 2.0], name, tolerance=1e-2, max_step=0.1, batch="per_sample"
    )
    assert np.abs(solution.steps.dt).max() <= 0.1 * (1 + 1e-12)


@pytest.mark.parametrize("name", ["scipy_lsoda", "scipy_radau", "scipy_adams"])
@pytest.mark.parametrize("ts", [(0.0, 1.0), (1.0, 0.0)])
def test_scipy_begins_with_dt0(name: str, ts: tuple[float, float]) -> None:
    solution = odeint(lambda t, y: -y, vector(1.0), ts, method=name, dt0=1e-5)
    assert abs(solution.steps.dt[0]) == pytest.approx(1e-5, rel=1e-9)


# -- the clock ----------------------------------------------------------------------------------------------------


def test_a_clock_keeps_to_the_piece_of_a_step() -> None:
    clock = FieldClock([1.0, 2.0], [0.9, 1.9], [1.1, 2.1])
    assert clock(1.0) == 1.0
    clock.enter(1.0, 0.5)
    assert (clock(0.5), clock(1.5), clock(2.0)) == (1.1, 1.5, 1.9)
    clock.enter(1.0, -0.5)
    assert (clock(1.0), clock(-7.0)) == (0.9, -7.0)
    with inside(clock, 2.5, -0.2):
        assert (clock(2.0), clock(9.0)) == (2.1, 9.0)
    assert clock(1.0) == 0.9
    assert (clock.stops(0.0, 2.0), clock.stops(3.0, 1.0), clock.stops(1.2, 1.8)) == ([1.0], [2.0], [])
    with inside(None, 0.0, 1.0):
        pass


# -- what makes no sense ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jumps", "sentence"),
    [
        (1.0, r"jumps=1.0 is no sequence of times: give the times at which f jumps"),
        ("abc", r"jumps='abc' is no sequence of times"),
        ([[1.0]], r"jumps=\[\[1.0\]\] is no sequence of times"),
        ([1.0, math.nan], r"contains NaN or infinity"),
        (
            torch.tensor([1.0], requires_grad=True),
            r"jumps requires gradients.*end one solve there and begin the next",
        ),
    ],
)
def test_jumps_that_are_none_are_refused(jumps: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        odeint(switched, vector(1.0), [0.0, 2.0], jumps=jumps)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_step": 0.0}, r"max_step=0.0 must be a positive number"),
        ({"max_step": math.inf}, r"max_step=inf must be a positive number: .*None means no limit"),
        ({"max_step": 1e-6}, r"max_step=1e-06 would take 2e\+06 steps, more than max_steps=10000"),
        ({"max_step": 0.1, "method": "rk4", "dt": 0.1}, r"takes equal steps: pass dt instead of max_step"),
    ],
)
def test_a_max_step_that_is_none_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        odeint(switched, vector(1.0), [0.0, 2.0], **options)


def test_jumps_that_the_number_type_cannot_tell_apart_are_refused() -> None:
    y0: Callable[[torch.dtype], Tensor] = lambda dtype: torch.tensor([1.0], dtype=dtype)  # noqa: E731
    with pytest.raises(
        ValueError, match=r"jumps holds 1.0 and 1.00000001, which torch.float32 cannot tell apart"
    ):
        odeint(switched, y0(torch.float32), [0.0, 2.0], rtol=1e-4, atol=1e-4, jumps=[1.0, 1.00000001])
    odeint(switched, y0(D), [0.0, 2.0], jumps=[1.0, 1.00000001])


def test_a_time_at_a_jump_has_no_derivative() -> None:
    ts = torch.tensor([0.0, 1.0, 2.0], dtype=D, requires_grad=True)
    with pytest.raises(ValueError, match=r"ts\[1\] = 1 is one of jumps: .* no derivative by that time"):
        odeint(switched, vector(1.0), ts, jumps=EDGES)
