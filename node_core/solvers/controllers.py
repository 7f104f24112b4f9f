"""Step-size controllers: from the local error of the last steps to the length of the next.

All are one formula (Soederlind 2003, "Digital filters in adaptive time-stepping", ACM TOMS 29):

    dt_next / dt = safety * e_n^(-beta1/k) * e_{n-1}^(-beta2/k) * e_{n-2}^(-beta3/k),   k = error_order + 1

with e the error over its tolerance. The classical integral controller has beta = (1, 0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# An error far below the tolerance says that the step was too short, not that the next one should be: remembered in
# full it would hold the growth back (the same floor as in Hairer's dopri5.f).
SMALLEST_MEMORY = 1e-4


class ControllerState(NamedTuple):
    """Error ratios of the last two accepted steps, at least `SMALLEST_MEMORY`, and how the last attempt ended."""

    previous: float = 1.0
    before: float = 1.0
    rejected: bool = False


@dataclass(frozen=True)
class Controller:
    """A step-size controller with coefficients (beta1, beta2, beta3).

    Attributes:
        beta: exponents on this error ratio and the two before it.
        safety: aims below the tolerance, so that the next step is likely to be accepted.
        smallest, largest: bounds on the change of the step in one go.
    """

    name: str
    beta: tuple[float, float, float]
    safety: float = 0.9
    smallest: float = 0.2
    largest: float = 10.0

    def apply(
        self, state: ControllerState, error_ratio: float, error_order: int
    ) -> tuple[bool, float, ControllerState]:
        """Judge a step: (accepted, factor on dt, next state). An error that is no number is a rejection.

        The step accepted right after a rejection does not let dt grow: what was rejected may still lie ahead (Hairer,
        Norsett, Wanner, "Solving ODEs I", II.4; their codes and SciPy's do the same).
        """
        if not error_ratio < 1e300:
            return False, self.smallest, state._replace(rejected=True)
        exponent = 1.0 / (error_order + 1)
        if error_ratio > 1.0:
            # A rejection is a warning that the history is stale: answer this error alone, and never grow.
            factor = min(1.0, max(self.smallest, self.safety * error_ratio**-exponent))
            return False, factor, state._replace(rejected=True)
        largest = 1.0 if state.rejected else self.largest
        remembered = ControllerState(max(error_ratio, SMALLEST_MEMORY), state.previous)
        if error_ratio == 0.0:
            return True, largest, remembered
        beta1, beta2, beta3 = self.beta
        factor = error_ratio ** (-beta1 * exponent)
        if beta2:
            factor *= state.previous ** (-beta2 * exponent)
        if beta3:
            factor *= state.before ** (-beta3 * exponent)
        return True, min(largest, max(self.smallest, self.safety * factor)), remembered


CONTROLLERS: dict[str, Controller] = {
    # Hairer, Norsett, Wanner, "Solving ODEs I", II.4, (4.13).
    "i": Controller("i", (1.0, 0.0, 0.0)),
    # Hairer and Wanner, "Solving ODEs II", IV.2, (2.43c), with the 0.04 k = 0.2 of their dopri5.f. Of the PI
    # controllers in use it takes the fewest steps: few more than "i", with half the rejections, where Soederlind's
    # PI.4.2 settles far below the tolerance.
    "pi": Controller("pi", (0.85, -0.2, 0.0)),
    # Kennedy and Carpenter 2003, "Additive Runge-Kutta schemes", section 2.
    "pid": Controller("pid", (0.49, -0.34, 0.10)),
}


def controller_named(name: str) -> Controller:
    """Look up a controller.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in CONTROLLERS:
        raise ValueError(
            f"controller={name!r} is none of {', '.join(map(repr, CONTROLLERS))}: choose one of these"
        )
    return CONTROLLERS[name]
