"""Which zero of an event function stops a solve: directions, zeros at the start, several in a step, tiny times."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from node_core import odeint
from node_core.fields.systems.systems import SYSTEMS
from node_core.solution import Solution, Status
from node_core.solvers.methods import METHODS
from tests.solvers.problems import rotation, step_arguments, vector

EACH = pytest.mark.parametrize("name", list(METHODS))
G = 9.81
FIRST_ORDER = [name for name, method in METHODS.items() if method.order == 1]


def falling(t: Any, y: Tensor) -> Tensor:
    """Height and speed of a ball: there is no floor in the field."""
    return torch.stack((y[..., 1], torch.full_like(y[..., 1], -G)), -1)


def still(t: Any, y: Tensor) -> Tensor:
    """A field whose solution every method has exactly, in steps as long as the span."""
    return torch.zeros_like(y)


def height(t: Any, y: Tensor) -> Tensor:
    return y[0]


def solve(f: Any, y0: Tensor, ts: list[float], name: str, dt: float, **options: Any) -> Solution:
    return odeint(f, y0, ts, method=name, **step_arguments(name, dt), **options)


def time_of(solution: Solution) -> float:
    assert solution.t_event is not None, solution.message
    return float(solution.t_event)


@EACH
@pytest.mark.parametrize("direction", [0, -1, None])
def test_a_ball_that_lies_on_the_floor_does_not_fall_through_it(name: str, direction: int | None) -> None:
    solution = solve(falling, vector(0.0, 0.0), [0.0, 1.0], name, 0.1, event=height, direction=direction)
    assert solution.status is Status.EVENT
    # To Euler's method the ball hovers for one step: its height does not change while its speed is zero.
    assert time_of(solution) == (0.1 if name == "euler" and direction == -1 else 0.0)
    assert solution.y_event is not None
    assert float(solution.y_event[0]) == 0.0
    assert solution.ys.tolist() == [[0.0, 0.0]]
    assert solution(0.0).tolist() == [0.0, 0.0]
    if direction != -1:
        assert "zero at the start, t = 0: pass direction=-1" in solution.message


@pytest.mark.parametrize("name", [name for name in METHODS if name != "euler"])
def test_a_ball_that_falls_from_the_floor_does_not_rise_through_it(name: str) -> None:
    solution = solve(falling, vector(0.0, 0.0), [0.0, 1.0], name, 0.1, event=height, direction=1)
    assert solution.status is Status.SUCCESS
    assert solution.t_event is None


@EACH
def test_a_cannon_fired_from_the_ground_flies(name: str) -> None:
    solution = solve(
        falling, vector(0.0, 3.0), [0.0, 0.2, 2.0], name, 0.01, event=height, direction=-1, dense=True
    )
    tolerance = 0.02 if name in FIRST_ORDER else 1e-6
    assert time_of(solution) == pytest.approx(6 / G, abs=tolerance)
    assert solution.y_event is not None
    assert 0 <= float(solution.y_event[0]) < 1e-12
    assert solution.ts.tolist() == [0.0, 0.2]
    for direction in (0, 1):
        at_once = solve(falling, vector(0.0, 3.0), [0.0, 2.0], name, 0.1, event=height, direction=direction)
        assert time_of(at_once) == 0.0


@pytest.mark.parametrize(
    ("name", "options"), [("rk4", {"dt": 50.0}), ("dopri5", {"dt0": 50.0}), ("dopri8", {"dt0": 50.0})]
)
def test_a_cannon_flies_though_a_step_is_a_hundred_times_as_long_as_the_flight(
    name: str, options: dict[str, Any]
) -> None:
    solution = odeint(
        falling, vector(0.0, 2.0), [0.0, 50.0], method=name, event=height, direction=-1, **options
    )
    assert len(solution.steps) == 1
    assert time_of(solution) == pytest.approx(4 / G, rel=1e-9)


@EACH
@pytest.mark.parametrize("sign", [1, -1])
def test_a_floor_or_a_ceiling_at_an_inexact_height_is_no_other(name: str, sign: int) -> None:
    solution = solve(
        falling if sign == 1 else lambda t, y: -falling(t, -y),
        sign * vector(0.1, 3.0),
        [0.0, 2.0],
        name,
        0.01,
        event=lambda t, y: y[0] - sign * 0.1,
        direction=-sign,
    )
    assert time_of(solution) == pytest.approx(6 / G, abs=0.02 if name in FIRST_ORDER else 1e-6)


@EACH
@pytest.mark.parametrize("end", [7.0, -7.0])
def test_a_direction_chooses_among_the_crossings_in_the_order_of_the_solve(name: str, end: float) -> None:
    expected = {0: math.pi / 2, -1: math.pi / 2, 1: 3 * math.pi / 2}
    for direction, t in expected.items():
        solution = solve(
            rotation, vector(1.0, 0.0), [0.0, end], name, 0.01, event=height, direction=direction
        )
        tolerance = 0.1 if name in FIRST_ORDER else 2e-3
        assert time_of(solution) == pytest.approx(math.copysign(t, end), abs=tolerance)


@pytest.mark.parametrize("name", ["dopri5", "dopri8", "rodas5p", "implicit_euler"])
def test_it_is_so_on_single_trajectories_in_numpy(name: str) -> None:
    with torch.no_grad():
        system = SYSTEMS["harmonic_oscillator"].field()
        early, late = (
            solve(system, vector(1.0, 0.0), [0.0, 7.0], name, 0.01, event=height, direction=direction)
            for direction in (-1, 1)
        )
        start = solve(system, vector(0.0, 1.0), [0.0, 7.0], name, 0.01, event=height)
    assert time_of(late) == pytest.approx(3 * time_of(early), rel=2e-3)
    assert time_of(start) == 0.0


@EACH
@pytest.mark.parametrize("width", [0.01, 1e-4])
def test_a_step_that_crosses_zero_twice_stops_at_the_first_crossing(name: str, width: float) -> None:
    def dip(t: Any, y: Tensor) -> Any:
        return (t - 0.53) ** 2 - width**2 + 0 * y[0]

    for direction, where in ((0, 0.53 - width), (-1, 0.53 - width), (1, 0.53 + width)):
        solution = solve(still, vector(1.0), [0.0, 1.0], name, 1.0, event=dip, direction=direction)
        assert time_of(solution) == pytest.approx(where, abs=1e-8)


@EACH
@pytest.mark.parametrize("middle", [0.03, 0.97])
def test_it_is_seen_beside_the_ends_of_a_step_too(name: str, middle: float) -> None:
    solution = solve(
        still, vector(1.0), [0.0, 1.0], name, 1.0, event=lambda t, y: 1e-6 - (t - middle) ** 2 + 0 * y[0]
    )
    assert time_of(solution) == pytest.approx(middle - 1e-3, abs=1e-8)


def test_a_state_that_changes_its_sign_twice_within_a_step_is_seen() -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        return 2 * (t - 0.5) + 0 * y

    start = vector(0.25 - 1e-4)
    for name in ("rk4", "dopri5", "tsit5", "bosh3", "fehlberg45", "dopri8", "trapezoid", "rodas5p"):
        options: dict[str, Any] = {"dt0": 1.0} if METHODS[name].adaptive else {"dt": 1.0}
        solution = odeint(f, start, [0.0, 1.0], method=name, event=height, **options)
        assert len(solution.steps) == 1
        assert time_of(solution) == pytest.approx(0.49, abs=1e-9)


@EACH
def test_the_first_of_three_roots_in_a_step_is_reported(name: str) -> None:
    for roots in ((0.2, 0.45, 0.9), (0.51, 0.52, 0.53)):

        def cubic(t: Any, y: Tensor, roots: tuple[float, ...] = roots) -> Any:
            return (t - roots[0]) * (t - roots[1]) * (t - roots[2]) + 0 * y[0]

        solution = solve(still, vector(1.0), [0.0, 1.0], name, 1.0, event=cubic)
        assert time_of(solution) == pytest.approx(roots[0], abs=1e-12)


@EACH
def test_a_touch_from_above_is_no_rise(name: str) -> None:
    solution = solve(
        still, vector(1.0), [0.0, 1.0], name, 1.0, event=lambda t, y: (t - 0.5) ** 2 + 0 * y[0], direction=1
    )
    assert solution.status is Status.SUCCESS


@EACH
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_an_event_at_a_tiny_or_a_huge_time_is_as_exact_as_any(name: str, scale: float) -> None:
    def decay(t: Any, y: Tensor) -> Tensor:
        return -y / scale

    solution = solve(decay, vector(1.0), [0.0, 2 * scale], name, 0.002 * scale, event=lambda t, y: y[0] - 0.5)
    tolerance = 2e-3 if name in FIRST_ORDER else 1e-5
    assert time_of(solution) / scale == pytest.approx(math.log(2), rel=tolerance)
    assert solution.y_event is not None
    assert float(solution.y_event[0]) == pytest.approx(0.5, abs=1e-15)


@EACH
@pytest.mark.parametrize("at", [1e-13, 1e-5, 0.7])
def test_a_root_is_exact_relative_to_its_time_however_long_the_step(name: str, at: float) -> None:
    solution = solve(still, vector(1.0), [0.0, 1.0], name, 1.0, event=lambda t, y: t - at + 0 * y[0])
    assert time_of(solution) == pytest.approx(at, rel=1e-13)


@pytest.mark.parametrize("name", ["dopri5", "rk4", "rodas5p", "scipy_radau"])
def test_a_ball_bounces_as_often_as_the_solve_begins_anew(name: str) -> None:
    """Where a solve stopped, the ball is on or just above the floor: the next one does not stop at once."""
    t, y, times = 0.0, vector(1.0, 0.0), []
    for _ in range(4):
        solution = solve(falling, y, [t, t + 2.0], name, 0.01, event=height, direction=-1)
        assert solution.y_event is not None
        assert float(solution.y_event[0]) >= 0
        t, y = time_of(solution), solution.y_event * vector(1.0, -0.5)
        times.append(t)
    fall = math.sqrt(2 / G)
    assert times == pytest.approx([fall, 2 * fall, 2.5 * fall, 2.75 * fall], abs=1e-5)


def test_a_direction_may_be_the_function_s_own_as_in_scipy() -> None:
    def rising(t: Any, y: Tensor) -> Tensor:
        return y[0]

    rising.direction = 1  # type: ignore[attr-defined]
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 7.0], event=rising)
    assert time_of(solution) == pytest.approx(3 * math.pi / 2, abs=1e-5)
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 7.0], event=rising, direction=-1)
    assert time_of(solution) == pytest.approx(math.pi / 2, abs=1e-5)


@pytest.mark.parametrize("direction", [2, True, "up", 0.5])
def test_another_direction_is_refused(direction: Any) -> None:
    with pytest.raises(ValueError, match=r"direction=.* is none of -1 \(the event function falls"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], event=height, direction=direction)


def test_a_direction_without_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="pass event= too"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], direction=1)


@pytest.mark.parametrize("name", ["dopri8", "dopri5", "rk4"])
def test_what_the_search_evaluates_is_counted_and_not_repeated(name: str) -> None:
    calls = 0

    def f(t: Any, y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return rotation(t, y)

    solution = solve(f, vector(1.0, 0.0), [0.0, 2.0], name, 0.1, event=height)
    assert solution.stats.nfe == calls
    plain = odeint(rotation, vector(1.0, 0.0), [0.0, 2.0], method=name, **step_arguments(name, 0.1))
    extra = {"dopri8": 4, "dopri5": 0, "rk4": 1}[name]  # stages of dense output a step
    assert calls <= plain.stats.nfe + extra * (len(solution.steps) + 1) + 1


@pytest.mark.parametrize("dt", [0.01, 0.1])
def test_euler_s_first_step_along_the_floor_is_no_bounce(dt):
    # Euler stays at height zero for one step: its interpolant must not be taken for a leap.
    def falling(t, y):
        return torch.stack([y[1], torch.full_like(y[1], -9.81)])

    def height(t, y):
        return y[0]

    start = torch.zeros(2, dtype=torch.float64)
    up = odeint(falling, start, [0.0, 1.0], method="euler", dt=dt, event=height, direction=1)
    assert up.status is Status.SUCCESS
    down = odeint(falling, start, [0.0, 1.0], method="euler", dt=dt, event=height, direction=-1)
    assert down.t_event is not None
    assert float(down.t_event) == pytest.approx(dt)  # where Euler's path leaves the floor
