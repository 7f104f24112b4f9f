"""Chunks: how a long run is cut into short tasks, whatever is run.

A live run is a chain of chunks `advance(config, state, budget) -> (snapshot, state)`, a whole run an iterator over
snapshots. Either way a `Trainer` iterates and draws; what it trains, and what its pictures show, is its own matter.
"""

from __future__ import annotations

import importlib
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from node_core.runs.snapshot import Row, Snapshot, pack

Clock = Callable[[], float]
State = TypeVar("State", covariant=True)
AnyState = TypeVar("AnyState")


@dataclass(frozen=True)
class Chunk:
    """What a worker answers: the packed snapshot, the pickled state, new history rows, what the picture took (s).

    `good` says whether the run may go back to the state when a later one fails.
    """

    snapshot: bytes
    state: bytes
    rows: tuple[Row, ...]
    finished: bool
    picture_cost: float = 0.0
    good: bool = True


def advance_chunk(
    task: str, config: Any, state: bytes | None, budget: float, most: int | None = None
) -> Chunk:
    """Run one chunk in a worker: unpickle the state, call `task`, pickle what it gives.

    Args:
        task: "node_core.module:advance".
        config: the run's frozen configuration.
        state: what the chunk before returned, None for the first.
        budget: seconds to spend.
        most: iterations to make at most; only for tasks whose `advance` takes it as a keyword.
    """
    started = time.perf_counter()
    module, _, name = task.partition(":")
    advance = getattr(importlib.import_module(module), name)
    bound = {} if most is None else {"most": most}
    snapshot, after = advance(config, None if state is None else pickle.loads(state), budget, **bound)
    message, raw = pack(snapshot), pickle.dumps(after)
    cost = time.perf_counter() - started - snapshot.spent if snapshot.spent > 0 else 0.0
    return Chunk(message, raw, tuple(snapshot.rows), snapshot.finished, cost, snapshot.good)


@dataclass(frozen=True)
class Resumed:
    """A run that a page had kept: the configuration with which it goes on, and its first picture."""

    config: Any
    chunk: Chunk


def keep_run(task: str, config: Any, state: bytes, rows: Sequence[Row]) -> bytes:
    """Write in a worker what a page keeps of a run: the trainer's own file, which holds no code.

    Args:
        task: "node_core.module:advance"; beside it the module has `keep(config, state, rows) -> bytes`.
        config: the run's.
        state: its last good state.
        rows: the history that led there.

    Raises:
        ValueError: such a run can't be kept.
    """
    keep = getattr(importlib.import_module(task.partition(":")[0]), "keep", None)
    if keep is None:
        raise ValueError("nothing is kept of such a run.")
    return bytes(keep(config, pickle.loads(state), rows))


def resume_run(task: str, config: Any, raw: bytes) -> Resumed:
    """Read in a worker what a page had kept, and draw it: what can't be drawn can't go on either.

    Args:
        task: as for `keep_run`; beside it is `resume(config, raw) -> (config, state, rows)`.
        config: what the page asks for.
        raw: the file, which may be anybody's.

    Raises:
        ValueError: it is damaged, or does not go with the page's configuration.
    """
    module, _, name = task.partition(":")
    found = importlib.import_module(module)
    resume = getattr(found, "resume", None)
    if resume is None:
        raise ValueError("nothing is kept of such a run.")
    config, state, rows = resume(config, raw)
    snapshot, after = getattr(found, name)(config, state, 0.0)
    return Resumed(config, Chunk(pack(snapshot), pickle.dumps(after), tuple(rows), snapshot.finished))


class RunConfig(Protocol):
    """What is asked of a run's configuration here."""

    @property
    def iterations(self) -> int:
        """Length of the run."""
        ...


class Trainer(Protocol[State]):
    """What a run needs of whatever it runs, between two iterations."""

    @property
    def config(self) -> RunConfig:
        """Of the run."""
        ...

    @property
    def iteration(self) -> int:
        """Iterations done."""
        ...

    def iterate(self) -> Row:
        """One iteration; returns its history row."""
        ...

    def is_due(self, now: float) -> bool:
        """Whether the dear part of its picture may be drawn again at this time (s)."""
        ...

    def snapshot(self, *, dear: bool = True, rows: tuple[Row, ...] = (), now: float = 0.0) -> Snapshot:
        """The picture of where it stands; without `dear` the dear part is shown again as it was, if there is one."""
        ...

    def export(self) -> State:
        """The state for the next chunk."""
        ...


def run_chunk(
    make: Callable[[], Trainer[AnyState]], budget: float, clock: Clock = time.time, most: int | None = None
) -> tuple[Snapshot, AnyState]:
    """Iterate for `budget` seconds: at least once if it is positive, not at all if it is 0.

    A state is only returned when its picture could be drawn, so that a run that exploded can go on from the state
    before, with a lower learning rate. Making the trainer counts towards the budget.

    Args:
        make: makes the trainer.
        budget: seconds to iterate.
        clock: seconds; the same clock for all chunks, because dear pictures are drawn for at most a share of them.
        most: iterations to make at most; None for as many as fit.
    """
    started = clock()
    trainer = make()
    rows: list[Row] = []
    end = trainer.config.iterations
    while budget > 0 and trainer.iteration < end and (most is None or len(rows) < most):
        rows.append(trainer.iterate())
        if clock() - started >= budget:
            break
    now = clock()
    over = trainer.iteration >= end
    # Without an iteration the dear picture is as good as it was; a pre-trained model may have brought it along.
    dear = budget > 0 and (over or trainer.is_due(now))
    snapshot = trainer.snapshot(dear=dear, rows=tuple(rows), now=now)
    return replace(snapshot, spent=now - started), trainer.export()


def run_to_the_end(trainer: Trainer[Any], every: int) -> Iterator[Snapshot]:
    """A snapshot at the start, then one every `every` iterations, and at the end.

    Raises:
        ValueError: `every` is not positive.
    """
    if every < 1:
        raise ValueError(f"every = {every}: choose at least 1 iteration between two snapshots.")
    yield trainer.snapshot()
    iterations = trainer.config.iterations
    while trainer.iteration < iterations:
        count = min(every, iterations - trainer.iteration)
        rows = tuple(trainer.iterate() for _ in range(count))
        yield trainer.snapshot(rows=rows)
