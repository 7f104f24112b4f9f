"""Explicit Runge-Kutta steps of a single small trajectory in numpy: the same formulas, a fraction of the overhead.

A torch call costs more than all the arithmetic on a state of a few numbers. The formulas are those of `explicit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from node_core.solvers.steppers.step import Field, Step, StepResult
from node_core.solvers.steppers.weights import OutputWeights
from node_core.solvers.tableaus.tableau import ButcherTableau

Vector = NDArray[np.float64]


@lru_cache(maxsize=64)
def numpy_stepper(tableau: ButcherTableau) -> NumpyExplicitStepper:
    """The stepper of a tableau; it has no state, so that all solves share one."""
    return NumpyExplicitStepper(tableau)


class NumpyExplicitStepper:
    """Steps of one explicit tableau on float64 vectors (dim,)."""

    def __init__(self, tableau: ButcherTableau) -> None:
        self.tableau = tableau
        self.order, self.error_order, self.adaptive = tableau.order, tableau.error_order, tableau.adaptive
        self.dense_order, self.dense_needs_f1 = tableau.dense_order, tableau.dense_needs_f1
        # What every row weighs is [y, k_0, k_1, ...], with zeros on what is still to come: a stage is one product, and
        # so are y1 - y and the error, the last two rows.
        n = tableau.stages
        self._rows = np.zeros((n + 2, n + 1))
        for i, row in enumerate((*tableau.a, tableau.b, tableau.b_error or ())):
            self._rows[i, 1 : len(row) + 1] = row
        self._inner = list(enumerate(tableau.c))[1 : n - tableau.fsal]
        self._dense = tableau.dense_output()
        self._weights = OutputWeights(self._dense)
        self._extra_rows = [np.array(row) for row in self._dense.extra_a]

    def step(self, f: Field, t: float, y: Vector, dt: float, f0: Vector | None) -> StepResult:
        """Attempt one step of signed length dt from (t, y)."""
        n, lend = self.tableau.stages, getattr(f, "lend", f)
        known = np.zeros((n + 1, y.size))
        k = known[1:]
        known[0] = y
        k[0] = f(t, y) if f0 is None else f0
        weights = self._rows * dt
        weights[:n, 0] = 1.0
        for i, c in self._inner:
            k[i] = lend(t + c * dt, weights[i].dot(known))
        # Added up together with y, the rounding of every term would be felt in y1.
        y1 = y + weights[n].dot(known)
        f1 = None
        if self.tableau.fsal:
            k[-1] = lend(t + dt, y1)
            f1 = k[-1]
        return StepResult(y1, weights[n + 1].dot(known) if self.adaptive else None, f1, k)

    def complete(self, f: Field, step: Step) -> Step:
        """The step with the stages of its dense output."""
        return step._replace(result=step.result._replace(stages=self._dense_stages(f, step)))

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Vector:
        """Return y(t + theta dt) for each theta, shape (thetas, dim)."""
        values: Vector = step.y0 + step.dt * np.dot(self._weights(thetas), self._dense_stages(f, step))
        return values

    def _dense_stages(self, f: Field, step: Step) -> Vector:
        known: Vector = step.result.stages
        if len(known) == len(self._dense.coefficients):
            return known
        first = len(known)
        k = np.concatenate((known, np.empty((len(self._extra_rows), known.shape[1]))))
        for j, (row, c) in enumerate(zip(self._extra_rows, self._dense.extra_c, strict=True), first):
            if j == first and self.dense_needs_f1 and step.result.f1 is not None:
                k[j] = step.result.f1
            else:
                k[j] = f(step.t + c * step.dt, step.y0 + step.dt * np.dot(row, k[:j]))
        return k
