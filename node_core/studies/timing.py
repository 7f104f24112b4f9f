"""What a computation takes: processor time, and the least of a few tries, so that a busy machine tells the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# what is this short is timed again, so that its time is not that of a slow moment of the machine
SHORT_SECONDS = 0.02
REPEATS = 5


def timed(compute: Callable[[], T]) -> tuple[T, float]:
    """The result and its processor time (s), the least of `REPEATS` where it is short."""
    least = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        result = compute()
        least = min(least, time.process_time() - started)
        if least > SHORT_SECONDS:
            break
    return result, least
