"""Asking a worker: `study` for a frozen configuration, `read_upload` for a file, while the script only waits.

What comes with the project (`node_core.runs.shipped`) is not asked for: it is there at once. Where it holds times, the
page says by `tell_where_measured` on which machine they were taken, and offers to take them here.
"""

from __future__ import annotations

import logging
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures import wait
from typing import Any

import streamlit as st

from node_core.runs.executor import Executor
from node_core.runs.shipped import Shipped, find
from node_core.runs.worker import TaskError, wall_limit

_log = logging.getLogger(__name__)
_LONG = 30.0  # s: what may take longer than this tells how long it has taken so far
_PATIENCE = 20.0  # s that a study may wait for a free worker, beside its own time


@st.cache_resource(show_spinner=False)
def executor() -> Executor:
    """The server's one executor; app.py calls it at the start, so that the first study finds its workers."""
    return Executor()


def study(task: str, config: Any, *more: Any, time_limit: float = 20.0, spinner: str = "Computing…") -> Any:
    """The result of a study, or None after telling the user in one sentence why there is none.

    Results are cached by the value of the arguments, for all sessions (each gets a copy); errors are not. The answer to
    a question that was shipped is the shipped one, until this session has asked for it to be measured here.

    Args:
        task: "node_core.studies.name:run", a function of the configuration.
        config: a frozen dataclass.
        more: further arguments, hashed by value as well (a live run's state, say).
        time_limit: seconds the computation may take.
        spinner: what is shown meanwhile.
    """
    found = None if more else shipped(task, config)
    if found is not None:
        return found.answer
    try:
        with st.spinner(spinner, show_time=time_limit > _LONG):
            return _result(task, config, more, time_limit)
    except TaskError as error:
        st.error(sentence(error), icon=":material/error:")
        return None


def shipped(task: str, config: Any) -> Shipped | None:
    """What `study` answers with no worker; None where one computes it."""
    return None if st.session_state.get(_here(task)) else find(task, config)


def tell_where_measured(task: str, config: Any, what: str = "times") -> None:
    """Say on which machine the times of a study were taken, if not on this one, and offer to take them here."""
    found = shipped(task, config)
    if found is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"The {what} were recorded beforehand, on {found.machine}.", width="content")
        st.button(
            "Measure them here",
            key=f"{_here(task)} button",
            icon=":material/timer:",
            on_click=_measure_here,
            args=(task,),
        )


def _measure_here(task: str) -> None:
    st.session_state[_here(task)] = True


def _here(task: str) -> str:
    return f"measured here: {task}"


@st.cache_data(max_entries=16, ttl=3600, show_spinner=False)
def read_upload(
    task: str, data: bytes | tuple[tuple[str, bytes], ...], *more: Any, _time_limit: float = 10.0
) -> Any:
    """What a worker makes of a user's file: the server itself parses nothing that comes from outside.

    Args:
        task: "node_core.module:function", a function of the file's content.
        data: the content; of several files their names and contents.
        more: further arguments, hashed by value as well.
        _time_limit: seconds that reading may take.

    Raises:
        ValueError: the file can't be used; a plain sentence that says why, and what to do.
    """
    try:
        return _answer(task, (data, *more), _time_limit)
    except TaskError as error:
        if error.kind in ("time", "memory"):
            what = f"longer than {_time_limit:g} s" if error.kind == "time" else "more memory than there is"
            raise ValueError(f"reading this file would take {what}: give a smaller one.") from error
        raise ValueError(sentence(error)) from error


def sentence(error: TaskError) -> str:
    """What the user reads; the program's own faults go to the server's log."""
    if error.kind == "bug":
        _log.error("a task failed", exc_info=error)
        return "This could not be computed. The fault is the program's, not yours: see the server's log."
    return error.message


@st.cache_data(max_entries=128, ttl=3600, show_spinner=False)
def _result(task: str, config: Any, more: tuple[Any, ...], _time_limit: float) -> Any:
    return _answer(task, (config, *more), _time_limit)


def _answer(task: str, args: tuple[Any, ...], time_limit: float) -> Any:
    future = executor().submit(task, *args, time_limit=time_limit)
    try:
        wait([future], time_limit + _PATIENCE)
        # What a worker computes is given the worker's own limit: the processor of a busy machine is not its fault.
        return future.result(wall_limit(time_limit) if future.running() else 0)
    except FutureTimeoutError:
        future.cancel()
        raise TaskError(
            "time", "The server is busy with other computations: try again in a moment."
        ) from None
