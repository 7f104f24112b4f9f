"""The executor in worker processes: what comes back, what is refused, and what survives."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from node_core.runs.executor import Executor
from node_core.runs.worker import OutOfTime, TaskError, check_task, time_left

ROOT = Path(__file__).resolve().parents[2]
TASKS = "tests.runs.executor_tasks"
PATIENCE = 60.0  # seconds before a hanging test fails


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    executor = Executor(2, memory=2**30, packages=("node_core", "tests"))
    yield executor
    executor.close()


def run(executor: Executor, name: str, *args: object, time_limit: float | None = None) -> object:
    return executor.submit(f"{TASKS}:{name}", *args, time_limit=time_limit).result(PATIENCE)


def test_a_task_runs_by_its_name_in_another_process(executor: Executor) -> None:
    assert run(executor, "add", 1.0, 2.0) == 3.0
    worker = run(executor, "process")
    assert isinstance(worker, dict)
    assert worker["pid"] != os.getpid()


def test_workers_are_nice_single_threaded_and_bounded_in_memory(executor: Executor) -> None:
    worker = run(executor, "process")
    assert isinstance(worker, dict)
    assert worker["nice"] == min(19, os.nice(0) + 10)
    assert worker["threads"] == 1
    assert 2**30 < worker["memory_limit"] < 2**40


@pytest.mark.parametrize(
    "task",
    [
        "os:system",
        "os.path:join",
        "node_core.x",
        "node_core:run",
        "node_core.x:_hidden",
        "node_core.x:a.b",
        "",
    ],
)
def test_tasks_outside_the_allowed_packages_are_refused(executor: Executor, task: str) -> None:
    with pytest.raises(ValueError, match="is not a public function"):
        executor.submit(task)


def test_the_usual_executor_takes_only_node_core() -> None:
    check_task("node_core.studies.solvers.race:run")
    with pytest.raises(ValueError, match="of node_core"):
        check_task(f"{TASKS}:add")


def test_a_users_mistake_comes_back_as_its_own_sentence(executor: Executor) -> None:
    with pytest.raises(TaskError, match=r"^7.0 is too large: take less than 1.$") as caught:
        run(executor, "refuse", 7.0)
    assert caught.value.kind == "input"


def test_a_fault_of_the_program_is_told_apart_from_a_users_mistake(executor: Executor) -> None:
    with pytest.raises(TaskError, match="ZeroDivisionError") as caught:
        run(executor, "break_down")
    assert caught.value.kind == "bug"


def test_a_task_past_its_time_limit_is_stopped_and_its_worker_goes_on(executor: Executor) -> None:
    with pytest.raises(TaskError, match=r"longer than 0.2 s") as caught:
        run(executor, "spin", time_limit=0.2)
    assert caught.value.kind == "time"
    assert run(executor, "add", 1.0, 1.0) == 2.0


def test_a_limit_counts_what_is_computed_and_twice_as_much_on_the_wall() -> None:
    assert time_left(10.0, computed=4.0, passed=5.0) == 6.0
    assert time_left(10.0, computed=4.0, passed=17.0) == 3.0
    with pytest.raises(OutOfTime, match=r"longer than 10 s and was stopped: make the problem smaller"):
        time_left(10.0, computed=10.0, passed=10.5)
    with pytest.raises(OutOfTime, match=r"longer than 10 s.*the server is busy.*Try again"):
        time_left(10.0, computed=9.0, passed=20.0)


def test_a_worker_that_hangs_is_ended_and_what_ran_beside_it_begins_again(tmp_path: Path) -> None:
    now = 0.0
    executor = Executor(2, packages=("tests",), margin=5.0, clock=lambda: now)
    try:
        beside = executor.submit(f"{TASKS}:wait_for", str(tmp_path / "gate"))
        stopped = executor.submit(f"{TASKS}:stop", str(tmp_path / "stopped"), time_limit=10.0)
        wait_until((tmp_path / "stopped").exists)
        now = 24.9  # twice its limit, and the margin
        assert not executor.end_hung_workers()
        now = 25.1
        assert executor.end_hung_workers()
        with pytest.raises(TaskError, match="did not answer any more and was ended") as caught:
            stopped.result(PATIENCE)
        assert caught.value.kind == "crash"
        assert not executor.end_hung_workers()
        (tmp_path / "gate").touch()
        assert beside.result(PATIENCE) == str(tmp_path / "gate")
        assert run(executor, "add", 1.0, 1.0) == 2.0
    finally:
        executor.close()


def test_a_task_without_a_limit_may_run_for_ever(tmp_path: Path) -> None:
    now = 0.0
    executor = Executor(1, packages=("tests",), clock=lambda: now)
    try:
        waiting = executor.submit(f"{TASKS}:wait_for", str(tmp_path / "gate"))
        now = 1e9
        assert not executor.end_hung_workers()
        (tmp_path / "gate").touch()
        assert waiting.result(PATIENCE) == str(tmp_path / "gate")
    finally:
        executor.close()


def wait_until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_task_that_wants_too_much_memory_fails_with_a_sentence(executor: Executor) -> None:
    with pytest.raises(TaskError, match="more memory") as caught:
        run(executor, "allocate", 2**33)
    assert caught.value.kind == "memory"


def test_a_killed_worker_costs_one_task_which_runs_again(executor: Executor, tmp_path: Path) -> None:
    assert run(executor, "die_once", str(tmp_path / "died")) == "alive"


def test_a_task_that_kills_its_worker_twice_fails_and_the_others_are_served(executor: Executor) -> None:
    deadly = executor.submit(f"{TASKS}:die")
    with pytest.raises(TaskError, match="died twice") as caught:
        deadly.result(PATIENCE)
    assert caught.value.kind == "crash"
    assert run(executor, "add", 2.0, 2.0) == 4.0


def test_an_idle_worker_killed_is_replaced(executor: Executor) -> None:
    run(executor, "add", 0.0, 0.0)
    for pid in executor.pids():
        os.kill(pid, signal.SIGKILL)
    assert run(executor, "add", 3.0, 2.0) == 5.0


def test_a_study_passes_the_chunks_that_wait_but_does_not_starve_them(tmp_path: Path) -> None:
    executor = Executor(1, packages=("tests",))
    order = tmp_path / "order"
    gate = tmp_path / "gate"
    blocker = executor.submit(f"{TASKS}:wait_for", str(gate))
    futures = [executor.submit(f"{TASKS}:note", str(order), f"chunk {i}", background=True) for i in range(3)]
    futures += [executor.submit(f"{TASKS}:note", str(order), f"study {i}") for i in range(3)]
    gate.touch()
    wait([blocker, *futures], PATIENCE)
    executor.close()
    lines = order.read_text().split("\n")[:-1]
    assert sorted(lines) == sorted([f"chunk {i}" for i in range(3)] + [f"study {i}" for i in range(3)])
    assert [line[-1] for line in lines if line.startswith("chunk")] == ["0", "1", "2"]
    assert lines.index("study 0") < lines.index("chunk 1")
    assert lines.index("chunk 1") < lines.index("study 2")


def test_many_threads_get_their_own_answers(executor: Executor) -> None:
    answers: dict[int, object] = {}

    def ask(i: int) -> None:
        answers[i] = run(executor, "add", float(i), 0.5)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == {i: i + 0.5 for i in range(16)}


def test_a_closed_executor_fails_what_waits_and_refuses_more(tmp_path: Path) -> None:
    executor = Executor(1, packages=("tests",))
    waiting = [executor.submit(f"{TASKS}:wait_for", str(tmp_path / "never")) for _ in range(3)]
    executor.close()
    executor.close()
    for future in waiting:
        with pytest.raises(TaskError):
            future.result(PATIENCE)
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(f"{TASKS}:add", 1, 2)


def test_an_executor_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="0 workers"):
        Executor(0)


# A script without `if __name__ == "__main__"`, started from a strange folder, as `streamlit run` does.
SERVER = """
import sys
from node_core.runs.executor import Executor
executor = Executor(1, packages=("tests",))
print(executor.submit("tests.runs.executor_tasks:main_module").result(60), flush=True)
print("torch" in sys.modules, flush=True)
print(*executor.pids(), flush=True)
sys.stdin.readline()
"""


def test_the_server_stays_free_of_torch_and_its_workers_die_with_it(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    server = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert server.stdout is not None
    main, torch_loaded, pids = (server.stdout.readline().strip() for _ in range(3))
    assert "server.py" not in main  # the worker did not run the server's script again
    assert torch_loaded == "False"
    watched = [os.pidfd_open(int(pid)) for pid in pids.split()]
    assert watched
    server.kill()
    server.communicate()
    for worker in watched:
        ended, _, _ = select.select([worker], [], [], PATIENCE)
        os.close(worker)
        assert ended, "a worker outlived its server"
