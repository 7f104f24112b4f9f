"""Dense output of a whole solve: y(t) anywhere, from the steps that were kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from node_core.solvers.step import Array, Field, Step, Stepper


class DenseSolution:
    """y(t) between the first and the last accepted step.

    Missing slopes at the end of a step are taken from the start of the next one; the last is evaluated when needed.
    """

    def __init__(
        self,
        stepper: Stepper,
        f: Field,
        steps: Sequence[Step],
        y0: Array,
        t_end: float,
        stack: Callable[[list[Array]], Array],
    ) -> None:
        self._stepper, self._f, self._steps, self._y0, self._stack = stepper, f, list(steps), y0, stack
        self._ends = np.array([step.t + step.dt for step in steps[:-1]])
        self._t_end = t_end
        self._t_start = steps[0].t if steps else t_end
        self._sign = 1.0 if self._t_end >= self._t_start else -1.0

    def __call__(self, times: Sequence[float]) -> Array:
        """Return y at each time, shape (times, \\*y0.shape).

        Raises:
            ValueError: a time outside of what was solved.
        """
        low, high = sorted((self._t_start, self._t_end))
        slack = 1e-12 * max(abs(low), abs(high), high - low)
        for t in times:
            if not low - slack <= t <= high + slack:
                raise ValueError(
                    f"t = {t:.6g} lies outside of the solved span [{low:.6g}, {high:.6g}]: ask within it"
                )
        if not self._steps:
            return self._stack([self._y0 for _ in times])
        return self._stack(self._values(times))

    def _values(self, times: Sequence[float]) -> list[Array]:
        where = np.searchsorted(self._sign * self._ends, self._sign * np.asarray(times, dtype=np.float64))
        values: list[Array] = [None] * len(times)
        for index in np.unique(where):
            step = self.completed(int(index))
            rows = np.flatnonzero(where == index)
            thetas = [(times[int(row)] - step.t) / step.dt for row in rows]
            for row, value in zip(rows, self._stepper.interpolate(self._f, step, thetas), strict=True):
                values[row] = value
        return values

    def completed(self, index: int) -> Step:
        """The step with its end slope, where the dense output needs one."""
        step = self._steps[index]
        if step.result.f1 is None and self._stepper.dense_needs_f1:
            following = self._steps[index + 1].f0 if index + 1 < len(self._steps) else None
            f1 = following if following is not None else self._f(step.t + step.dt, step.result.y1)
            step = self._steps[index] = step._replace(result=step.result._replace(f1=f1))
        return step
