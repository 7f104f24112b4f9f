"""SciPy's solvers as named references: LSODA, Radau, and VODE's Adams method (what the paper used).

They run on flat float64 arrays and give no gradients. Every accepted step is recorded; SciPy does not report
its rejected attempts.
"""

from __future__ import annotations

import bisect
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from node_core.solution import Status
from node_core.solvers.clock import Deadline
from node_core.solvers.events import ZERO_AT_START, Event, EventSearch
from node_core.solvers.field_clock import FieldClock
from node_core.solvers.reasons import noise, out_of_time
from node_core.solvers.steppers.scipy_solvers import (
    SCIPY_METHODS,
    FloatArray,
    NumpyFunction,
    Solver,
    Steering,
    start_solver,
)

Row = tuple[float, float, float, bool]

# LSODA's work space holds one matrix of n x n numbers, Radau four, and n calls of f for each Jacobian.
LARGEST_STATE = {"scipy_lsoda": 10_000, "scipy_radau": 2_000}
EPSILON = float(np.finfo(np.float64).eps)


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
        slope: f at the start; None if it was not asked.
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
    slope: FloatArray | None = None


def scipy_solve(
    name: str,
    f: NumpyFunction,
    y0: FloatArray,
    ts: Sequence[float],
    rtol: float = 1e-6,
    atol: float = 1e-6,
    max_steps: int = 10_000,
    jacobian: NumpyFunction | None = None,
    event: Event | None = None,
    time_limit: float | None = None,
    clock: FieldClock | None = None,
    max_step: float = math.inf,
    first_step: float | None = None,
) -> ScipyResult:
    """Solve dy/dt = f(t, y) from ts[0] to ts[-1] with one of SciPy's solvers.

    Args:
        name: "scipy_lsoda", "scipy_radau" or "scipy_adams".
        f: f(t, y) -> dy/dt, both of y0's shape (any).
        ts: output times, increasing or decreasing.
        jacobian: df/dy, shape (\\*y0.shape, dim) for states (..., dim) with independent rows, else (\\*y0.shape,
            \\*y0.shape); if None, SciPy's finite differences. Adams needs none.
        event: stop where it happens, see `node_core.solvers.events`.
        clock: knows when f jumps: the solver is started anew behind each of these moments.
        max_step, first_step: the longest step, and the first of each start (chosen by the solver if None).

    Returns:
        What was computed; a solver that gives up says why in `status` and `message`.

    Raises:
        ValueError: if the name is unknown. Whatever f itself raises.
    """
    if name not in SCIPY_METHODS:
        raise ValueError(f"method {name!r} is unknown: choose one of {', '.join(SCIPY_METHODS)}.")
    _refuse_large(name, np.size(y0))
    run = _Run(name, f, np.asarray(y0, dtype=np.float64), ts, max_steps, event, time_limit, clock)
    if run.status is Status.SUCCESS and len(ts) > 1 and ts[0] != ts[-1]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # what SciPy warns of is in status and message
            run.solve(Steering(rtol, atol, max_step, first_step), jacobian)
    return run.result()


def _refuse_large(name: str, entries: int) -> None:
    """Refuse states whose dense matrices would fill the memory.

    Raises:
        ValueError: the state has more entries than the method can serve.
    """
    if entries > LARGEST_STATE.get(name, entries):
        raise ValueError(
            f"method={name!r} holds dense matrices of {entries} x {entries} numbers for this state (at most "
            f"{LARGEST_STATE[name]} entries): take 'scipy_adams', an explicit method such as 'dopri5', or a coarser "
            "state"
        )


class _TimeLimitError(Exception):
    """Ends a solve from inside f, because one step of SciPy's may call it many times."""


class _CountedField:
    """f on flat arrays; counts calls, watches the clock, and remembers whether f stopped being finite.

    VODE's C code goes on calling after an exception, and then loses it. So none is raised: it is kept in
    `error`, f is NaN from then on, which makes every solver give up its step, and the run raises it.
    """

    def __init__(self, f: NumpyFunction, shape: tuple[int, ...], deadline: Deadline) -> None:
        self._f, self._shape, self._deadline = f, shape, deadline
        self.calls = 0
        self.non_finite = False
        self.first: FloatArray | None = None
        self.error: BaseException | None = None

    def resume(self) -> None:
        """Answer again, whatever ended the solve."""
        self.error, self._deadline = None, Deadline(None)

    def __call__(self, t: float, y: FloatArray) -> FloatArray:
        if self.error is not None:
            return np.full(y.shape, np.nan)
        self.calls += 1
        try:
            if self._deadline.is_over():
                raise _TimeLimitError
            # A copy: SciPy keeps what it gets, and f may return the same array again.
            out = np.array(self._f(float(t), y.reshape(self._shape)), dtype=np.float64)
            if out.shape != self._shape:
                raise ValueError(
                    f"f returned shape {out.shape} for a state of shape {self._shape}: return dy/dt."
                )
        except BaseException as error:
            self.error = error
            return np.full(y.shape, np.nan)
        if self.first is None:
            self.first = out
        if not np.isfinite(out).all():
            self.non_finite = True
        return out.ravel()


