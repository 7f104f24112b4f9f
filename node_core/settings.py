"""How an ODE is solved, as a frozen value: a model or flow keeps one, and its solver is swapped without its weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from node_core.odeint import odeint
from node_core.solution import Solution


@dataclass(frozen=True)
class SolverSettings:
    """The arguments of `node_core.odeint` that say how to solve; what is solved is given to `solve`.

    Args:
        method: name of a method.
        rtol: relative tolerance of adaptive methods.
        atol: absolute tolerance of adaptive methods.
        dt: step of fixed-step methods; must be None for adaptive ones.
        gradient: "backprop", "adjoint", "adjoint_seminorm", "checkpointed" or "interpolated".
        controller: of the adaptive methods. A net is solved in a handful of steps, where "i" needs the fewest.
        max_steps: most attempted steps of a solve.
        time_limit: most seconds of processor time of a solve; None means no limit.
        batch: "shared" or "per_sample" steps; per sample, what comes out for a row depends on that row alone.
        dt0: first step of adaptive methods; None lets the solver choose.
        max_step: longest step of adaptive methods; None means no limit.

    Raises:
        ValueError: dt is not positive and finite (`odeint` checks the rest).
    """

    method: str = "dopri5"
    rtol: float = 1e-5
    atol: float = 1e-5
    dt: float | None = None
    gradient: str = "backprop"
    controller: str = "i"
    max_steps: int = 10_000
    time_limit: float | None = None
    batch: str = "shared"
    dt0: float | None = None
    max_step: float | None = None

    def __post_init__(self) -> None:
        if self.dt is not None and not 0 < self.dt < math.inf:
            raise ValueError(f"dt = {self.dt}: choose a positive step, or None for adaptive methods.")

    def solve(
        self,
        f: Callable[[Any, Tensor], Tensor],
        y0: Tensor,
        ts: Any,
        *,
        params: Any = None,
        jumps: Any = None,
        event: Callable[[Any, Tensor], Any] | None = None,
        direction: int | None = None,
        jacobian: Callable[[Any, Tensor], Tensor] | None = None,
        record_adjoint: bool = False,
        dense: bool | None = None,
        on_error: str = "raise",
    ) -> Solution:
        """Solve dy/dt = f(t, y), y(ts[0]) = y0 in this way; arguments, result and errors as of `odeint`."""
        return odeint(
            f,
            y0,
            ts,
            method=self.method,
            rtol=self.rtol,
            atol=self.atol,
            controller=self.controller,
            dt=self.dt,
            dt0=self.dt0,
            max_step=self.max_step,
            jumps=jumps,
            max_steps=self.max_steps,
            time_limit=self.time_limit,
            gradient=self.gradient,
            params=params,
            record_adjoint=record_adjoint,
            batch=self.batch,
            event=event,
            direction=direction,
            jacobian=jacobian,
            dense=dense,
            on_error=on_error,
        )


SolverChoice = SolverSettings
"""The name it had when it served flows alone; code that was written with it goes on working."""
