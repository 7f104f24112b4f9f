"""How a method's way through a race ended: where it left what can be drawn, and the words for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from node_core.fields.systems.system import SystemField
from node_core.solution import Solution, Status
from node_core.studies.solvers.race_config import Floats

# a state this many times larger than the solution ever is has exploded
EXPLODED = 100.0
# so near to where the solution leaves all bounds, relative to that time, a method has followed it there
NEAR = 1e-3
# how far into the next step f is looked at (a later stage may reach past its end), to see whether it has a value
_PROBES = (0.0, 0.25, 0.5, 1.0, 2.0)


class Truth(NamedTuple):
    """What an ending is judged by: the solution's size, and the time at which it outgrows all bounds (or None)."""

    size: float
    unbounded_at: float | None


class Ending(NamedTuple):
    """How a lane ended.

    Attributes:
        points: how many of its states can be drawn; what comes after an explosion is only noise.
        exploded_at: when the method (and not the solution) left all bounds, or None.
        complete: whether it reached the end of the time span with a state worth comparing.
        status: one phrase for the table.
        failed: whether it is the method's fault: not where the solution itself ends, or leaves all bounds.
    """

    points: int
    exploded_at: float | None
    complete: bool
    status: str
    failed: bool = False


def ending(solution: Solution, field: SystemField, step_t: Floats, step_y: Floats, truth: Truth) -> Ending:
    """Judge the states (steps + 1, dim) that `solution` passed at `step_t`, the initial one first."""
    size_now = np.abs(step_y).max(axis=1)
    wild = np.flatnonzero(~(size_now <= EXPLODED * truth.size))
    if wild.size and np.isfinite(size_now[wild[0]]):
        first = int(wild[0])
        return _out_of_bounds(first + 1, float(step_t[first]), step_t, truth)
    points = int(wild[0]) if wild.size else step_t.size
    if wild.size or solution.status is Status.NON_FINITE:
        points = max(points, 1)
        reached = float(step_t[points - 1])
        if _is_undefined(solution, field, reached, step_y[points - 1]):
            return Ending(points, None, False, f"f is undefined past t = {reached:.3g}")
        return _out_of_bounds(points, reached, step_t, truth)
    reached = float(step_t[-1])
    if solution.status.ok and truth.unbounded_at is not None and truth.unbounded_at < reached:
        words = f"ran past t = {truth.unbounded_at:.3g}, where the solution leaves all bounds"
        return Ending(points, None, False, words, failed=True)
    ok = solution.status.ok
    if not ok and truth.unbounded_at is not None and reached >= truth.unbounded_at * (1 - NEAR):
        return _out_of_bounds(points, reached, step_t, truth)
    return Ending(points, None, ok, _phrase(solution.status, reached), failed=not ok)


def _out_of_bounds(points: int, t: float, step_t: Floats, truth: Truth) -> Ending:
    """The solution's own growth is no fault of a method that follows it, to within a step."""
    step = float(step_t[points - 1] - step_t[points - 2]) if points > 1 else 0.0
    if truth.unbounded_at is not None and t >= truth.unbounded_at - max(step, NEAR * abs(t)):
        return Ending(points, None, False, f"left all bounds at t = {t:.3g}, as the solution does")
    return Ending(points, t, False, f"exploded at t = {t:.3g}", failed=True)


def _is_undefined(solution: Solution, field: SystemField, t: float, y: Floats) -> bool:
    """Whether f gives no number within the next step from y: a root or a logarithm of a negative number.

    An f that overflows is infinite instead, and that is an explosion.
    """
    log = solution.steps
    ahead = log.dt[log.t >= t - 1e-12 * abs(t)]
    h = float(ahead.max()) if ahead.size else float(log.dt[-1]) if len(log) else 0.0
    with np.errstate(all="ignore"):
        slope = np.asarray(field(t, y), dtype=float)
        slope = np.where(np.isfinite(slope), slope, 0.0)
        values = [np.asarray(field(t + c * h, y + c * h * slope), dtype=float) for c in _PROBES]
    return bool(np.isnan(values).any())


def _phrase(status: Status, reached: float) -> str:
    phrases = {
        Status.SUCCESS: "done",
        Status.EVENT: "done",
        Status.MAX_STEPS: f"gave up at t = {reached:.3g}: too many steps",
        Status.STEP_UNDERFLOW: f"gave up at t = {reached:.3g}: step too small",
        Status.NO_CONVERGENCE: f"gave up at t = {reached:.3g}: Newton did not converge",
        Status.TIME_LIMIT: f"gave up at t = {reached:.3g}: took too long",
    }
    return phrases.get(status, f"stopped at t = {reached:.3g}")
