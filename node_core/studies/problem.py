"""From a `Problem` to what a worker computes with: its field, its tight reference and its eigenvalues."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from node_core.fields.system import SystemField
from node_core.studies.race_config import FORMULA, Floats, Problem

# a reference may take this many seconds; past that the lesson goes on without one
REFERENCE_SECONDS = 3.0
# past this size a solution counts as blown up: to follow it further shows nothing
BLOWN_UP = 1e6


class Reference(NamedTuple):
    """A solution that can be trusted to about 1e-10.

    Attributes:
        y: y(t) for times (time,) up to `t_end`, shape (time, dim); None where there is no reference.
        t: the times at which it is drawn, (n,).
        t_end: how far it reaches.
        name, note: where it comes from; why it is missing or stops early ("" where it is whole).
    """

    y: Callable[[Floats], Floats] | None
    t: Floats
    t_end: float
    name: str
    note: str


class _TooLongError(Exception):
    pass


def field_of(problem: Problem) -> SystemField:
    """The vector field f(t, y) of `problem`, for numpy arrays and tensors (..., dim).

    Raises:
        ValueError: if a formula can't be read or a parameter is out of range.
    """
    return problem.resolve().field(**dict(problem.parameters))


@lru_cache(maxsize=32)
def reference(problem: Problem) -> Reference:
    """The exact solution where the system has one, else SciPy's DOP853 (LSODA if stiff or typed) at 1e-11."""
    start, end = problem.t_span
    field = field_of(problem)
    y0 = np.array(problem.y0)
    grid = np.linspace(start, end, 800)
    exact = field.exact(grid, y0, start)
    if exact is not None and np.isfinite(exact).all():

        def y_exact(t: Floats) -> Floats:
            return np.asarray(field.exact(np.asarray(t, dtype=float), y0, start), dtype=float)

        return Reference(y_exact, grid, end, "exact solution", "")
    stiff = problem.system == FORMULA or problem.resolve().frame(**dict(problem.parameters)).stiff
    return _integrated(problem, "LSODA" if stiff else "DOP853")


def _integrated(problem: Problem, method: str) -> Reference:
    field = field_of(problem)
    start, end = problem.t_span
    deadline = time.perf_counter() + REFERENCE_SECONDS

    def rhs(t: float, y: Floats) -> Floats:
        if time.perf_counter() > deadline:
            raise _TooLongError
        return np.asarray(field(t, y), dtype=float)

    def blown_up(t: float, y: Floats) -> float:
        return BLOWN_UP * (1.0 + float(np.abs(problem.y0).max())) - float(np.abs(y).max())

    blown_up.terminal = True  # type: ignore[attr-defined]
    try:
        with np.errstate(all="ignore"):
            if not np.isfinite(rhs(start, np.array(problem.y0))).all():
                return Reference(
                    None, np.empty(0), start, "", f"There is no reference: f is not finite at t = {start:g}."
                )
            found = solve_ivp(
                rhs,
                (start, end),
                problem.y0,
                method=method,
                rtol=1e-11,
                atol=1e-13,
                dense_output=True,
                events=blown_up,
            )
    except (_TooLongError, ValueError, OverflowError, ZeroDivisionError):
        return Reference(
            None, np.empty(0), start, "", "There is no reference: a tight solve took too long or failed."
        )
    t_end = float(found.t[-1])
    if t_end <= start or not np.isfinite(found.y).all():
        return Reference(
            None, np.empty(0), start, "", "There is no reference: a tight solve failed at the start."
        )
    note = (
        ""
        if t_end >= end
        else f"The reference stops at t = {t_end:.4g}: the solution ends or grows out of bounds there."
    )
    interpolant = found.sol

    def y(t: Floats) -> Floats:
        return np.asarray(interpolant(t).T, dtype=float)

    # where the solver stepped closely the curve bends: its own steps are the points to draw
    t = np.union1d(np.linspace(start, t_end, 600), found.t[:: max(1, found.t.size // 1500)])
    return Reference(y, t, t_end, f"{method} at 1e-11", note)


def eigenvalues(problem: Problem, t: Floats, y: Floats) -> np.ndarray:
    """Eigenvalues of df/dy at each (t, y) of a path, (time, dim) complex; nan where a Jacobian is not finite."""
    field = field_of(problem)
    given = field.jacobian if field.has_jacobian else None
    values = np.full((t.size, y.shape[1]), np.nan, dtype=complex)
    for i in range(t.size):
        with np.errstate(all="ignore"):
            matrix = (
                np.asarray(given(float(t[i]), y[i]), dtype=float)
                if given
                else _differences(field, t[i], y[i])
            )
        if np.isfinite(matrix).all():
            values[i] = np.linalg.eigvals(matrix)
    return values


def _differences(field: Any, t: float, y: Floats) -> Floats:
    """df/dy by central differences, (dim, dim)."""
    size = y.size
    matrix = np.empty((size, size))
    for j in range(size):
        delta = 6e-6 * max(1.0, abs(float(y[j])))
        up, down = y.copy(), y.copy()
        up[j] += delta
        down[j] -= delta
        matrix[:, j] = (np.asarray(field(float(t), up)) - np.asarray(field(float(t), down))) / (2 * delta)
    return matrix