class _CountedJacobian:
    """df/dy of the flat state; blocks of independent rows stand on its diagonal."""

    def __init__(self, jacobian: NumpyFunction, shape: tuple[int, ...]) -> None:
        self._jacobian, self._shape = jacobian, shape
        self.calls = 0

    def __call__(self, t: float, y: FloatArray) -> FloatArray:
        self.calls += 1
        blocks = np.asarray(self._jacobian(float(t), y.reshape(self._shape)))
        if blocks.size == y.size**2:
            return blocks.reshape(y.size, y.size)
        return block_diag(*blocks.reshape(-1, *blocks.shape[-2:]))


def _through(
    piece: Callable[[Any], FloatArray], t0: float, y0: FloatArray, t1: float
) -> Callable[[Any], FloatArray]:
    """A first step's polynomial, bent by a straight line to begin at y0.

    A multistep method's polynomial passes its step's start only up to the tolerance; but to which side an event
    function leaves zero must not depend on that.
    """
    gap = y0 - piece(np.array([t0]))[:, 0]
    return lambda times: piece(times) + np.outer(gap, (t1 - np.asarray(times)) / (t1 - t0))


class _Run:
    """One solve: steps until the end, the event, or a failure."""

    def __init__(
        self,
        name: str,
        f: NumpyFunction,
        y0: FloatArray,
        ts: Sequence[float],
        max_steps: int,
        event: Event | None,
        time_limit: float | None,
        clock: FieldClock | None,
    ) -> None:
        self.name, self.y0, self.ts, self.max_steps, self.clock = name, y0, ts, max_steps, clock
        self.time_limit = time_limit
        self.field = _CountedField(f, y0.shape, Deadline(time_limit))
        self.jacobian: _CountedJacobian | None = None
        self.direction = 1.0 if ts[-1] >= ts[0] else -1.0
        self.rows: list[Row] = []
        self.ends = [
            self.direction * ts[0]
        ]  # ends of the steps so far, increasing also when time runs backward
        self.pieces: list[Callable[[Any], FloatArray]] = []
        self.t, self.y = ts[0], y0.ravel()
        self.status, self.message = Status.SUCCESS, "reached the end of the time span"
        self.search = EventSearch(event, ts[0], y0) if event is not None else None
        if self.search is not None and self.search.at_start:
            self._stop(Status.EVENT, ZERO_AT_START.format(ts[0]))

    def solve(self, steering: Steering, jacobian: NumpyFunction | None) -> None:
        """Step to the end; leaves the outcome in the attributes."""
        if jacobian is not None:
            self.jacobian = _CountedJacobian(jacobian, self.y0.shape)
        try:
            self._march(steering)
        except (ValueError, np.linalg.LinAlgError) as error:
            # SciPy's linear algebra refuses a state that overflowed though the field is finite.
            overflow = "infs or NaNs" in str(error)
            if self.field.error is None and not self.field.non_finite and not overflow:
                raise
            self._give_up(None)
        if isinstance(self.field.error, _TimeLimitError):
            self._stop(Status.TIME_LIMIT, out_of_time(self.time_limit, self.t, self.ts[-1]))
        elif self.field.error is not None:
            raise self.field.error

    def _march(self, steering: Steering) -> None:
        start, end = self.ts[0], self.ts[-1]
        for stop in [*(self.clock.stops(start, end) if self.clock else ()), end]:
            if self.clock is not None:
                self.clock.enter(self.t, stop - self.t)
            self._march_to(stop, steering)
            if self.status is not Status.SUCCESS or self.field.error is not None:
                return

    def _march_to(self, stop: float, steering: Steering) -> None:
        """Step until `stop`, or until something ends the solve."""
        solver = start_solver(self.name, self.field, self.t, self.y, stop, steering, self.jacobian)
        first = len(self.rows)
        while self.status is Status.SUCCESS and self.t != stop:
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
            if abs(solver.t - self.t) < 4 * EPSILON * abs(self.t) and solver.t != stop:
                return self._give_up("the step became too small to move on")
            before = self.y
            self._accept(solver, is_first=len(self.rows) == first)
            self._look_for_event(before)
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
            slope=self.field.first,
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

    def _accept(self, solver: Solver, is_first: bool) -> None:
        t1 = float(solver.t)
        piece = solver.dense_output()
        self.pieces.append(_through(piece, self.t, self.y, t1) if is_first else piece)
        self.rows.append((self.t, t1 - self.t, math.nan, True))
        self.ends.append(self.direction * t1)
        self.t, self.y = t1, np.array(solver.y)

    def _look_for_event(self, before: FloatArray) -> None:
        """Stop at the event if it lies within the last step, which began at the state `before`."""
        if self.search is None:
            return
        piece, t0, t1, shape = self.pieces[-1], self.rows[-1][0], self.t, self.y0.shape

        def states(thetas: Sequence[float]) -> FloatArray:
            return piece(t0 + np.asarray(thetas) * (t1 - t0)).T.reshape(-1, *shape)

        theta = self.search.look(t0, t1, self.y.reshape(shape), states)
        if theta is None:
            return
        if theta < 1.0:
            self.t = t0 + theta * (t1 - t0)
            self.y = states([theta]).ravel() if theta > 0.0 else before
            self.ends[-1] = self.direction * self.t
        self._stop(Status.EVENT, f"the event function crossed zero at t = {self.t:.6g}")

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
        if status in (Status.MAX_STEPS, Status.STEP_UNDERFLOW, Status.NO_CONVERGENCE, Status.TIME_LIMIT):
            self.field.resume()
            message = noise(self.field, self.t, self.y) or message
        self.status, self.message = status, message
