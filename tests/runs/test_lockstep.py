"""Runs side by side go in step, however different they are, and wait for nobody who stands."""

import pickle
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

import pytest

from node_core.runs.chunk import Chunk
from node_core.runs.executor import Executor
from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import Snapshot, pack
from node_core.runs.worker import TaskError

TASK = "node_core.none:advance"


@dataclass(frozen=True)
class Config:
    cost: float = 0.01  # s an iteration
    begins: int = 0


class Simulated:
    """Iterates on paper: a chunk makes what fits into its budget, and no more than it may; the test says when."""

    packages = ("node_core",)

    def __init__(self) -> None:
        self.queue: deque[tuple[tuple[Any, ...], Future[Chunk]]] = deque()

    def submit(self, task: str, *args: Any, background: bool, time_limit: float | None) -> Future[Chunk]:
        future: Future[Chunk] = Future()
        self.queue.append((args, future))
        return future

    def complete(self, finished: bool = False, error: Exception | None = None, last: bool = False) -> None:
        args, future = self.queue.pop() if last else self.queue.popleft()
        _, config, state, budget, *most = args
        at = config.begins if state is None else pickle.loads(state)
        made = 0 if budget == 0 else max(1, min([int(budget / config.cost), *most]))
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
            return
        rows = tuple({"iteration": float(at + k + 1)} for k in range(made))
        picture = pack(Snapshot({}, {"iteration": at + made}))
        future.set_result(Chunk(picture, pickle.dumps(at + made), rows, finished))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Simulated:
    return Simulated()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runs(hand: Simulated, clock: Clock) -> LiveRuns:
    return LiveRuns(cast("Executor", hand), clock=clock)


def begun(runs: LiveRuns, hand: Simulated, *configs: Config, together: bool = True) -> list[str]:
    tokens = [runs.start(TASK, config) for config in configs]
    for _ in tokens:
        hand.complete()
    if together:
        runs.pair(tokens)
    return tokens


def at(runs: LiveRuns, token: str) -> int:
    return len(runs.history(token)) + runs.look(token).config.begins


def play(runs: LiveRuns, tokens: list[str]) -> None:
    for token in tokens:
        runs.play(token)


@pytest.mark.parametrize("costs", [(0.001, 0.03), (0.03, 0.001), (0.01, 0.01), (0.5, 0.001)])
def test_a_quick_run_waits_for_a_slow_one(
    runs: LiveRuns, hand: Simulated, costs: tuple[float, float]
) -> None:
    tokens = begun(runs, hand, *(Config(cost) for cost in costs))
    play(runs, tokens)
    most = max(1.0, 0.2 / max(costs))  # iterations that the slower one makes in a chunk
    for turn in range(400):
        hand.complete(last=turn % 3 == 0)
        assert abs(at(runs, tokens[0]) - at(runs, tokens[1])) <= 1.5 * most + 1
    assert at(runs, tokens[0]) > 100


def test_without_a_pair_they_would_not(runs: LiveRuns, hand: Simulated) -> None:
    tokens = begun(runs, hand, Config(0.001), Config(0.03), together=False)
    play(runs, tokens)
    for _ in range(40):
        hand.complete()
    assert at(runs, tokens[0]) > 10 * at(runs, tokens[1])


def test_after_pause_they_rest_at_the_same_iteration(runs: LiveRuns, hand: Simulated) -> None:
    tokens = begun(runs, hand, Config(0.001), Config(0.011))
    for chunks in range(1, 30):
        play(runs, tokens)
        for _ in range(chunks):
            hand.complete()
        for token in tokens:
            runs.pause(token)
        for _ in range(10):
            if hand.queue:
                hand.complete()
        assert not hand.queue
        assert at(runs, tokens[0]) == at(runs, tokens[1])


