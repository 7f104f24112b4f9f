"""The time that f is asked at: on one side of every moment at which f jumps.

A method has its order only where f is smooth. A solve that knows when f jumps ends a step exactly there and begins anew
behind it; the slopes of the step that ends there are those before the jump, the slopes of the next one those after it,
whatever f says at the very moment.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from node_core.fields.own import is_autonomous, own_method
from node_core.solvers.steppers.step import Array, Field


class FieldClock:
    """Keeps the times that f is asked at within the piece, from one jump to the next, that a step lies in.

    Attributes:
        jumps: the moments at which f jumps, increasing.
        below, above: the times next to each of them that f can tell from it.
    """

    def __init__(self, jumps: Sequence[float], below: Sequence[float], above: Sequence[float]) -> None:
        self.jumps, self.below, self.above = tuple(jumps), tuple(below), tuple(above)
        self._low, self._high = float("-inf"), float("inf")

    def __call__(self, t: float) -> float:
        """The time to ask f at, for the solver's time t."""
        return min(max(t, self._low), self._high)

    def copy(self) -> FieldClock:
        """A clock of the same jumps, which stands where it is put."""
        return FieldClock(self.jumps, self.below, self.above)

    def enter(self, t: float, dt: float) -> None:
        """Keep to the piece that a step from t of signed length dt lies in."""
        i = (bisect_right if dt > 0 else bisect_left)(self.jumps, t)
        self._low = self.above[i - 1] if i > 0 else float("-inf")
        self._high = self.below[i] if i < len(self.jumps) else float("inf")

    def stops(self, t0: float, t1: float) -> list[float]:
        """The jumps between t0 and t1, in the order in which a solve meets them."""
        low, high = sorted((t0, t1))
        between = [t for t in self.jumps if low < t < high]
        return between if t1 > t0 else between[::-1]

    @contextmanager
    def _inside(self, t: float, dt: float) -> Iterator[None]:
        before = self._low, self._high
        self.enter(t, dt)
        try:
            yield
        finally:
            self._low, self._high = before


def inside(clock: FieldClock | None, t: float, dt: float) -> AbstractContextManager[None]:
    """Ask f, while this lasts, in the piece that a step from t of signed length dt lies in."""
    return nullcontext() if clock is None else clock._inside(t, dt)


class TimedField:
    """A field that is asked at a clock's times; it knows what the field itself knows, but for closed forms.

    Times that are arrays, one for each sample, are taken as they are: each sample has a clock of its own.
    """

    accepts_float_time = True

    def __init__(self, f: Field, clock: FieldClock) -> None:
        self._f, self._clock = f, clock
        self.accepts_numpy = bool(getattr(f, "accepts_numpy", False))
        self.autonomous = is_autonomous(f)
        self._jacobian: Callable[[Any, Array], Array] | None = own_method(f, "jacobian")
        self.has_jacobian = self._jacobian is not None

    def __call__(self, t: Any, y: Array) -> Any:
        """Return f(t, y)."""
        return self._f(t if hasattr(t, "shape") else self._clock(t), y)

    def jacobian(self, t: float, y: Array) -> Array:
        """Return df/dy, where `has_jacobian`."""
        assert self._jacobian is not None, "has_jacobian says whether there is one"
        return self._jacobian(self._clock(t), y)
