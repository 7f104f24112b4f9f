"""Several events, those that are recorded only, and solves that end at an event alone."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from node_core import Event, SolveError, odeint
from node_core.solution import Status
from node_core.solvers.methods import METHODS
from tests.solvers.problems import GENERAL, rotation, step_arguments, vector

EACH = pytest.mark.parametrize("name", list(GENERAL))
LOOSE = {"euler": 0.2, "implicit_euler": 0.2}


def near(name: str) -> float:
    return LOOSE.get(name, 3e-3)


def solved_by(name: str) -> dict[str, Any]:
    return {"rtol": 1e-5, "atol": 1e-5} if METHODS[name].adaptive else {"dt": 0.04}


def x_zero(t: Any, y: Tensor) -> Tensor:
    return y[0]


def v_zero(t: Any, y: Tensor) -> Tensor:
    return y[1]


@pytest.mark.parametrize(
    ("name", "sign"),
    [*((name, 1.0) for name in GENERAL), ("dopri5", -1.0), ("rk4", -1.0), ("scipy_adams", -1.0)],
)
def test_crossings_are_recorded_for_each_event_and_the_outputs_are_what_they_were(
    name: str, sign: float
) -> None:
    ts = [0.0, sign * 1.0, sign * 4.0, sign * 5.0]
    options = solved_by(name)
    events = [Event(x_zero, terminal=False), Event(v_zero, direction=int(sign), terminal=False)]
    solution = odeint(rotation, vector(1.0, 0.0), ts, method=name, event=events, **options)
    plain = odeint(rotation, vector(1.0, 0.0), ts, method=name, **options)
    assert solution.status is Status.SUCCESS
    assert solution.t_event is None
    assert solution.stopped_by is None
    # Solved by the loop or by the bare formulas of fixed steps.
    torch.testing.assert_close(solution.ys, plain.ys, rtol=0, atol=1e-13)
    by_x, by_v = solution.events
    quarter = sign * math.pi / 2
    torch.testing.assert_close(by_x.t, vector(1, 3) * quarter, rtol=0, atol=near(name))
    torch.testing.assert_close(by_x.y[:, 1], -sign * vector(1, -1), rtol=0, atol=near(name))
    # v = -sin t rises at pi; going backward it rises, in the order of the solve, at 0 too, where it starts.
    torch.testing.assert_close(by_v.t[-1], vector(2)[0] * quarter, rtol=0, atol=near(name))
    assert len(by_v) == 1


def test_a_zero_at_the_start_is_recorded_once_and_the_solve_goes_on() -> None:
    both = odeint(rotation, vector(1.0, 0.0), [0.0, 4.0], event=Event(v_zero, terminal=False), rtol=1e-9)
    torch.testing.assert_close(both.events[0].t, vector(0.0, math.pi), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        both.events[0].y, torch.stack((vector(1, 0), vector(-1, 0))), rtol=0, atol=1e-5
    )
    falls = odeint(rotation, vector(1.0, 0.0), [0.0, 4.0], event=Event(v_zero, -1, terminal=False), rtol=1e-9)
    assert falls.events[0].t.tolist() == [0.0]


@EACH
def test_the_first_terminal_event_stops_and_what_came_before_it_is_there(name: str) -> None:
    events = [Event(lambda t, y: y[0] + 0.5), Event(x_zero, terminal=False), Event(lambda t, y: t - 3.0)]
    solution = odeint(
        rotation, vector(1.0, 0.0), [0.0, 1.0, 5.0], method=name, event=events, **solved_by(name)
    )
    assert solution.status is Status.EVENT
    assert solution.stopped_by == 0
    assert len(solution.ys) == 2
    assert [len(one) for one in solution.events] == [1, 1, 0]
    assert solution.t_event is not None
    assert float(solution.t_event) == float(solution.events[0].t[0])
    assert float(solution.t_event) == pytest.approx(2 * math.pi / 3, abs=near(name))
    assert float(solution.events[1].t[0]) == pytest.approx(math.pi / 2, abs=near(name))


@pytest.mark.parametrize("name", ["dopri5", "rk4", "rodas5p", "scipy_lsoda"])
def test_a_number_stops_at_that_crossing(name: str) -> None:
    solution = odeint(
        rotation,
        vector(1.0, 0.0),
        [0.0, math.inf],
        method=name,
        event=Event(x_zero, terminal=3),
        **step_arguments(name),
    )
    torch.testing.assert_close(
        solution.events[0].t, vector(1, 3, 5) * math.pi / 2, rtol=0, atol=1e-4, check_dtype=False
    )
    assert solution.t_event is not None
    assert float(solution.t_event) == float(solution.events[0].t[-1])


def test_events_at_one_time_are_all_recorded_and_the_terminal_one_is_the_last() -> None:
    stop = Event(x_zero)
    also = Event(lambda t, y: 2 * y[0], terminal=False)
    at_output = float(odeint(rotation, vector(1.0, 0.0), [0.0, 4.0], event=stop).t_event)  # type: ignore[arg-type]
    for events in ([stop, also], [also, stop]):
        solution = odeint(rotation, vector(1.0, 0.0), [0.0, at_output, 4.0], event=events)
        assert [one.t.tolist() for one in solution.events] == [[at_output]] * 2
        assert solution.stopped_by == events.index(stop)
        assert solution.ts.tolist() == [0.0, at_output]


def test_they_are_those_of_scipy() -> None:
    def prey(t: Any, y: Any) -> Any:
        return y[0] - 1.0

    prey.terminal, prey.direction = False, 0  # type: ignore[attr-defined]

    def predators(t: Any, y: Any) -> Any:
        return y[1] - 1.2

    predators.terminal, predators.direction = 4, 1  # type: ignore[attr-defined]

    def hunt(t: Any, y: Tensor) -> Tensor:
        return torch.stack((1.5 * y[0] - y[0] * y[1], y[0] * y[1] - 0.9 * y[1]))

    scipy = solve_ivp(
        lambda t, y: hunt(t, torch.from_numpy(y)).numpy(),
        (0, 50),
        [2.0, 1.0],
        events=[prey, predators],
        rtol=1e-10,
        atol=1e-10,
    )
    ours = odeint(hunt, vector(2.0, 1.0), [0.0, 50.0], event=[prey, predators], rtol=1e-10, atol=1e-10)
    for found, expected, states in zip(ours.events, scipy.t_events, scipy.y_events, strict=True):
        np.testing.assert_allclose(found.t.numpy(), expected, rtol=1e-7)
        np.testing.assert_allclose(found.y.numpy(), states, rtol=1e-6)
    assert ours.stopped_by == 1
    assert [len(one) for one in ours.events] == [6, 4]


def test_three_crossings_within_an_eighth_of_a_step_are_three() -> None:
    """One step over the whole span: a clock, whose event function wiggles."""
    middle = 0.53

    def wiggle(t: Any, y: Tensor) -> Tensor:
        s = (y[0] - middle) / 0.02
        return s * (s * s - 1.0)

    solution = odeint(
        lambda t, y: torch.ones_like(y),
        vector(0.0),
        [0.0, 1.0],
        method="rk4",
        dt=1.0,
        event=Event(wiggle, terminal=False),
    )
    torch.testing.assert_close(solution.events[0].t, vector(0.51, 0.53, 0.55), rtol=0, atol=1e-12)


def test_a_touch_is_recorded_once_and_a_rest_at_zero_once() -> None:
    touch = odeint(
        lambda t, y: torch.ones_like(y), vector(0.0), [0.0, 2.0], method="rk4", dt=0.25,
        event=[
            Event(lambda t, y: (y[0] - 1.0) ** 2, terminal=False),
            Event(lambda t, y: (y[0] - 1.0) ** 2, direction=1, terminal=False),
            Event(lambda t, y: torch.relu(0.5 - y[0]), terminal=False),
            Event(lambda t, y: y[0] - 1.0, direction=1, terminal=False),
        ],
    )  # fmt: skip
    assert [len(one) for one in touch.events] == [1, 0, 1, 1]
    assert [one.t.tolist() for one in touch.events[:2]] == [[1.0], []]


@pytest.mark.parametrize(
    ("name", "sign"),
    [*((name, 1.0) for name in GENERAL), ("dopri5", -1.0), ("rk4", -1.0), ("scipy_adams", -1.0)],
)
def test_no_end_time_is_needed_where_an_event_stops(name: str, sign: float) -> None:
    options = solved_by(name)
    ends = [0.0, sign * 0.5, sign * math.inf]
    solution = odeint(rotation, vector(1.0, 0.0), ends, method=name, event=x_zero, **options)
    assert float(solution.t_event) == pytest.approx(sign * math.pi / 2, abs=near(name))  # type: ignore[arg-type]
    assert len(solution.ys) == 2
    with pytest.raises(
        SolveError, match=r"no event stopped the solve within max_steps = 30 steps.*Check the event"
    ):
        odeint(
            rotation,
            vector(1.0, 0.0),
            ends,
            method=name,
            event=lambda t, y: y[0] - 2,
            max_steps=30,
            **options,
        )


def test_steps_that_grow_without_end_find_the_end_of_all_times() -> None:
    with pytest.raises(
        SolveError, match=r"no event stopped the solve, and beyond t = .*e\+30. there are no more"
    ):
        odeint(lambda t, y: -y * 0, vector(1.0), [0.0, math.inf], event=lambda t, y: y[0] - 2)


def test_an_end_that_is_none_wants_an_event() -> None:
    for event in (None, Event(x_zero, terminal=False)):
        with pytest.raises(
            ValueError, match="ts has no end, and no event stops the solve: give a finite end"
        ):
            odeint(rotation, vector(1.0, 0.0), [0.0, math.inf], event=event)
    with pytest.raises(ValueError, match="ts contains NaN or infinity"):
        odeint(rotation, vector(1.0, 0.0), [-math.inf, 0.0], event=x_zero)


def test_a_large_start_time_of_a_small_type_is_told_to_f_in_digits_enough() -> None:
    seen = []

    def clock(t: Tensor, y: Tensor) -> Tensor:
        seen.append(t.dtype)
        return torch.ones_like(y)

    start = torch.zeros(1)
    solution = odeint(clock, start, [1.7e9, math.inf], event=lambda t, y: y[0] - 1.0)
    assert float(solution.t_event) - 1.7e9 == pytest.approx(1.0, abs=1e-5)  # type: ignore[arg-type]
    assert seen[-1] is torch.float64


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ([], "event is an empty list"),
        ([3.0], r"event\[0\] is float, not a function"),
        ([x_zero, Event], r"event\[1\] is the class Event, not a function"),
        ([lambda y: y], r"event\[0\] takes \(y\), but it is called as event\[0\]\(t, y\)"),
    ],
)
def test_a_mistake_is_a_sentence(event: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], event=event)


def test_another_direction_or_terminal_is_refused() -> None:
    with pytest.raises(ValueError, match="direction=2 is none of -1"):
        Event(x_zero, direction=2)
    with pytest.raises(ValueError, match="terminal=-1 is none of True"):
        Event(x_zero, terminal=-1)
    with pytest.raises(ValueError, match="direction=1 is for one event, not for a list"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], event=[x_zero], direction=1)


def test_a_copy_has_the_numbers() -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    solution = odeint(rotation, y0, [0.0, 4.0], event=Event(x_zero, terminal=False))
    copied = copy.deepcopy(solution)
    assert copied.events[0].t.tolist() == solution.events[0].t.tolist()
    assert not copied.events[0].y.requires_grad
