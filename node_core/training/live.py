"""Live runs: chains of short, stateless chunks on the executor, watched by pages that come and go.

A run's task is a function `advance(config, state, budget) -> (snapshot, state)`:

- `state` is None at the start; whatever else it is, it pickles, and holds all that the next chunk needs;
- it iterates until `budget` seconds have passed: at least once if budget > 0, not at all if budget is 0 (the
  first picture);
- the snapshot is a `node_core.training.snapshot.Snapshot`;
- what the user can mend (a learning rate that explodes) is a ValueError with a sentence: the run stops, and
  the last good state is kept.

The state crosses the server as bytes that only workers read: it may hold tensors, and the server no torch.
"""

from __future__ import annotations

import importlib
import pickle
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from node_core.training.jobs import Executor
from node_core.training.snapshot import Row, pack
from node_core.training.worker import TaskError, check_task

RunStatus = Literal["paused", "running", "failed", "finished"]

_CHUNK = "node_core.training.live:advance_chunk"
_ONE_ITERATION = 1e-9  # a budget that is spent after the first iteration
_CHUNK_LIMIT = 30.0  # s; a chunk that takes longer is stuck
_CRASHES_IN_A_ROW = 3
_PICTURE_SHARE = 0.07  # of a watched chunk: more pictures would slow the training, fewer the picture
_SHORTEST_CHUNK = 0.02  # s; the display shows no more than 60 pictures a second
_UNWATCHED_CHUNK = 0.3  # s; nobody misses a picture
_HISTORY = 4096  # rows; when full, every second one is dropped


@dataclass(frozen=True)
class Chunk:
    """What a worker answers: the packed snapshot, the pickled state, new history rows, what the picture took (s)."""

    snapshot: bytes
    state: bytes
    rows: tuple[Row, ...]
    finished: bool
    picture_cost: float = 0.0


def advance_chunk(task: str, config: Any, state: bytes | None, budget: float) -> Chunk:
    """Run one chunk in a worker: unpickle the state, call `task`, pickle what it gives.

    Args:
        task: "node_core.module:advance".
        config: the run's frozen configuration.
        state: what the chunk before returned, None for the first.
        budget: seconds to spend.
    """
    started = time.perf_counter()
    module, _, name = task.partition(":")
    advance = getattr(importlib.import_module(module), name)
    snapshot, after = advance(config, None if state is None else pickle.loads(state), budget)
    message, raw = pack(snapshot), pickle.dumps(after)
    cost = time.perf_counter() - started - snapshot.spent if snapshot.spent > 0 else 0.0
    return Chunk(message, raw, tuple(snapshot.rows), snapshot.finished, cost)


@dataclass(frozen=True)
class View:
    """What a page sees of a run: its status, an error's sentence, the newest snapshot and its number."""

    status: RunStatus
    error: str
    sequence: int
    snapshot: bytes | None
    config: Any


@dataclass
class _Run:
    task: str
    config: Any
    budget: float
    interval: float
    last_poll: float
    initial: bytes | None = None
    state: bytes | None = None
    snapshot: bytes | None = None
    sequence: int = 0
    status: RunStatus = "paused"
    error: str = ""
    rows: list[Row] = field(default_factory=list)
    pending: float | None = None  # budget of a single chunk to run although paused
    in_flight: bool = False
    future: Future[Chunk] | None = None
    generation: int = 0  # a reset makes the chunk in flight worthless
    crashes: int = 0
    picture_cost: float = 0.0  # s, smoothed; 0: not known
    last_start: float = float("-inf")
    listeners: set[Callable[[], None]] = field(default_factory=set)


