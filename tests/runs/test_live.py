"""Live runs on an executor whose chunks the test completes by hand, on a clock the test turns."""

import pickle
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, cast

import pytest

from node_core.runs.chunk import Chunk, Resumed, advance_chunk
from node_core.runs.executor import Executor
from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import Snapshot, pack, unpack
from node_core.runs.worker import TaskError

TASK = "tests.ui.live.demo:advance"


@dataclass(frozen=True)
class Config:
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"rate {self.rate} must be positive.")


class ByHand:
    """Keeps what is submitted; the test completes it."""

    packages = ("node_core", "tests")

    def __init__(self) -> None:
        self.queue: deque[tuple[tuple[Any, ...], Future[Chunk]]] = deque()

    def submit(self, task: str, *args: Any, background: bool, time_limit: float | None) -> Future[Chunk]:
        assert background, "a chunk must not pass the studies"
        future: Future[Chunk] = Future()
        self.queue.append((args, future))
        return future

    def complete(self, finished: bool = False, picture_cost: float = 0.0) -> tuple[Any, ...]:
        args, future = self.queue.popleft()
        _, config, state, *_ = args
        count = (pickle.loads(state) if state else 0) + 1
        rows = ({"iteration": count, "rate": config.rate},)
        if not future.cancelled():
            picture = f"picture {count}".encode()
            future.set_result(Chunk(picture, pickle.dumps(count), rows, finished, picture_cost))
        return args

    def fail(self, error: TaskError) -> None:
        self.queue.popleft()[1].set_exception(error)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> ByHand:
    return ByHand()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runs(hand: ByHand, clock: Clock) -> LiveRuns:
    return LiveRuns(cast("Executor", hand), limit=3, clock=clock)


def started(runs: LiveRuns, hand: ByHand, play: bool = True) -> str:
    token = runs.start(TASK, Config())
    hand.complete()
    if play:
        runs.play(token)
    return token


def test_a_new_run_makes_its_first_picture_without_training_and_waits(runs: LiveRuns, hand: ByHand) -> None:
    token = runs.start(TASK, Config())
    assert len(token) > 20
    assert token.isalnum(), "a token is part of a component's key, where '__' is refused"
    _, config, state, budget = hand.complete()
    assert (config, state, budget) == (Config(), None, 0.0)
    assert not hand.queue
    view = runs.poll(token)
    assert (view.status, view.snapshot, view.sequence) == ("paused", b"picture 1", 1)


