"""Explicit Runge-Kutta steps of a single small trajectory in numpy: the same formulas, a fraction of the overhead.

A torch call costs more than all the arithmetic on a state of a few numbers. The formulas are those of `explicit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from node_core.solvers.steppers.step import Field, Step, StepResult
from node_core.solvers.tableaus.tableau import ButcherTableau

Vector = NDArray[np.float64]


@cache
def numpy_stepper(tableau: ButcherTableau) -> NumpyExplicitStepper:
    """The stepper of a tableau; it has no state, so that all solves share one."""
    return NumpyExplicitStepper(tableau)


class NumpyExplicitStepper:
    """Steps of one explicit tableau on float64 vectors (dim,)."""

    def __init__(self, tableau: ButcherTableau) -> None:
        self.tableau = tableau
        self.order, self.error_order, self.adaptive = tableau.order, tableau.error_order, tableau.adaptive
        self.dense_order, self.dense_needs_f1 = tableau.dense_order, tableau.dense_needs_f1
        self._rows = [np.array(row) for row in tableau.a]
        self._b = np.array(tableau.b)
        self._b_error = None if tableau.b_error is None else np.array(tableau.b_error)
        self._dense = tableau.dense_output()

    def step(self, f: Field, t: float, y: Vector, dt: float, f0: Vector | None) -> StepResult:
        """Attempt one step of signed length dt from (t, y)."""
        tableau = self.tableau
        k = np.empty((tableau.stages, y.size))
        k[0] = f(t, y) if f0 is None else f0
        stage = y
        for i in range(1, tableau.stages):
            stage = y + dt * (self._rows[i] @ k[:i])
            k[i] = f(t + tableau.c[i] * dt, stage)
        y1 = stage if tableau.fsal else y + dt * (self._b @ k)
        error = None if self._b_error is None else dt * (self._b_error @ k)
        return StepResult(y1, error, k[-1] if tableau.fsal else None, k)

    def complete(self, f: Field, step: Step) -> Step:
        """The step with the stages of its dense output."""
        return step._replace(result=step.result._replace(stages=self._dense_stages(f, step)))

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Vector:
        """Return y(t + theta dt) for each theta, shape (thetas, dim)."""
        weights = np.array([self._dense.weights(theta) for theta in thetas])
        values: Vector = step.y0 + step.dt * (weights @ self._dense_stages(f, step))
        return values

    def _dense_stages(self, f: Field, step: Step) -> Vector:
        k: Vector = step.result.stages
        if len(k) == len(self._dense.coefficients):
            return k
        for j, (row, c) in enumerate(zip(self._dense.extra_a, self._dense.extra_c, strict=True)):
            if j == 0 and self.dense_needs_f1 and step.result.f1 is not None:
                slope = step.result.f1
            else:
                slope = f(step.t + c * step.dt, step.y0 + step.dt * (np.array(row) @ k))
            k = np.vstack((k, slope))
        return k
