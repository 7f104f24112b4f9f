"""Live runs on a page: the run itself, its buttons, its canvas, and the WebSocket that feeds the canvas.

    token = live_run("node_core.training.odenet:advance", config, live_fields=("rtol", "learning_rate"))
    live_controls(token)
    view = live_view(token)

The canvas (assets/live) is mounted once and talks to `pages.ui.live.socket`; widgets only send commands to the run.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

import streamlit as st

from node_core.runs.machine import room_for_runs, this_machine
from node_core.runs.record import View
from node_core.runs.scheduler import LiveRuns
from pages.ui.address import escaped
from pages.ui.canvas import inline_script
from pages.ui.layout import presented
from pages.ui.live.socket import asset_address
from pages.ui.study import executor
from pages.ui.tab import tab_memory

CanvasView = Literal["plane", "space", "time"]
Layer = Literal["boundary", "points", "paths", "particles", "grid", "steps"]

CANVAS = '<div class="live"></div>'
CANVAS_SCRIPT = inline_script("live/loader.js")

# Links from before have the key to somebody's run in one of these: it opens nothing, and goes out of the address.
_TOKENS_ONCE = ("run", "larger", "resnet", "depth", "limit")


_PATIENCE = 20.0  # s for a run's first state


@st.cache_resource(show_spinner=False)
def live_runs() -> LiveRuns:
    """The server's live runs."""
    return LiveRuns(executor(), memory=room_for_runs(this_machine()))


def first_state(token: str) -> bytes | None:
    """The run's state, waited for a moment: a page that has just been opened has only just begun its run.

    None, and a sentence on the page, if there is none by then.
    """
    runs = live_runs()
    raw = runs.state(token) if token in runs else None
    if raw is None:
        give_up = time.monotonic() + _PATIENCE
        with st.spinner("Waiting for the run to begin…"):
            while token in runs and (raw := runs.state(token)) is None and time.monotonic() < give_up:
                time.sleep(0.05)
    if raw is None:
        st.info("The run is about to begin: press the button in a moment.", icon=":material/hourglass_empty:")
    return raw


def live_run(
    task: str,
    config: Any,
    *,
    live_fields: Sequence[str] = (),
    begins_anew: Callable[[Any, Any], bool] | None = None,
    name: str = "run",
    play: bool = False,
) -> str:
    """The token of this page's run, begun or changed as the configuration asks.

    The run is its tab's (see `pages.ui.tab`): found again after F5 or a visit to another page, and by nobody else.
    A change in `live_fields` alone reaches the run at its next chunk; any other one begins it again.

    Args:
        task: "node_core.module:advance".
        config: the frozen configuration that the page's widgets describe.
        live_fields: fields that may change while the run goes on.
        begins_anew: whether a run of the first configuration can't go on as the second, though nothing else changed.
        name: a page with two runs needs two.
        play: begin playing at once.
    """
    for old in _TOKENS_ONCE:
        st.query_params.pop(old, None)
    runs = live_runs()
    token = present_run(task, name)
    if token is None:
        try:
            token = runs.start(task, config)
        except ValueError as error:
            st.error(str(error), icon=":material/error:")
            st.stop()
        if play:
            runs.play(token)
        memory = tab_memory()
        before = memory.get(_slot(task, name), "")
        memory[_slot(task, name)] = token
        if runs.given_up(before):
            memory[_instead(token)] = before
    _follow(runs, token, config, live_fields, begins_anew)
    return token


def present_run(task: str, name: str = "run") -> str | None:
    """The token of this page's run, or None before there is one (see `live_run`)."""
    token = tab_memory().get(_slot(task, name))
    return token if token in live_runs() else None


def _slot(task: str, name: str) -> str:
    return f"{name} {task}"


def _slot_of(token: str) -> str:
    """The place of a run in its tab, the same for the run that comes in its stead when a server has lost it."""
    return next((slot for slot, held in tab_memory().items() if held == token), token)


def _instead(token: str) -> str:
    return f"stands for a run that was given up: {token}"


def _follow(
    runs: LiveRuns,
    token: str,
    config: Any,
    live_fields: Sequence[str],
    begins_anew: Callable[[Any, Any], bool] | None,
) -> None:
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
    gently = set(changes) <= set(live_fields) and not (begins_anew and begins_anew(present, config))
    if changes and gently:
        runs.message(token, changes)
    elif changes:
        playing = runs.look(token).status == "running"
        runs.reset(token, config, fresh=True)
        if playing:
            runs.play(token)


