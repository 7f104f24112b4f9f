"""A solution that leaves all bounds: at one time, to which the steps shrink, or past what the number type holds."""

from __future__ import annotations

import numpy as np

from node_core.solution import Cause, Status
from node_core.solvers.diagnosis.scene import Finding, Floats, Scene

SHRUNK = 30.0  # times shorter than the longest: steps on their way to one time
RUN, PART = (
    10,
    8,
)  # accepted steps over which their shrinking is measured: so many, or the last eighth of them
SLOWEST = 0.995  # shrinking by less a step leads nowhere soon
POWER = 0.2  # of a pole (T - t)^-p: y, or f, grows with a power that can be told from none
GROWN = 5.0  # times steeper than at the start


def singularity(scene: Scene) -> Finding | None:
    """Whether the steps shrink towards one time while y, or its slope, grows.

    Near a pole at T, y ~ (T - t)^-p, so that a step in proportion to what y and f change over is one in proportion to
    T - t: the steps are a geometric series, h, h q, h q^2, ..., and what is left of it says where T is.
    """
    lengths = scene.lengths
    last = lengths[-max(RUN, len(lengths) // PART) :]
    if len(lengths) < RUN or not lengths.max() >= SHRUNK * last[-1]:
        return None
    ratio = float((last[-1] / last[0]) ** (1.0 / (len(last) - 1)))
    if not ratio <= SLOWEST or np.isnan(scene.slope).any():
        return None
    left = float(last[-1]) * ratio / (1.0 - ratio)
    power, steeper = _growth(scene, float(last[-1]), left)
    if power < POWER or steeper < GROWN:
        return None
    time = scene.t + scene.direction * left
    if (time - scene.end) * scene.direction > 0:
        return None
    passed = abs(time - scene.start)
    before = float(f"{scene.start + scene.direction * 0.99 * passed:.5g}")
    return Finding(
        Cause.SINGULARITY,
        f"the solution blows up at t = {time:.6g}, to which the steps shrink (from {lengths.max():.2g} to "
        f"{last[-1]:.2g}, by a factor of {ratio:.2g} each) while |y| has become {scene.size:.2g} and |f| "
        f"{np.abs(scene.slope).max():.2g}",
        {"t": time, "ratio": ratio, "size": scene.size, "slope": float(np.abs(scene.slope).max())},
        f"end the time span before it, at t = {before:g} say",
        {"ts": (scene.start, before)},
    )


def _growth(scene: Scene, h: float, left: float) -> tuple[float, float]:
    """The power p of (T - t)^-p by which y or f grows, T - t = left, and how many times steeper f is than it was."""
    slope = scene.slope
    size, steep = scene.size, float(np.abs(slope).max())
    if size == 0.0 or steep == 0.0 or not np.isfinite(steep):
        return (0.0, 0.0) if np.isfinite(steep) else (np.inf, np.inf)
    of_y = left * steep / size
    ahead = _ahead(scene, 0.25 * h)
    of_f = left * float(np.abs(ahead - slope).max()) / (0.25 * h * steep) if np.isfinite(ahead).all() else 0.0
    first = float(np.abs(scene.ask(scene.start, scene.first)).max())
    return max(of_y, of_f), steep / max(first, 1e-300)


def _ahead(scene: Scene, h: float) -> Floats:
    step = scene.direction * h
    return scene.ask(scene.t + step, scene.y + step * scene.slope)


def overflow(scene: Scene) -> Finding | None:
    """Whether the state grows past what its number type holds, at its own pace."""
    near = 0.4 if scene.status is Status.NON_FINITE else 0.9
    if scene.size < scene.ask.largest**near:
        return None
    double = scene.ask.largest < 1e300
    more = ", or take y0.double()" if double else ""
    passed = abs(scene.t - scene.start)
    before = float(f"{scene.start + scene.direction * 0.9 * passed:.5g}")
    return Finding(
        Cause.OVERFLOW,
        f"the state grows past what its number type holds: |y| is {scene.size:.2g} at t = {scene.t:.6g}, with steps "
        "that do not shrink",
        {"size": scene.size, "largest": scene.ask.largest},
        f"end the time span before{more}; or solve for the logarithm of what grows",
        {"ts": (scene.start, before)},
    )
