"""What is wrong with a field itself: no value, no slope, or another answer each time."""

from __future__ import annotations

import numpy as np
import torch

from node_core.solution import Cause, Status
from node_core.solvers.diagnosis.scene import Finding, Floats, Scene
from node_core.solvers.reasons import shown
from node_core.solvers.results import is_the_same
from node_core.solvers.steppers.jacobian import Jacobian

# A field that is not a number for a larger state than this has overflowed on the way: the state had exploded before.
LARGE = 1e6
REPEATS = 3


def noise(scene: Scene) -> Finding | None:
    """Whether f answers differently for the same (t, y)."""
    first = scene.ask.tensor(scene.t, scene.y)
    for _ in range(REPEATS - 1):
        again = scene.ask.tensor(scene.t, scene.y)
        if not is_the_same(first, again):
            apart = float((again - first).abs().max() / first.abs().max())
            return Finding(
                Cause.NOISE,
                f"f(t, y) answers differently at each call for the same (t, y), by {apart:.2g} of its size: there is "
                "noise in it (dropout, torch.randn) or a memory of earlier calls, and no step is small enough for that",
                {"apart": apart},
                "call .eval() on its module, or draw once before the solve",
            )
    return None


def nowhere_at_start(scene: Scene) -> Finding | None:
    """Whether f has no value where the solve begins."""
    if scene.log.n_accepted or np.isfinite(scene.slope).all():
        return None
    return Finding(
        Cause.UNDEFINED,
        "the field has no value where the solve begins",
        {},
        "check the field and y0 there",
    )


def undefined(scene: Scene) -> Finding | None:
    """Whether f is NaN within the steps that were refused, or infinite though y is not large."""
    refused = np.abs(scene.refused.dt)
    if scene.status is Status.NON_FINITE and not refused.size:
        refused = np.array([scene.step or scene.span])
    if not refused.size:
        return None
    t, y, slope = scene.t, scene.y, scene.slope
    known = np.where(np.isfinite(slope), slope, 0.0)
    places = [(t, y)]
    for h in np.unique(refused)[::-1][:8] * scene.direction:
        places += [(t + c * h, y + c * h * known) for c in (0.2, 0.5, 1.0)] + [(t + h, y)]
    for at, state in places:
        found = scene.ask(at, state)
        if np.isnan(found).any() and np.abs(state).max() < LARGE:
            return _not_there(scene, at, state, found)
    return None


def _not_there(scene: Scene, t: float, y: Floats, found: Floats) -> Finding:
    shape = scene.shape
    where = np.argwhere(np.isnan(found.reshape(shape)))[0]
    row = tuple(where[:-1])
    which = f" in row {', '.join(map(str, row))}" if row else ""
    before = max(scene.start, scene.t) if scene.direction > 0 else min(scene.start, scene.t)
    ends = {"ts": (scene.start, _just_before(scene))} if before != scene.start else {}
    return Finding(
        Cause.UNDEFINED,
        f"f(t, y) is NaN at t = {t:.6g}, y = {shown(y.reshape(shape)[row])}{which}: the field has no value there",
        {"t": t},
        "correct it, or end the time span before",
        ends,
    )


def _just_before(scene: Scene) -> float:
    """A time that was reached, in few digits."""
    passed = abs(scene.t - scene.start)
    return float(f"{scene.start + scene.direction * 0.999 * passed:.5g}")


def no_derivative(scene: Scene) -> Finding | None:
    """Whether a method needs df/dy, and that is not finite at a finite y."""
    settings = scene.settings
    if settings.method.family != "implicit" or not scene.size < LARGE:
        return None
    jacobian = Jacobian(scene.ask.field, settings.jacobian)
    state = scene.ask.state(scene.y)
    try:
        with torch.no_grad():
            if jacobian.is_large(state):  # products with it are all that a step takes, and no matrix is made
                return None
            matrix = jacobian(scene.t, state)
    except (ArithmeticError, ValueError, RuntimeError):
        return None
    if bool(torch.isfinite(matrix).all()):
        return None
    return Finding(
        Cause.NO_DERIVATIVE,
        f"df/dy is not finite at t = {scene.t:.6g}, y = {shown(scene.y)}, though f(t, y) may be: the field has no "
        "slope there (a root of zero, torch.where over a branch that is NaN)",
        {},
        "smooth it, pass jacobian=, or take an explicit method such as 'dopri5'",
        {"method": "dopri5", "dt": None},
    )
