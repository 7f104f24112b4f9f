"""The executor: every computation of the app runs here, in worker processes, never in the server.

Tasks are named by import path ("node_core.studies.solvers.race:run"), so that the server needs no torch to ask for
them. They are stateless: what a task needs comes in its arguments and leaves in its result. That is why a
killed worker costs one task, which simply runs again.
"""

from __future__ import annotations

import functools
import logging
import math
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from node_core.runs import worker
from node_core.runs.machine import room_for_workers, this_machine
from node_core.runs.worker import TaskError, check_task

_log = logging.getLogger(__name__)
_PRELOAD = "node_core.runs.preload"
_DIED_TWICE = "The worker process died twice during this computation: make the problem smaller."
_HUNG = "The worker process did not answer any more and was ended: try again, or make the problem smaller."


@dataclass(eq=False)
class _Job:
    task: str
    args: tuple[Any, ...]
    time_limit: float | None
    background: bool
    future: Future[Any]
    crashes: int = 0
    overdue_at: float = math.inf  # on the executor's clock, once a worker has the job
    hung: bool = False


class Executor:
    """A bounded pool of worker processes that keeps itself alive.

    The pool starts in the background at once, so that the first task finds its worker ready; `submit` never
    blocks. Tasks wait in two queues, studies (someone waits for the answer) and background (chunks of live
    runs), served in turn; within a queue first come is first served.

    Args:
        workers: number of processes; None takes as many as the machine or container has room for.
        memory: bytes a worker may allocate beyond its start; None gives each its part of what there is.
        niceness: added to the workers' niceness.
        packages: where tasks may live; a task's module must lie inside one of them.
        margin: seconds past which a worker that should have broken off its task by itself counts as hung.
        clock: seconds, for tests.

    Raises:
        ValueError: fewer than one worker.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        memory: int | None = None,
        niceness: int = 10,
        packages: tuple[str, ...] = ("node_core",),
        margin: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        room = room_for_workers(this_machine())
        self.workers = room.workers if workers is None else workers
        if self.workers < 1:
            raise ValueError(f"An executor with {self.workers} workers can't run anything: take 1 or more.")
        self.packages = packages
        self._memory = room.memory if memory is None else memory
        self._niceness = niceness
        self._lock = threading.RLock()
        self._studies: deque[_Job] = deque()
        self._background: deque[_Job] = deque()
        self._study_is_next = True
        self._running = 0
        self._out: set[_Job] = set()
        self._margin = margin
        self._clock = clock
        self._closed = False
        self._closing = threading.Event()
        self._starting = False
        self._pool: ProcessPoolExecutor | None = None
        self._start_pool()
        threading.Thread(target=self._watch, name="executor-watch", daemon=True).start()

    def submit(
        self, task: str, *args: Any, background: bool = False, time_limit: float | None = None
    ) -> Future[Any]:
        """Queue a task and return its future at once.

        Args:
            task: "node_core.module:function", a public function at the top of its module.
            args: its positional arguments; they must pickle without torch.
            background: True for work nobody waits for, such as a chunk of a live run.
            time_limit: seconds of processor time after which the worker breaks the task off; a worker that does not
                even do that is ended.

        Returns:
            A future of the task's result; its exception is always a `TaskError`.

        Raises:
            ValueError: the task's name is not a public function of an allowed package.
            RuntimeError: the executor was closed.
        """
        check_task(task, self.packages)
        job = _Job(task, args, time_limit, background, Future())
        with self._lock:
            if self._closed:
                raise RuntimeError("The executor is closed.")
            self._queue_of(job).append(job)
        self._send()
        return job.future

    def pids(self) -> tuple[int, ...]:
        """Process ids of the living workers (for monitoring and tests)."""
        with self._lock:
            return _pids(self._pool)

    def end_hung_workers(self) -> bool:
        """End the workers if one of them is past its task's limit and a margin; whether that was so.

        The task fails; those that ran beside it begin again, without blame. A watch calls this all the time.
        """
        with self._lock:
            now, pool = self._clock(), self._pool
            late = [job for job in self._out if job.overdue_at < now]
            if not late or pool is None:
                return False
            for job in self._out:
                job.hung = job in late
                job.crashes -= not job.hung
                job.overdue_at = math.inf
        _log.warning("a worker hangs in %s; ending the workers", ", ".join(job.task for job in late))
        for process in _processes(pool):
            process.kill()  # a stopped one would not obey a request; the pool notices and is made anew
        return True

    def close(self) -> None:
        """Stop the workers and fail what still waits. Calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._closing.set()
            waiting = self._take_waiting()
            pool, self._pool = self._pool, None
        for job in waiting:
            _fail(job, TaskError("crash", "The computation was not started, because the server is closing."))
        if pool is not None:
            _end(pool)

    # -- the pool

    def _watch(self) -> None:
        while not self._closing.wait(self._margin / 4):
            self.end_hung_workers()

    def _start_pool(self) -> None:
        # In a thread of its own: the fork server imports torch for seconds before it can fork a worker.
        self._starting = True
        threading.Thread(target=self._make_pool, name="executor-start", daemon=True).start()

    def _make_pool(self) -> None:
        pool = ProcessPoolExecutor(
            self.workers,
            mp_context=_context(),
            initializer=worker.initialise,
            initargs=(self._memory, self._niceness),
        )
        failed = False
        try:
            with (
                _importable()
            ):  # each worker sleeps through its first task, so that the next one is forked too
                for ready in [pool.submit(time.sleep, 0.1) for _ in range(self.workers)]:
                    ready.result()
        except (BrokenProcessPool, OSError, EOFError, RuntimeError):
            _log.exception("the worker processes did not start; the next task will try again")
            failed = True
        with self._lock:
            self._starting = False
            self._running = 0
            self._out.clear()
            unwanted = failed or self._closed
            self._pool = None if unwanted else pool
            waiting = self._take_waiting() if failed else []
        for job in waiting:
            _fail(job, TaskError("crash", "The worker processes could not be started: see the server's log."))
        if unwanted:
            _end(pool)
        self._send()

    def _take_waiting(self) -> list[_Job]:
        waiting = [*self._studies, *self._background]
        self._studies.clear()
        self._background.clear()
        return waiting

    # -- the queue

    def _send(self) -> None:
        """Hand jobs to the pool while a worker is free: no more, so that a crash touches only what ran."""
        while True:
            with self._lock:
                job, pool = self._next(), self._pool
                if job is None or pool is None:
                    return
                try:
                    inner = pool.submit(worker.run_task, job.task, job.args, job.time_limit)
                except BrokenProcessPool:  # a worker died while idle: the job itself is not to blame
                    self._queue_of(job).appendleft(job)
                    self._rebuild(pool)
                    return
                except RuntimeError:  # the interpreter is shutting down
                    inner = None
                else:
                    self._running += 1
                    self._out.add(job)
                    if job.time_limit is not None:
                        job.overdue_at = self._clock() + worker.wall_limit(job.time_limit) + self._margin
            # Callers' callbacks run in what follows; under the lock they could wait for each other for ever.
            if inner is None:
                _fail(job, TaskError("crash", "The computation was not started: the server is closing."))
            else:
                inner.add_done_callback(functools.partial(self._done, job, pool))

    def _next(self) -> _Job | None:
        """The job to run now, if there is one and a worker is free; studies and background jobs alternate."""
        if self._pool is None:
            if (self._studies or self._background) and not self._starting and not self._closed:
                self._start_pool()
            return None
        while self._running < self.workers and (self._studies or self._background):
            use_study = bool(self._studies) and (self._study_is_next or not self._background)
            job = (self._studies if use_study else self._background).popleft()
            self._study_is_next = not use_study
            if job.future.running() or job.future.set_running_or_notify_cancel():
                return job
        return None

    def _done(self, job: _Job, pool: ProcessPoolExecutor, inner: Future[Any]) -> None:
        error = CancelledError() if inner.cancelled() else inner.exception()
        crashed = isinstance(error, BrokenProcessPool | CancelledError)
        with self._lock:
            self._out.discard(job)
            if self._pool is pool:
                self._running -= 1
            again = crashed and not job.hung and job.crashes < 1 and not self._closed
            if crashed:
                job.crashes += 1
                self._rebuild(pool)
            if again:
                self._queue_of(job).appendleft(job)
        if error is None:
            job.future.set_result(inner.result())
        elif crashed and not again:
            _fail(job, TaskError("crash", _HUNG if job.hung else _DIED_TWICE))
        elif not crashed:
            job.future.set_exception(error)
        self._send()

    def _queue_of(self, job: _Job) -> deque[_Job]:
        return self._background if job.background else self._studies

    def _rebuild(self, pool: ProcessPoolExecutor) -> None:
        if self._pool is pool:
            _log.warning("a worker process died; starting the pool again")
            self._pool = None
            if not self._starting and not self._closed:
                self._start_pool()


def _fail(job: _Job, error: TaskError) -> None:
    if job.future.running() or job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)


def _pids(pool: ProcessPoolExecutor | None) -> tuple[int, ...]:
    # ProcessPoolExecutor has no public list of its processes before Python 3.14.
    return tuple(process.pid for process in _processes(pool))


def _processes(pool: ProcessPoolExecutor | None) -> list[Any]:
    return list((getattr(pool, "_processes", None) or {}).values())


def _end(pool: ProcessPoolExecutor) -> None:
    processes = _processes(pool)
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def _context() -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOAD])
    return context


@contextmanager
def _importable() -> Iterator[None]:
    """Let the fork server find node_core from any working folder: it looks there and in PYTHONPATH."""
    root = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = root if before is None else os.pathsep.join((root, before))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before