def test_a_playing_run_has_one_chunk_in_flight_and_hands_its_state_on(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    for expected in (1, 2, 3):
        runs.poll(token)
        assert len(hand.queue) == 1
        _, _, state, budget = hand.complete()
        assert pickle.loads(state) == expected
        assert budget == 0.2
    assert runs.look(token).snapshot == b"picture 4"


def test_pause_lets_the_chunk_in_flight_deliver_and_sends_no_more(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    runs.pause(token)
    hand.complete()
    assert not hand.queue
    view = runs.poll(token)
    assert (view.status, view.snapshot) == ("paused", b"picture 2")


def test_a_step_is_one_chunk_of_the_smallest_budget(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand, play=False)
    runs.step(token)
    _, _, _, budget = hand.complete()
    assert 0 < budget < 1e-6
    assert not hand.queue
    assert runs.look(token).status == "paused"


def test_a_message_takes_effect_at_the_next_chunk(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    runs.message(token, {"rate": 0.5})
    assert hand.complete()[1] == Config(1.0)
    assert hand.complete()[1] == Config(0.5)


def test_a_message_to_a_run_that_stands_still_draws_it_anew_without_training(
    runs: LiveRuns, hand: ByHand
) -> None:
    token = started(runs, hand, play=False)
    runs.message(token, {"rate": 0.5})
    _, config, state, budget = hand.complete()
    assert (config, budget) == (Config(0.5), 0.0)
    assert state is not None
    assert runs.look(token).status == "paused"
    assert not hand.queue


def test_a_message_that_the_configuration_refuses_changes_nothing(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    with pytest.raises(ValueError, match="rate -1 must be positive"):
        runs.message(token, {"rate": -1})
    hand.complete()
    assert hand.complete()[1] == Config(1.0)


def test_a_reset_drops_the_chunk_in_flight_and_begins_again(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    hand.complete()
    runs.reset(token, Config(2.0))
    assert (runs.look(token).snapshot, runs.look(token).begun) == (None, 1), (
        "no picture of before is handed out"
    )
    hand.complete()  # the old chunk, too late
    assert runs.look(token).snapshot is None
    assert runs.history(token) == []
    _, config, state, budget = hand.complete()
    assert (config, state, budget) == (Config(2.0), None, 0.0)
    view = runs.look(token)
    assert (view.status, view.snapshot) == ("paused", b"picture 1")


def test_nobody_polling_for_15_s_stops_the_chunks_and_a_poll_resumes_them(
    runs: LiveRuns, hand: ByHand, clock: Clock
) -> None:
    token = started(runs, hand)
    clock.now = 14.0
    hand.complete()
    assert len(hand.queue) == 1
    clock.now = 16.0
    hand.complete()
    assert not hand.queue
    assert runs.look(token).status == "running"
    assert not hand.queue, "looking is not watching"
    runs.poll(token)
    assert pickle.loads(hand.complete()[2]) == 3


def test_a_failure_keeps_the_last_good_state_and_play_goes_on_from_it(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    hand.complete()
    hand.fail(TaskError("input", "The loss became infinite: take a smaller learning rate."))
    view = runs.poll(token)
    assert view.status == "failed"
    assert view.error == "The loss became infinite: take a smaller learning rate."
    assert view.snapshot == b"picture 2"
    assert not hand.queue
    runs.play(token)
    assert pickle.loads(hand.complete()[2]) == 2
    assert runs.look(token).error == ""


def test_a_crashed_chunk_is_sent_again_with_its_state_but_not_for_ever(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    crash = TaskError("crash", "The worker died.")
    hand.fail(crash)
    assert pickle.loads(hand.complete()[2]) == 1
    for _ in range(3):
        hand.fail(crash)
    assert not hand.queue
    assert runs.look(token).status == "failed"


def test_a_finished_run_computes_no_more_until_it_is_reset(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    hand.complete(finished=True)
    runs.play(token)
    runs.step(token)
    assert not hand.queue
    assert runs.look(token).status == "finished"
    runs.reset(token)
    assert len(hand.queue) == 1


def test_runs_take_turns(runs: LiveRuns, hand: ByHand) -> None:
    tokens = [started(runs, hand, play=False) for _ in range(3)]
    for token in tokens:
        runs.play(token)
    for _ in range(31):
        hand.complete()
    lengths = [len(runs.history(token)) for token in tokens]
    assert max(lengths) - min(lengths) <= 1


def test_the_history_is_kept_in_order_and_bounded(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    for _ in range(9000):
        hand.complete()
    rows = runs.history(token)
    iterations = [row["iteration"] for row in rows]
    assert 1000 < len(rows) <= 4097
    assert iterations == sorted(iterations)
    assert iterations[-1] >= 9000
    assert iterations[0] == 1


def test_a_full_house_refuses_a_run_unless_one_is_unwatched(
    runs: LiveRuns, hand: ByHand, clock: Clock
) -> None:
    tokens = [started(runs, hand, play=False) for _ in range(3)]
    with pytest.raises(ValueError, match="busy with 3 live runs"):
        runs.start(TASK, Config())
    clock.now = 20.0
    runs.poll(tokens[0])
    runs.poll(tokens[2])
    runs.start(TASK, Config())
    assert [token in runs for token in tokens] == [True, False, True]
    assert len(runs) == 3


def test_what_was_never_played_makes_room_first_then_what_was_unwatched_for_longest(
    runs: LiveRuns, hand: ByHand, clock: Clock
) -> None:
    trained, stepped = started(runs, hand), started(runs, hand, play=False)
    runs.pause(trained)
    runs.step(stepped)
    clock.now = 10.0
    fresh = started(runs, hand, play=False)
    clock.now = 50.0
    second = runs.start(TASK, Config())
    assert [token in runs for token in (trained, stepped, fresh)] == [True, True, False]
    assert not runs.given_up(fresh), "nothing in it was lost"
    runs.play(second)
    clock.now = 100.0
    runs.poll(trained)
    runs.start(TASK, Config())
    assert [token in runs for token in (trained, stepped, second)] == [True, False, True]
    assert runs.given_up(stepped)


def test_a_run_in_a_hidden_tab_is_watched_though_it_beats_once_a_minute(
    runs: LiveRuns, hand: ByHand, clock: Clock
) -> None:
    hidden = started(runs, hand)
    leave = runs.subscribe(hidden, lambda: None)
    for _ in range(2):
        started(runs, hand)
    clock.now = 59.0
    runs.start(TASK, Config())
    assert hidden in runs
    leave()
    for _ in range(2):
        clock.now += 60.0
        runs.play(runs.start(TASK, Config()))
    assert hidden not in runs


def test_after_a_reset_there_is_nothing_to_lose(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    assert runs.look(token).played
    runs.reset(token)
    assert not runs.look(token).played


def test_a_run_at_its_end_is_there_again_when_its_configuration_is(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    hand.complete(finished=True)
    before, rows, state = runs.look(token), runs.history(token), runs.state(token)
    assert before.status == "finished"
    runs.reset(token, Config(2.0), fresh=True)
    hand.complete()
    assert (runs.look(token).status, len(runs.history(token))) == ("paused", 1)
    runs.reset(token, Config(3.0), fresh=True)
    hand.complete()
    runs.reset(token, Config(), fresh=True)
    view = runs.look(token)
    assert (view.status, view.snapshot, view.played) == ("finished", before.snapshot, True)
    assert (runs.history(token), runs.state(token)) == (rows, state)
    assert view.sequence > before.sequence, "the page is sent its picture"
    assert not hand.queue, "nothing is trained again"
    runs.reset(token)
    assert (runs.look(token).status, runs.look(token).played) == ("paused", False)
    assert hand.complete()[1:3] == (Config(), None), "who resets wants it trained again"
    runs.reset(token, Config(2.0), fresh=True)
    hand.complete()
    runs.reset(token, Config(), fresh=True)
    assert runs.look(token).status == "paused", "a run that did not end is not remembered"


def resumed(runs: LiveRuns, hand: ByHand, token: str, iteration: int = 512) -> None:
    """A worker answers that a page's file was good."""
    args, future = hand.queue.pop()
    assert args == (TASK, Config(), b"file")
    picture = pack(Snapshot(scalars={"iteration": iteration}))
    chunk = Chunk(picture, pickle.dumps(iteration), ({"iteration": float(iteration)},), finished=False)
    future.set_result(cast("Chunk", Resumed(Config(2.0), chunk)))


def test_a_new_run_goes_on_from_what_its_page_had_kept(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand, play=False)
    heard: list[bool] = []
    runs.subscribe(token, lambda: heard.append(runs.look(token).resuming))
    runs.kept.resume(token, b"file")
    runs.kept.resume(token, b"another, while the first is read")
    runs.message(token, {"rate": 1.0})
    assert len(hand.queue) == 1, "nothing is computed that would be thrown away"
    assert runs.look(token).snapshot is None, "no picture of the new run stands there meanwhile"
    resumed(runs, hand, token)
    view = runs.look(token)
    assert heard == [True, False]
    assert (view.status, view.resumed, view.played, view.config) == ("paused", 512, True, Config(2.0))
    assert runs.history(token) == [{"iteration": 512.0}]
    runs.play(token)
    assert pickle.loads(hand.complete()[2]) == 512
    runs.pause(token)
    assert runs.look(token).resumed is None, "who pauses has read it"
    runs.reset(token)
    hand.queue.popleft()
    assert hand.complete()[2] is None, "a reset leads to the task's own beginning"


def test_what_became_of_a_lost_run_is_told_until_it_has_played_on_for_a_while(
    runs: LiveRuns, hand: ByHand, clock: Clock
) -> None:
    token = started(runs, hand, play=False)
    runs.kept.resume(token, b"file", shown=630)
    resumed(runs, hand, token)
    assert (runs.look(token).resumed, runs.look(token).missing) == (512, 118)
    runs.play(token)
    for clock.now in (1.0, 2.0, 30.5):
        runs.poll(token)
        hand.complete()
        assert runs.look(token).resumed == 512
    for clock.now in (31.5, 32.5):
        runs.poll(token)
        hand.complete()
    assert runs.look(token).resumed is None


def test_a_run_that_was_played_is_not_exchanged_for_what_a_page_has(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    runs.kept.resume(token, b"file")
    assert not runs.look(token).resuming
    assert len(hand.queue) == 1


def test_play_before_the_file_was_read_plays_what_was_in_it(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand, play=False)
    runs.kept.resume(token, b"file")
    runs.play(token)
    resumed(runs, hand, token)
    assert runs.look(token).status == "running"
    assert pickle.loads(hand.complete()[2]) == 512


def test_a_reset_while_the_file_is_read_has_the_last_word(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand, play=False)
    runs.kept.resume(token, b"file")
    late = hand.queue.pop()
    runs.reset(token)
    hand.queue.append(late)
    resumed(runs, hand, token)
    view = runs.look(token)
    assert (view.resumed, view.resuming, view.played) == (None, False, False)


@pytest.mark.parametrize("kind", ["input", "bug"])
def test_a_file_that_is_refused_leaves_the_run_new_and_says_why(
    runs: LiveRuns, hand: ByHand, kind: Literal["input", "bug"]
) -> None:
    token = started(runs, hand, play=False)
    runs.kept.resume(token, b"file")
    hand.fail(TaskError(kind, "It is damaged."))
    view = runs.look(token)
    assert (view.status, view.resumed, view.played) == ("paused", None, False)
    assert view.refusal == ("It is damaged." if kind == "input" else view.refusal)
    assert view.refusal
    assert hand.complete()[2:] == (None, 0.0), "the first picture comes after all"
    runs.step(token)
    assert not runs.look(token).refusal


def test_a_page_keeps_the_last_good_state_and_the_history_that_led_there(
    runs: LiveRuns, hand: ByHand
) -> None:
    token = runs.start(TASK, Config())
    assert runs.kept.file(token) is None, "there is nothing yet"
    hand.complete()
    runs.play(token)
    hand.complete()
    runs.kept.file(token)
    task, config, state, rows = hand.queue.pop()[0]
    assert (task, config, pickle.loads(state)) == (TASK, Config(), 2)
    assert [row["iteration"] for row in rows] == [1, 2]


def test_a_state_of_its_own_is_something_to_lose(runs: LiveRuns) -> None:
    token = runs.start(TASK, Config())
    runs.reset(token, state=pickle.dumps("uploaded"))
    assert runs.look(token).played
    runs.reset(token)
    assert runs.look(token).played, "it begins with the uploaded net again"
    runs.reset(token, fresh=True)
    assert not runs.look(token).played


def test_runs_are_bounded_in_memory_too(hand: ByHand, clock: Clock) -> None:
    runs = LiveRuns(cast("Executor", hand), memory=200_000, clock=clock)
    first, second = started(runs, hand), started(runs, hand)
    for _ in range(150):  # rows of some 300 bytes
        for _ in range(2):
            hand.complete()
    assert [first in runs, second in runs] == [True, True]
    clock.now = 20.0
    runs.poll(second)
    for _ in range(600):
        hand.complete()
    assert [first in runs, second in runs] == [False, True], "the one grew, and the other was not watched"
    for _ in range(1000):
        hand.complete()
    with pytest.raises(ValueError, match="busy with 1 live runs"):
        runs.start(TASK, Config())
    assert second in runs, "who watches keeps the run, however large it is"


def test_a_listener_hears_every_change_until_it_leaves(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand, play=False)
    heard: list[str] = []
    leave = runs.subscribe(token, lambda: heard.append(runs.look(token).status))
    runs.play(token)
    hand.complete()
    leave()
    hand.complete()
    assert heard == ["running", "running"]


def test_a_stopped_run_is_gone(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    runs.stop(token)
    runs.stop(token)
    hand.complete()
    with pytest.raises(KeyError):
        runs.poll(token)


def test_a_state_given_at_the_start_is_where_reset_returns_to(runs: LiveRuns, hand: ByHand) -> None:
    token = runs.start(TASK, Config(), state=pickle.dumps(10))
    assert pickle.loads(hand.complete()[2]) == 10
    runs.reset(token)
    assert pickle.loads(hand.complete()[2]) == 10


@pytest.mark.parametrize(("budget", "interval"), [(0.0, 0.0), (3.0, 0.0), (0.1, -1.0), (0.1, 11.0)])
def test_a_pace_out_of_range_is_refused(runs: LiveRuns, hand: ByHand, budget: float, interval: float) -> None:
    token = started(runs, hand)
    with pytest.raises(ValueError, match="out of range"):
        runs.pace(token, budget=budget, interval=interval)


def test_tasks_outside_the_allowed_packages_are_refused(runs: LiveRuns) -> None:
    with pytest.raises(ValueError, match="not a public function"):
        runs.start("os:system", Config())


def test_a_chunk_in_a_worker_takes_and_gives_bytes() -> None:
    from tests.ui.live.demo import DemoConfig

    first = advance_chunk(TASK, DemoConfig(), None, 0.0)
    second = advance_chunk(TASK, DemoConfig(), first.state, 1e-9)
    assert unpack(first.snapshot).scalars["iteration"] == 0
    assert unpack(second.snapshot).scalars["iteration"] == 1
    assert [row["iteration"] for row in second.rows] == [1]


def budgets(hand: ByHand, count: int, picture_cost: float) -> list[float]:
    return [hand.complete(picture_cost=picture_cost)[3] for _ in range(count)]


def test_a_watched_run_takes_short_chunks_where_pictures_are_cheap(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    leave = runs.subscribe(token, lambda: None)
    runs.pace(token, budget=0.15)
    assert budgets(hand, 30, 0.0035)[-1] == pytest.approx(0.05)
    assert budgets(hand, 60, 0.0002)[-1] == 0.02, "no more pictures than a display shows"
    assert budgets(hand, 200, 0.5)[-1] == 0.15, "dear pictures come no more seldom than was asked for"
    leave()
    assert budgets(hand, 2, 0.0035)[-1] == 0.3, "nobody looks"


def test_single_iterations_stay_single_whatever_a_picture_costs(runs: LiveRuns, hand: ByHand) -> None:
    token = started(runs, hand)
    runs.subscribe(token, lambda: None)
    runs.pace(token, budget=1e-3)
    assert set(budgets(hand, 5, 0.01)[1:]) == {1e-3}


def test_a_chunk_with_the_boundary_in_it_does_not_make_the_next_ones_long(
    runs: LiveRuns, hand: ByHand
) -> None:
    token = started(runs, hand)
    runs.subscribe(token, lambda: None)
    budgets(hand, 30, 0.0035)
    budgets(hand, 1, 0.06)
    assert budgets(hand, 5, 0.0035)[-1] < 0.06
