"""What may be an event, and the way in which it is crossed."""

from __future__ import annotations

from typing import Any


def check_direction(direction: Any, event: Any) -> int:
    """Return the direction in which an event is to be crossed: as given, else the event's own attribute, else 0."""
    if direction is None:
        direction = getattr(event, "direction", 0)
    elif event is None:
        raise ValueError(f"direction={direction!r} says which way an event is crossed: pass event= too")
    if isinstance(direction, bool) or direction not in (-1, 0, 1):
        raise ValueError(
            f"direction={direction!r} is none of -1 (the event function falls through zero), 1 (it rises) and 0 (both)"
        )
    return int(direction)
