"""Dense output of a whole solve: y(t) anywhere, from the steps that were kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from node_core.solvers.field_clock import FieldClock, inside
from node_core.solvers.results import is_the_same
from node_core.solvers.steppers.step import Array, Field, Step, Stepper

CHANGED = (
    "f(t, y) is no longer what it was in the solve, and its dense output needs more of it: f draws random numbers, or "
    "what it holds was changed since. Call sol(t) before that, put the times into ts, or take method='dopri5', which "
    "needs no more"
)


class DenseSolution:
    """y(t) between the first and the last accepted step.

    Missing slopes at the end of a step are taken from the start of the next one. What else is missing is evaluated when
    it is needed, once: by an f that must be what it was in the solve, so it is looked at again where the step begins.
    """

    def __init__(
        self,
        stepper: Stepper,
        f: Field,
        steps: Sequence[Step],
        y0: Array,
        t_end: float,
        stack: Callable[[list[Array]], Array],
        clock: FieldClock | None = None,
    ) -> None:
        self._clock = clock
        self._stepper, self._f, self._steps, self._y0, self._stack = stepper, f, list(steps), y0, stack
        self._ends = np.array([step.t + step.dt for step in steps[:-1]])
        self._t_end = t_end
        self._t_start = steps[0].t if steps else t_end
        self._sign = 1.0 if self._t_end >= self._t_start else -1.0
        self._records = torch.is_grad_enabled()

    def __call__(self, times: Sequence[float]) -> Array:
        """Return y at each time, shape (times, \\*y0.shape).

        Raises:
            ValueError: a time outside of what was solved.
        """
        _check_within(times, self._t_start, self._t_end)
        if not self._steps:
            return self._stack([self._y0 for _ in times])
        return self._stack(self._values(times))

    def _values(self, times: Sequence[float]) -> list[Array]:
        where = np.searchsorted(self._sign * self._ends, self._sign * np.asarray(times, dtype=np.float64))
        values: list[Array] = [None] * len(times)
        for index in np.unique(where):
            rows = np.flatnonzero(where == index)
            with inside(self._clock, self._steps[index].t, self._steps[index].dt):
                step = self.completed(int(index))
                thetas = [(times[int(row)] - step.t) / step.dt for row in rows]
                found = self._stepper.interpolate(self._f, step, thetas)
            for row, value in zip(rows, found, strict=True):
                values[row] = value
        return values

    def completed(self, index: int) -> Step:
        """The step with all that its dense output needs.

        Raises:
            ValueError: something is missing, and f is not what it was.
        """
        step, following = self._steps[index], self._steps[index + 1 : index + 2]
        if step.result.f1 is None and self._stepper.dense_needs_f1 and following:
            step = step._replace(result=step.result._replace(f1=following[0].result.stages[0]))
        # As the solve was recorded, whoever asks first: the next one may want the derivatives of what is kept here.
        with torch.inference_mode(False), torch.set_grad_enabled(self._records):
            step = self._stepper.complete(self._unchanged(step), step)
        self._steps[index] = step
        return step

    def _unchanged(self, step: Step) -> Field:
        """f, which is compared at its first call with what it was at the start of a step."""
        looked = False

        def f(t: float, y: Array) -> Array:
            nonlocal looked
            if not looked:
                with torch.no_grad():
                    if not is_the_same(step.result.stages[0], self._f(step.t, step.y0)):
                        raise ValueError(CHANGED)
                looked = True
            return self._f(t, y)

        return f


class TabulatedSolution:
    """y(t) of a solve from values alone, so that it travels: the field stays behind.

    A dense output is a polynomial on every step, of degree 12 at most; `NODES` Chebyshev points of the step tell it, up
    to rounding (barycentric formula: Berrut and Trefethen, SIAM Review 46, 2004).

    Args:
        dense: times -> (times, \\*y0.shape) tensor.
        starts: where the accepted steps begin, in the order of the solve.
        t_end: where the last one ends.
    """

    NODES = 13

    def __init__(
        self, dense: Callable[[Sequence[float]], Any], starts: Sequence[float], t_end: float
    ) -> None:
        angles = np.arange(self.NODES) * np.pi / (self.NODES - 1)
        self._nodes = 0.5 - 0.5 * np.cos(angles)
        self._weights = (-1.0) ** np.arange(self.NODES)
        self._weights[[0, -1]] *= 0.5
        self._edges = np.array([*starts, t_end])
        begin, end = self._edges[:-1, None], self._edges[1:, None]
        times = (begin + self._nodes * (end - begin)).reshape(-1) if len(starts) else self._edges
        self._values = dense(times.tolist()).detach()

    def __call__(self, times: Sequence[float]) -> Any:
        """Return y at each time.

        Raises:
            ValueError: a time outside of what was solved.
        """
        _check_within(times, float(self._edges[0]), float(self._edges[-1]))
        if len(self._edges) == 1:
            return self._values[[0] * len(times)]
        sign = 1.0 if self._edges[-1] >= self._edges[0] else -1.0
        steps = np.searchsorted(sign * self._edges[1:-1], sign * np.asarray(times, dtype=np.float64))
        weights = np.zeros((len(times), self.NODES))
        for i, (k, t) in enumerate(zip(steps, times, strict=True)):
            away = (t - self._edges[k]) / (self._edges[k + 1] - self._edges[k]) - self._nodes
            hit = np.flatnonzero(away == 0.0)
            if hit.size:
                weights[i, hit[0]] = 1.0
            else:
                share = self._weights / away
                weights[i] = share / share.sum()
        rows = (steps[:, None] * self.NODES + np.arange(self.NODES)).reshape(-1)
        values = self._values[rows.tolist()].double().reshape(len(times), self.NODES, *self._values.shape[1:])
        shares = values.new_tensor(weights).reshape(len(times), self.NODES, *[1] * (self._values.ndim - 1))
        return (shares * values).sum(1).to(self._values.dtype)


def _check_within(times: Sequence[float], start: float, end: float) -> None:
    """Refuse a time outside of what was solved, up to rounding."""
    low, high = sorted((start, end))
    slack = 1e-12 * max(abs(low), abs(high), high - low)
    for t in times:
        if not low - slack <= t <= high + slack:
            raise ValueError(
                f"t = {t:.6g} lies outside of the solved span [{low:.6g}, {high:.6g}]: ask within it"
            )
