"""How a model solves its ODE: a frozen value, so that a solver is swapped without touching weights."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SolverSettings:
    """The arguments that a model passes to `node_core.odeint`.

    Args:
        method: name of a method.
        rtol: relative tolerance of adaptive methods.
        atol: absolute tolerance of adaptive methods.
        gradient: "backprop", "adjoint", "adjoint_seminorm", "checkpointed" or "interpolated".
        t1: end of the time span [0, t1].
        dt: step of fixed-step methods; must be None for adaptive ones.
        max_steps: most attempted steps of a solve.
        batch: "shared" or "per_sample" steps.
        time_limit: most seconds of a solve; None means no limit.
        controller: of the adaptive methods. A net is solved in a handful of steps, where "i" needs the fewest.

    Raises:
        ValueError: t1 or dt is not positive and finite (`odeint` checks the rest).
    """

    method: str = "dopri5"
    rtol: float = 1e-3
    atol: float = 1e-3
    gradient: str = "backprop"
    t1: float = 1.0
    dt: float | None = None
    max_steps: int = 10_000
    batch: str = "shared"
    time_limit: float | None = None
    controller: str = "i"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.t1) and self.t1 > 0):
            raise ValueError(f"t1 = {self.t1}: choose a positive end time.")
        if self.dt is not None and not 0 < self.dt < math.inf:
            raise ValueError(f"dt = {self.dt}: choose a positive step, or None for adaptive methods.")
