"""The loop alone, with a stub step and a stub controller: it knows neither stages nor tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from node_core.solution import Status
from node_core.solvers.controllers import Controller, ControllerState
from node_core.solvers.events import Event
from node_core.solvers.loop import Limits, LoopResult, integrate
from node_core.solvers.norms import NumpyNorm
from node_core.solvers.step_size import initial_step, smallest_step
from node_core.solvers.steppers.step import Field, Step, StepResult

NORM = NumpyNorm(1e-6, 1e-6)


class CountedSlope:
    """dy/dt = 1, and where it was asked."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, t: float, y: np.ndarray) -> np.ndarray:
        self.times.append(t)
        return np.ones_like(y)


@dataclass
class StubStepper:
    """Moves y by exactly dt; `error` is what it says of its error, one value an attempt, then zeros.

    `fsal`: whether it returns f1. `dense_needs_f1`: whether its dense output wants it.
    """

    errors: list[float] = field(default_factory=list)
    failures: list[str | None] = field(default_factory=list)
    fsal: bool = True
    dense_needs_f1: bool = False
    order: int = 1
    error_order: int = 1
    adaptive: bool = True
    dense_order: int = 1
    explode_at: float = math.inf
    attempts: list[tuple[float, float, bool]] = field(default_factory=list)
    interpolated: list[tuple[float, float]] = field(default_factory=list)

    def step(self, f: Field, t: float, y: Any, dt: float, f0: Any) -> StepResult:
        n = len(self.attempts)
        self.attempts.append((t, dt, f0 is not None))
        if f0 is None:
            f(t, y)
        y1 = y + dt if t + dt < self.explode_at else y * np.inf
        error = np.full_like(y, self.errors[n] if n < len(self.errors) else 0.0)
        failure = self.failures[n] if n < len(self.failures) else None
        return StepResult(y1, error, f(t + dt, y1) if self.fsal else None, None, failure)

    def complete(self, f: Field, step: Step) -> Step:
        return step

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Any:
        if self.dense_needs_f1:
            assert step.result.f1 is not None
        self.interpolated += [(step.t, theta) for theta in thetas]
        return np.stack([step.y0 + theta * step.dt for theta in thetas])


class StubController(Controller):
    """Plays back (accepted, factor); when they are used up, accepts and keeps the step."""

    def __init__(self, *verdicts: tuple[bool, float]) -> None:
        super().__init__("stub", (1.0, 0.0, 0.0))
        object.__setattr__(self, "verdicts", list(verdicts))
        object.__setattr__(self, "seen", [])

    def apply(self, state: ControllerState, error_ratio: float, error_order: int) -> Any:
        self.seen.append(error_ratio)  # type: ignore[attr-defined]
        verdicts = self.verdicts  # type: ignore[attr-defined]
        accepted, factor = verdicts.pop(0) if verdicts else (error_ratio <= 1, 1.0)
        return accepted, factor, state


def run(stepper: StubStepper, ts: Sequence[float], **options: Any) -> LoopResult:
    options = {"f": CountedSlope(), "y0": np.zeros(1), "norm": NORM, **options}
    return integrate(stepper, options.pop("f"), options.pop("y0"), ts, **options)


def ys(result: LoopResult) -> list[float]:
    return np.concatenate(result.ys).ravel().tolist()


def test_an_accepted_step_moves_on_and_the_controller_sets_the_next_length() -> None:
    controller = StubController((True, 2.0), (True, 0.5), (True, 1.0))
    result = run(StubStepper(), [0.0, 16.0], dt=4.0, controller=controller)
    assert [row[:2] for row in result.rows] == [(0.0, 4.0), (4.0, 8.0), (12.0, 4.0)]
    assert all(accepted for *_, accepted in result.rows)
    assert ys(result) == [0.0, 16.0]
    assert result.status is Status.SUCCESS
    assert result.t == 16.0


def test_a_rejected_step_is_tried_again_from_the_same_place_with_the_length_the_controller_says() -> None:
    controller = StubController((False, 0.5), (False, 0.25), (True, 4.0))
    result = run(StubStepper(), [0.0, 2.5], dt=2.0, controller=controller)
    assert [(t, dt, accepted) for t, dt, _, accepted in result.rows] == [
        (0.0, 2.0, False),
        (0.0, 1.0, False),
        (0.0, 0.25, True),
        (0.25, 1.0, True),
        (1.25, 1.0, True),
        (2.25, 0.25, True),
    ]
    assert ys(result) == [0.0, 2.5]


