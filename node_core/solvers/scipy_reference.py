"""SciPy's solvers as named references: LSODA, Radau, and VODE's Adams method (what the paper used).

They run on flat float64 arrays and give no gradients. Every accepted step is recorded; SciPy does not report
its rejected attempts.
"""

from __future__ import annotations

import bisect
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import LSODA, Radau, ode
from scipy.linalg import block_diag
from scipy.optimize import brentq

from node_core.solution import Status

FloatArray = NDArray[np.float64]
NumpyFunction = Callable[[float, FloatArray], FloatArray]
EventFunction = Callable[[float, FloatArray], float]
Row = tuple[float, float, float, bool]

EPSILON = float(np.finfo(np.float64).eps)
SCIPY_METHODS = ("scipy_lsoda", "scipy_radau", "scipy_adams")


@dataclass(frozen=True)
class ScipyResult:
    """The pieces of a Solution, as numpy arrays.

    Attributes:
        rows: (t, dt, NaN, True) of every accepted step.
        ys: states at the output times that were reached, shape (time, \\*y0.shape).
        nfe: calls of f, exact (those that SciPy makes for finite-difference Jacobians included).
        n_jacobians: calls of the given Jacobian.
        dense: t (any order, shape (times,), within what was solved) -> states (times, \\*y0.shape).
        t_end, y_end: where the solve ended; the event, if `status` is EVENT.
    """

    rows: tuple[Row, ...]
    ys: FloatArray
    nfe: int
    n_jacobians: int
    status: Status
    message: str
    dense: Callable[[Sequence[float] | FloatArray], FloatArray]
    t_end: float
    y_end: FloatArray


def scipy_solve(
    name: str,
    f: NumpyFunction,
    y0: FloatArray,
    ts: Sequence[float],
    rtol: float = 1e-6,
    atol: float = 1e-6,
    max_steps: int = 10_000,
    jacobian: NumpyFunction | None = None,
    event: EventFunction | None = None,
    time_limit: float | None = None,
) -> ScipyResult:
    """Solve dy/dt = f(t, y) from ts[0] to ts[-1] with one of SciPy's solvers.

    Args:
        name: "scipy_lsoda", "scipy_radau" or "scipy_adams".
        f: f(t, y) -> dy/dt, both of y0's shape (any).
        ts: output times, increasing or decreasing.
        jacobian: df/dy, shape (\\*y0.shape, dim) for states (..., dim) with independent rows; if None,
            SciPy's finite differences. Adams needs none.
        event: stop where event(t, y) crosses zero.

    Returns:
        What was computed; a solver that gives up says why in `status` and `message`.

    Raises:
        ValueError: if the name is unknown. Whatever f itself raises.
    """
    if name not in SCIPY_METHODS:
        raise ValueError(f"method {name!r} is unknown: choose one of {', '.join(SCIPY_METHODS)}.")
    run = _Run(name, f, np.asarray(y0, dtype=np.float64), ts, max_steps, event, time_limit)
    if len(ts) > 1 and ts[0] != ts[-1]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # what SciPy warns of is in status and message
            run.solve(rtol, atol, jacobian)
    return run.result()


class _TimeLimitError(Exception):
    """Ends a solve from inside f, because one step of SciPy's may call it many times."""


class _CountedField:
    """f on flat arrays; counts calls, watches the clock, and remembers whether f stopped being finite.

    VODE's C code goes on calling after an exception, and then loses it. So none is raised: it is kept in
    `error`, f is NaN from then on, which makes every solver give up its step, and the run raises it.
    """

    def __init__(self, f: NumpyFunction, shape: tuple[int, ...], deadline: float) -> None:
        self._f, self._shape, self._deadline = f, shape, deadline
        self.calls = 0
        self.non_finite = False
        self.error: BaseException | None = None

    def __call__(self, t: float, y: FloatArray) -> FloatArray:
        if self.error is not None:
            return np.full(y.shape, np.nan)
        self.calls += 1
        try:
            if time.perf_counter() > self._deadline:
                raise _TimeLimitError
            out = np.asarray(self._f(float(t), y.reshape(self._shape)), dtype=np.float64)
            if out.shape != self._shape:
                raise ValueError(
                    f"f returned shape {out.shape} for a state of shape {self._shape}: return dy/dt."
                )
        except BaseException as error:
            self.error = error
            return np.full(y.shape, np.nan)
        if not np.isfinite(out).all():
            self.non_finite = True
        return out.ravel()


