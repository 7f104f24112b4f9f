"""SciPy's solvers, one accepted step at a time: LSODA, Radau, and VODE's Adams method."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import LSODA, Radau, ode

FloatArray = NDArray[np.float64]
NumpyFunction = Callable[[float, FloatArray], FloatArray]

SCIPY_METHODS = ("scipy_lsoda", "scipy_radau", "scipy_adams")


class Steering(NamedTuple):
    """What a solver of SciPy's chooses its steps by."""

    rtol: float
    atol: float
    max_step: float
    first_step: float | None

    def first(self, span: float) -> float | None:
        """The first step within a signed span."""
        return None if self.first_step is None else min(self.first_step, abs(span))


class Solver(Protocol):
    """What the run needs of a solver; SciPy's own OdeSolver classes have it."""

    t: float
    y: FloatArray
    status: str

    def step(self) -> str | None:
        """Take one accepted step, at most to the end of the span; returns why that failed, if it did."""
        ...

    def dense_output(self) -> Callable[[Any], FloatArray]:
        """The last step as a function of t, (times,) -> (n, times)."""
        ...


class _Adams:
    """VODE's Adams-Moulton method (functional iteration, order 1 to 12) one step at a time."""

    def __init__(self, f: NumpyFunction, t0: float, y0: FloatArray, end: float, steering: Steering) -> None:
        self.t, self.y, self.status, self._end = t0, y0, "running", end
        # Zero stands for VODE's own choice.
        longest = steering.max_step if math.isfinite(steering.max_step) else 0.0
        first = math.copysign(steering.first(end - t0) or 0.0, end - t0)
        self._ode = ode(f).set_integrator(
            "vode",
            method="adams",
            rtol=steering.rtol,
            atol=steering.atol,
            max_step=longest,
            first_step=first,
        )
        self._ode.set_initial_value(y0, t0)
        # Task 5: return after one step, and do not step past the critical time (as SciPy's LSODA class does).
        self._ode._integrator.rwork[0] = end
        self._ode._integrator.call_args[2] = 5

    def step(self) -> str | None:
        """Take one accepted step."""
        self.y = np.array(self._ode.integrate(self._end))
        if not self._ode.successful():
            self.status = "failed"
            code = self._ode._integrator.istate
            return str(self._ode._integrator.messages.get(code, f"VODE stopped with istate = {code}."))
        moved, self.t = self._ode.t != self.t, float(self._ode.t)
        if abs(self._end - self.t) <= 1e-14 * abs(self._end):
            self.t = self._end
        if self.t == self._end:
            self.status = "finished"
        return None if moved else "The step became too small to move on."

    def dense_output(self) -> Callable[[Any], FloatArray]:
        """The step's own polynomial, from VODE's Nordsieck array (h^j y^(j) / j!)."""
        work, order = self._ode._integrator.rwork, int(self._ode._integrator.iwork[13])
        t, h, n = self.t, float(work[10]), len(self.y)
        nordsieck = work[20 : 20 + (order + 1) * n].reshape(order + 1, n).copy()

        def polynomial(times: Any) -> FloatArray:
            s = (np.asarray(times, dtype=np.float64) - t) / h
            return nordsieck.T @ s ** np.arange(order + 1)[:, None]

        return polynomial


def start_solver(
    name: str,
    f: NumpyFunction,
    t0: float,
    y0: FloatArray,
    end: float,
    steering: Steering,
    jacobian: NumpyFunction | None,
) -> Solver:
    """The solver of that name at (t0, y0), flat, on its way to `end`; Adams needs no Jacobian."""
    if name == "scipy_adams":
        return _Adams(f, t0, y0, end, steering)
    kind = LSODA if name == "scipy_lsoda" else Radau
    solver: Solver = kind(
        f,
        t0,
        y0,
        end,
        rtol=steering.rtol,
        atol=steering.atol,
        jac=jacobian,
        max_step=steering.max_step,
        first_step=steering.first(end - t0),
    )
    return solver