def test_the_controller_sees_the_error_over_the_tolerance_and_the_log_keeps_it() -> None:
    controller = StubController()
    result = run(StubStepper(errors=[3e-6, 0.0]), [0.0, 1.0], dt=1.0, controller=controller)
    # scale = atol + rtol max(|0|, |1|) = 2e-6
    assert controller.seen == pytest.approx([1.5, 0.0])  # type: ignore[attr-defined]
    assert [row[2] for row in result.rows] == controller.seen  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_an_error_that_is_no_number_rejects_the_step(error: float) -> None:
    controller = Controller("i", (1.0, 0.0, 0.0))
    result = run(StubStepper(errors=[error]), [0.0, 1.0], dt=1.0, controller=controller)
    assert result.status is Status.SUCCESS
    assert [row[3] for row in result.rows][:2] == [False, True]
    assert result.rows[1][1] == pytest.approx(controller.smallest)


def test_a_state_that_overflows_is_rejected_even_if_its_error_looks_small() -> None:
    result = run(
        StubStepper(explode_at=0.6),
        [0.0, 1.0],
        y0=np.ones(1),
        dt=0.5,
        controller=Controller("i", (1.0, 0.0, 0.0)),
    )
    assert result.status is Status.NON_FINITE
    assert result.t == pytest.approx(0.6, abs=1e-9)
    assert np.isfinite(result.y).all()
    assert "stops being finite" in result.message


def test_a_step_that_failed_is_rejected_and_retried() -> None:
    stepper = StubStepper(failures=["Newton did not converge"])
    result = run(stepper, [0.0, 1.0], dt=1.0, controller=Controller("i", (1.0, 0.0, 0.0)))
    assert result.status is Status.SUCCESS
    assert result.rows[0][2:] == (math.inf, False)


def test_a_step_that_always_fails_ends_with_its_reason() -> None:
    stepper = StubStepper(failures=["Newton did not converge"] * 1000)
    result = run(stepper, [0.0, 1.0], dt=1.0, controller=Controller("i", (1.0, 0.0, 0.0)))
    assert result.status is Status.NO_CONVERGENCE
    assert result.message.startswith("Newton did not converge at t = 0")


def test_a_failed_step_of_fixed_length_ends_the_solve() -> None:
    result = run(StubStepper(failures=[None, "Newton did not converge"]), [0.0, 1.0], dt=0.25)
    assert result.status is Status.NO_CONVERGENCE
    assert "smaller dt" in result.message
    assert [row[3] for row in result.rows] == [True, False]


@pytest.mark.parametrize("t0", [0.0, 1.0, -1e6])
def test_steps_that_shrink_for_ever_end_in_an_underflow(t0: float) -> None:
    stepper = StubStepper(errors=[1.0] * 10_000)
    result = run(stepper, [t0, t0 + 1.0], dt=1.0, controller=Controller("i", (1.0, 0.0, 0.0)))
    assert result.status is Status.STEP_UNDERFLOW
    assert "too small" in result.message
    assert len(result.rows) < 60


def test_a_tolerance_below_the_rounding_of_the_state_is_named_at_the_first_rejection() -> None:
    norm = NumpyNorm(1e-9, 1e-12)
    stepper = StubStepper(errors=[1.0])
    y0 = np.ones(1, dtype=np.float32)
    result = run(stepper, [0.0, 1.0], y0=y0, dt=1.0, norm=norm, controller=Controller("i", (1.0, 0.0, 0.0)))
    assert result.status is Status.STEP_UNDERFLOW
    assert "number type" in result.message
    assert len(result.rows) == 1
    assert not norm.is_unreachable(np.ones(1))
    assert not NumpyNorm(1e-9, 1e-3).is_unreachable(y0)


@pytest.mark.parametrize("span", [(0.0, 1e12), (1e11, 1e11 + 1.0), (-1e11, -1e11 - 1.0)])
def test_long_spans_and_late_starts_are_no_underflow(span: tuple[float, float]) -> None:
    result = run(StubStepper(), span, controller=Controller("i", (1.0, 0.0, 0.0)))
    assert result.status is Status.SUCCESS
    assert result.rows[0][0] + result.rows[0][1] != span[0]


def test_the_smallest_step_still_moves_the_clock() -> None:
    for t in (0.0, 1.0, -1e9, 3e-20):
        assert t + smallest_step(t, 1.0) != t