class _CountedJacobian:
    """df/dy of the flat state: the rows of a batch are independent, so their blocks stand on the diagonal."""

    def __init__(self, jacobian: NumpyFunction, shape: tuple[int, ...]) -> None:
        self._jacobian, self._shape = jacobian, shape
        self.calls = 0

    def __call__(self, t: float, y: FloatArray) -> FloatArray:
        self.calls += 1
        blocks = np.asarray(self._jacobian(float(t), y.reshape(self._shape)))
        return blocks if blocks.ndim == 2 else block_diag(*blocks.reshape(-1, *blocks.shape[-2:]))


class _Solver(Protocol):
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

    def __init__(
        self, f: NumpyFunction, t0: float, y0: FloatArray, end: float, rtol: float, atol: float
    ) -> None:
        self.t, self.y, self.status, self._end = t0, y0, "running", end
        self._ode = ode(f).set_integrator("vode", method="adams", rtol=rtol, atol=atol)
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


class _Run:
    """One solve: steps until the end, the event, or a failure."""

    def __init__(
        self,
        name: str,
        f: NumpyFunction,
        y0: FloatArray,
        ts: Sequence[float],
        max_steps: int,
        event: EventFunction | None,
        time_limit: float | None,
    ) -> None:
        self.name, self.y0, self.ts, self.max_steps, self.event = name, y0, ts, max_steps, event
        self.time_limit = time_limit
        deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
        self.field = _CountedField(f, y0.shape, deadline)
        self.jacobian: _CountedJacobian | None = None
        self.direction = 1.0 if ts[-1] >= ts[0] else -1.0
        self.rows: list[Row] = []
        self.ends = [
            self.direction * ts[0]
        ]  # ends of the steps so far, increasing also when time runs backward
        self.pieces: list[Callable[[Any], FloatArray]] = []
        self.t, self.y = ts[0], y0.ravel()
        self.status, self.message = Status.SUCCESS, "reached the end of the time span"

    def solve(self, rtol: float, atol: float, jacobian: NumpyFunction | None) -> None:
        """Step to the end; leaves the outcome in the attributes."""
        if jacobian is not None:
            self.jacobian = _CountedJacobian(jacobian, self.y0.shape)
        try:
            self._march(rtol, atol)
        except (ValueError, np.linalg.LinAlgError) as error:
            # SciPy's linear algebra refuses a state that overflowed though the field is finite.
            overflow = "infs or NaNs" in str(error)
            if self.field.error is None and not self.field.non_finite and not overflow:
                raise
            self._give_up(None)
        if isinstance(self.field.error, _TimeLimitError):
            self._stop(
                Status.TIME_LIMIT,
                f"time_limit = {self.time_limit:g} s is over at t = {self.t:.6g} of {self.ts[-1]:.6g}: raise "
                "time_limit, or loosen the tolerance",
            )
        elif self.field.error is not None:
            raise self.field.error

    def _march(self, rtol: float, atol: float) -> None:
        value = self._event_value()
        solver = self._solver(rtol, atol)
        while self.status is Status.SUCCESS and self.t != self.ts[-1]:
            if len(self.rows) >= self.max_steps:
                return self._stop(
                    Status.MAX_STEPS,
                    f"took max_steps = {self.max_steps} steps and reached only t = {self.t:.6g} of "
                    f"{self.ts[-1]:.6g}: raise max_steps or loosen the tolerance",
                )
            failure = solver.step()
            if self.field.error is not None:
                return None
            if failure is not None or not np.isfinite(solver.y).all():
                return self._give_up(failure)
            if abs(solver.t - self.t) < 4 * EPSILON * abs(self.t) and solver.t != self.ts[-1]:
                return self._give_up("the step became too small to move on")
            self._accept(solver)
            value = self._look_for_event(value)
        return None

    def result(self) -> ScipyResult:
        """The outcome, with the outputs that were reached."""
        reached = [t for t in self.ts if (t - self.t) * self.direction <= 0]
        return ScipyResult(
            rows=tuple(self.rows),
            ys=self.dense(reached),
            nfe=self.field.calls,
            n_jacobians=self.jacobian.calls if self.jacobian else 0,
            status=self.status,
            message=self.message,
            dense=self.dense,
            t_end=self.t,
            y_end=self.y.reshape(self.y0.shape),
        )

    def dense(self, times: Sequence[float] | FloatArray) -> FloatArray:
        """States (times, \\*y0.shape) at times within what was solved."""
        out = np.empty((len(times), self.y0.size))
        piece_of = [bisect.bisect_left(self.ends, self.direction * t) for t in times]
        for piece in sorted(set(piece_of)):
            where = [i for i, p in enumerate(piece_of) if p == piece]
            at = np.array([float(times[i]) for i in where])
            if piece == 0 or not self.pieces:
                self._refuse_before(at)
                out[where] = self.y0.ravel()
            elif piece > len(self.pieces):
                raise ValueError(
                    f"t = {at[0]:.6g} is outside what was solved, {self.ts[0]:.6g} to {self.t:.6g}."
                )
            else:
                out[where] = self.pieces[piece - 1](at).T
        out[[i for i, t in enumerate(times) if t == self.t]] = self.y
        return out.reshape(len(times), *self.y0.shape)

    def _refuse_before(self, times: FloatArray) -> None:
        """Refuse times before the start, but for rounding."""
        slack = 1e-12 * max(abs(self.ts[0]), abs(self.ts[-1]))
        for t in times:
            if abs(t - self.ts[0]) > slack:
                raise ValueError(f"t = {t:.6g} is outside what was solved, {self.ts[0]:.6g} to {self.t:.6g}.")

    def _solver(self, rtol: float, atol: float) -> _Solver:
        if self.name == "scipy_adams":
            return _Adams(self.field, self.t, self.y, self.ts[-1], rtol, atol)
        kind = LSODA if self.name == "scipy_lsoda" else Radau
        solver: _Solver = kind(
            self.field, self.t, self.y, self.ts[-1], rtol=rtol, atol=atol, jac=self.jacobian
        )
        return solver

    def _accept(self, solver: _Solver) -> None:
        t1 = float(solver.t)
        self.rows.append((self.t, t1 - self.t, math.nan, True))
        self.pieces.append(solver.dense_output())
        self.ends.append(self.direction * t1)
        self.t, self.y = t1, np.array(solver.y)

    def _event_value(self) -> float:
        return float(self.event(self.t, self.y.reshape(self.y0.shape))) if self.event else 0.0

    def _look_for_event(self, before: float) -> float:
        """Stop at the root if the event function changed sign within the last step; returns its value now."""
        event = self.event
        if event is None:
            return 0.0
        now = self._event_value()
        if before * now < 0 or (now == 0 and before != 0):
            piece, t0 = self.pieces[-1], self.rows[-1][0]

            def state(t: float) -> FloatArray:
                return piece(np.array([t]))[:, 0]

            def value(t: float) -> float:
                return float(event(t, state(t).reshape(self.y0.shape))) if t != t0 else before

            if now != 0 and value(self.t) * before < 0:
                self.t = float(brentq(value, t0, self.t, xtol=1e-14, rtol=1e-14))
                self.y = state(self.t)
                self.ends[-1] = self.direction * self.t
            self._stop(Status.EVENT, f"the event function crossed zero at t = {self.t:.6g}")
        return now

    def _give_up(self, failure: str | None) -> None:
        if failure is None or self.field.non_finite:
            self._stop(
                Status.NON_FINITE,
                f"the state stops being finite just after t = {self.t:.6g}: the solution blows up there, or "
                "the field is not defined beyond; end the time span before it",
            )
        else:
            too_small = "less than spacing" in failure or "too small" in failure
            self._stop(
                Status.STEP_UNDERFLOW if too_small else Status.NO_CONVERGENCE,
                f"{self.name} gave up at t = {self.t:.6g} ({failure.rstrip('.')}): check the field there, or "
                "change the tolerance",
            )

    def _stop(self, status: Status, message: str) -> None:
        self.status, self.message = status, message
