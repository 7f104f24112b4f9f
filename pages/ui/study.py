"""Asking for a computation: `study` runs a frozen configuration in a worker while the script only waits."""

from __future__ import annotations

import logging
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import streamlit as st

from node_core.training.jobs import Executor
from node_core.training.worker import TaskError

_log = logging.getLogger(__name__)
_PATIENCE = 20.0  # s that a study may wait for a free worker, beside its own time


@st.cache_resource(show_spinner=False)
def executor() -> Executor:
    """The server's one executor; app.py calls it at the start, so that the first study finds its workers."""
    return Executor()


def study(task: str, config: Any, *more: Any, time_limit: float = 20.0, spinner: str = "Computing…") -> Any:
    """The result of a study, or None after telling the user in one sentence why there is none.

    Results are cached by the value of the arguments, for all sessions (each gets a copy); errors are not.

    Args:
        task: "node_core.studies.name:run", a function of the configuration.
        config: a frozen dataclass.
        more: further arguments, hashed by value as well (a live run's state, say).
        time_limit: seconds the computation may take.
        spinner: what is shown meanwhile.
    """
    try:
        with st.spinner(spinner):
            return _result(task, config, more, time_limit)
    except TaskError as error:
        st.error(sentence(error), icon=":material/error:")
        return None


def sentence(error: TaskError) -> str:
    """What the user reads; the program's own faults go to the server's log."""
    if error.kind == "bug":
        _log.error("a task failed", exc_info=error)
        return "This could not be computed. The fault is the program's, not yours: see the server's log."
    return error.message


@st.cache_data(max_entries=128, ttl=3600, show_spinner=False)
def _result(task: str, config: Any, more: tuple[Any, ...], _time_limit: float) -> Any:
    future = executor().submit(task, config, *more, time_limit=_time_limit)
    try:
        return future.result(_time_limit + _PATIENCE)
    except FutureTimeoutError:
        future.cancel()
        raise TaskError(
            "time", "The server is busy with other computations: try again in a moment."
        ) from None
