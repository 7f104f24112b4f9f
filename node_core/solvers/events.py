"""Terminal events: where a scalar function of the state crosses zero, the solve stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scipy.optimize import brentq

from node_core.solvers.step import Array, Field, Step, Stepper

Event = Callable[[float, Array], float]


class Crossing(NamedTuple):
    """Where the event function crossed zero."""

    t: float
    y: Array


def locate(event: Event, value_before: float, stepper: Stepper, f: Field, step: Step) -> Crossing:
    """Find the root of the event within an accepted step, on its dense output (Brent's method).

    Args:
        value_before: the event function at the start of the step, of the other sign than at its end.
    """

    def value(theta: float) -> float:
        if theta <= 0.0:
            return value_before
        return event(step.t + theta * step.dt, state(theta))

    def state(theta: float) -> Array:
        return step.result.y1 if theta >= 1.0 else stepper.interpolate(f, step, [theta])[0]

    theta = 1.0 if value(1.0) == 0.0 else brentq(value, 0.0, 1.0, xtol=1e-14, rtol=1e-14)
    return Crossing(step.t + theta * step.dt, state(theta))
