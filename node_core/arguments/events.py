"""What may be an event, the way in which it is crossed, and whether it stops the solve."""

from __future__ import annotations

from typing import Any

from node_core.arguments.values import check_callable
from node_core.solvers.events import Event


def check_events(event: Any, direction: Any) -> tuple[Event, ...]:
    """Return the events with their directions: as given, else an event's own attribute, SciPy's convention, else 0."""
    if event is None:
        if direction is not None:
            raise ValueError(f"direction={direction!r} says which way an event is crossed: pass event= too")
        return ()
    if not isinstance(event, (list, tuple)):
        return (_checked("event", event, direction),)
    if not event:
        raise ValueError("event is an empty list: give functions of (t, y), or leave it out")
    if direction is not None:
        raise ValueError(
            f"direction={direction!r} is for one event, not for a list: give each its own, Event(f, direction=-1)"
        )
    return tuple(_checked(name, one, None) for name, one in named_events(event).items())


def named_events(event: Any) -> dict[str, Any]:
    """The event functions by their names in sentences."""
    if not isinstance(event, (list, tuple)):
        return {"event": event.function if isinstance(event, Event) else event}
    return {f"event[{i}]": one for i, one in enumerate(event)}


def _checked(name: str, event: Any, direction: Any) -> Event:
    check_callable(name, event, "a function of (t, y) that crosses zero where something happens")
    if direction is None:
        direction = getattr(event, "direction", 0)
    terminal = getattr(event, "terminal", True)
    function = event.function if isinstance(event, Event) else event
    # SciPy's None says what False says.
    return Event(function, direction, False if terminal is None else terminal)
