"""Implicit Euler and the trapezoidal rule: fixed steps, Newton's iteration, exact gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch

from node_core.solvers.algebra import Algebra, algebra_of
from node_core.solvers.jacobian import Jacobian
from node_core.solvers.step import Array, Field, Step, StepResult

MAX_ITERATIONS = 25


class ImplicitStepper:
    """One step of y1 = y + dt ((1 - beta) f(t, y) + beta f(t + dt, y1)), solved by Newton's iteration.

    beta = 1 is implicit Euler (order 1, L-stable), beta = 1/2 the trapezoidal rule (order 2, A-stable). The
    iteration takes a new Jacobian each time (quadratic convergence, started at y). Where torch records
    gradients, the iteration runs outside the graph and one more Newton step is made inside it with the matrix
    held constant: its derivative is

        dy1 = (I - beta dt J)^-1 d(y + dt ((1 - beta) f(t, y) + beta f(t + dt, .)))     at the solution,

    the implicit function theorem, at the cost of one evaluation (first derivatives only; the matrix's own
    derivative would enter the second). Dense output is the collocation polynomial: for beta = 1 the straight
    line (order 1), for beta = 1/2 the parabola through y with the slopes f(t, y) and f(t + dt, y1) (order 2).
    """

    adaptive = False
    error_order = 0
    dense_needs_f1 = False

    def __init__(self, jacobian: Jacobian, *, beta: float, order: int) -> None:
        self.jacobian, self.beta = jacobian, beta
        self.order = self.dense_order = order
        self._algebra: Algebra | None = None

    def step(self, f: Field, t: float, y: Array, dt: float, f0: Array | None = None) -> StepResult:
        """Attempt a step of signed length dt from (t, y); `failure` says so if Newton does not converge."""
        if self._algebra is None:
            self._algebra = algebra_of(y)
        algebra, t1, scaled = self._algebra, t + dt, self.beta * dt
        known = y
        if self.beta != 1.0:
            f0 = f(t, y) if f0 is None else f0
            known = y + ((1.0 - self.beta) * dt) * f0
        is_torch = isinstance(y, torch.Tensor)
        with torch.no_grad() if is_torch else nullcontext():
            y1, failure = self._newton(f, t1, y.detach() if is_torch else y, known, scaled, algebra)
        if failure is None and is_torch and torch.is_grad_enabled():
            with torch.no_grad():
                inverse = algebra.inverse(algebra.shifted(1.0, -scaled, self.jacobian(t1, y1)))
            # The residual is zero up to rounding, so that this step moves nothing but carries the gradient.
            y1 = y1 - algebra.apply(inverse, y1 - known - scaled * f(t1, y1))
        f1 = (y1 - known) * (1.0 / scaled)  # what the equation says f(t + dt, y1) is
        return StepResult(y1, None, f1, f0, failure)

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Array:
        """y(t + theta dt) for each theta in [0, 1], shape (thetas, \\*y.shape), order `dense_order`."""
        y0, y1 = step.y0, step.result.y1
        algebra = self._algebra or algebra_of(y0)
        theta = algebra.constant(thetas).reshape((-1,) + (1,) * y0.ndim)
        if self.beta == 1.0:
            return y0 + theta * (y1 - y0)
        f0, f1 = step.result.stages, step.result.f1
        return y0 + (step.dt * theta) * (f0 + (0.5 * theta) * (f1 - f0))

    def _newton(
        self, f: Field, t1: float, y: Array, known: Array, scaled: float, algebra: Algebra
    ) -> tuple[Array, str | None]:
        """Solve y1 - known - scaled f(t1, y1) = 0, starting at y; returns y1 and what went wrong."""
        # Convergence is quadratic: when a change is this small the next one would be below rounding.
        tolerance = algebra.epsilon ** (2.0 / 3.0)
        y1, previous = y, math.inf
        for _ in range(MAX_ITERATIONS):
            slope = f(t1, y1)
            inverse = algebra.inverse(algebra.shifted(1.0, -scaled, self.jacobian(t1, y1)))
            change = algebra.apply(inverse, y1 - known - scaled * slope)
            y1 = y1 - change
            size = algebra.size(change, y1)
            if size <= tolerance or (size >= previous and size <= 100.0 * tolerance):
                return y1, None
            if not math.isfinite(size):
                return y1, "Newton's iteration left the finite numbers"
            previous = size
        return y1, f"Newton's iteration did not converge within {MAX_ITERATIONS} iterations"


class ImplicitEuler(ImplicitStepper):
    """y1 = y + dt f(t + dt, y1): order 1, L-stable."""

    def __init__(self, jacobian: Jacobian) -> None:
        super().__init__(jacobian, beta=1.0, order=1)


class Trapezoid(ImplicitStepper):
    """y1 = y + dt/2 (f(t, y) + f(t + dt, y1)): order 2, A-stable but not L-stable (stiff transients ring)."""

    def __init__(self, jacobian: Jacobian) -> None:
        super().__init__(jacobian, beta=0.5, order=2)
