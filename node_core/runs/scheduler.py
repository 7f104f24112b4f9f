"""The scheduler of live runs: chains of short, stateless chunks on the executor, watched by pages that come and go.

A run's task is a function `advance(config, state, budget) -> (snapshot, state)`:

- `state` is None at the start; whatever else it is, it pickles, and holds all that the next chunk needs;
- it iterates until `budget` seconds have passed: at least once if budget > 0, not at all if budget is 0 (the
  first picture); a run that goes in step with others (`pair`) is told `most=`, iterations at most, too;
- the snapshot is a `node_core.runs.snapshot.Snapshot`;
- what the user can mend (a learning rate that explodes) is a ValueError with a sentence: the run stops, and
  the last good state is kept.

The state crosses the server as bytes that only workers read: it may hold tensors, and the server no torch.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from node_core.runs.chunk import Chunk
from node_core.runs.executor import Executor
from node_core.runs.kept import KeptRuns
from node_core.runs.lockstep import join, part
from node_core.runs.machine import MIB
from node_core.runs.record import Run, View
from node_core.runs.shipped import find
from node_core.runs.snapshot import Row
from node_core.runs.worker import check_task

_CHUNK = "node_core.runs.chunk:advance_chunk"
_REMEMBERED = 4096  # runs that were given up
_CHUNK_LIMIT = 30.0  # s; a chunk that takes longer is stuck


class LiveRuns:
    """All live runs of a server. Every method may be called from any thread and returns at once.

    A run computes while it is played and somebody polls it; it sleeps when nobody did for `heartbeat` seconds
    and goes on with the next poll. Each run has at most one chunk in flight, and the executor serves them in
    turn, so runs share the workers evenly. Only the newest snapshot is kept.

    Args:
        executor: where the chunks run.
        limit: the largest number of runs kept.
        memory: bytes that they may hold together. Beyond either, what nobody watches makes room: first what was never
            played, then what was unwatched for longest.
        heartbeat: seconds without a poll after which a run sleeps.
        clock: seconds, for tests.

    Attributes:
        kept: writes and reads what pages keep of their runs, for a server that loses them.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        limit: int = 512,
        memory: int = 256 * MIB,
        heartbeat: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor
        self._limit = limit
        self._memory = memory
        self._heartbeat = heartbeat
        self._clock = clock
        self._lock = threading.RLock()
        self._runs: dict[str, Run] = {}
        self._given_up: OrderedDict[str, None] = OrderedDict()
        self.kept = KeptRuns(executor, self._lock, self._runs, self._exchanged)

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
            ValueError: the task is not allowed, the token is taken, or the server has no room beside the watched runs.
        """
        check_task(task, self._executor.packages)
        # Hexadecimal: a token becomes part of a component's key, in which Streamlit allows no "__".
        token = secrets.token_hex(24) if token is None else token
        with self._lock:
            if token in self._runs:
                raise ValueError(f"A live run named {token!r} exists: reset it or take another name.")
            if not self._make_room(self._limit - 1):
                raise ValueError(
                    f"The server is busy with {len(self._runs)} live runs, the most it has room for: try again in a "
                    "minute."
                )
            run = self._runs[token] = Run(task, config, state, self._clock(), budget)
            self._submit(run)
        return token

    def play(self, token: str) -> None:
        """Run on, also after a failure, then from the last good state."""
        with self._lock:
            run = self._runs[token]
            run.last_poll = self._clock()
            run.play()
            self._submit(run)
        self._notify(run)

    def pause(self, token: str) -> None:
        """Submit no more chunks; the one in flight still delivers."""
        with self._lock:
            run = self._runs[token]
            run.pause()
            self._submit_all(run)
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
            run.step()
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
            initial = run.initial if state is None and not fresh else state
            run.begin_again(run.config if config is None else config, initial)
            self._submit_all(run)
        self._notify(run)

    def stop(self, token: str) -> None:
        """Forget the run. Forgetting an unknown one does nothing."""
        with self._lock:
            run = self._runs.pop(token, None)
            if run is None:
                return
            run.drop_chunk()
            for each in part(run):
                self._submit(each)
        self._notify(run)

    def give_up(self, token: str) -> None:
        """Forget the run to make room for others; that it was played and given up is remembered."""
        with self._lock:
            if token in self._runs and self._runs[token].played:
                self._given_up[token] = None
                if len(self._given_up) > _REMEMBERED:
                    self._given_up.popitem(last=False)
            self.stop(token)

    def pair(self, tokens: Sequence[str]) -> None:
        """Let runs go in step from now on (see `node_core.runs.lockstep`), and with no others; one goes by itself.

        Raises:
            KeyError: no such run.
        """
        with self._lock:
            for run in join([self._runs[token] for token in tokens]):
                self._submit(run)

    def message(self, token: str, changes: Mapping[str, Any]) -> None:
        """Change fields of the configuration; the next chunk has them, and a run that stands still is drawn anew.

        Raises:
            ValueError: the configuration refuses the values (its own sentence); the run goes on as it was.
        """
        with self._lock:
            run = self._runs[token]
            run.config = replace(run.config, **changes)
            run.redraw()
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
            if (run.budget, run.interval) != (budget, interval):
                run.lockstep.restart(1)
            run.budget, run.interval = budget, interval

    # -- watching

    def busy(self) -> int:
        """How many runs play and are watched."""
        with self._lock:
            now = self._clock()
            return sum(
                run.status == "running" and run.watched(now, self._heartbeat) for run in self._runs.values()
            )

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
            return run.view()

    def look(self, token: str) -> View:
        """See the run without being counted as a watcher.

        Raises:
            KeyError: no such run.
        """
        with self._lock:
            return self._runs[token].view()

    def task(self, token: str) -> str:
        """The name of the run's task."""
        with self._lock:
            return self._runs[token].task

    def given_up(self, token: str) -> bool:
        """Whether the run had been played, and made room for others while nobody watched it."""
        with self._lock:
            return token in self._given_up

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

    def _submit(self, run: Run) -> None:
        """Send the run's next chunk, if it wants one and none is in flight."""
        now = self._clock()
        if run.in_flight or (most := run.lockstep.allows(run, now, self._heartbeat)) == 0:
            return
        if run.at_its_beginning and (shipped := find(run.task, run.config)) is not None:
            run.pending = None
            run.accept(shipped.answer.chunk)
            self._make_room(self._limit)
            self._submit(run)  # it may be played already
            return
        run.in_flight = True  # or a timer on its way to send it
        if (early := run.early(now)) > 0:
            timer = threading.Timer(early, self._wake, (run, run.generation))
            timer.daemon = True
            timer.start()
            return
        run.last_start, budget = now, run.take_budget()
        args = (run.task, run.config, run.state, budget, *(() if most is None else (most,)))
        try:
            future = self._executor.submit(_CHUNK, *args, background=True, time_limit=_CHUNK_LIMIT)
        except RuntimeError as error:  # the executor is closed
            run.in_flight, run.status, run.error = False, "failed", str(error)
            return
        run.future, generation = future, run.generation
        future.add_done_callback(lambda done: self._receive(run, generation, budget, done))

    def _submit_all(self, run: Run) -> None:
        """The run's next chunk, and those of the runs that may have waited for it."""
        for each in tuple(run.lockstep.members):
            self._submit(each)

    def _wake(self, run: Run, generation: int) -> None:
        with self._lock:
            if run.generation == generation:
                run.in_flight = False
                run.last_start = float("-inf")
                self._submit(run)

    def _receive(self, run: Run, generation: int, budget: float, future: Future[Chunk]) -> None:
        with self._lock:
            if run.generation != generation:
                return
            run.in_flight = False
            error = future.exception()
            if error is None:
                run.accept(future.result())
                self._make_room(self._limit)
            else:
                run.give_up(error, budget)
            run.lockstep.arrive(run)
            self._submit_all(run)
        self._notify(run)

    def _exchanged(self, run: Run) -> None:
        with self._lock:
            self._make_room(self._limit)
            self._submit_all(run)
        self._notify(run)

    def _notify(self, run: Run) -> None:
        for listener in tuple(run.listeners):
            listener()

    def _make_room(self, count: int) -> bool:
        """Give up unwatched runs until at most `count` are left, in the memory there is; whether that was possible."""
        now = self._clock()
        while len(self._runs) > count or sum(run.size for run in self._runs.values()) > self._memory:
            unwatched = [token for token, run in self._runs.items() if not run.watched(now, self._heartbeat)]
            if not unwatched:
                return False
            least = min(unwatched, key=lambda token: (self._runs[token].played, self._runs[token].last_poll))
            self.give_up(least)
        return True
