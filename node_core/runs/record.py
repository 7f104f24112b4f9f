"""The record of a live run: what it is asked to do, where it stands, and what its next chunk should be.

There is no thread, no lock and no executor in it: `node_core.runs.scheduler` has those, and sends the chunks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from node_core.runs.chunk import Chunk, Resumed
from node_core.runs.lockstep import Lockstep
from node_core.runs.snapshot import Row, unpack
from node_core.runs.worker import TaskError

RunStatus = Literal["paused", "running", "failed", "finished"]

_ONE_ITERATION = 1e-9  # a budget that is spent after the first iteration
_CRASHES_IN_A_ROW = 3
_PICTURE_SHARE = 0.07  # of a watched chunk: more pictures would slow the training, fewer the picture
_SHORTEST_CHUNK = 0.02  # s; the display shows no more than 60 pictures a second
_UNWATCHED_CHUNK = 0.3  # s; nobody misses a picture
_FLOAT = sys.getsizeof(0.0)
_HISTORY = 4096  # rows; when full, every second one is dropped
_READ = 30.0  # s of playing on after which what had become of a lost run was read


@dataclass(frozen=True)
class View:
    """What a page sees of a run: its status, an error's sentence, the newest snapshot and its number.

    `snapshot` is None until there is a picture of what the run has begun, and `begun` counts how often it began again.
    `played` tells whether there is something in it that a new run would not have. A run that the server had lost may
    come back from its page: `resuming` while that is tried, then `resumed` is the iteration at which it went on, until
    that was read, and `missing` how many more the page had shown already; or `refusal` says why it could not.
    """

    status: RunStatus
    error: str
    sequence: int
    snapshot: bytes | None
    config: Any
    played: bool = False
    begun: int = 0
    resuming: bool = False
    resumed: int | None = None
    refusal: str = ""
    missing: int = 0


@dataclass(frozen=True)
class Ended:
    """A run at its end, as it was left for another configuration: where the page comes back to it, it is there."""

    config: Any
    initial: bytes | None
    state: bytes | None
    snapshot: bytes | None
    rows: list[Row]


@dataclass(eq=False)
class Run:
    """A live run. It begins paused, with its first picture to be computed.

    Args:
        task: "node_core.module:advance".
        config: its frozen configuration; the next chunk gets the present one.
        initial: the state where it begins, also after a reset; None for the task's own beginning.
        last_poll: when somebody last watched it (s).
        budget: seconds a chunk, as the page asks.
        interval: least seconds between the starts of two chunks.
    """

    task: str
    config: Any
    initial: bytes | None
    last_poll: float
    budget: float
    interval: float = 0.0
    state: bytes | None = field(init=False)
    good: bytes | None = field(init=False)  # the last good state, and how many rows had led to it
    good_rows: int = 0
    snapshot: bytes | None = None
    sequence: int = 0
    begun: int = 0  # times that it began again
    status: RunStatus = "paused"
    error: str = ""
    rows: list[Row] = field(default_factory=list)
    pending: float | None = 0.0  # budget of a single chunk to run although paused
    in_flight: bool = False
    future: Future[Chunk] | None = None
    generation: int = 0  # a reset makes the chunk in flight worthless
    crashes: int = 0
    picture_cost: float = 0.0  # s, smoothed; 0: not known
    last_start: float = float("-inf")
    played: bool = False  # since it began, or begun from a state of its own
    resuming: bool = False  # a worker reads what the page had kept
    resumed: int | None = None
    refusal: str = ""
    missing: int = 0
    read_at: float = 0.0
    ended: Ended | None = None  # by the configuration before
    size: int = 0  # bytes that it holds, about
    lockstep: Lockstep[Run] = field(init=False)  # with the runs beside it
    listeners: set[Callable[[], None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.state = self.good = self.initial
        self.played = self.initial is not None
        self.lockstep = Lockstep([self])

    def view(self) -> View:
        """What a page sees of it."""
        return View(
            self.status,
            self.error,
            self.sequence,
            self.snapshot,
            self.config,
            self.played,
            self.begun,
            self.resuming,
            self.resumed,
            self.refusal,
            self.missing,
        )

    @property
    def iteration(self) -> int:
        """Where its newest picture stands."""
        found = 0 if self.snapshot is None else unpack(self.snapshot).scalars.get("iteration")
        return found if isinstance(found, int) else 0

    # -- what it is asked to do

    def play(self) -> None:
        """Run on, also after a failure; a finished run stays finished."""
        if self.status != "finished":
            self._go_back()
            self.status, self.error, self.crashes, self.played = "running", "", 0, True
            self.refusal = ""
            self.lockstep.restart(1)

    def pause(self) -> None:
        """Want no more chunks."""
        if self.status == "running":
            self.status = "paused"
            self.lockstep.resting = True
        self.resumed = None  # it was read by now

    def step(self) -> None:
        """Want one iteration and no more."""
        if self.status != "finished":
            self._go_back()
            self.status, self.error, self.pending, self.played = "paused", "", _ONE_ITERATION, True
            self.resumed, self.refusal = None, ""
            self.lockstep.restart()

    def redraw(self) -> None:
        """Want a picture if it stands still: its picture shows the solver at work, which may be another now."""
        if self.status in ("paused", "finished") and self.pending is None:
            self.pending = 0.0

    def begin_again(self, config: Any, initial: bytes | None) -> None:
        """Forget what was computed, its picture too, and want the first one; but go back to an end that was left."""
        left, back = self._left(config), self.ended
        self.config, self.initial, self.state, self.good = config, initial, initial, initial
        self.drop_chunk()
        self.status, self.error, self.crashes, self.pending = "paused", "", 0, 0.0
        self.rows, self.good_rows = [], 0
        self.played = initial is not None
        self.resuming, self.resumed, self.refusal = False, None, ""
        self.snapshot, self.ended = None, left
        self.begun += 1
        if initial is None and back is not None and back.config == config:
            self._end_again(back)
        self.lockstep.restart()

    def _left(self, config: Any) -> Ended | None:
        """The end to remember when it begins with `config`: the newest, of another configuration."""
        newest = self.ended
        if self.status == "finished":
            newest = Ended(self.config, self.initial, self.state, self.snapshot, self.rows)
        return None if newest is None or newest.config == config else newest

    def _end_again(self, ended: Ended) -> None:
        self.initial, self.rows, self.good_rows = ended.initial, ended.rows, len(ended.rows)
        self.state, self.good, self.snapshot = ended.state, ended.state, ended.snapshot
        self.status, self.pending, self.played = "finished", None, True
        self.sequence += 1
        self.size = self._measure()

    # -- what its page had kept of it

    def wait_for_file(self) -> None:
        """Compute nothing, and show nothing, until the file of the page was read."""
        self.begin_again(self.config, self.initial)
        self.resuming = True

    def take_up(self, found: Resumed, shown: int = 0) -> None:
        """Go on from the file. A reset still leads to where the run itself would begin.

        Args:
            found: what was in it.
            shown: the iteration that the page had shown last, which may be past the file's.
        """
        self.resuming, self.config, self.pending, self.played = False, found.config, None, True
        self.accept(found.chunk)
        self.resumed, self.read_at = self.iteration, float("inf")
        self.missing = max(0, shown - self.resumed)
        self.lockstep.restart()

    def refuse(self, why: str) -> None:
        """Begin as if there had been no file."""
        self.resuming, self.refusal = False, why

    # -- whether it may be given up

    def watched(self, now: float, heartbeat: float) -> bool:
        """Whether somebody has it before them: a socket is open, however seldom a hidden tab beats, or was just now."""
        return bool(self.listeners) or now - self.last_poll <= heartbeat

    def _measure(self) -> int:
        row = sys.getsizeof(self.rows[-1]) + _FLOAT * len(self.rows[-1]) if self.rows else 0
        parts = [self.initial, self.state, self.good, self.snapshot]
        rows = len(self.rows)
        if self.ended is not None:
            parts += [self.ended.initial, self.ended.state, self.ended.snapshot]
            rows += len(self.ended.rows)
        held = {id(part): len(part) for part in parts if part is not None}
        return sum(held.values()) + row * rows

    def _go_back(self) -> None:
        """After a failure the curves end where the last good state was; until then they show what happened."""
        if self.status == "failed":
            del self.rows[self.good_rows :]

    # -- its next chunk

    @property
    def at_its_beginning(self) -> bool:
        """Whether it waits for the first picture of the task's own beginning, which may come with the project."""
        return self.state is None and self.pending == 0.0

    def wants_chunk(self, now: float, heartbeat: float) -> bool:
        """Whether there is something to compute: asked for, or played while somebody watches."""
        watched = now - self.last_poll <= heartbeat
        return not self.resuming and (self.pending is not None or (self.status == "running" and watched))

    def early(self, now: float) -> float:
        """Seconds that its next chunk has to wait for."""
        return 0.0 if self.pending is not None else self.last_start + self.interval - now

    def take_budget(self) -> float:
        """Seconds of computing for its next chunk, which is about to be sent."""
        if self.pending is not None:
            budget, self.pending = self.pending, None
            return budget
        if self.budget <= _SHORTEST_CHUNK or self.interval > 0 or self.picture_cost == 0:
            return self.budget
        if not self.listeners:
            return max(self.budget, _UNWATCHED_CHUNK)
        return min(self.budget, max(_SHORTEST_CHUNK, self.picture_cost / _PICTURE_SHARE))

    def drop_chunk(self) -> None:
        """Forget the chunk in flight: its answer, if it still comes, is of another generation."""
        self.generation += 1
        self.in_flight = False
        if self.future is not None:
            self.future.cancel()

    # -- what came of it

    def accept(self, chunk: Chunk) -> None:
        """Take over what a chunk computed."""
        self.state, self.snapshot, self.crashes = chunk.state, chunk.snapshot, 0
        self.sequence += 1
        # Down quickly, up slowly: now and then a chunk draws the dear picture too, which has a share of its own.
        more = chunk.picture_cost - self.picture_cost
        known = chunk.picture_cost > 0 and self.picture_cost > 0
        self.picture_cost += (0.03 if more > 0 else 0.3) * more if known else more
        self.read_at = min(self.read_at, self.last_start + _READ)
        if self.last_start >= self.read_at:
            self.resumed = None
        self.rows.extend(chunk.rows)
        if len(self.rows) > _HISTORY:
            self.rows, self.good_rows = self.rows[::2], (self.good_rows + 1) // 2
        if chunk.good:
            self.good, self.good_rows = chunk.state, len(self.rows)
        if chunk.finished:
            self.status = "finished"
        self.size = self._measure()

    def give_up(self, error: BaseException, budget: float) -> None:
        """Take note of a chunk that failed: a killed worker's is sent again, with its `budget`, but not for ever."""
        crashed = isinstance(error, TaskError) and error.kind == "crash"
        if crashed and self.crashes + 1 < _CRASHES_IN_A_ROW:
            self.crashes += 1
            self.pending = budget
        else:
            self.status, self.error, self.state = "failed", str(error), self.good
