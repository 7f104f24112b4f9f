"""Chunks of a run that trains nothing: how long they last, when the dear picture is drawn, what they hand on."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest

from node_core.runs.chunk import run_chunk, run_to_the_end
from node_core.runs.snapshot import Row, Snapshot


@dataclass(frozen=True)
class Length:
    iterations: int = 10


class Counter:
    """Counts, and finds its dear picture due at even numbers."""

    def __init__(self, iteration: int, length: int = 10) -> None:
        self.config = Length(length)
        self.iteration = iteration

    def iterate(self) -> Row:
        self.iteration += 1
        return {"iteration": self.iteration}

    def is_due(self, now: float) -> bool:
        return self.iteration % 2 == 0

    def snapshot(self, *, dear: bool = True, rows: tuple[Row, ...] = (), now: float = 0.0) -> Snapshot:
        scalars = {"at": float(self.iteration), "now": now}
        return Snapshot({"dear": np.ones(int(dear))}, scalars, rows, self.iteration >= self.config.iterations)

    def export(self) -> str:
        return "I" * self.iteration


def ticking() -> Callable[[], float]:
    """A clock on which each look takes a second."""
    ticks = count(1000)
    return lambda: float(next(ticks))


def drawn(snapshot: Snapshot) -> bool:
    return len(snapshot.arrays["dear"]) == 1


@pytest.mark.parametrize(
    ("budget", "iterations", "dear"), [(0.0, 0, False), (1e-9, 1, False), (1.5, 2, True), (2.5, 3, False)]
)
def test_a_chunk_iterates_for_its_budget_and_draws_what_is_dear_when_the_run_finds_it_due(
    budget: float, iterations: int, dear: bool
) -> None:
    snapshot, state = run_chunk(lambda: Counter(0), budget, ticking())
    assert state == "I" * iterations
    assert [row["iteration"] for row in snapshot.rows] == list(range(1, iterations + 1))
    assert drawn(snapshot) == dear


@pytest.mark.parametrize("begun", [4, 5, 7])
def test_the_last_picture_is_whole_and_the_run_ends_there(begun: int) -> None:
    snapshot, state = run_chunk(lambda: Counter(begun, 7), 100.0, ticking())
    assert (state, snapshot.finished, drawn(snapshot)) == ("I" * 7, True, True)


def test_a_chunk_says_what_went_into_the_iterations_and_when_its_picture_begins() -> None:
    snapshot, _ = run_chunk(lambda: Counter(0), 1.5, ticking())
    # The clock ticks at each look: at the start, after each of two iterations, and before the picture.
    assert (snapshot.spent, snapshot.scalars["now"]) == (3.0, 1003.0)


def test_a_whole_run_is_seen_at_its_start_every_so_often_and_at_its_end() -> None:
    snapshots = list(run_to_the_end(Counter(0, 7), 3))
    assert [s.scalars["at"] for s in snapshots] == [0.0, 3.0, 6.0, 7.0]
    assert [len(s.rows) for s in snapshots] == [0, 3, 3, 1]
    assert all(drawn(s) for s in snapshots)


def test_a_chunk_makes_no_more_iterations_than_it_may() -> None:
    snapshot, state = run_chunk(lambda: Counter(0), 100.0, ticking(), most=3)
    assert (state, snapshot.finished, len(snapshot.rows)) == ("III", False, 3)
