"""Chunks of a training run: what every trainer shares, whatever it trains.

A live run is a chain of chunks `advance(config, state, budget) -> (snapshot, state)`, a whole run the iterator `train`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from node_core.solution import SolveError
from node_core.training import picture
from node_core.training.snapshot import Row, Snapshot
from node_core.training.state import TrainState

Clock = Callable[[], float]


class DivergedError(ValueError):
    """The training can't go on with these settings; the sentence says since when and what to change."""


class RunConfig(Protocol):
    """What is asked of a run's configuration here."""

    @property
    def iterations(self) -> int:
        """Length of the run."""
        ...

    @property
    def lr(self) -> float:
        """Learning rate."""
        ...


class Trainer(Protocol):
    """A model and its optimiser between two iterations; `picture_share` of wall time may go into its heavy pictures."""

    iteration: int
    state: TrainState
    picture_share: float

    @property
    def config(self) -> RunConfig:
        """Of the run."""
        ...

    def iterate(self) -> Row:
        """One iteration; returns its history row."""
        ...

    def snapshot(self, *, grid: bool = True, rows: tuple[Row, ...] = (), now: float = 0.0) -> Snapshot:
        """The picture of the present weights."""
        ...

    def export(self) -> TrainState:
        """The state for the next chunk."""
        ...


def run_chunk(
    make: Callable[[], Trainer], budget: float, clock: Clock = time.time
) -> tuple[Snapshot, TrainState]:
    """Iterate for `budget` seconds: at least once if it is positive, not at all if it is 0.

    A state is only returned when the loss of its own weights is a number, so that a run that exploded can go on from
    the state before, with a lower learning rate. Making the trainer counts towards the budget.

    Args:
        make: makes the trainer.
        budget: seconds to iterate.
        clock: seconds; the same clock for all chunks, because heavy pictures are drawn for at most a share of them.
    """
    started = clock()
    trainer = make()
    rows: list[Row] = []
    while budget > 0 and trainer.iteration < trainer.config.iterations:
        rows.append(trainer.iterate())
        if clock() - started >= budget:
            break
    now = clock()
    if budget == 0:
        due = trainer.state.grid is None  # a pre-trained model may bring its picture along
    else:
        over = trainer.iteration >= trainer.config.iterations
        due = over or picture.is_due(trainer.state, now, trainer.picture_share)
    snapshot = trainer.snapshot(grid=due, rows=tuple(rows), now=now)
    return replace(snapshot, spent=now - started), trainer.export()


def run_to_the_end(trainer: Trainer, every: int) -> Iterator[Snapshot]:
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


def check_loss(trainer: Trainer, loss: float, largest: float) -> None:
    """Stop a run whose loss is no number, or past what can still be learned from.

    Raises:
        DivergedError: with the iteration and the remedy.
    """
    if math.isfinite(loss) and loss <= largest:
        return
    what = f"is {loss:.2g}" if math.isfinite(loss) else "is not a number"
    raise DivergedError(
        f"The loss {what} since iteration {trainer.iteration + 1}: lower the learning rate (now "
        f"{trainer.config.lr:g}) and play on from the last good state, or reset."
    )


def gave_up(trainer: Trainer, error: SolveError) -> DivergedError:
    """What to say when the solver could not follow the flow."""
    reason = str(error).split(": ")[0]  # the advice after it is for callers of odeint
    return DivergedError(
        f"The flow could not be solved in iteration {trainer.iteration + 1} ({reason}): lower the learning rate (now "
        f"{trainer.config.lr:g}) or loosen the tolerance, and play on from the last good state, or reset."
    )
