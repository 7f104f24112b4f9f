"""Live runs on a page: the run itself, its buttons, its canvas, and the WebSocket that feeds the canvas.

    token = live_run("node_core.training.odenet:advance", config, live_fields=("rtol", "learning_rate"))
    live_controls(token)
    view = live_view(token)

The canvas (assets/live) is mounted once and talks to `live_socket`; widgets only send commands to the run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from node_core.training.live import LiveRuns, View
from pages.ui.live_socket import asset_version
from pages.ui.study import executor

CanvasView = Literal["plane", "space", "time"]
Layer = Literal["boundary", "points", "paths", "particles", "grid", "steps"]

_LOADER = Path(__file__).resolve().parents[2] / "assets" / "live" / "loader.js"


@st.cache_resource(show_spinner=False)
def live_runs() -> LiveRuns:
    """The server's live runs."""
    return LiveRuns(executor())


def live_run(
    task: str, config: Any, *, live_fields: Sequence[str] = (), name: str = "run", play: bool = False
) -> str:
    """The token of this page's run, begun or changed as the configuration asks.

    The token is kept in the page's address (so that F5 finds the run again) and in the session (for coming back
    from another page). A change in `live_fields` alone reaches the run at its next chunk; any other
    one begins it again.

    Args:
        task: "node_core.module:advance".
        config: the frozen configuration that the page's widgets describe.
        live_fields: fields that may change while the run goes on.
        name: of the query parameter; a page with two runs needs two.
        play: begin playing at once.
    """
    runs = live_runs()
    memory = f"live {name} {task}"
    token = st.query_params.get(name) or st.session_state.get(memory)
    if token is None or token not in runs or runs.task(token) != task:
        try:
            token = runs.start(task, config)
        except ValueError as error:
            st.error(str(error), icon=":material/error:")
            st.stop()
        if play:
            runs.play(token)
    st.session_state[memory] = token
    if st.query_params.get(name) != token:
        st.query_params[name] = token
    _follow(runs, token, config, live_fields)
    return token


def _follow(runs: LiveRuns, token: str, config: Any, live_fields: Sequence[str]) -> None:
    """Bring the run to the page's configuration, gently if it can be."""
    present = runs.poll(token).config
    if type(present) is not type(config):
        runs.reset(token, config, fresh=True)
        return
    changes = {
        entry.name: getattr(config, entry.name)
        for entry in fields(config)
        if getattr(config, entry.name) != getattr(present, entry.name)
    }
    if changes and set(changes) <= set(live_fields):
        runs.message(token, changes)
    elif changes:
        playing = runs.look(token).status == "running"
        runs.reset(token, config, fresh=True)
        if playing:
            runs.play(token)


def live_controls(token: str, *others: str) -> None:
    """Play or pause, step, reset, speed. Space, the right arrow and r do the same.

    The buttons are the canvas's own: they command over its socket and show the server's answer, without a rerun.

    Args:
        token: the run.
        others: runs shown beside it, which do all the same.
    """
    runs = live_runs()
    tokens = (token, *others)
    states = [runs.poll(each).status for each in tokens]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _bar()(
            key=f"{token} bar",
            data={
                "tokens": list(tokens),
                "statuses": states,
                "module": f"live-assets/{asset_version()}/bar.js",
            },
            width="content",
            height="content",
            on_command_change=functools.partial(_obey, f"{token} bar", tokens),
        )
        speed = st.select_slider(
            "Speed",
            options=list(_PACES),
            value="fast",
            key=f"{token} speed",
            width=180,
            help="Slow shows single iterations, smooth a picture after every few; fast trains as quickly as the server "
            "can.",
        )
    budget, interval = _PACES[speed]
    for each in tokens:
        runs.pace(each, budget=budget, interval=interval)


def _obey(key: str, tokens: Sequence[str]) -> None:
    """What a button asked for where the browser has no socket; runs beside each other stay in step."""
    runs = live_runs()
    present = [token for token in tokens if token in runs]  # a run may have made room for another
    playing = [token for token in present if runs.look(token).status == "running"]
    match st.session_state[key].get("command"):
        case "toggle":
            for token in playing or present:
                (runs.pause if playing else runs.play)(token)
        case "step":
            for token in present:
                runs.step(token)
        case "reset":
            for token in present:
                runs.reset(token)


# name: seconds of computing a chunk (1e-3: one iteration), least seconds between two chunks
_PACES = {"slow": (1e-3, 0.5), "medium": (1e-3, 0.1), "smooth": (0.016, 0.0), "fast": (0.15, 0.0)}


def live_view(
    token: str,
    *,
    height: int = 520,
    view: CanvasView = "plane",
    views: Sequence[CanvasView] = ("plane", "space", "time"),
    layers: Sequence[Layer] = ("boundary", "points", "paths", "particles"),
    offered: Sequence[Layer] = ("boundary", "points", "paths", "particles", "grid", "steps"),
    key: str | None = None,
    on_pick: Callable[[], None] | None = None,
    follows: bool = True,
) -> View:
    """Mount the canvas that draws the run, and tell how the run stands (a failure in one sentence).

    Args:
        token: the run, as `live_run` gave it.
        height: pixels; less on a narrow screen.
        view: what is shown first: "plane" (data space), "space" (with the third dimension), "time".
        views: which of them the user may choose.
        layers: what is drawn at first.
        offered: what the user can switch on and off, where the snapshots have it.
        key: of the component; needed when a page shows one run twice.
        on_pick: called when a particle was clicked, before the page reruns; its number is
            `st.session_state[key].picked`.
        follows: whether the page is drawn again after play, pause and step too; else only after what is told here, a
            failure or the end.
    """
    _canvas()(
        key=key or f"live {token}",
        data={
            "token": token,
            "module": f"live-assets/{asset_version()}/main.js",
            "height": height,
            "view": view,
            "views": list(views),
            "layers": list(layers),
            "offered": list(offered),
            "follows": follows,
        },
        height="content",
        on_event_change=_ignore,
        on_picked_change=on_pick or _ignore,
    )
    state = live_runs().poll(token)
    if state.status == "failed":
        st.error(state.error, icon=":material/error:")
    return state


def _ignore() -> None:
    """The component's event only reruns the page, so that buttons and curves follow the keyboard."""


@st.cache_resource(show_spinner=False)
def _canvas() -> Any:
    return st.components.v2.component("live_canvas", html='<div class="live"></div>', js=_LOADER.read_text())


@st.cache_resource(show_spinner=False)
def _bar() -> Any:
    return st.components.v2.component("live_bar", html='<div class="live-bar"></div>', js=_LOADER.read_text())
