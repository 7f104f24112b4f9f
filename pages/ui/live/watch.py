"""Watch me: a tab's live runs in the tabs of others, with its settings and its camera, to be looked at and no more."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from node_core.runs.shared import is_key
from pages.ui.address import escaped
from pages.ui.live.chart import watched_chart
from pages.ui.live.feed import live_feeds
from pages.ui.live.parts import parts
from pages.ui.live.run import WATCHED, live_runs, watching
from pages.ui.live.watching import LEFT, STOPPED, Canvas, Shown, Stage
from pages.ui.share import page_address, settings_now, share_link
from pages.ui.tab import known_tab, tab_memory, tabs

WATCH = "watch"  # in the address
_TROUBLE = "trouble with watching"
_A_ROW = 3  # canvases
_WHY = {
    STOPPED: "Who showed this to you has stopped sharing it.",
    LEFT: "Who showed this to you has left the page.",
    "": "Nobody shows anything under this link any more: it was stopped, or the server was started anew.",
}


# -- who shows


def watch_link(page: str, title: str) -> None:
    """Offer to let others watch, or show the link under which they do.

    Args:
        page: its name in the address.
        title: of the lesson.
    """
    st.markdown(
        "Whoever opens this address sees your runs live, as you look at them, and can't touch them. It goes with this "
        "tab, to other lessons too, until you stop it."
    )
    key = watched_key()
    if key is None:
        st.button(
            "Let others watch",
            key="watch open",
            icon=":material/visibility:",
            on_click=_open,
            args=(page, title),
        )
        if st.session_state.get(_TROUBLE):
            st.warning(st.session_state[_TROUBLE], icon=":material/error:")
        return
    share_link(page_address({WATCH: key}, {}), "share watch address", "what others watch")
    st.button("Stop sharing", key="watch close", icon=":material/visibility_off:", on_click=_close)


def watched_key() -> str | None:
    """The key under which others may watch this tab; None if they may not."""
    key = tab_memory().get(WATCHED, "")
    return key if key and watching().find(key) is not None else None


def publish(page: str, title: str) -> None:
    """Let those who watch see what the page shows now."""
    key = watched_key()
    if key is not None:
        watching().show(key, stage_now(page, title))


def stage_now(page: str, title: str) -> Stage:
    """What the page has drawn."""
    drawn = parts()
    settings = settings_now((WATCH,))
    return Stage(page, title, settings, tuple(drawn.canvases), tuple(drawn.charts))


def show_who_watches() -> None:
    """Say above the page that others may watch, and how many do, as long as they may."""
    if watched_key() is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="share watched"):
        st.fragment(_count, run_every=5.0)()
        st.button("Stop sharing", key="watch close above", type="tertiary", on_click=_close)


def _count() -> None:
    key = watched_key()
    count = 0 if key is None else watching().watchers(key)
    st.markdown(
        f":red[:material/radio_button_checked:] Others may watch this tab: {count or 'nobody'} "
        f"{'do' if count > 1 else 'does'} now.",
        width="content",
    )


def _open(page: str, title: str) -> None:
    memory = tab_memory()
    st.session_state[_TROUBLE] = ""
    try:
        if not known_tab():
            raise ValueError("This host serves Streamlit's own page, which can't tell one tab from another.")
        key = watching().open(lambda: tabs().connected(memory))
    except ValueError as error:
        st.session_state[_TROUBLE] = str(error)
        return
    memory[WATCHED] = key
    watching().show(key, stage_now(page, title))


def _close() -> None:
    key = tab_memory().pop(WATCHED, "")
    watching().close(key)
    live_feeds().withdraw((WATCH, key))


# -- who watches


def watched_page() -> bool:
    """Draw what the address lets watch, in the place of a page; whether it names anything."""
    key = st.query_params.get(WATCH)
    if key is None:
        return False
    shown = watching().find(key) if is_key(key) else None
    if shown is None or not shown.stage.title:  # a class shows nothing
        live_feeds().withdraw((WATCH, key))
        why = _WHY[watching().ended(key)] if is_key(key) else "This link is not whole: copy all of it."
        st.info(f"{why} The lessons beside this are all yours.", icon=":material/visibility_off:")
        return True
    stage, changes = shown.stage, shown.changes
    st.title(stage.title)
    with st.container(horizontal=True, vertical_alignment="center"):
        words = ":material/visibility: You watch, live; only who shows it can change it."
        st.markdown(f"{words}{_settings(stage)}", width="content")
        own = f"./{stage.page}?{urlencode(stage.settings, doseq=True)}"
        st.link_button("Open it as a page of your own", own, type="tertiary", icon=":material/open_in_new:")
    _draw(shown, stage, changes)
    return True


def _settings(stage: Stage) -> str:
    """What was set otherwise than at first."""
    said = [f"{escaped(name)} = {escaped(', '.join(values))}" for name, values in stage.settings.items()]
    return f" Set: {' · '.join(said)}." if said else ""


def _draw(shown: Shown, stage: Stage, changes: int) -> None:
    there = [canvas for canvas in stage.canvases if canvas.token in live_runs()]
    for start in range(0, len(there), _A_ROW):
        row = there[start : start + _A_ROW]
        for column, canvas in zip(st.columns(min(len(there), _A_ROW)), row, strict=False):
            with column:
                mount(shown, canvas, changes)
    for start in range(0, len(stage.charts), _A_ROW):
        row_of_charts = stage.charts[start : start + _A_ROW]
        for column, chart in zip(st.columns(len(row_of_charts)), row_of_charts, strict=True):
            with column:
                watched_chart(chart, (WATCH, shown.key))
    if not there:
        st.info("There is no live picture on the page that is shown now: watch the screen in the room.")
        st.fragment(_wait, run_every=3.0)(shown.key, changes)


def _wait(key: str, changes: int) -> None:
    """Without a canvas nobody tells the page of a change: it looks itself."""
    shown = watching().find(key)
    if shown is None or shown.changes != changes:
        st.rerun()


def mount(shown: Shown, canvas: Canvas, changes: int, **look: object) -> None:
    """Mount a canvas of somebody else's tab.

    Args:
        shown: the tab.
        canvas: as its owner's page has it.
        changes: of the tab, as the page knows it.
        look: for the script, instead of what the owner's has.
    """
    place, view = shown.place_of(canvas.token), live_runs().look(canvas.token)
    data = {
        **canvas.data,
        "editable": False,
        **look,
        "token": f"{shown.key}.{place}",
        "slot": f"watched {place}",
        "watching": True,
        "changes": changes,
        "follows": False,
        "begun": view.begun,
        "fate": [None, ""],
    }
    canvas.component(
        key=f"watched {place}",
        data=data,
        height="content",
        on_event_change=_ignore,
        on_picked_change=_ignore,
    )


def _ignore() -> None:
    """A canvas says that something has changed: the page is drawn again, and finds out what."""
