"""The executor: every computation of the app runs here, in worker processes, never in the server.

Tasks are named by import path ("node_core.studies.race:run"), so that the server needs no torch to ask for
them. They are stateless: what a task needs comes in its arguments and leaves in its result. That is why a
killed worker costs one task, which simply runs again.
"""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from node_core.training import worker
from node_core.training.worker import TaskError, check_task

_log = logging.getLogger(__name__)
_PRELOAD = "node_core.training.preload"


@dataclass
class _Job:
    task: str
    args: tuple[Any, ...]
    time_limit: float | None
    background: bool
    future: Future[Any]
    crashes: int = 0


class Executor:
    """A bounded pool of worker processes that keeps itself alive.

    The pool starts in the background at once, so that the first task finds its worker ready; `submit` never
    blocks. Tasks wait in two queues, studies (someone waits for the answer) and background (chunks of live
    runs), served in turn; within a queue first come is first served.

    Args:
        workers: number of processes; None takes one a core.
        memory: bytes a worker may allocate beyond its start; None for no limit.
        niceness: added to the workers' niceness.
        packages: where tasks may live; a task's module must lie inside one of them.

    Raises:
        ValueError: fewer than one worker.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        memory: int | None = 3 * 2**30,
        niceness: int = 10,
        packages: tuple[str, ...] = ("node_core",),
    ) -> None:
        self.workers = max(1, _cores()) if workers is None else workers
        if self.workers < 1:
            raise ValueError(f"An executor with {self.workers} workers can't run anything: take 1 or more.")
        self.packages = packages
        self._memory = memory
        self._niceness = niceness
        self._lock = threading.RLock()
        self._studies: deque[_Job] = deque()
        self._background: deque[_Job] = deque()
        self._study_is_next = True
        self._running = 0
        self._closed = False
        self._starting = False
        self._pool: ProcessPoolExecutor | None = None
        self._start_pool()

    def submit(
        self, task: str, *args: Any, background: bool = False, time_limit: float | None = None
    ) -> Future[Any]:
        """Queue a task and return its future at once.

        Args:
            task: "node_core.module:function", a public function at the top of its module.
            args: its positional arguments; they must pickle without torch.
            background: True for work nobody waits for, such as a chunk of a live run.
            time_limit: seconds after which the worker breaks the task off.

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

    def close(self) -> None:
        """Stop the workers and fail what still waits. Calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = self._take_waiting()
            pool, self._pool = self._pool, None
        for job in waiting:
            _fail(job, TaskError("crash", "The computation was not started, because the server is closing."))
        if pool is not None:
            _end(pool)

    # -- the pool

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
            if self._pool is pool:
                self._running -= 1
            again = crashed and job.crashes == 0 and not self._closed
            if crashed:
                job.crashes += 1
                self._rebuild(pool)
            if again:
                self._queue_of(job).appendleft(job)
        if error is None:
            job.future.set_result(inner.result())
        elif crashed and not again:
            _fail(
                job,
                TaskError(
                    "crash",
                    "The worker process died twice during this computation: make the problem smaller.",
                ),
            )
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
    return tuple((getattr(pool, "_processes", None) or {}).keys())


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
