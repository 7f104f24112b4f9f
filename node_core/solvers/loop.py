"""The loop: attempts steps until the end of the time span, judges them, and records every attempt.

It knows neither stages nor tensors: a `Stepper` makes the steps, a `Controller` judges them, a norm measures errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from node_core.solution import Status
from node_core.solvers.clock import Deadline
from node_core.solvers.controllers import Controller, ControllerState
from node_core.solvers.events import ZERO_AT_START, Crossing, Event, EventSearch, states_within
from node_core.solvers.field_clock import FieldClock
from node_core.solvers.reasons import exploded, no_derivative, noise, not_finite, out_of_time, undefined
from node_core.solvers.step_size import grid, initial_step, smallest_step
from node_core.solvers.steppers.step import Array, Field, Step, Stepper, with_end_slope

Row = tuple[float, float, float, bool]
Observer = Callable[[float, Array], None]


class Norm(Protocol):
    """Measures a state against the tolerance."""

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the root mean square of x / (atol + rtol max(|a|, |b|))."""
        ...

    def is_finite(self, y: Array) -> bool:
        """Whether every entry of y is a finite number."""
        ...

    def is_unreachable(self, y: Array) -> bool:
        """Whether the rounding of y alone is larger than the tolerance."""
        ...


@dataclass(frozen=True)
class Limits:
    """When to give up: attempts, and seconds of processor time (None: no limit)."""

    max_steps: int = 10_000
    time_limit: float | None = None


@dataclass
class LoopResult:
    """What the loop computed until it ended.

    Attributes:
        ys: chunks of states at the output times reached so far; concatenated they are (time, \\*y.shape).
        n_outputs: number of output times reached.
        rows: (t, dt, error_ratio, accepted) of every attempt.
        steps: the accepted steps, if they were to be kept.
        t, y: where the solve ended.
        f: f(t, y) where it is known.
    """

    ys: list[Array]
    t: float
    y: Array
    n_outputs: int = 1
    rows: list[Row] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    f: Array | None = None
    status: Status = Status.SUCCESS
    message: str = "reached the end of the time span"
    crossing: Crossing | None = None


def integrate(
    stepper: Stepper,
    f: Field,
    y0: Array,
    ts: Sequence[float],
    *,
    norm: Norm,
    dt: float | None = None,
    controller: Controller | None = None,
    limits: Limits | None = None,
    keep_steps: bool = False,
    event: Event | None = None,
    f0: Array | None = None,
    observe: Observer | None = None,
    clock: FieldClock | None = None,
    max_step: float = math.inf,
) -> LoopResult:
    """Solve dy/dt = f(t, y) from ts[0] to ts[-1], with outputs at ts.

    Args:
        dt: the fixed step (positive) of a method without error estimate; the first step of an adaptive one, chosen
            by Hairer's rule if None.
        controller: judges the steps of an adaptive method; None keeps `dt` fixed.
        keep_steps: keep the accepted steps, for dense output and the discrete gradients.
        event: stop where it happens, see `events`.
        f0: f(ts[0], y0) where it is known.
        observe: called with (t, y) after every accepted step.
        clock: knows when f jumps: a step ends at each of these moments, and the solve begins anew on the other side.
        max_step: the longest step of an adaptive method.
    """
    loop = _Loop(stepper, f, y0, ts, norm, limits or Limits(), keep_steps, event, f0, observe, clock)
    if loop.search is not None and loop.search.at_start:
        loop.stop_at_start()
    elif ts[0] != ts[-1]:
        # A step may probe states that overflow; the loop judges them, numpy need not warn of them.
        with np.errstate(over="ignore", invalid="ignore"):
            if controller is None:
                loop.run_fixed(_positive(dt))
            else:
                loop.run_adaptive(controller, dt, max_step)
    return loop.result


def _positive(dt: float | None) -> float:
    assert dt is not None and dt > 0, "the front door checks dt"
    return dt