def live_controls(token: str, *others: str, in_step: bool = True) -> None:
    """Play or pause, step, reset, speed. Space, the right arrow and r do the same.

    The buttons are the canvas's own: they command over its socket and show the server's answer, without a rerun.

    Args:
        token: the run.
        others: runs shown beside it, which do all the same.
        in_step: whether they stay at one iteration; else each goes as fast as it can.
    """
    runs = live_runs()
    tokens = (token, *others)
    if in_step:
        runs.pair(tokens)
    states = [runs.poll(each).status for each in tokens]
    # Not by the token: after the server has lost the run, the controls stay as they are.
    bar, slider = (f"{_slot_of(token)} {part}" for part in ("bar", "speed"))
    with presented("play", horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        _bar()(
            key=bar,
            data={
                "tokens": list(tokens),
                "statuses": states,
                "module": asset_address("bar.js"),
            },
            width="content",
            height="content",
            on_command_change=functools.partial(_obey, bar, tokens),
        )
        speed = st.select_slider(
            "Speed",
            options=list(_PACES),
            value="fast",
            key=slider,
            width=110,
            help="Slow shows single iterations, smooth a picture after every few; fast trains as quickly as the server "
            "can.",
        )
    budget, interval = _PACES[speed]
    for each in tokens:
        runs.pace(each, budget=budget, interval=interval)
    _tell_what_was_lost(tokens)


def _tell_what_was_lost(tokens: Sequence[str]) -> None:
    """Say what became of runs that the server had, and has no more, until it was read."""
    # A place that is always there: what comes below it must not be moved, and so made anew, when a word appears.
    place = st.empty()
    memory = tab_memory()
    views = [live_runs().look(token) for token in tokens]
    for token, view in zip(tokens, views, strict=True):
        if view.played and view.resumed is None:
            memory.pop(_instead(token), None)  # it plays on, or began anew
    given_up = any(_instead(token) in memory for token in tokens)
    runs = "run" if len(tokens) == 1 else "runs"
    reason = f"The server has lost your {runs}, as when it is started anew"
    if given_up:
        reason = f"While nobody watched, your {runs} had to make room for others on this server"
    resumed = [view for view in views if view.resumed is not None]
    refusals = dict.fromkeys(escaped(view.refusal) for view in views if view.refusal)
    if refusals:
        place.warning(
            f"{reason}. What this tab has kept was refused: {' '.join(refusals)} That begins anew.",
            icon=":material/history:",
        )
    elif resumed:
        place.info(f"{reason}: {_taken(resumed)}", icon=":material/history:")
    elif given_up and not any(view.played or view.resuming for view in views):
        place.info(f"{reason}: this begins anew.", icon=":material/info:")


def _taken(resumed: Sequence[View]) -> str:
    """What came back, and how much is missing of it."""
    what = "your net was" if len(resumed) == 1 else f"{len(resumed)} of your nets were"
    at = sorted(view.resumed or 0 for view in resumed)
    where = f"iteration {at[0]:,}" if at[0] == at[-1] else f"iterations {at[0]:,} to {at[-1]:,}"
    most = max(view.missing for view in resumed)
    more = f"{'Up to ' * (len(resumed) > 1)}{most:,} more, which it had shown, {'is' if most == 1 else 'are'} lost"
    lost = f" {more}: it keeps a net that plays only now and then." if most else ""
    return f"{what} taken from this tab, at {where}.{lost}"


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
    subject: str = "",
    steps: tuple[str, str] | None = None,
    euler: int | None = None,
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
        subject: what the run is about: the canvas says that it waits for a picture of it.
        steps: what the solver's ways there and back are called, whose steps are drawn below the picture; None: they
            are not.
        euler: of a run that is compared with others, the samples in so many Euler steps are shown.
    """
    drawn = {
        "view": view,
        "views": list(views),
        "layers": list(layers),
        "offered": list(offered),
        "steps": steps,
        "euler": euler,
    }
    return run_view(
        _canvas(),
        token,
        "main.js",
        drawn,
        height=height,
        key=key,
        on_pick=on_pick,
        follows=follows,
        subject=subject,
    )


def run_view(
    component: Any,
    token: str,
    module: str,
    drawn: Mapping[str, Any],
    *,
    height: int,
    key: str | None = None,
    on_pick: Callable[[], None] | None = None,
    follows: bool = True,
    subject: str = "",
) -> View:
    """Mount a view of a run (assets/live/run_view.js), and tell how the run stands (a failure in one sentence).

    Args:
        component: Streamlit's; its script is `CANVAS_SCRIPT`.
        token: the run.
        module: the script that draws, as `asset_address` takes it.
        drawn: what that script is told besides.
        height, key, follows, subject: as of `live_view`.
        on_pick: called when something was picked in the view, before the page reruns.
    """
    before = live_runs().look(token)
    component(
        key=key or f"live {_slot_of(token)}",
        data={
            "token": token,
            "slot": _slot_of(token),
            "module": asset_address(module),
            "height": height,
            "follows": follows,
            "begun": before.begun,
            "fate": [before.resumed, before.refusal],
            "subject": subject,
            **drawn,
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
    return st.components.v2.component("live_canvas", html=CANVAS, js=CANVAS_SCRIPT)


@st.cache_resource(show_spinner=False)
def _bar() -> Any:
    return st.components.v2.component("live_bar", html='<div class="live-bar"></div>', js=CANVAS_SCRIPT)