def test_max_steps_counts_attempts_and_stops_before_the_next() -> None:
    controller = StubController((False, 0.5), (True, 1.0), (True, 1.0))
    stepper = StubStepper()
    result = run(stepper, [0.0, 100.0], dt=2.0, controller=controller, limits=Limits(max_steps=3))
    assert result.status is Status.MAX_STEPS
    assert len(stepper.attempts) == len(result.rows) == 3
    assert result.t == 2.0
    assert "max_steps = 3" in result.message
    assert "t = 2 of 100" in result.message


def test_exactly_max_steps_are_enough() -> None:
    assert run(StubStepper(), [0.0, 1.0], dt=0.25, limits=Limits(max_steps=4)).status is Status.SUCCESS
    assert run(StubStepper(), [0.0, 1.0], dt=0.25, limits=Limits(max_steps=3)).status is Status.MAX_STEPS


def test_the_time_limit_ends_the_solve_with_what_was_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("node_core.solvers.clock.time.thread_time", lambda: float(next(clock)))
    result = run(StubStepper(), [0.0, 1.0, 100.0], dt=1.0, limits=Limits(time_limit=3.5))
    assert result.status is Status.TIME_LIMIT
    assert result.t == 3.0
    assert ys(result) == [0.0, 1.0]
    assert "time_limit = 3.5 s" in result.message


@pytest.mark.parametrize(
    ("t0", "t1", "dt"), [(0.0, 1.0, 0.3), (0.1, 0.7, 0.25), (3.0, -2.0, 0.7), (0.3, 0.9, 5.0)]
)
@pytest.mark.parametrize("controller", [None, StubController()])
def test_the_last_step_ends_exactly_at_the_end(
    t0: float, t1: float, dt: float, controller: Controller | None
) -> None:
    result = run(StubStepper(), [t0, t1], dt=dt, controller=controller)
    t, h, _, _ = result.rows[-1]
    assert result.t == t1
    assert h == t1 - t
    assert result.n_outputs == 2


@pytest.mark.parametrize("n", [3, 7, 10, 49, 1000, 3000])
def test_a_span_of_whole_steps_gets_no_sliver_at_its_end(n: int) -> None:
    for end in (1.0, 0.3, 1.1, -0.7):
        rows = run(StubStepper(), [0.0, end], dt=abs(end) / n).rows
        assert len(rows) == n
        assert abs(rows[-1][1]) == pytest.approx(abs(end) / n, rel=1e-6)


def test_the_times_of_fixed_steps_do_not_drift() -> None:
    rows = run(StubStepper(), [0.0, 900.0], dt=0.1, limits=Limits(9000)).rows
    assert len(rows) == 9000
    assert [row[0] for row in rows] == [0.1 * i for i in range(9000)]


def test_outputs_inside_a_step_are_interpolated_and_those_at_its_end_are_its_state() -> None:
    stepper = StubStepper()
    result = run(stepper, [0.0, 0.25, 0.5, 1.0, 1.75, 2.0], dt=1.0)
    assert stepper.interpolated == [(0.0, 0.25), (0.0, 0.5), (1.0, 0.75)]
    assert ys(result) == [0.0, 0.25, 0.5, 1.0, 1.75, 2.0]


def test_output_times_do_not_change_the_steps() -> None:
    few = run(StubStepper(), [0.0, 2.0], dt=0.3).rows
    many = run(StubStepper(), np.linspace(0.0, 2.0, 57).tolist(), dt=0.3).rows
    assert [row[:2] for row in few] == [row[:2] for row in many]


def test_outputs_are_handed_out_backward_in_time_too() -> None:
    result = run(StubStepper(), [1.0, 0.75, 0.5, -1.0], dt=0.5)
    assert ys(result) == [0.0, -0.25, -0.5, -2.0]


def test_outputs_at_every_fixed_step_never_ask_for_a_slope_only_because_of_rounding() -> None:
    # 0.1 + (0.1 i - 0.1 (i - 1)) is often not 0.1 i: the step's own state must be handed out all the same.
    stepper, f = StubStepper(fsal=False, dense_needs_f1=True), CountedSlope()
    ts = [0.1 * i for i in range(200)]
    run(stepper, ts, f=f, dt=0.1)
    assert stepper.interpolated == []
    assert len(f.times) == 199


def test_the_slope_at_the_end_of_a_step_starts_the_next() -> None:
    stepper, f = StubStepper(), CountedSlope()
    run(stepper, [0.0, 3.0], f=f, dt=1.0, controller=StubController())
    assert f.times == [0.0, 1.0, 2.0, 3.0]
    assert all(known for *_, known in stepper.attempts)


