"""Where one event function crosses zero: searched step by step, on the dense output of each accepted step.

Each step is looked at in `PARTS` equal parts and wherever g turns around between them, so that a step that crosses zero
twice is seen. What turns around and back within a part can still be missed: take smaller steps, or a tighter tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from scipy.optimize import brentq, fminbound

from node_core.solvers.steppers.step import Array

Sample = tuple[float, float]  # theta and the event function there

PARTS = 8
# Where g leaves zero is told closer to the start than any part reaches.
_FIRST = (1e-6, 1e-4, 1e-2)
_EPSILON = 2.220446049250313e-16
# How often what lies behind a crossing is looked at anew, each time in PARTS parts.
_DEEPEST = 3


class CrossingSearch:
    """Looks for the crossings of one event function, step by step.

    Args:
        value: g where the solve starts.
        direction: in which g has to reach zero, see `events`.
    """

    def __init__(self, value: float, direction: int) -> None:
        self._value, self._direction = value, direction
        # The side of zero that g was on last; 0 while it has been zero since the start.
        self._side = _sign(value)
        # Whether g is zero where a crossing has been told already: where it goes from there is no other.
        self._told = False

    def starts_here(self) -> bool:
        """Whether the start itself is a crossing, which is then told."""
        if self._side == 0 and self._direction == 0 and not self._told:
            self._told = True
            return True
        return False

    @property
    def inner(self) -> Sequence[float]:
        """The thetas within a step at which g has to be known."""
        return [*(_FIRST if self._side == 0 else ()), *(k / PARTS for k in range(1, PARTS))]

    def look(self, inner: Sequence[Sample], end: float, value: Callable[[float], float]) -> Iterator[float]:
        """The thetas in [0, 1] of the crossings within an accepted step, in their order.

        Where g crosses zero the answer lies on the side that it came from, up to rounding, so that a solve that starts
        there anew meets no second crossing of the same kind.

        Args:
            inner: g at `self.inner`.
            end: g where the step ends.
            value: g at any theta of the step.
        """
        begin, self._value = self._value, end
        if self._side == 0 and end == 0:
            # Zero at both ends since the start: what an interpolant of low order bows between them is not g's.
            # Should g have left and come back, the next step leaves from here, which is then the event.
            return
        samples = [(0.0, begin), *inner, (1.0, end)]
        for i in range(len(samples) - 1):
            for a, b in pairwise([samples[i], *_turn_between(samples, i, value), samples[i + 1]]):
                yield from self._between(a, b, value, 0)

    def _between(self, a: Sample, b: Sample, value: Callable[[float], float], depth: int) -> Iterator[float]:
        """The crossings behind a, up to b; behind each is looked anew, because three may hide as one."""
        found = self._visit(a, b, value)
        if found is None:
            return
        yield found
        if not a[0] < found < b[0] or depth == _DEEPEST:
            return
        first = _beyond(found, b, value)
        inner = [first[0] + (b[0] - first[0]) * k / PARTS for k in range(1, PARTS)]
        for c, d in pairwise([first, *((theta, value(theta)) for theta in inner), b]):
            yield from self._between(c, d, value, depth + 1)

    def _visit(self, a: Sample, b: Sample, value: Callable[[float], float]) -> float | None:
        """Go on from one sample to the next; the theta of a crossing if it lies between them or at the second."""
        side, now = self._side, _sign(b[1])
        if now == 0:
            if side == 0 or self._told or self._direction not in (0, -side):
                return None
            self._told = True
            return b[0]
        told, self._told, self._side = self._told, False, now
        if told or side == now or self._direction not in (0, now):
            return None
        return a[0] if side == 0 else _first_root(a, b, value)


def values_within(
    event: Callable[[float, Array], float],
    t: float,
    t1: float,
    states: Callable[[Sequence[float]], Array],
) -> Callable[[Sequence[float]], list[float]]:
    """The event function at thetas of a step from t to t1, whose dense output is `states`."""

    def values(thetas: Sequence[float]) -> list[float]:
        return [event(t + theta * (t1 - t), y) for theta, y in zip(thetas, states(thetas), strict=True)]

    return values


def _beyond(root: float, b: Sample, value: Callable[[float], float]) -> Sample:
    """The first sample behind a root that lies on the side of b."""
    side, step = _sign(b[1]), math.ulp(root)
    while root + step < b[0]:
        found = value(root + step)
        if found * side > 0:
            return root + step, found
        step *= 2
    return b


def _sign(value: float) -> int:
    return int(value > 0) - int(value < 0)


def _turn_between(samples: list[Sample], i: int, value: Callable[[float], float]) -> list[Sample]:
    """A sample where g touches or crosses zero between the samples i and i + 1, before it comes back; or none."""
    a, b = samples[i], samples[i + 1]
    side = _sign(a[1])
    if side == 0 or side != _sign(b[1]) or not _may_turn(samples, i, side):
        return []
    best = b

    def height(theta: float) -> float:
        nonlocal best
        if best[1] * side <= 0:
            return 0.0  # seen enough
        found = value(float(theta))
        if found * side < best[1] * side:
            best = (float(theta), found)
        return found * side

    fminbound(height, a[0], b[0], xtol=1e-7 * (b[0] - a[0]), maxfun=60)
    return [best] if best[1] * side <= 0 else []


def _may_turn(samples: list[Sample], i: int, side: int) -> bool:
    """Whether a parabola through neighbouring samples comes nearest to zero between the samples i and i + 1."""
    (low, g_low), (high, g_high) = samples[i], samples[i + 1]
    flat = 0.999 * min(side * g_low, side * g_high)
    for first in (i - 1, i):
        if first < 0 or first + 2 >= len(samples):
            continue
        (x0, g0), (x1, g1), (x2, g2) = samples[first : first + 3]
        rise, next_rise = side * (g1 - g0) / (x1 - x0), side * (g2 - g1) / (x2 - x1)
        bend = (next_rise - rise) / (x2 - x0)
        if bend > 0:
            x = 0.5 * (x0 + x1) - 0.5 * rise / bend
            if low < x < high and side * g0 + (x - x0) * (rise + bend * (x - x1)) < flat:
                return True
    return False


def _first_root(a: Sample, b: Sample, value: Callable[[float], float]) -> float:
    """The first root between two samples of different sides, relative to its theta as exact as rounding allows."""
    (low, g_low), (high, g_high) = a, b
    side = _sign(g_low)

    def inside(theta: float) -> float:
        return g_low if theta <= a[0] else g_high if theta >= b[0] else value(theta)

    while True:
        # The absolute tolerance only has to be positive: a root may lie at a tiny part of the step.
        root = float(brentq(inside, low, high, xtol=math.ulp(0.0), rtol=4 * _EPSILON, maxiter=2000))
        # An odd number of roots lies between: whatever has changed sides before this one brackets an earlier one.
        inner = [low + (root - low) * k / PARTS for k in range(1, PARTS)]
        earlier = next((theta for theta in inner if low < theta < root and inside(theta) * side < 0), None)
        if earlier is None:
            break
        high = earlier
    step = math.ulp(root)
    while inside(root) * side < 0:
        root, step = max(low, root - step), 2 * step
    return root
