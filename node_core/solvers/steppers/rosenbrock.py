"""Rodas5P: the adaptive method for stiff problems, a Rosenbrock-Wanner method without any iteration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from node_core.solvers.steppers.jacobian import Jacobian, time_derivative
from node_core.solvers.steppers.step import Array, Field, Step, StepResult
from node_core.solvers.tableaus.algebra import Algebra, algebra_of, wants_gradient
from node_core.solvers.tableaus.tableau_rosenbrock import RODAS5P, RosenbrockTableau


class RosenbrockStepper:
    """One step of a Rosenbrock-Wanner method (see `RosenbrockTableau` for the equations).

    Each step needs one Jacobian, one inverse of a (dim, dim) matrix a row, and as many evaluations of f as
    the method has stages (plus one for df/dt unless the field says that it is autonomous). Works on numpy
    arrays and torch tensors of shape (..., dim); with torch the whole step can be differentiated, Jacobian
    included.

    One stepper serves one solve: after a rejected attempt it takes f and its derivatives at (t, y) from
    memory.
    """

    adaptive = True
    dense_needs_f1 = False

    def __init__(
        self,
        jacobian: Jacobian,
        tableau: RosenbrockTableau = RODAS5P,
        time_epsilon: float = float(np.finfo(np.float64).eps),
    ) -> None:
        self.tableau, self.jacobian, self._time_epsilon = tableau, jacobian, time_epsilon
        self.order, self.error_order = tableau.order, tableau.error_order
        self.dense_order = tableau.dense_order
        self._algebra: Algebra | None = None
        self._constant: bool | None = None
        self._last: tuple[float, Array, tuple[Array, Array, Array | None]] | None = None

    def step(self, f: Field, t: float, y: Array, dt: float, f0: Array | None = None) -> StepResult:
        """Attempt a step of signed length dt from (t, y); its error estimate is detached from autograd."""
        tableau = self.tableau
        algebra = self._prepare(y)
        f0, matrix, slope = self._linearise(f, t, y, dt, f0, algebra)
        inverse = algebra.inverse(algebra.shifted(1.0 / (tableau.gamma * dt), -1.0, matrix))
        weights = self._weights * algebra.constant([[1.0], [1.0 / dt]])
        u, drive, stages = y, f0, algebra.stages(tableau.n_stages)
        for i, (node, gamma_sum) in enumerate(zip(tableau.nodes, tableau.gamma_sums, strict=True)):
            if i:
                sums = stages.combine(weights[i, :, :i])
                u = y + sums[0]
                drive = f(t + node * dt, u) + sums[1]
            if slope is not None and gamma_sum:
                drive = drive + (dt * gamma_sum) * slope
            stage = algebra.apply(inverse, drive)
            stages.append(stage)
        error = stage.detach() if isinstance(stage, torch.Tensor) else stage
        return StepResult(u + stage, error, None, stages)

    def complete(self, f: Field, step: Step) -> Step:
        """Nothing is missing."""
        return step

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Array:
        """y(t + theta dt) for each theta in [0, 1], shape (thetas, \\*y.shape), order `dense_order`."""
        y0, y1 = step.y0, step.result.y1
        algebra = self._prepare(y0)
        theta = algebra.constant(thetas).reshape((-1,) + (1,) * y0.ndim)
        d0, d1, d2 = step.result.stages.combine(self._dense)
        return (1.0 - theta) * y0 + theta * (y1 + (1.0 - theta) * (d0 + theta * (d1 + theta * d2)))

    def _prepare(self, y: Array) -> Algebra:
        """The algebra for arrays like y; made once, since a solve's states are all of one kind."""
        if self._algebra is None:
            self._algebra = algebra_of(y)
            a, c = self.tableau.matrices()
            self._weights = self._algebra.constant(np.stack((a, c), axis=1))
            self._dense = self._algebra.constant(self.tableau.dense)
        return self._algebra

    def _linearise(
        self, f: Field, t: float, y: Array, dt: float, f0: Array | None, algebra: Algebra
    ) -> tuple[Array, Array, Array | None]:
        """f, df/dy and df/dt (None if zero) at (t, y)."""
        if self._last is not None and self._last[0] == t and self._last[1] is y:
            return self._last[2]
        f0 = f(t, y) if f0 is None else f0
        slope = None
        if not self.jacobian.autonomous:
            constant = partial(self._is_constant, f, y, algebra)
            slope = time_derivative(f, t, y, dt, f0, algebra.epsilon, self._time_epsilon, constant)
        found = (f0, self.jacobian(t, y), slope)
        # A graph that was kept here could be freed by a backward pass before its second use.
        self._last = None if wants_gradient(*found) else (t, y, found)
        return found

    def _is_constant(self, f: Field, y: Array, algebra: Algebra, t: float, near: float) -> bool:
        """Whether f is the same at t and near it, at a state that is nothing special; looked at once."""
        if self._constant is None:
            with torch.no_grad():
                beside = y.detach() + 0.1 * (1.0 + y.detach().abs()) * algebra.probe(y)
                self._constant = not bool((f(near, beside) != f(t, beside)).any())
        return self._constant