def test_a_rejected_step_evaluates_nothing_twice() -> None:
    controller = StubController((True, 1.0), (False, 0.5), (True, 1.0), (True, 1.0))
    stepper, f = StubStepper(fsal=False), CountedSlope()
    run(stepper, [0.0, 2.0], f=f, dt=1.0, controller=controller)
    assert len(stepper.attempts) == 4
    assert f.times == [0.0, 1.0, 1.5]


def test_a_slope_that_dense_output_needs_is_evaluated_once_and_starts_the_next_step() -> None:
    stepper, f = StubStepper(fsal=False, dense_needs_f1=True), CountedSlope()
    result = run(stepper, [0.0, 0.5, 3.0], f=f, dt=1.0)
    assert f.times == [0.0, 1.0, 2.0]
    assert [known for *_, known in stepper.attempts] == [False, True, False]
    assert ys(result) == [0.0, 0.5, 3.0]


def test_a_known_first_slope_is_not_evaluated_again() -> None:
    f = CountedSlope()
    run(StubStepper(), [0.0, 2.0], f=f, dt=1.0, controller=StubController(), f0=np.ones(1))
    assert f.times == [1.0, 2.0]


@pytest.mark.parametrize("controller", [None, StubController()])
def test_a_field_without_a_value_at_the_start_is_named(controller: Controller | None) -> None:
    stepper = StubStepper(explode_at=-1.0)
    result = run(stepper, [0.0, 1.0], f=lambda t, y: y * np.nan, y0=np.ones(1), dt=0.1, controller=controller)
    assert result.status is Status.NON_FINITE
    assert "f(t, y) is not finite at t = 0" in result.message


def test_a_fixed_step_that_explodes_ends_the_solve_and_is_logged_as_rejected() -> None:
    result = run(StubStepper(explode_at=0.5), [0.0, 0.2, 1.0], y0=np.ones(1), dt=0.25)
    assert result.status is Status.NON_FINITE
    assert [row[3] for row in result.rows] == [True, False]
    assert "t = 0.5" in result.message
    assert result.t == 0.25
    assert ys(result) == [1.0, 1.2]


def test_an_event_ends_the_solve_at_its_root_and_hands_out_what_came_before() -> None:
    stepper = StubStepper()
    result = run(
        stepper,
        [0.0, 0.5, 1.2, 1.9, 3.0],
        dt=1.0,
        event=Event(lambda t, y: float(y[0]) - 1.6),
        keep_steps=True,
    )
    assert result.status is Status.EVENT
    assert result.crossing is not None
    assert result.crossing.t == pytest.approx(1.6, abs=1e-13)
    assert ys(result) == [0.0, 0.5, pytest.approx(1.2)]
    assert len(result.steps) == 2


@pytest.mark.parametrize(("direction", "where"), [(1, 1.1), (-1, 0.0), (0, 0.0)])
def test_an_event_that_is_zero_at_the_start_stops_there_unless_it_leaves_to_the_other_side(
    direction: int, where: float
) -> None:
    result = run(StubStepper(), [0.0, 3.0], dt=0.4, event=Event(lambda t, y: t * (t - 1.1), direction))
    assert result.status is Status.EVENT
    assert result.t == (0.0 if where == 0.0 else pytest.approx(where, abs=1e-12))


def test_the_observer_sees_every_accepted_step() -> None:
    seen: list[float] = []
    controller = StubController((True, 1.0), (False, 0.5))
    run(StubStepper(), [0.0, 2.0], dt=1.0, controller=controller, observe=lambda t, y: seen.append(t))
    assert seen == [1.0, 1.5, 2.0]


def test_kept_steps_join_and_rejected_ones_are_not_kept() -> None:
    controller = StubController((True, 1.0), (False, 0.5))
    steps = run(StubStepper(), [0.0, 2.0], dt=1.0, controller=controller, keep_steps=True).steps
    assert [(step.t, step.dt) for step in steps] == [(0.0, 1.0), (1.0, 0.5), (1.5, 0.5)]
    assert all(a.result.y1 is b.y0 for a, b in pairwise(steps))


def test_a_span_of_no_length_returns_the_start() -> None:
    result = run(StubStepper(), [1.0, 1.0], dt=1.0)
    assert result.rows == []
    assert result.status is Status.SUCCESS


@pytest.mark.parametrize("end", [1e-9, 1.0, -50.0])
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e150])
def test_the_first_step_is_positive_and_within_the_span(end: float, scale: float) -> None:
    y0 = np.array([1.0])
    f0 = np.array([scale])
    with np.errstate(over="ignore"):  # as the loop calls it
        h = initial_step(StubStepper(), lambda t, y: scale * y, 0.0, y0, f0, end, NORM)
    assert 0.0 < h <= abs(end)
