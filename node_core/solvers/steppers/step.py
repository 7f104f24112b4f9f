"""What a stepper is: one step in, one named result out. The loop knows nothing of stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

# A torch tensor or a numpy array: the loop passes states on and never looks inside.
Array = Any
Field = Callable[[Any, Array], Array]


class StepResult(NamedTuple):
    """The outcome of one attempted step from (t, y) to t + dt.

    Attributes:
        y1: the proposed state.
        error: estimate of the local error, same shape, or None if the method has none.
        f1: f(t + dt, y1) if the step evaluated it, else None.
        stages: whatever the stepper's `interpolate` needs; the k_i of a Runge-Kutta step.
        failure: why the step could not be made (an iteration that did not converge), else None.
    """

    y1: Array
    error: Array | None
    f1: Array | None
    stages: Any
    failure: str | None = None


class Step(NamedTuple):
    """An accepted step: all that dense output and the discrete gradients need.

    `f0` is f(t, y0) where it is known; `dt` is signed.
    """

    t: float
    dt: float
    y0: Array
    f0: Array | None
    result: StepResult


class Stepper(Protocol):
    """One step of a method.

    Attributes:
        order: order of y1: the local error is O(dt^(order + 1)).
        error_order: order of the embedded solution, so that the error estimate is O(dt^(error_order + 1)); 0 for none.
        adaptive: whether `step` returns an error estimate.
        dense_order: uniform order of `interpolate`.
        dense_needs_f1: whether `interpolate` needs f(t + dt, y1).
    """

    order: int
    error_order: int
    adaptive: bool
    dense_order: int
    dense_needs_f1: bool

    def step(self, f: Field, t: float, y: Array, dt: float, f0: Array | None) -> StepResult:
        """Attempt a step of signed length dt from (t, y); f0 = f(t, y) where the loop knows it."""
        ...

    def complete(self, f: Field, step: Step) -> Step:
        """The step with all evaluations that `interpolate` needs."""
        ...

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Array:
        """Return y(t + theta dt) for each 0 <= theta <= 1, shape (thetas, \\*y.shape); calls f for what is missing."""
        ...


def with_end_slope(stepper: Stepper, f: Field, step: Step, t1: float) -> Step:
    """The step with f(t1, y1) at its end t1, evaluated if the dense output needs it and the step did not do so.

    The next step may start from that very value.
    """
    if step.result.f1 is not None or not stepper.dense_needs_f1:
        return step
    return step._replace(result=step.result._replace(f1=f(t1, step.result.y1)))
