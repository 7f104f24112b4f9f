"""A solution to judge the methods by: the exact one where there is a formula, else one that two solvers agree on.

The first is SciPy's DOP853, or LSODA for what is stiff or typed, at 1e-11, solved in pieces between the jumps of f. One
solver alone can be wrong in silence: a pulse of f that lies between its evaluations it never sees, and where the
solution is chaotic no tolerance keeps it right for long. So a second one of another kind, Rodas5P, solves the same with
steps of at most a thousandth of the time span; as far as both agree, and no farther, there is a reference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.integrate import solve_ivp

from node_core.odeint import odeint
from node_core.solvers.field_clock import TimedField
from node_core.solvers.problem import field_clock
from node_core.studies.solvers.problem import field_of
from node_core.studies.solvers.race_config import FORMULA, Floats, Problem

# The first solver may take this many evaluations of f, the second this many steps; past that the lesson goes on without
# a reference. Counted, so that a busy machine has the same one.
MOST_EVALUATIONS = 300_000
MOST_STEPS = 10_000
# A solution that stays below the first size to the end is known to the last digit, however large it grows. What does
# not is followed to the second: it ends in a pole, or there is nothing more to see.
LARGEST, BLOWN_UP = 1e60, 1e6
# The two agree where they differ by less than this, in units of the solution's size, or by no more than a shift in
# time by this much of the time span: on a steep flank two good solutions differ by that.
AGREEMENT = 1e-6
CHECK = "Rodas5P"
CHECK_STEPS = 1000


class Reference(NamedTuple):
    """A solution that can be trusted as far as it goes.

    Attributes:
        y: y(t) for times (time,) up to `t_end`, shape (time, dim); None where there is no reference.
        t: the times at which it is drawn, (n,).
        t_end: how far it reaches.
        name, note: where it comes from; why it is missing or stops early ("" where it is whole).
        unbounded_at: when the solution itself ends or leaves all bounds; None if it does not, as far as is known.
    """

    y: Callable[[Floats], Floats] | None
    t: Floats
    t_end: float
    name: str
    note: str
    unbounded_at: float | None = None


class _TooLongError(Exception):
    pass


@lru_cache(maxsize=32)
def reference(problem: Problem) -> Reference:
    """The exact solution where the system has one, else the one that two solvers agree on."""
    start, end = problem.t_span
    field = field_of(problem)
    y0 = np.array(problem.y0)
    # The exact solution bends where f jumps; nothing else says where it must be drawn closely.
    grid = np.union1d(np.linspace(start, end, 800), [t for t in problem.all_jumps if start <= t <= end])
    exact = field.exact(grid, y0, start)
    if exact is not None and np.isfinite(exact).all():

        def y_exact(t: Floats) -> Floats:
            return np.asarray(field.exact(np.asarray(t, dtype=float), y0, start), dtype=float)

        return Reference(y_exact, grid, end, "exact solution", "")
    stiff = problem.system == FORMULA or problem.resolve().frame(**dict(problem.parameters)).stiff
    found = _integrated(problem, "LSODA" if stiff else "DOP853")
    return found if found.y is None else _checked(problem, found, found.y)


def _none(start: float, why: str) -> Reference:
    return Reference(None, np.empty(0), start, "", f"There is no reference: {why}")


def _integrated(problem: Problem, method: str) -> Reference:
    """The problem solved by one method; the absolute tolerance follows the size that the solution turns out to have."""
    start, end = problem.t_span
    size = float(np.abs(problem.y0).max()) or 1.0
    try:
        with np.errstate(all="ignore"):
            if not np.isfinite(field_of(problem)(start, np.array(problem.y0))).all():
                return _none(start, f"f is not finite at t = {start:g}.")
            pieces = _whole(problem, method, size) or _pieces(problem, method, size, BLOWN_UP)
            largest = max(float(np.abs(piece.y).max()) for piece in pieces)
            if 0.0 < largest < 1e-2 * size:
                pieces = _pieces(problem, method, largest, BLOWN_UP)
    except (_TooLongError, ValueError, OverflowError, ZeroDivisionError):
        return _none(start, "a tight solve failed, or needed too many evaluations of f.")
    t_end = float(pieces[-1].t[-1])
    if t_end <= start or not all(np.isfinite(piece.y).all() for piece in pieces):
        return _none(start, "a tight solve failed at the start.")
    ends = [float(piece.t[-1]) for piece in pieces]

    def y(t: Floats) -> Floats:
        t = np.asarray(t, dtype=float)
        where = np.minimum(np.searchsorted(ends, t), len(ends) - 1)
        states = np.empty((t.size, len(problem.y0)))
        for i in np.unique(where):
            states[where == i] = pieces[i].sol(t[where == i]).T
        return states

    steps = np.concatenate([piece.t for piece in pieces])
    # where the solver stepped closely the curve bends: its own steps are the points to draw
    t = np.union1d(np.linspace(start, t_end, 600), steps[:: max(1, steps.size // 1500)])
    name = f"{method} at 1e-11"
    if t_end >= end:
        return Reference(y, t, t_end, name, "")
    note = f"The reference stops at t = {t_end:.4g}: the solution ends or grows out of bounds there."
    return Reference(y, t, t_end, name, note, unbounded_at=t_end)


def _whole(problem: Problem, method: str, size: float) -> list[Any] | None:
    """SciPy's solutions where they reach the end; None where they do not."""
    try:
        pieces = _pieces(problem, method, size, LARGEST)
    except (ValueError, OverflowError, ZeroDivisionError):  # a root finder's, where a step goes over a pole
        return None
    return pieces if pieces[-1].t[-1] >= problem.t_span[1] else None


