"""What pages keep of their runs: files that bring a run back to a server that has lost it.

Workers write them and workers read them (`chunk.keep_run`, `chunk.resume_run`): what comes back may be anybody's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager

from node_core.runs.chunk import Resumed
from node_core.runs.executor import Executor
from node_core.runs.record import Run
from node_core.runs.snapshot import thinned
from node_core.runs.worker import TaskError

_log = logging.getLogger(__name__)
_KEEP = "node_core.runs.chunk:keep_run"
_RESUME = "node_core.runs.chunk:resume_run"
_LIMIT = 30.0  # s
_ROWS = 400  # of a history: the server packs them for the worker, and no file has room for more


class KeptRuns:
    """Writes and reads the files of runs. Every method may be called from any thread and returns at once.

    Args:
        executor: where that is done.
        lock: of the runs.
        runs: by their tokens.
        changed: called without the lock when a run has begun to be read, or was.
    """

    def __init__(
        self,
        executor: Executor,
        lock: AbstractContextManager[object],
        runs: Mapping[str, Run],
        changed: Callable[[Run], None],
    ) -> None:
        self._executor = executor
        self._lock = lock
        self._runs = runs
        self._changed = changed

    def file(self, token: str) -> Future[bytes] | None:
        """The file with which a run can go on from its last good state; None before there is one.

        The future fails with a `TaskError` where such a run can't be kept.

        Raises:
            KeyError: no such run.
        """
        with self._lock:
            run = self._runs[token]
            if run.good is None:
                return None
            rows = thinned(run.rows[: run.good_rows], _ROWS)
            return self._executor.submit(
                _KEEP, run.task, run.config, run.good, rows, background=True, time_limit=_LIMIT
            )

    def resume(self, token: str, raw: bytes, shown: int = 0) -> None:
        """Let a run go on from what its page says that it had kept.

        A run that was played has more to lose than to win, and stays as it is.

        Args:
            token: of the run.
            raw: the file.
            shown: the iteration that the page had shown last.

        Raises:
            KeyError: no such run.
        """
        with self._lock:
            run = self._runs[token]
            if run.played or run.resuming:
                return
            run.wait_for_file()
            generation = run.generation
            future: Future[Resumed] = self._executor.submit(
                _RESUME, run.task, run.config, raw, background=True, time_limit=_LIMIT
            )
        self._changed(run)
        future.add_done_callback(lambda done: self._receive(run, generation, shown, done))

    def _receive(self, run: Run, generation: int, shown: int, future: Future[Resumed]) -> None:
        with self._lock:
            if run.generation != generation:
                return
            error = future.exception()
            if error is None:
                run.take_up(future.result(), shown)
            else:
                fault = isinstance(error, TaskError) and error.kind == "bug"
                if fault:
                    _log.error("what a page had kept could not be read", exc_info=error)
                run.refuse("The fault is the program's: see the server's log." if fault else str(error))
        self._changed(run)