class LiveRuns:
    """All live runs of a server. Every method may be called from any thread and returns at once.

    A run computes while it is played and somebody polls it; it sleeps when nobody did for `heartbeat` seconds
    and goes on with the next poll. Each run has at most one chunk in flight, and the executor serves them in
    turn, so runs share the workers evenly. Only the newest snapshot is kept.

    Args:
        executor: where the chunks run.
        limit: the largest number of runs kept; the longest unwatched one makes room for a new one.
        heartbeat: seconds without a poll after which a run sleeps.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        limit: int = 64,
        heartbeat: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor
        self._limit = limit
        self._heartbeat = heartbeat
        self._clock = clock
        self._lock = threading.RLock()
        self._runs: dict[str, _Run] = {}

    # -- commands

    def start(
        self,
        task: str,
        config: Any,
        *,
        token: str | None = None,
        state: bytes | None = None,
        budget: float = 0.2,
    ) -> str:
        """Make a run, paused, and compute its first picture.

        Args:
            task: "node_core.module:advance" (see the module's docstring).
            config: a frozen dataclass that validates itself.
            token: the run's name; None makes an unguessable one.
            state: where to begin, as `state` gave it; None for the task's own beginning.
            budget: seconds a chunk.

        Returns:
            The token.

        Raises:
            ValueError: the task is not allowed, the token is taken, or the server has too many watched runs.
        """
        check_task(task, self._executor.packages)
        # Hexadecimal: a token becomes part of a component's key, in which Streamlit allows no "__".
        token = secrets.token_hex(24) if token is None else token
        with self._lock:
            if token in self._runs:
                raise ValueError(f"A live run named {token!r} exists: reset it or take another name.")
            self._make_room()
            run = _Run(task, config, budget, 0.0, self._clock(), initial=state, state=state, pending=0.0)
            self._runs[token] = run
            self._submit(run)
        return token

    def play(self, token: str) -> None:
        """Run on, also after a failure, then from the last good state."""
        with self._lock:
            run = self._runs[token]
            run.last_poll = self._clock()
            if run.status != "finished":
                run.status, run.error, run.crashes = "running", "", 0
                self._submit(run)
        self._notify(run)

    def pause(self, token: str) -> None:
        """Submit no more chunks; the one in flight still delivers."""
        with self._lock:
            run = self._runs[token]
            if run.status == "running":
                run.status = "paused"
        self._notify(run)

    def toggle(self, token: str) -> None:
        """Pause a playing run, play any other."""
        with self._lock:
            playing = self._runs[token].status == "running"
            (self.pause if playing else self.play)(token)

    def step(self, token: str) -> None:
        """Pause and make one iteration."""
        with self._lock:
            run = self._runs[token]
            run.last_poll = self._clock()
            if run.status != "finished":
                run.status, run.error, run.pending = "paused", "", _ONE_ITERATION
                self._submit(run)
        self._notify(run)

    def reset(
        self, token: str, config: Any = None, *, state: bytes | None = None, fresh: bool = False
    ) -> None:
        """Begin again, paused: with `config` or the present one, from `state` or where the run began.

        Args:
            token: the run.
            config: None keeps the present one.
            state: where to begin, now and at later resets; None where the run began.
            fresh: begin at the task's own beginning: a state of another model is of no use to this one.
        """
        with self._lock:
            run = self._runs[token]
            run.last_poll = self._clock()
            run.config = run.config if config is None else config
            run.initial = None if fresh and state is None else (run.initial if state is None else state)
            run.state = run.initial
            self._drop_chunk(run)
            run.status, run.error, run.crashes, run.pending = "paused", "", 0, 0.0
            run.rows = []
            self._submit(run)
        self._notify(run)

    def stop(self, token: str) -> None:
        """Forget the run. Forgetting an unknown one does nothing."""
        with self._lock:
            run = self._runs.pop(token, None)
            if run is None:
                return
            self._drop_chunk(run)
        self._notify(run)

    def message(self, token: str, changes: Mapping[str, Any]) -> None:
        """Change fields of the configuration; the next chunk has them, and a run that stands still is drawn anew.

        Raises:
            ValueError: the configuration refuses the values (its own sentence); the run goes on as it was.
        """
        with self._lock:
            run = self._runs[token]
            run.config = replace(run.config, **changes)
            if run.status in ("paused", "finished") and run.pending is None:
                run.pending = 0.0  # its picture shows the solver at work, which may be another now
                self._submit(run)

    def pace(self, token: str, *, budget: float, interval: float = 0.0) -> None:
        """Choose the speed: seconds of computing a chunk, and the least time between starts of chunks.

        A watched chunk is shorter where pictures are cheap, so that there are more of them; an unwatched one is longer.
        Budgets below 20 ms are kept as they are.

        Raises:
            ValueError: a budget outside 0 to 2 s, or an interval outside 0 to 10 s.
        """
        if not 0 < budget <= 2 or not 0 <= interval <= 10:
            raise ValueError(
                f"A pace of {budget} s every {interval} s is out of range: take at most 2 and 10 s."
            )
        with self._lock:
            run = self._runs[token]
            run.budget, run.interval = budget, interval

    # -- watching

    def __contains__(self, token: object) -> bool:
        with self._lock:
            return token in self._runs

    def __len__(self) -> int:
        with self._lock:
            return len(self._runs)

    def poll(self, token: str) -> View:
        """See the run and tell it that it is watched.

        Raises:
            KeyError: no such run.
        """
        with self._lock:
            run = self._runs[token]
            run.last_poll = self._clock()
            self._submit(run)
            return self.look(token)

    def look(self, token: str) -> View:
        """See the run without being counted as a watcher.

        Raises:
            KeyError: no such run.
        """
        with self._lock:
            run = self._runs[token]
            return View(run.status, run.error, run.sequence, run.snapshot, run.config)

    def task(self, token: str) -> str:
        """The name of the run's task."""
        with self._lock:
            return self._runs[token].task

    def history(self, token: str) -> list[Row]:
        """The run's history rows, oldest first; thinned out when they are many."""
        with self._lock:
            return list(self._runs[token].rows)

    def state(self, token: str) -> bytes | None:
        """The last good state, to be read by a task in a worker; None before the first chunk."""
        with self._lock:
            return self._runs[token].state

    def subscribe(self, token: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` (from any thread; it must not block) at each change; returns the end of it.

        Raises:
            KeyError: no such run.
        """
        with self._lock:
            listeners = self._runs[token].listeners
            listeners.add(listener)
        return lambda: listeners.discard(listener)

    # -- the chain

    def _submit(self, run: _Run) -> None:
        """Send the run's next chunk, if it wants one and none is in flight."""
        if run.in_flight:
            return
        now = self._clock()
        if run.pending is not None:
            budget, run.pending = run.pending, None
        elif run.status == "running" and now - run.last_poll <= self._heartbeat:
            budget = self._chunk_budget(run)
            early = run.last_start + run.interval - now
            if early > 0:
                run.in_flight = True  # the timer is on its way
                timer = threading.Timer(early, self._wake, (run, run.generation))
                timer.daemon = True
                timer.start()
                return
        else:
            return
        run.in_flight, run.last_start = True, now
        try:
            future = self._executor.submit(
                _CHUNK, run.task, run.config, run.state, budget, background=True, time_limit=_CHUNK_LIMIT
            )
        except RuntimeError as error:  # the executor is closed
            run.in_flight, run.status, run.error = False, "failed", str(error)
            return
        run.future, generation = future, run.generation
        future.add_done_callback(lambda done: self._receive(run, generation, budget, done))

    @staticmethod
    def _chunk_budget(run: _Run) -> float:
        if run.budget <= _SHORTEST_CHUNK or run.interval > 0 or run.picture_cost == 0:
            return run.budget
        if not run.listeners:
            return max(run.budget, _UNWATCHED_CHUNK)
        return min(run.budget, max(_SHORTEST_CHUNK, run.picture_cost / _PICTURE_SHARE))

    @staticmethod
    def _drop_chunk(run: _Run) -> None:
        """Forget the chunk in flight: its answer, if it still comes, is of another generation."""
        run.generation += 1
        run.in_flight = False
        if run.future is not None:
            run.future.cancel()

    def _wake(self, run: _Run, generation: int) -> None:
        with self._lock:
            if run.generation == generation:
                run.in_flight = False
                run.last_start = float("-inf")
                self._submit(run)

    def _receive(self, run: _Run, generation: int, budget: float, future: Future[Chunk]) -> None:
        with self._lock:
            if run.generation != generation:
                return
            run.in_flight = False
            error = future.exception()
            if error is None:
                self._accept(run, future.result())
            elif (
                isinstance(error, TaskError) and error.kind == "crash" and run.crashes + 1 < _CRASHES_IN_A_ROW
            ):
                run.crashes += 1
                run.pending = budget
            else:
                run.status, run.error = "failed", str(error)
            self._submit(run)
        self._notify(run)

    def _accept(self, run: _Run, chunk: Chunk) -> None:
        run.state, run.snapshot, run.crashes = chunk.state, chunk.snapshot, 0
        run.sequence += 1
        # Down quickly, up slowly: now and then a chunk draws the boundary too, which has a share of its own.
        more = chunk.picture_cost - run.picture_cost
        known = chunk.picture_cost > 0 and run.picture_cost > 0
        run.picture_cost += (0.03 if more > 0 else 0.3) * more if known else more
        run.rows.extend(chunk.rows)
        if len(run.rows) > _HISTORY:
            run.rows = run.rows[::2]
        if chunk.finished:
            run.status = "finished"

    def _notify(self, run: _Run) -> None:
        for listener in tuple(run.listeners):
            listener()

    def _make_room(self) -> None:
        if len(self._runs) < self._limit:
            return
        oldest = min(self._runs, key=lambda token: self._runs[token].last_poll)
        if self._clock() - self._runs[oldest].last_poll <= self._heartbeat:
            raise ValueError(
                f"The server is busy with {self._limit} live runs, the most it takes: try again in a minute."
            )
        self.stop(oldest)