def _pieces(problem: Problem, method: str, size: float, bound: float) -> list[Any]:
    """SciPy's solutions between the jumps of f, for a solution of this size; the last may end early, at the bound."""
    start, end = problem.t_span
    inner = [t for t in problem.all_jumps if start < t < end]
    clock = field_clock(problem.all_jumps, torch.float64)
    field = TimedField(field_of(problem), clock)
    spent = 0
    limit = bound * (1.0 + float(np.abs(problem.y0).max()))

    def rhs(t: float, y: Floats) -> Floats:
        nonlocal spent
        spent += 1
        if spent > MOST_EVALUATIONS:
            raise _TooLongError
        return np.asarray(field(float(t), y), dtype=float)

    def blown_up(t: float, y: Floats) -> float:
        return limit - float(np.abs(y).max())

    blown_up.terminal = True  # type: ignore[attr-defined]
    pieces, y = [], np.array(problem.y0)
    for a, b in pairwise([start, *inner, end]):
        clock.enter(a, b - a)
        found = solve_ivp(
            rhs, (a, b), y, method=method, rtol=1e-11, atol=1e-13 * size, dense_output=True, events=blown_up
        )
        pieces.append(found)
        y = found.y[:, -1]
        if found.t[-1] < b:
            break
    return pieces


def _checked(problem: Problem, found: Reference, y: Callable[[Floats], Floats]) -> Reference:
    """The reference as far as the second solver agrees with it."""
    start, end = problem.t_span
    field, t = field_of(problem), found.t
    truth = y(t)
    size = float(np.abs(truth).max()) or 1.0
    with np.errstate(all="ignore"):
        solution = odeint(
            field,
            torch.tensor(problem.y0, dtype=torch.float64),
            t,
            method="rodas5p",
            rtol=1e-9,
            atol=1e-9 * size * problem.atol_ratio,
            max_step=(end - start) / CHECK_STEPS,
            jumps=problem.all_jumps,
            max_steps=MOST_STEPS,
            dense=False,
            on_error="return",
        )
        reached = len(solution.ys)
        slope = np.abs(np.stack([field(float(s), row) for s, row in zip(t, truth, strict=True)])).max(axis=1)
        gap = np.abs(np.asarray(solution.ys) - truth[:reached]).max(axis=1)
    apart = np.flatnonzero(~(gap <= AGREEMENT * (size + (end - start) * slope[:reached])))
    agreed = int(apart[0]) if apart.size else reached
    if agreed == t.size:
        return found
    why = f"two solvers of different kinds, {found.name.split()[0]} and {CHECK}, " + (
        f"disagree from t = {t[agreed]:.4g} on"
        if apart.size
        else f"get no farther than t = {t[agreed - 1]:.4g}"
    )
    if agreed < 2:
        return _none(start, f"{why}.")
    note = f"The reference stops at t = {t[agreed - 1]:.4g}: {why}."
    return Reference(found.y, t[:agreed], float(t[agreed - 1]), found.name, note)
