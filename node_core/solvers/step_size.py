"""Which steps to try: the grid of a fixed-step method, and the first and the smallest step of an adaptive one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from node_core.solvers.steppers.step import Array, Field, Stepper

EPSILON = 2.220446049250313e-16


def grid(t0: float, start: float, stop: float, dt: float) -> Iterator[float]:
    """The points t0 + n dt (n dt backward) from `start` on, up to `stop`, which is the last."""
    direction = 1.0 if stop > start else -1.0
    # A point that is a stop up to rounding must not make a sliver of a step there.
    first = math.floor(abs(start - t0) / dt + 1e-9) + 1
    for n in range(first, math.ceil(abs(stop - t0) / dt - 1e-9)):
        yield t0 + direction * dt * n
    yield stop


def smallest_step(t: float, span: float) -> float:
    """The length below which a step no longer moves t: some units in its last place."""
    return max(16 * EPSILON * abs(t), EPSILON * EPSILON * span)


def initial_step(
    stepper: Stepper,
    f: Field,
    t0: float,
    y0: Array,
    f0: Array,
    end: float,
    norm: Callable[[Array, Array, Array], float],
) -> float:
    """First step of an adaptive method (Hairer, Norsett, Wanner, "Solving ODEs I", II.4), one evaluation of f.

    Returns a positive length, for an f0 that is finite.
    """
    span = abs(end - t0)
    size, slope = norm(y0, y0, y0), norm(f0, y0, y0)
    if not math.isfinite(slope):
        return span * EPSILON
    h0 = 1e-6 if size < 1e-5 or slope < 1e-5 else 0.01 * size / slope
    h0 = min(h0, span)
    h = h0 if end >= t0 else -h0
    bend = norm(f(t0 + h, y0 + h * f0) - f0, y0, y0) / h0
    if not math.isfinite(bend):
        return min(h0, span) * 1e-3
    steepest = max(slope, bend)
    h1 = max(1e-6, h0 * 1e-3) if steepest <= 1e-15 else (0.01 / steepest) ** (1.0 / (stepper.error_order + 1))
    # For fast decay 100 h0 is z = h lambda = -1, where the error estimate of a third-order pair (bosh3) vanishes.
    return min((50 if stepper.error_order < 3 else 100) * h0, h1, span)
