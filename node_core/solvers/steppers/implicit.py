"""Implicit Euler and the trapezoidal rule: fixed steps, Newton's iteration, exact gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch

from node_core.solvers.dual import is_recorded
from node_core.solvers.field_clock import FieldClock
from node_core.solvers.graph import leaves_of
from node_core.solvers.reasons import shown
from node_core.solvers.steppers.implicit_root import Equation, attach
from node_core.solvers.steppers.jacobian import Jacobian
from node_core.solvers.steppers.step import Array, Field, Step, Stepper, StepResult
from node_core.solvers.tableaus.algebra import Algebra, algebra_of

MAX_ITERATIONS = 25


class ImplicitStepper:
    """One step of y1 = y + dt ((1 - beta) f(t, y) + beta f(t + dt, y1)), solved by Newton's iteration.

    beta = 1 is implicit Euler (order 1, L-stable), beta = 1/2 the trapezoidal rule (order 2, A-stable). The
    iteration takes a new Jacobian each time (quadratic convergence, started at y). Where torch records
    gradients, the iteration runs outside the graph, and its end is attached to it by the implicit function
    theorem (see `implicit_root`), at the cost of one evaluation. Dense output is the collocation polynomial:
    for beta = 1 the straight line (order 1), for beta = 1/2 the parabola through y with the slopes f(t, y) and
    f(t + dt, y1) (order 2).

    Args:
        params: tensors that f depends on; those that nobody named are found in the graph of the first recorded step.
        clock: of a field that jumps, for derivatives that are made after the step.
    """

    adaptive = False
    error_order = 0
    dense_needs_f1 = False

    beta: float
    order: int
    dense_order: int

    def __init__(
        self, jacobian: Jacobian, params: Sequence[torch.Tensor] = (), clock: FieldClock | None = None
    ) -> None:
        self.jacobian, self._params, self._clock = jacobian, tuple(params), clock
        self._held: tuple[torch.Tensor, ...] | None = None
        self._algebra: Algebra | None = None

    def step(self, f: Field, t: float, y: Array, dt: float, f0: Array | None = None) -> StepResult:
        """Attempt a step of signed length dt from (t, y); `failure` says so if Newton does not converge."""
        known, f0 = self._known(f, t, y, dt, f0)
        equation, is_torch = self._equation(f, t, y, dt), isinstance(y, torch.Tensor)
        # A recorded step ends with one more Jacobian, which is checked.
        checks = 0 if is_torch and is_recorded() else 1
        with torch.no_grad() if is_torch else nullcontext():
            y1, failure = find_root(equation, y, known, checks)
            if failure is not None:
                y1, failure = find_root(equation, y, known, MAX_ITERATIONS)
        return self._result(equation, y1, known, f0, failure)

    def retrace(self, f: Field, step: Step, y: Array) -> StepResult:
        """An accepted step again, for its graph: its end is known."""
        known, f0 = self._known(f, step.t, y, step.dt, None)
        return self._result(self._equation(f, step.t, y, step.dt), step.result.y1, known, f0, None)

    def _equation(self, f: Field, t: float, y: Array, dt: float) -> Equation:
        if self._algebra is None:
            self._algebra = algebra_of(y)
        return Equation(f, t + dt, dt, self.beta * dt, self.jacobian, self._algebra, self._clock)

    def _known(self, f: Field, t: float, y: Array, dt: float, f0: Array | None) -> tuple[Array, Array | None]:
        """The part of y1 that is known beforehand, and f(t, y) where it needs that."""
        if self.beta == 1.0:
            return y, f0
        f0 = f(t, y) if f0 is None else f0
        return y + ((1.0 - self.beta) * dt) * f0, f0

    def _result(
        self, equation: Equation, y1: Array, known: Array, f0: Array | None, failure: str | None
    ) -> StepResult:
        """The step that ends in y1: a function of y and of what f holds, where gradients are recorded."""
        if failure is None and isinstance(y1, torch.Tensor) and is_recorded():
            y1 = y1.detach()
            slope = equation.f(equation.t1, y1)
            if self._held is None:
                found = (*self._params, *leaves_of(slope, self._params))
                self._held = tuple({id(p): p for p in found}.values())
            y1 = attach(equation, y1, slope, known, self._held)
        f1 = (y1 - known) * (1.0 / equation.scaled)  # what the equation says f(t + dt, y1) is
        return StepResult(y1, None, f1, f0, failure)

    def complete(self, f: Field, step: Step) -> Step:
        """Nothing is missing."""
        return step

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Array:
        """y(t + theta dt) for each theta in [0, 1], shape (thetas, \\*y.shape), order `dense_order`."""
        y0, y1 = step.y0, step.result.y1
        algebra = self._algebra or algebra_of(y0)
        theta = algebra.constant(thetas).reshape((-1,) + (1,) * y0.ndim)
        if self.beta == 1.0:
            return y0 + theta * (y1 - y0)
        f0, f1 = step.result.stages, step.result.f1
        return y0 + (step.dt * theta) * (f0 + (0.5 * theta) * (f1 - f0))


def find_root(equation: Equation, y: Array, known: Array, checks: int) -> tuple[Array, str | None]:
    """Solve y1 - known - scaled f(t1, y1) = 0 by Newton's iteration, started at y; returns y1 and what went wrong.

    Whether rows are coupled is looked for in the first `checks` iterations: with a matrix that misses a coupling the
    iteration ends nowhere else, but later or not at all.
    """
    f, t1, algebra = equation.f, equation.t1, equation.algebra
    # Convergence is quadratic: when a change is this small the next one would be below rounding.
    tolerance = algebra.epsilon ** (2.0 / 3.0)
    y1, previous = y, math.inf
    for i in range(MAX_ITERATIONS):
        slope = f(t1, y1)
        inverse = equation.inverse(y1, check=i < checks)
        change = algebra.apply(inverse, y1 - known - equation.scaled * slope)
        before, y1 = y1, y1 - change
        size = algebra.size(change, y1)
        if size <= tolerance or (size >= previous and size <= 100.0 * tolerance):
            return y1, None
        if not math.isfinite(size):
            return (
                y1,
                f"Newton's iteration came to y = {shown(before)}, from where f or df/dy leads to no number,",
            )
        previous = size
    return y1, f"Newton's iteration did not converge within {MAX_ITERATIONS} iterations"


def retrace(stepper: Stepper, f: Field, step: Step, y: Array) -> StepResult:
    """An accepted step again, for its graph; y has the value of step.y0."""
    if isinstance(stepper, ImplicitStepper):
        return stepper.retrace(f, step, y)
    return stepper.step(f, step.t, y, step.dt, None)


class ImplicitEuler(ImplicitStepper):
    """y1 = y + dt f(t + dt, y1): order 1, L-stable."""

    beta = 1.0
    order = dense_order = 1


class Trapezoid(ImplicitStepper):
    """y1 = y + dt/2 (f(t, y) + f(t + dt, y1)): order 2, A-stable but not L-stable (stiff transients ring)."""

    beta = 0.5
    order = dense_order = 2
