"""Runs that others begin from: what is kept of them, for how long, and how a run begins where another stood."""

import pickle
from typing import cast

import pytest

from node_core.runs.executor import Executor
from node_core.runs.scheduler import LiveRuns
from node_core.runs.shared import Fork, SharedRuns, is_key, new_key
from node_core.runs.worker import TaskError
from tests.runs.test_live import TASK, ByHand, Clock, Config, started


@pytest.fixture
def hand() -> ByHand:
    return ByHand()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runs(hand: ByHand, clock: Clock) -> LiveRuns:
    return LiveRuns(cast("Executor", hand), limit=8, clock=clock)


def fork_of(size: int) -> Fork:
    return Fork(TASK, Config(), b"x" * size, None, ())


def trained(runs: LiveRuns, hand: ByHand) -> str:
    token = started(runs, hand)
    hand.complete()
    hand.complete()
    runs.pause(token)
    hand.complete()
    return token


def test_a_run_begins_where_another_stood_without_a_computation_and_goes_back_there(
    runs: LiveRuns, hand: ByHand
) -> None:
    first = trained(runs, hand)
    fork = runs.fork(first)
    assert fork is not None
    second = runs.begin(fork)
    assert not hand.queue, "its picture is there"
    view = runs.look(second)
    assert (view.status, view.snapshot, view.played) == ("paused", b"picture 4", True)
    assert (
        runs.history(second) == runs.history(first) == [{"iteration": i, "rate": 1.0} for i in (1, 2, 3, 4)]
    )
    runs.play(second)
    assert pickle.loads(hand.complete()[2]) == 4
    assert runs.look(second).snapshot == b"picture 5"
    assert runs.look(first).snapshot == b"picture 4", "the first knows nothing of it"
    hand.queue.clear()
    runs.reset(second)
    assert pickle.loads(hand.complete()[2]) == 4
    assert runs.history(second) == [{"iteration": 5, "rate": 1.0}]


def test_a_run_without_a_picture_is_not_shared(runs: LiveRuns, hand: ByHand) -> None:
    assert runs.fork(runs.start(TASK, Config())) is None
    with pytest.raises(KeyError):
        runs.fork("nobody's")


def test_a_run_that_failed_is_shared_as_it_was_before_and_drawn_anew(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    hand.complete()
    hand.fail(TaskError("input", "It exploded."))
    fork = runs.fork(token)
    assert fork is not None
    assert fork.picture is None
    second = runs.begin(fork)
    _, _, state, budget = hand.complete()
    assert (pickle.loads(state), budget) == (2, 0.0)
    assert runs.look(second).snapshot == b"picture 3"


def test_a_full_server_says_so_and_keeps_what_is_watched(hand: ByHand) -> None:
    runs = LiveRuns(cast("Executor", hand), limit=1)
    token = started(runs, hand, play=False)
    fork = runs.fork(token)
    assert fork is not None
    with pytest.raises(ValueError, match="the most it has room for"):
        runs.begin(fork)
    assert token in runs


def test_what_is_shared_is_found_by_its_key_and_by_no_other() -> None:
    shared = SharedRuns()
    forks = {"run": fork_of(10), "beside": fork_of(20)}
    key = shared.keep("odenet", forks, "a tab")
    assert is_key(key)
    found = shared.find(key)
    assert found is not None
    assert (found.page, dict(found.forks)) == ("odenet", forks)
    assert shared.find(new_key()) is None
    with pytest.raises(ValueError, match="no net to be shared yet"):
        shared.keep("odenet", {}, "a tab")


def test_a_link_ends_after_its_time() -> None:
    clock = Clock()
    shared = SharedRuns(seconds=100.0, clock=clock)
    key = shared.keep("cnf", {"run": fork_of(1)}, "a tab")
    clock.now = 100.0
    later = shared.keep("cnf", {"run": fork_of(1)}, "a tab")
    assert shared.find(key) is not None
    clock.now = 101.0
    assert shared.find(key) is None
    assert shared.find(later) is not None


def test_the_oldest_goes_first_where_there_are_too_many_or_they_are_too_large() -> None:
    shared = SharedRuns(most=3, memory=1000)
    keys = [shared.keep("cnf", {"run": fork_of(1)}, f"tab {i}") for i in range(5)]
    assert [shared.find(key) is not None for key in keys] == [False, False, True, True, True]
    with pytest.raises(ValueError, match="a link at most"):
        shared.keep("cnf", {"run": fork_of(251)}, "a tab")
    large = [shared.keep("cnf", {"run": fork_of(250)}, f"large {i}") for i in range(5)]
    assert sum(shared.find(key) is not None for key in large) == 3
    assert shared.find(large[-1]) is not None


def test_nobody_can_drive_the_links_of_others_out_with_their_own() -> None:
    shared = SharedRuns(most=10, own=2)
    lecturer = shared.keep("cnf", {"run": fork_of(1)}, "lecturer")
    mine = [shared.keep("cnf", {"run": fork_of(1)}, "student") for _ in range(50)]
    assert shared.find(lecturer) is not None
    assert [shared.find(key) is not None for key in mine[-3:]] == [False, True, True]
    assert len(shared) == 3


@pytest.mark.parametrize(
    "text", ["", "abc", "A" * 14, "abcdefghjkmnp/", "../../etc/pass", "é" * 14, "2" * 15, "2" * 14 + "\n"]
)
def test_what_can_not_be_a_key_is_told_from_one(text: str) -> None:
    assert not is_key(text)