class _Loop:
    """The state of one run of the loop."""

    def __init__(
        self,
        stepper: Stepper,
        f: Field,
        y0: Array,
        ts: Sequence[float],
        norm: Norm,
        limits: Limits,
        keep_steps: bool,
        event: Event | None,
        f0: Array | None,
        observe: Observer | None,
        clock: FieldClock | None,
    ) -> None:
        self.stepper, self.f, self.ts, self.norm, self.limits = stepper, f, ts, norm, limits
        self.keep_steps, self.observe, self.clock = keep_steps, observe, clock
        self.end, self.span = ts[-1], abs(ts[-1] - ts[0])
        self.direction = 1.0 if ts[-1] >= ts[0] else -1.0
        self.result = LoopResult(ys=[y0[None]], t=ts[0], y=y0, f=f0)
        self.deadline = Deadline(limits.time_limit)
        self.search = EventSearch(event, ts[0], y0) if event is not None else None
        # Where a step must end: at every jump of f, and at the end.
        self.stops = [*(clock.stops(ts[0], ts[-1]) if clock else ()), ts[-1]]
        self.stop = self.stops[0]
        self.running = True

    def _enter(self, stop: float) -> None:
        """Begin the piece that ends at `stop`."""
        self.stop = stop
        if self.clock is not None:
            self.clock.enter(self.result.t, stop - self.result.t)

    def run_fixed(self, dt: float) -> None:
        """Take steps of one length; those that end at a stop are cut to end on time."""
        for stop in self.stops:
            self._enter(stop)
            self._run_fixed_piece(dt)
            if not self.running:
                return

    def _run_fixed_piece(self, dt: float) -> None:
        result, start = self.result, self.result.t
        for t1 in grid(self.ts[0], start, self.stop, dt):
            if not self._may_go_on():
                return
            t = result.t
            attempt = self.stepper.step(self.f, t, result.y, t1 - t, result.f)
            good = attempt.failure is None and self.norm.is_finite(attempt.y1)
            result.rows.append((t, t1 - t, math.nan, good))
            if not good and t == start and not self._field_is_finite():
                return None
            nowhere = None
            if not good:
                nowhere = undefined(self.f, t, t1, result.y) or no_derivative(self.stepper, t1, result.y)
            if nowhere is not None:
                return self._stop(Status.NON_FINITE, nowhere)
            if attempt.failure is not None:
                return self._stop(
                    Status.NO_CONVERGENCE, f"{attempt.failure} at t = {t:.6g}: take a smaller dt"
                )
            if not good:
                return self._stop(Status.NON_FINITE, exploded(t1, dt))
            self._accept(Step(t, t1 - t, result.y, result.f, attempt), t1)
            if not self.running:
                return

    def run_adaptive(self, controller: Controller, dt0: float | None, max_step: float) -> None:
        """Take steps whose local error stays within the tolerance; behind every jump of f, begin anew."""
        for stop in self.stops:
            self._enter(stop)
            self._run_adaptive_piece(controller, dt0, max_step)
            if not self.running:
                return

    def _run_adaptive_piece(self, controller: Controller, dt0: float | None, max_step: float) -> None:
        result, stepper, norm, stop = self.result, self.stepper, self.norm, self.stop
        if result.f is None:
            result.f = self.f(result.t, result.y)
        if not self._field_is_finite():
            return
        if dt0 is None:
            dt0 = initial_step(stepper, self.f, result.t, result.y, result.f, stop, norm)
            dt0 = max(dt0, 2 * smallest_step(result.t, self.span))
        dt, state, ratio, failure = dt0, ControllerState(), 0.0, None
        while self._may_go_on():
            t = result.t
            dt, remaining = min(dt, max_step), abs(stop - t)
            if dt < smallest_step(t, self.span) and dt < remaining:
                return self._stop_underflow(t, ratio, failure)
            if result.f is None:
                # Evaluated here, so that a step that is tried again does not evaluate it again.
                result.f = self.f(t, result.y)
            # a step that ends within rounding of the stop is the last: what it would leave is no step at all
            last = dt >= remaining - smallest_step(stop, self.span)
            # The step is as long as the clock moves: beside a large t that is not quite dt.
            t1 = stop if last else t + self.direction * dt
            h = t1 - t
            attempt = stepper.step(self.f, t, result.y, h, result.f)
            failure = attempt.failure
            ratio = norm(attempt.error, result.y, attempt.y1) if failure is None else math.inf
            accepted, factor, state = controller.apply(state, ratio, stepper.error_order)
            result.rows.append((t, h, ratio, accepted))
            if accepted:
                self._accept(Step(t, h, result.y, result.f, attempt), t1)
                if not self.running or last:
                    return
            elif norm.is_unreachable(result.y):
                return self._stop(
                    Status.STEP_UNDERFLOW,
                    f"the tolerance is below what the number type can hold (found at t = {t:.6g}): loosen rtol and "
                    "atol, or give y0 more digits with y0.double()",
                )
            dt = abs(h) * factor

    def _may_go_on(self) -> bool:
        """Stop with a sentence when a limit is reached."""
        t = self.result.t
        if len(self.result.rows) >= self.limits.max_steps:
            stiff = "" if self._is_for_stiff() else ", or, if the problem is stiff, take method='rodas5p'"
            self._stop(
                Status.MAX_STEPS,
                f"took max_steps = {self.limits.max_steps} steps and reached only t = {t:.6g} of {self.end:.6g}: raise "
                f"max_steps, {'or ' if not stiff else ''}loosen the tolerance{stiff}",
            )
            return False
        if self.deadline.is_over():
            self._stop(Status.TIME_LIMIT, out_of_time(self.limits.time_limit, t, self.end))
            return False
        return True

    def _field_is_finite(self) -> bool:
        """Stop with a sentence if the field has no value where the solve stands."""
        result = self.result
        if result.f is None:
            result.f = self.f(result.t, result.y)
        if self.norm.is_finite(result.f):
            return True
        self._stop(Status.NON_FINITE, not_finite(result.t))
        return False

    def _stop(self, status: Status, message: str) -> None:
        """End the solve; where it looks like a hard problem, see whether it is one."""
        if status in (Status.MAX_STEPS, Status.STEP_UNDERFLOW, Status.NO_CONVERGENCE, Status.TIME_LIMIT):
            message = noise(self.f, self.result.t, self.result.y) or message
        self.result.status, self.result.message, self.running = status, message, False

    def _stop_underflow(self, t: float, ratio: float, failure: str | None) -> None:
        if failure is not None:
            self._stop(
                Status.NO_CONVERGENCE, f"{failure} at t = {t:.6g}, however small the step: check the field"
            )
        elif not math.isfinite(ratio):
            self._stop(
                Status.NON_FINITE,
                no_derivative(self.stepper, t, self.result.y)
                or f"the state stops being finite just after t = {t:.6g}: the solution blows up there, or the field is "
                "not defined beyond; end the time span before it",
            )
        else:
            stiff = "" if self._is_for_stiff() else "or the problem looks stiff (try method='rodas5p'), "
            self._stop(
                Status.STEP_UNDERFLOW,
                f"the step became too small to move on at t = {t:.6g}: the solution blows up there, {stiff}or the "
                "tolerance is below what the number type can hold",
            )

    def _is_for_stiff(self) -> bool:
        """Whether the method is implicit, and so cannot be told to a user as the remedy."""
        return hasattr(self.stepper, "jacobian")

    def _accept(self, step: Step, t1: float) -> None:
        """Move on to t1: hand out the outputs that the step passed, and look for the event."""
        result, ts, attempt = self.result, self.ts, step.result
        if self.search is not None:
            step = with_end_slope(self.stepper, self.f, step, t1)
            states = states_within(self.stepper, self.f, step)
            theta = self.search.look(step.t, t1, attempt.y1, states)
            if theta is not None:
                return self._stop_within(step, t1, theta)
        i, jumps = result.n_outputs, t1 == self.stop != self.end
        # The slope at the end of a step that ends at a jump is nowhere else: the next step begins with another.
        if (i < len(ts) and (ts[i] - t1) * self.direction < 0) or (jumps and self.keep_steps):
            step = with_end_slope(self.stepper, self.f, step, t1)
        self._hand_out(step, t1, whole=True)
        self._keep(step)
        result.t, result.y, result.f = t1, attempt.y1, None if jumps else step.result.f1
        if self.observe is not None:
            self.observe(t1, attempt.y1)

    def stop_at_start(self) -> None:
        """Stop where the solve begins, because the event function is zero there."""
        t0, y0 = self.result.t, self.result.y
        self.result.crossing = Crossing(t0, y0, 0.0)
        self._stop(Status.EVENT, ZERO_AT_START.format(t0))

    def _stop_within(self, step: Step, t1: float, theta: float) -> None:
        """Stop at the event at theta of an accepted step to t1; at theta = 0 the step was not to be made."""
        result = self.result
        if theta == 0.0:
            crossing = Crossing(step.t, step.y0, 0.0 if step.t == self.ts[0] else 1.0)
        else:
            t, y = t1, step.result.y1
            if theta < 1.0:
                t, y = step.t + theta * (t1 - step.t), self.stepper.interpolate(self.f, step, [theta])[0]
            crossing = Crossing(t, y, theta)
            self._hand_out(step, t, whole=theta == 1.0)
            self._keep(step)
            result.t, result.y, result.f = t, y, None
        result.crossing = crossing
        self._stop(Status.EVENT, f"the event function crossed zero at t = {crossing.t:.6g}")

    def _keep(self, step: Step) -> None:
        if self.keep_steps:
            # The error has been judged: a kept step holds only what dense output and gradients ask for.
            self.result.steps.append(step._replace(result=step.result._replace(error=None)))

    def _hand_out(self, step: Step, t1: float, whole: bool) -> None:
        """Add the outputs in (step.t, t1]; `whole` says that t1 is the step's end."""
        result, ts = self.result, self.ts
        first = i = result.n_outputs
        while i < len(ts) and (ts[i] - t1) * self.direction < 0:
            i += 1
        if i > first:
            thetas = [(ts[j] - step.t) / step.dt for j in range(first, i)]
            result.ys.append(self.stepper.interpolate(self.f, step, thetas))
        if i < len(ts) and ts[i] == t1:
            theta = (t1 - step.t) / step.dt
            result.ys.append(
                step.result.y1[None] if whole else self.stepper.interpolate(self.f, step, [theta])
            )
            i += 1
        result.n_outputs = i
