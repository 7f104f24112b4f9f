"""Fixed steps of an explicit method on tensors, outside of autograd and with nothing to stop at: the bare formulas.

The loop judges and records every step as it is made. A step of Euler's method is one call of f and one addition, and
all that costs more. Here the times of a block of steps are made at once, and at its end it is looked at whether the
state is still finite: one that is not stays so, because every step adds to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from node_core.solution import Status
from node_core.solvers.clock import Deadline
from node_core.solvers.loop import Limits, LoopResult, Row
from node_core.solvers.norms import TorchNorm
from node_core.solvers.problem import CountedField
from node_core.solvers.reasons import exploded, noise, not_finite, out_of_time, undefined
from node_core.solvers.step_size import grid
from node_core.solvers.steppers.explicit import ExplicitStepper
from node_core.solvers.steppers.step import Step, StepResult

BLOCK = 64


def integrate_fixed(
    stepper: ExplicitStepper,
    f: CountedField,
    y0: Tensor,
    ts: Sequence[float],
    dt: float,
    *,
    limits: Limits,
    time_dtype: torch.dtype | None,
    keep_steps: bool = False,
    f0: Tensor | None = None,
) -> LoopResult:
    """Solve dy/dt = f(t, y) from ts[0] to ts[-1] by steps of dt, with outputs at ts; the same as `loop.integrate`.

    Args:
        time_dtype: the type of the 0-d tensor that f is told the time in; None for a float.
        keep_steps: keep the steps for dense output.
        f0: f(ts[0], y0) where it is known.
    """
    return _Fixed(stepper, f, y0, ts, dt, limits, time_dtype, keep_steps, f0).run()


class _Fixed:
    """One solve: its outputs so far, and the states since the last look at them."""

    def __init__(
        self,
        stepper: ExplicitStepper,
        f: CountedField,
        y0: Tensor,
        ts: Sequence[float],
        dt: float,
        limits: Limits,
        time_dtype: torch.dtype | None,
        keep_steps: bool,
        f0: Tensor | None,
    ) -> None:
        tableau = stepper.tableau
        self._stepper, self._f, self._ts, self._dt, self._limits = stepper, f, ts, dt, limits
        self._time_dtype, self._keep = time_dtype, keep_steps
        # The weights that are not zero, with the numbers of their stages.
        self._c = tableau.c
        self._a = [[(j, w) for j, w in enumerate(row) if w] for row in tableau.a[1:]]
        self._b = [(j, w) for j, w in enumerate(tableau.b) if w]
        # Where a stage builds on the one before it alone, no slope is needed beyond the next call of f.
        self._chained = all(len(row) == 1 and row[0][0] == i for i, row in enumerate(self._a))
        self._direction = 1.0 if ts[-1] > ts[0] else -1.0
        self._outputs, self._steps, self._rows = [y0], list[Step](), list[Row]()
        self._y, self._f0 = y0, f0
        self._deadline = Deadline(limits.time_limit)

    def run(self) -> LoopResult:
        """Take the steps, a block at a time."""
        ends = [self._ts[0], *grid(self._ts[0], self._ts[0], self._ts[-1], self._dt)]
        done, message = 0, ""
        for first in range(0, len(ends) - 1, BLOCK):
            block = list(pairwise(ends[first : first + BLOCK + 1]))
            states: list[Tensor] = [self._y]
            try:
                self._take(block, states)
            except Exception:
                # Beyond an explosion f may be unable to answer; then that is what happened.
                if _first_bad(states) is None:
                    raise
            bad = _first_bad(states)
            if bad is not None:
                return self._explosion(first + bad - 1, block[bad - 1], states[bad - 1])
            done = first + len(states) - 1
            if done < first + len(block):
                message = out_of_time(self._limits.time_limit, ends[done], self._ts[-1])
                message = noise(self._told, ends[done], self._y) or message
                break
        return self._result(Status.TIME_LIMIT if message else Status.SUCCESS, message, ends[done], self._y)

    def _take(self, block: Sequence[tuple[float, float]], states: list[Tensor]) -> None:
        """Append the state at the end of each step; fewer if the time is over."""
        if self._chained and not self._keep and len(self._outputs) == len(self._ts) - 1:
            return self._take_chained(block, states)
        f, add, a, b = self._f, torch.add, self._a, self._b
        limited = self._limits.time_limit is not None
        times = iter(self._times(block))
        y = self._y
        for t, t1 in block:
            if limited and self._deadline.is_over():
                return
            h = t1 - t
            at = next(times)
            k = [f(at, y) if self._f0 is None else self._f0]
            for weights in a:
                stage = y
                for j, w in weights:
                    stage = add(stage, k[j], alpha=h * w)
                k.append(f(next(times), stage))
            y1 = y
            for j, w in b:
                y1 = add(y1, k[j], alpha=h * w)
            self._rows.append((t, h, math.nan, True))
            self._f0 = None
            if self._keep or len(self._outputs) < len(self._ts):
                self._pass_on(Step(t, h, y, k[0], StepResult(y1, None, None, k)), t1)
            self._y = y = y1
            states.append(y)

    def _take_chained(self, block: Sequence[tuple[float, float]], states: list[Tensor]) -> None:
        """The same where only the last output is still to come, and a slope is added up as soon as it is there."""
        f, add, a, b = self._f.lend, torch.add, [row[0][1] for row in self._a], self._stepper.tableau.b
        limited, end = self._limits.time_limit is not None, self._ts[-1]
        times = iter(self._times(block))
        y = self._y
        for t, t1 in block:
            if limited and self._deadline.is_over():
                return
            h = t1 - t
            at = next(times)
            slope = f(at, y) if self._f0 is None else self._f0
            y1 = add(y, slope, alpha=h * b[0]) if b[0] else y
            for c, w in zip(a, b[1:], strict=True):
                slope = f(next(times), add(y, slope, alpha=h * c))
                if w:
                    y1 = add(y1, slope, alpha=h * w)
            self._rows.append((t, h, math.nan, True))
            self._f0 = None
            self._y = y = y1
            states.append(y)
            if t1 == end:
                self._outputs.append(y)

    def _times(self, block: Sequence[tuple[float, float]]) -> Sequence[Tensor | float]:
        """The times of all stages of these steps, in turn."""
        found = [t + c * (t1 - t) for t, t1 in block for c in self._c]
        if self._time_dtype is None:
            return found
        return torch.tensor(found, dtype=self._time_dtype, device=self._y.device).unbind()

    def _pass_on(self, step: Step, t1: float) -> None:
        """Hand out the outputs in (step.t, t1], and keep the step."""
        ts, first = self._ts, len(self._outputs)
        i = first
        while i < len(ts) and (ts[i] - t1) * self._direction < 0:
            i += 1
        if i > first:
            if not TorchNorm.is_finite(step.result.y1):
                return  # the end of the solve, as the look at the block will find
            if self._stepper.dense_needs_f1:
                # The next step begins with this slope.
                self._f0 = self._f(self._time(t1), step.result.y1)
                step = step._replace(result=step.result._replace(f1=self._f0))
            thetas = [(t - step.t) / step.dt for t in ts[first:i]]
            self._outputs += self._stepper.interpolate(self._told, step, thetas).unbind()
        if i < len(ts) and ts[i] == t1:
            self._outputs.append(step.result.y1)
        if self._keep:
            self._steps.append(step)

    def _time(self, t: float) -> Tensor | float:
        return (
            t if self._time_dtype is None else torch.tensor(t, dtype=self._time_dtype, device=self._y.device)
        )

    def _told(self, t: float, y: Tensor) -> Tensor:
        return self._f(self._time(t), y)

    def _explosion(self, n: int, step: tuple[float, float], y: Tensor) -> LoopResult:
        """The end of a solve whose step number n led from a finite y to a state that is not."""
        t, t1 = step
        self._rows = [*self._rows[:n], (t, t1 - t, math.nan, False)]
        self._steps = self._steps[:n]
        kept = sum((s - t) * self._direction <= 0 for s in self._ts)
        self._outputs = self._outputs[:kept]
        message = undefined(self._told, t, t1, y) or exploded(t1, self._dt)
        if n == 0 and not bool(torch.isfinite(self._told(t, y)).all()):
            message = not_finite(t)
        return self._result(Status.NON_FINITE, message, t, y)

    def _result(self, status: Status, message: str, t: float, y: Tensor) -> LoopResult:
        result = LoopResult(
            ys=[torch.stack(self._outputs)],
            t=t,
            y=y,
            n_outputs=len(self._outputs),
            rows=self._rows,
            steps=self._steps,
            status=status,
        )
        result.message = message or result.message
        return result


def _first_bad(states: Sequence[Tensor]) -> int | None:
    """The number of the first state that is not finite; None if all are."""
    if TorchNorm.is_finite(states[-1]):
        return None
    return next((i for i, y in enumerate(states) if not bool(torch.isfinite(y).all())), None)
