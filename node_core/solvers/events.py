"""Events: where scalar functions g(t, y) of the solution cross zero. Some stop the solve, others are recorded.

Along a solution g is a function of t alone. It happens where g arrives at zero, or passes through it: from above
(direction -1), from below (direction +1), or from either side (direction 0), in the order in which the solve runs.
Where g is zero at the start it has no side to come from. For direction 0 the start is the event, as for SciPy and
torchdiffeq; for -1 and +1 it is if g leaves zero to that side (a ball lying on the floor starts to fall through it),
and is not if it leaves to the other (a ball thrown from the floor).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

import torch

from node_core.solvers.crossings import CrossingSearch, values_within
from node_core.solvers.steppers.step import Array, Field, Step, Stepper

ZERO_AT_START = (
    "the event function is zero at the start, t = {:.6g}: pass direction=-1 or direction=1 to stop only where it falls "
    "or rises through zero"
)
CROSSED = "the event function crossed zero at t = {:.6g}"


@dataclass(frozen=True)
class Event:
    """What happens where a scalar function of the solution reaches or crosses zero.

    Args:
        function: g(t, y), to a number.
        direction: -1: only where g falls through zero as the solve goes on, 1: only where it rises, 0: both.
        terminal: True: the solve stops there; False: it goes on, and every crossing is recorded; a number n: it stops
            at the n-th.

    Raises:
        ValueError: another direction, or another number of crossings.
    """

    function: Callable[[Any, Any], Any]
    direction: int = 0
    terminal: bool | int = True

    def __post_init__(self) -> None:
        if isinstance(self.direction, bool) or self.direction not in (-1, 0, 1):
            raise ValueError(
                f"direction={self.direction!r} is none of -1 (the event function falls through zero), 1 (it rises) and "
                "0 (both)"
            )
        if not isinstance(self.terminal, int) or self.terminal < 0:
            raise ValueError(
                f"terminal={self.terminal!r} is none of True (stop there), False (record it and go on) and a whole "
                "number n (stop at the n-th crossing)"
            )

    def __call__(self, t: Any, y: Any) -> Any:
        """Return g(t, y)."""
        return self.function(t, y)


class Crossing(NamedTuple):
    """Where an event function reached zero and stopped the solve: at `theta` of the last step; 0 means the start.

    `event` is the number of the event.
    """

    t: float
    y: Array
    theta: float = 1.0
    event: int = 0


class Passed(NamedTuple):
    """A crossing that did not stop the solve: the number of the event, when, and which row of ys is the state then.

    Row 0, the start itself, is shared with the first output time; each other row holds nothing but this state.
    """

    event: int
    t: float
    row: int


class Found(NamedTuple):
    """A crossing at theta of a step; `last` says that it stops the solve."""

    theta: float
    event: int
    last: bool


class EventSearch:
    """Looks for events step by step.

    Args:
        events: what to look for.
        t0, y0: the start.
    """

    def __init__(self, events: Sequence[Event], t0: float, y0: Array) -> None:
        self._events = events
        self._searches = [CrossingSearch(event(t0, y0), event.direction) for event in events]
        self._left: list[int | None] = [int(event.terminal) or None for event in events]

    def at_start(self) -> list[Found]:
        """The events at the start itself."""
        here = [i for i, search in enumerate(self._searches) if search.starts_here()]
        return self._until_last([Found(0.0, i, self._left[i] == 1) for i in here])

    def look(self, t: float, t1: float, y1: Array, states: Callable[[Sequence[float]], Array]) -> list[Found]:
        """What happens within an accepted step from t to t1, in its order, up to what stops the solve.

        Args:
            y1: the state at t1.
            states: the dense output of the step, (thetas,) -> (thetas, \\*y.shape).
        """
        found: list[Found] = []
        with torch.no_grad():
            for i, (event, search) in enumerate(zip(self._events, self._searches, strict=True)):
                values, end, left = values_within(event, t, t1, states), event(t1, y1), self._left[i]
                inner = search.inner

                def value(theta: float, values: Any = values, end: float = end) -> float:
                    return values([theta])[0] if theta < 1.0 else end

                thetas = search.look(list(zip(inner, values(inner), strict=True)), end, value)
                found += [Found(theta, i, n == left) for n, theta in enumerate(islice(thetas, left), 1)]
        return self._until_last(found)

    def _until_last(self, found: list[Found]) -> list[Found]:
        """Those in the order in which they happen, counted; what stops the solve is the last."""
        found.sort(key=lambda one: (one.theta, one.last, one.event))
        stop = next((i for i, one in enumerate(found) if one.last), None)
        if stop is not None:
            also = [one._replace(last=False) for one in found[stop + 1 :] if one.theta == found[stop].theta]
            found = [*found[:stop], *also, found[stop]]
        for one in found:
            left = self._left[one.event]
            self._left[one.event] = None if left is None else left - 1
        return found


def adapted(events: Sequence[Event], wrap: Callable[[Callable[[Any, Any], Any]], Any]) -> tuple[Event, ...]:
    """The same events with other functions: for states of another kind, or in another layout."""
    return tuple(replace(event, function=wrap(event.function)) for event in events)


def with_passed(ts: Iterable[float], passed: Iterable[Passed]) -> tuple[float, ...]:
    """The times of all rows of ys, given those of the outputs."""
    times = list(ts)
    for one in passed:
        if one.row > 0:
            times.insert(one.row, one.t)
    return tuple(times)


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