def test_an_untrained_run_catches_up_before_the_trained_one_goes_on(runs: LiveRuns, hand: Simulated) -> None:
    trained, fresh = begun(runs, hand, Config(begins=300), Config(0.002))
    play(runs, [trained, fresh])
    while at(runs, fresh) < 300:
        assert at(runs, trained) <= 301  # the first was told to play before the second
        hand.complete()
    assert at(runs, fresh) <= 301
    for _ in range(20):
        hand.complete()
    assert at(runs, trained) > 300


def test_a_pause_while_one_catches_up_is_a_pause(runs: LiveRuns, hand: Simulated) -> None:
    tokens = begun(runs, hand, Config(begins=300), Config(0.1))
    play(runs, tokens)
    hand.complete()
    for token in tokens:
        runs.pause(token)
    for _ in range(5):
        if hand.queue:
            hand.complete()
    assert not hand.queue
    assert at(runs, tokens[1]) < 20


@pytest.mark.parametrize("how", ["failed", "paused", "finished", "stopped", "parted"])
def test_nobody_waits_for_a_run_that_stands(runs: LiveRuns, hand: Simulated, how: str) -> None:
    slow, quick = begun(runs, hand, Config(0.1), Config(0.001))
    play(runs, [slow, quick])
    for _ in range(9):
        hand.complete()
    if how == "failed":
        while hand.queue[0][0][1].cost != 0.1:
            hand.complete()
        hand.complete(error=TaskError("input", "The loss is not a number."))
        assert runs.look(slow).status == "failed"
    elif how == "finished":
        while hand.queue[0][0][1].cost != 0.1:
            hand.complete()
        hand.complete(finished=True)
    elif how == "paused":
        runs.pause(slow)
    elif how == "stopped":
        runs.stop(slow)
    else:
        runs.pair([quick])
        runs.pause(slow)
    before = at(runs, quick)
    for _ in range(20):
        if hand.queue:
            hand.complete()
    assert at(runs, quick) > before + 50


def test_nobody_waits_for_a_run_that_sleeps(runs: LiveRuns, hand: Simulated, clock: Clock) -> None:
    slow, quick = begun(runs, hand, Config(0.1), Config(0.001))
    play(runs, [slow, quick])
    hand.complete()
    clock.now = 20.0
    for _ in range(20):
        runs.poll(quick)
        if hand.queue:
            hand.complete()
    assert at(runs, quick) > at(runs, slow) + 50


def test_a_run_that_went_back_is_waited_for(runs: LiveRuns, hand: Simulated) -> None:
    tokens = begun(runs, hand, Config(0.01), Config(0.01))
    play(runs, tokens)
    for _ in range(12):
        hand.complete()
    runs.reset(tokens[0])
    hand.complete()
    runs.play(tokens[0])
    ahead = at(runs, tokens[1])
    while at(runs, tokens[0]) < ahead:
        assert at(runs, tokens[1]) <= ahead + 20  # its chunk in flight
        hand.complete()


def test_pairs_of_two_people_do_not_know_each_other(runs: LiveRuns, hand: Simulated) -> None:
    mine = begun(runs, hand, Config(0.001), Config(0.002))
    yours = begun(runs, hand, Config(0.05), Config(0.1))
    play(runs, [*mine, *yours])
    for _ in range(100):
        hand.complete()
    assert at(runs, mine[0]) > 5 * at(runs, yours[0])
    runs.pair(mine)
    for token in yours:
        runs.pause(token)
    assert {runs.look(token).status for token in mine} == {"running"}


def test_a_slower_pace_holds_from_the_next_round(runs: LiveRuns, hand: Simulated) -> None:
    tokens = begun(runs, hand, Config(0.001), Config(0.002))
    play(runs, tokens)
    for _ in range(40):
        hand.complete()
    for token in tokens:
        runs.pace(token, budget=1e-3)
    for _ in range(4):
        hand.complete()
    for _ in range(20):
        hand.complete()
        assert abs(at(runs, tokens[0]) - at(runs, tokens[1])) <= 2
