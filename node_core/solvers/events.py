"""Terminal events: where a scalar function g(t, y) of the solution reaches zero, the solve stops.

Along a solution g is a function of t alone. The event is the first time at which g arrives at zero, or passes through
it: from above (direction -1), from below (direction +1), or from either side (direction 0), in the order in which the
solve runs. Where g is zero at the start it has no side to come from. Direction 0 stops there at once, as SciPy and
torchdiffeq do; -1 and +1 stop there if g leaves zero to that side (a ball lying on the floor starts to fall through
it), and go on if it leaves to the other (a ball thrown from the floor).

Each accepted step is searched on its dense output, at `PARTS` equal parts and wherever g turns around between them, so
that a step that crosses zero twice is seen. What turns around and back within a part can still be missed: take smaller
steps, or a tighter tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from scipy.optimize import brentq, fminbound

from node_core.solvers.steppers.step import Array, Field, Step, Stepper

Sample = tuple[float, float]  # theta and the event function there

PARTS = 8
ZERO_AT_START = (
    "the event function is zero at the start, t = {:.6g}: pass direction=-1 or direction=1 to stop only where it falls "
    "or rises through zero"
)
# Where g leaves zero is told closer to the start than any part reaches.
_FIRST = (1e-6, 1e-4, 1e-2)
_EPSILON = 2.220446049250313e-16


class Event(NamedTuple):
    """What stops a solve: g(t, y) as floats and states to floats, and the direction in which it has to reach zero."""

    function: Callable[[float, Array], float]
    direction: int = 0


class Crossing(NamedTuple):
    """Where the event function reached zero: at `theta` of the last step, 1 at its end; 0 means the start itself."""

    t: float
    y: Array
    theta: float = 1.0


class EventSearch:
    """Looks for the event step by step.

    Args:
        event: g and its direction, see above.
        t0, y0: the start.
    """

    def __init__(self, event: Event, t0: float, y0: Array) -> None:
        self._event, self._direction = event
        self._value = self._event(t0, y0)
        # The side of zero that g was on last; 0 while it has been zero since the start.
        self._side = _sign(self._value)

    @property
    def at_start(self) -> bool:
        """Whether the start itself is the event."""
        return self._side == 0 and self._direction == 0

    def look(
        self, t: float, t1: float, y1: Array, states: Callable[[Sequence[float]], Array]
    ) -> float | None:
        """The theta in [0, 1] of the event within an accepted step from t to t1; None if there is none.

        Where g crosses zero the answer lies on the side that it came from, up to rounding, so that a solve that starts
        there anew meets no second crossing of the same kind.

        Args:
            y1: the state at t1.
            states: the dense output of the step, (thetas,) -> (thetas, \\*y.shape).
        """

        def values(thetas: Sequence[float]) -> list[float]:
            return [
                self._event(t + theta * (t1 - t), y) for theta, y in zip(thetas, states(thetas), strict=True)
            ]

        with torch.no_grad():
            inner = [*(_FIRST if self._side == 0 else ()), *(k / PARTS for k in range(1, PARTS))]
            end = self._event(t1, y1)
            if self._side == 0 and end == 0:
                # Zero at both ends since the start: what an interpolant of low order bows between them is not g's.
                # Should g have left and come back, the next step leaves from here, which is then the event.
                return None
            samples = [(0.0, self._value), *zip(inner, values(inner), strict=True), (1.0, end)]
            self._value = end
            return self._scan(samples, lambda theta: values([theta])[0] if theta < 1.0 else end)

    def _scan(self, samples: list[Sample], value: Callable[[float], float]) -> float | None:
        for i in range(len(samples) - 1):
            for a, b in pairwise([samples[i], *_turn_between(samples, i, value), samples[i + 1]]):
                found = self._visit(a, b, value)
                if found is not None:
                    return found
        return None

    def _visit(self, a: Sample, b: Sample, value: Callable[[float], float]) -> float | None:
        """Go on from one sample to the next; the theta of the event if it lies between them or at the second."""
        side, now = self._side, _sign(b[1])
        if now == 0:
            return b[0] if side != 0 and self._direction in (0, -side) else None
        self._side = now
        if side == now or self._direction not in (0, now):
            return None
        return a[0] if side == 0 else _first_root(a, b, value)


def states_within(stepper: Stepper, f: Field, step: Step) -> Callable[[Sequence[float]], Array]:
    """The dense output of one step as a function of theta; what it evaluates of f is evaluated once."""
    known: list[Array] = []

    def states(thetas: Sequence[float]) -> Array:
        # Whatever the thetas, an interpolation calls f at the same stages in the same order.
        calls = iter(range(len(known)))

        def remembered(t: float, y: Array) -> Array:
            if (i := next(calls, None)) is not None:
                return known[i]
            known.append(f(t, y))
            return known[-1]

        return stepper.interpolate(remembered, step, thetas)

    return states


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
