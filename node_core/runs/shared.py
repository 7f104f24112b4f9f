"""Runs as they stood when somebody shared them: others begin runs of their own from them, for as long as they are kept.

They are kept in memory, in bounded number, size and time; the oldest goes first. What is kept was written by this
server's own workers and never leaves it: a key leads to it, which nobody can guess.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from node_core.runs.machine import MIB
from node_core.runs.snapshot import Row

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another when it is typed
_KEY = re.compile(f"[{_LETTERS}]{{14}}")


@dataclass(frozen=True)
class Fork:
    """A run as it stood; another can begin from it.

    Args:
        task: "node_core.module:advance".
        config: its configuration.
        state: its last good state.
        picture: of that state; None where the newest picture is of another one.
        rows: the history that led there.
    """

    task: str
    config: Any
    state: bytes
    picture: bytes | None
    rows: tuple[Row, ...]

    @property
    def size(self) -> int:
        """Bytes that it holds, about."""
        return len(self.state) + len(self.picture or b"") + sum(64 * len(row) for row in self.rows)


@dataclass(frozen=True)
class Shared:
    """What one key leads to.

    Args:
        page: the page on which it was shared.
        forks: its runs, by their places on that page.
        owner: who shared it.
        since: when (s).
    """

    page: str
    forks: Mapping[str, Fork]
    owner: str
    since: float
    size: int = field(default=0)


def new_key() -> str:
    """A key that is short enough to be typed, and that nobody guesses: 69 bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(14))


def is_key(text: str) -> bool:
    """Whether a text could be a key."""
    return _KEY.fullmatch(text) is not None


class SharedRuns:
    """Keeps what was shared. Every method may be called from any thread.

    Args:
        most: how many are kept.
        memory: bytes that they may hold together.
        own: how many of one owner; their oldest goes for a new one.
        seconds: how long one is kept.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        *,
        most: int = 256,
        memory: int = 64 * MIB,
        own: int = 8,
        seconds: float = 12 * 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._memory = memory
        self._own = own
        self.seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Shared] = OrderedDict()

    def keep(self, page: str, forks: Mapping[str, Fork], owner: str) -> str:
        """Keep runs as they stand; the key that leads to them.

        Raises:
            ValueError: there is nothing to keep, or so much that it would take a quarter of all room.
        """
        size = sum(fork.size for fork in forks.values())
        if not forks:
            raise ValueError("There is no net to be shared yet: try again when its picture is there.")
        if size > self._memory / 4:
            raise ValueError(
                f"These nets take {size / MIB:.0f} MiB, and a link at most {self._memory / 4 / MIB:.0f}: share the "
                "page as it is set, or the file of a net."
            )
        with self._lock:
            key = new_key()
            self._kept[key] = Shared(page, dict(forks), owner, self._clock(), size)
            self._drop_old()
            mine = [each for each, shared in self._kept.items() if shared.owner == owner]
            for each in mine[: max(0, len(mine) - self._own)]:
                del self._kept[each]
            while len(self._kept) > self._most or self._held() > self._memory:
                self._kept.popitem(last=False)
            return key

    def find(self, key: str) -> Shared | None:
        """What a key leads to; None if it is not kept any more, or never was."""
        with self._lock:
            self._drop_old()
            return self._kept.get(key)

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def _held(self) -> int:
        return sum(shared.size for shared in self._kept.values())

    def _drop_old(self) -> None:
        now = self._clock()
        while self._kept and now - next(iter(self._kept.values())).since > self.seconds:
            self._kept.popitem(last=False)
