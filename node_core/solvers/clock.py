"""The clock that limits go by: the processor time of this thread, not the time on the wall.

A solve that is given few seconds may wait long for a processor on a busy machine; it is no worse for that. So a limit
counts what the solve itself computes; time that f only waits (for another process, or asleep) does not count.
"""

from __future__ import annotations

import math
import time


class Deadline:
    """When `limit` seconds of processor time from now are over.

    Args:
        limit: seconds; None never ends.
    """

    def __init__(self, limit: float | None) -> None:
        self._end = math.inf if limit is None else time.thread_time() + limit

    def is_over(self) -> bool:
        """Whether this thread has used up its time."""
        return self._end < math.inf and time.thread_time() > self._end
