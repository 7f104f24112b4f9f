"""What runs inside a worker process: its limits, the task it is given, and the errors it answers with.

The module imports no torch, because the server imports it to name its functions; the worker finds torch
already loaded by `node_core.runs.preload`.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import Any, Literal

ErrorKind = Literal["input", "solve", "time", "memory", "crash", "bug"]

_TASK = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+:[A-Za-z]\w*")
_SHORTEST = 0.01  # s between two looks at the clock
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class TaskError(RuntimeError):
    """A task that gave no result, told in one sentence for people.

    Args:
        kind: "input" (the user's values: the task raised ValueError), "solve" (the solver gave up), "time"
            (out of time), "memory" (out of memory), "crash" (the worker process died), "bug" (anything else).
        message: one sentence that says what happened and what to change.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


class OutOfTime(BaseException):
    """Raised by the timer's signal; no Exception, so that a task's own `except Exception` lets it pass."""


def check_task(task: str, packages: tuple[str, ...] = ("node_core",)) -> None:
    """Refuse a task that is not a public function "package.module:function" of an allowed package.

    Raises:
        ValueError: the name has another form or lies elsewhere.
    """
    if not _TASK.fullmatch(task) or task.partition(".")[0] not in packages:
        raise ValueError(
            f"Task {task!r} is not a public function 'package.module:function' of {', '.join(packages)}."
        )


def initialise(memory: int, niceness: int) -> None:
    """Prepare a fresh worker: nice, bounded in memory, one thread, deaf to Ctrl-C, gone when the server is.

    Args:
        memory: bytes of address space the worker may take beyond what it has now.
        niceness: added to the process's niceness, so that the server on the same cores stays responsive.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the terminal sends Ctrl-C to the whole group; the server decides
    if hasattr(os, "nice"):
        os.nice(niceness)
    threading.Thread(target=_exit_with_parent, name="parent-watch", daemon=True).start()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    _limit_memory(memory)


def run_task(task: str, args: tuple[Any, ...], time_limit: float | None) -> Any:
    """Import and call one task; every failure comes back as a `TaskError`, which needs no torch to unpickle.

    Args:
        task: "node_core.module:function".
        args: its positional arguments.
        time_limit: seconds of processor time after which the task is broken off, or twice as many on the wall; None
            for no limit.

    Raises:
        TaskError: the task failed.
    """
    module, _, name = task.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        with _alarm(time_limit):
            return function(*args)
    except OutOfTime as error:
        raise TaskError("time", str(error)) from None
    except BaseException as error:
        raise _told(error) from error


def _told(error: BaseException) -> TaskError:
    """The sentence for an exception, without the exception itself (it may hold tensors)."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, TaskError):
        return error
    if isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY):
        return TaskError(
            "memory", "The computation needed more memory than a worker may take: make the problem smaller."
        )
    if isinstance(error, ValueError):
        return TaskError("input", text)
    if any(base.__name__ == "SolveError" for base in type(error).__mro__):
        return TaskError("solve", text)
    return TaskError("bug", f"The computation failed with {type(error).__name__}: {text}")


def wall_limit(time_limit: float) -> float:
    """Seconds on the wall after which a task has broken off by itself, unless its worker hangs."""
    return 2 * time_limit


def time_left(time_limit: float, computed: float, passed: float) -> float:
    """Seconds after which to look again whether a task is out of time.

    Others may have had the processor meanwhile: that is no fault of the task, up to a point.

    Args:
        time_limit: what the task may take.
        computed: processor time that it took.
        passed: time on the wall since it began.
    """
    if computed >= time_limit:
        remedy = "make the problem smaller or the tolerance looser."
    elif passed >= wall_limit(time_limit):
        remedy = "the server is busy with other work. Try again in a moment."
    else:
        return min(time_limit - computed, wall_limit(time_limit) - passed)
    raise OutOfTime(f"The computation took longer than {time_limit:g} s and was stopped: {remedy}")


@contextmanager
def _alarm(time_limit: float | None) -> Iterator[None]:
    if time_limit is None or not hasattr(signal, "setitimer"):
        yield
        return

    computed, started = time.process_time(), time.monotonic()

    def ring(signum: int, frame: object) -> None:
        left = time_left(time_limit, time.process_time() - computed, time.monotonic() - started)
        signal.setitimer(signal.ITIMER_REAL, max(left, _SHORTEST))

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, time_limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _limit_memory(extra: int) -> None:
    """Bound the address space: a runaway task gets a MemoryError instead of taking the machine down."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = now + extra if hard == resource.RLIM_INFINITY else min(now + extra, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _exit_with_parent() -> None:
    """Wait for the server's end without waking up; a killed server can't tell its workers otherwise."""
    parent = parent_process()
    if parent is None:  # the worker's functions called in an ordinary process, as a test does
        return
    wait([parent.sentinel])
    os._exit(1)
