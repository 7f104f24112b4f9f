"""A field that jumps, in time or where the state crosses a border: rejections cluster where it does."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import numpy as np

from node_core.solution import Cause, StepLog
from node_core.solvers.diagnosis.scene import Finding, Floats, Scene, SpentError

CLUSTER = 2  # rejections of one step: a smooth f is seldom refused twice
MOST_PLACES = 10
POINTS = 17
HALVINGS = 24
PERSISTS = (
    0.3  # of its height: what is left of a jump, however closely it is looked at; a slope halves each time
)
REJECTED = 0.15  # of the attempts: fewer cost little


def jump(scene: Scene) -> Finding | None:
    """Whether f jumps where steps were rejected time and again."""
    log = scene.log
    if log.n_rejected < REJECTED * len(log) and log.n_rejected < 200:
        return None
    places = _places(log)
    in_time, in_state = [], []
    try:
        for t, h in places:
            found, kind = _jump_within(scene, t, h)
            if kind == "time":
                in_time.append(found)
            elif kind == "state":
                in_state.append(found)
    except SpentError:
        pass  # what was found until then is enough, or it is not
    if not places or 2 * (len(in_time) + len(in_state)) < min(len(places), MOST_PLACES):
        return None
    return _in_time(scene, in_time) if len(in_time) >= len(in_state) else _in_state(scene, in_state)


def _places(log: StepLog) -> list[tuple[float, float]]:
    """Where steps were rejected several times in turn: the time, and the step that was tried first; spread evenly."""
    rows = zip(log.t.tolist(), log.dt.tolist(), log.accepted.tolist(), strict=True)
    found = []
    for (t, accepted), group in groupby(rows, key=lambda row: (row[0], row[2])):
        steps = [dt for _, dt, _ in group]
        if not accepted and len(steps) >= CLUSTER:
            found.append((t, steps[0]))
    chosen = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_PLACES)).round().astype(int))
    return [found[i] for i in chosen] if found else []


def _jump_within(scene: Scene, t: float, h: float) -> tuple[float, str]:
    """Where in a step f jumps, and along what: "time", "state" or, where it does not, ""."""
    y = scene.state_at(t)
    at = scene.y if y is None else y
    slope = scene.ask(t, at)
    along_time = _find(lambda x: scene.ask(t + x * h, at))
    if along_time is not None:
        return t + along_time * h, "time"
    along_state = _find(lambda x: scene.ask(t, at + x * h * slope))
    return (0.0, "") if along_state is None else (t + along_state * h, "state")


def _find(f: Callable[[float], Floats]) -> float | None:
    """Where f jumps between 0 and 1; None if it does not, as far as can be seen."""
    grid = np.linspace(0.0, 1.0, POINTS)
    values = np.stack([f(float(x)) for x in grid])
    heights = np.abs(np.diff(values, axis=0)).max(axis=1)
    if not np.isfinite(heights).all():
        return None
    i = int(heights.argmax())
    height, size = float(heights[i]), float(np.abs(values).max())
    if height <= 1e-6 * size:
        return None
    low, high = float(grid[i]), float(grid[i + 1])
    left, right = values[i], values[i + 1]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        found = f(middle)
        if np.abs(found - left).max() >= np.abs(found - right).max():
            high, right = middle, found
        else:
            low, left = middle, found
    return high if np.abs(right - left).max() >= PERSISTS * height else None


def _in_time(scene: Scene, times: list[float]) -> Finding:
    moments = tuple(sorted({float(f"{t:.9g}") for t in times}))
    told = ", ".join(f"{t:.6g}" for t in moments[:4])
    more = ", ..." if len(moments) > 4 else ""
    return Finding(
        Cause.JUMP,
        f"f jumps in time, at t = {told}{more}: {scene.log.n_rejected} of {len(scene.log)} attempts were rejected, and "
        "they cluster there",
        {"rejected": scene.log.n_rejected, "attempts": len(scene.log), "t": moments[0]},
        "tell the solver when f jumps, by jumps=: a step then ends at each, and the next begins on the other side",
        {"jumps": moments},
    )


def _in_state(scene: Scene, times: list[float]) -> Finding:
    return Finding(
        Cause.SWITCH,
        f"f jumps where the state crosses a border, as at t = {times[-1]:.6g}: {scene.log.n_rejected} of "
        f"{len(scene.log)} attempts were rejected, and they cluster at such places",
        {"rejected": scene.log.n_rejected, "attempts": len(scene.log), "t": times[-1]},
        "stop at the border with event= and begin anew behind it, or make f smooth there (tanh(x / width) for sign(x))",
    )
