"""The loop: attempts steps until the end of the time span, judges them, and records every attempt.

It knows neither stages nor tensors: a `Stepper` makes the steps, a `Controller` judges them, a norm measures errors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from node_core.solution import Status
from node_core.solvers.controllers import Controller, ControllerState
from node_core.solvers.events import Crossing, Event, locate
from node_core.solvers.step import Array, Field, Step, Stepper, with_end_slope

Row = tuple[float, float, float, bool]
Observer = Callable[[float, Array], None]
EPSILON = 2.220446049250313e-16


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
    """When to give up: attempts, and seconds of wall time (None: no limit)."""

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
) -> LoopResult:
    """Solve dy/dt = f(t, y) from ts[0] to ts[-1], with outputs at ts.

    Args:
        dt: the fixed step (positive) of a method without error estimate; the first step of an adaptive one, chosen
            by Hairer's rule if None.
        controller: judges the steps of an adaptive method; None keeps `dt` fixed.
        keep_steps: keep the accepted steps, for dense output and the discrete gradients.
        event: stop where event(t, y) crosses zero.
        f0: f(ts[0], y0) where it is known.
        observe: called with (t, y) after every accepted step.
    """
    loop = _Loop(stepper, f, y0, ts, norm, controller, limits or Limits(), keep_steps, event, f0, observe)
    if ts[0] != ts[-1]:
        # A step may probe states that overflow; the loop judges them, numpy need not warn of them.
        with np.errstate(over="ignore", invalid="ignore"):
            if controller is None:
                loop.run_fixed(_positive(dt))
            else:
                loop.run_adaptive(controller, dt)
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
        controller: Controller | None,
        limits: Limits,
        keep_steps: bool,
        event: Event | None,
        f0: Array | None,
        observe: Observer | None,
    ) -> None:
        self.stepper, self.f, self.ts, self.norm, self.limits = stepper, f, ts, norm, limits
        self.keep_steps, self.event, self.observe = keep_steps, event, observe
        self.end, self.span = ts[-1], abs(ts[-1] - ts[0])
        self.direction = 1.0 if ts[-1] >= ts[0] else -1.0
        self.result = LoopResult(ys=[y0[None]], t=ts[0], y=y0, f=f0)
        self.deadline = math.inf if limits.time_limit is None else time.perf_counter() + limits.time_limit
        self.event_value = event(ts[0], y0) if event else 0.0
        self.running = True

    def run_fixed(self, dt: float) -> None:
        """Take steps of one length; the last is cut to end on time."""
        result, t0 = self.result, self.ts[0]
        # A span that is a whole number of steps up to rounding must not get a sliver of a step at its end.
        count = max(1, math.ceil(abs(self.end - t0) / dt - 1e-9))
        for i in range(count):
            if not self._may_go_on():
                return
            t = result.t
            t1 = self.end if i == count - 1 else t0 + self.direction * dt * (i + 1)
            attempt = self.stepper.step(self.f, t, result.y, t1 - t, result.f)
            good = attempt.failure is None and self.norm.is_finite(attempt.y1)
            result.rows.append((t, t1 - t, math.nan, good))
            if not good and i == 0 and not self._field_is_finite():
                return None
            if attempt.failure is not None:
                return self._stop(
                    Status.NO_CONVERGENCE, f"{attempt.failure} at t = {t:.6g}: take a smaller dt"
                )
            if not good:
                return self._stop(
                    Status.NON_FINITE,
                    f"the state exploded (it is no longer finite) at t = {t1:.6g}: take a smaller dt than {dt:.4g}, "
                    "or an adaptive method",
                )
            self._accept(Step(t, t1 - t, result.y, result.f, attempt), t1)
            if not self.running:
                return

    def run_adaptive(self, controller: Controller, dt0: float | None) -> None:
        """Take steps whose local error stays within the tolerance."""
        result, stepper, norm = self.result, self.stepper, self.norm
        if result.f is None:
            result.f = self.f(result.t, result.y)
        if not self._field_is_finite():
            return
        if dt0 is None:
            dt0 = initial_step(stepper, self.f, result.t, result.y, result.f, self.end, norm)
            dt0 = max(dt0, 2 * smallest_step(result.t, self.span))
        dt, state, ratio, failure = dt0, ControllerState(), 0.0, None
        while self._may_go_on():
            t = result.t
            remaining = abs(self.end - t)
            if dt < smallest_step(t, self.span) and dt < remaining:
                return self._stop_underflow(t, ratio, failure)
            if result.f is None:
                # Evaluated here, so that a step that is tried again does not evaluate it again.
                result.f = self.f(t, result.y)
            last = dt >= remaining
            h = self.end - t if last else self.direction * dt
            attempt = stepper.step(self.f, t, result.y, h, result.f)
            failure = attempt.failure
            ratio = norm(attempt.error, result.y, attempt.y1) if failure is None else math.inf
            accepted, factor, state = controller.apply(state, ratio, stepper.error_order)
            result.rows.append((t, h, ratio, accepted))
            if accepted:
                self._accept(Step(t, h, result.y, result.f, attempt), self.end if last else t + h)
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
        if time.perf_counter() > self.deadline:
            self._stop(
                Status.TIME_LIMIT,
                f"time_limit = {self.limits.time_limit:g} s is over at t = {t:.6g} of {self.end:.6g}: raise "
                "time_limit, or loosen the tolerance",
            )
            return False
        return True

    def _field_is_finite(self) -> bool:
        """Stop with a sentence if the field has no value where the solve stands."""
        result = self.result
        if result.f is None:
            result.f = self.f(result.t, result.y)
        if self.norm.is_finite(result.f):
            return True
        self._stop(
            Status.NON_FINITE, f"f(t, y) is not finite at t = {result.t:.6g}: check the field and y0 there"
        )
        return False

    def _stop(self, status: Status, message: str) -> None:
        self.result.status, self.result.message, self.running = status, message, False

    def _stop_underflow(self, t: float, ratio: float, failure: str | None) -> None:
        if failure is not None:
            self._stop(
                Status.NO_CONVERGENCE, f"{failure} at t = {t:.6g}, however small the step: check the field"
            )
        elif not math.isfinite(ratio):
            self._stop(
                Status.NON_FINITE,
                f"the state stops being finite just after t = {t:.6g}: the solution blows up there, or the field is "
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
        if self.event is not None:
            value = self.event(t1, attempt.y1)
            if self.event_value * value < 0 or (value == 0 and self.event_value != 0):
                step = with_end_slope(self.stepper, self.f, step, t1)
                crossing = locate(self.event, self.event_value, self.stepper, self.f, step)
                self._hand_out(step, crossing.t, whole=crossing.t == t1)
                result.crossing = crossing
                self._keep(step)
                result.t, result.y, result.f = crossing.t, crossing.y, None
                return self._stop(Status.EVENT, f"the event function crossed zero at t = {crossing.t:.6g}")
            self.event_value = value
        i = result.n_outputs
        if i < len(ts) and (ts[i] - t1) * self.direction < 0:
            step = with_end_slope(self.stepper, self.f, step, t1)
        self._hand_out(step, t1, whole=True)
        self._keep(step)
        result.t, result.y, result.f = t1, attempt.y1, step.result.f1
        if self.observe is not None:
            self.observe(t1, attempt.y1)

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


def smallest_step(t: float, span: float) -> float:
    """The length below which a step no longer moves t: some units in its last place."""
    return max(16 * EPSILON * abs(t), EPSILON * EPSILON * span)


def initial_step(
    stepper: Stepper,
    f: Field,
    t0: float,
    y0: Array,
    f0: Array,
    end: float,
    norm: Callable[[Array, Array, Array], float],
) -> float:
    """First step of an adaptive method (Hairer, Norsett, Wanner, "Solving ODEs I", II.4), one evaluation of f.

    Returns a positive length, for an f0 that is finite.
    """
    span = abs(end - t0)
    size, slope = norm(y0, y0, y0), norm(f0, y0, y0)
    if not math.isfinite(slope):
        return span * EPSILON
    h0 = 1e-6 if size < 1e-5 or slope < 1e-5 else 0.01 * size / slope
    h0 = min(h0, span)
    h = h0 if end >= t0 else -h0
    bend = norm(f(t0 + h, y0 + h * f0) - f0, y0, y0) / h0
    if not math.isfinite(bend):
        return min(h0, span) * 1e-3
    steepest = max(slope, bend)
    h1 = max(1e-6, h0 * 1e-3) if steepest <= 1e-15 else (0.01 / steepest) ** (1.0 / (stepper.error_order + 1))
    return min(100 * h0, h1, span)
