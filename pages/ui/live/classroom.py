"""A class: the runs that were begun from a lecturer's link, small, side by side, for the lecturer alone; no names.

While a class is open, the links of the lecturer's Share panel carry its key. Who opens one is told that the picture of
their run is seen, and may decline. The key lets join, not look: the pictures are mounted in the lecturer's tab only.
"""

from __future__ import annotations

import math

import streamlit as st

from node_core.runs.shared import is_key
from pages.ui.live.parts import parts
from pages.ui.live.run import live_runs, watching
from pages.ui.live.watch import mount, stage_now
from pages.ui.live.watching import Shown
from pages.ui.share import tell
from pages.ui.tab import known_tab, tab_memory, tabs

CLASS = "class"  # in the address
_OPENED, _JOINED, _MINE = "class opened", "class joined", "class sees"  # in a tab's memory
_TROUBLE = "trouble with the class"
_A_PAGE, _A_ROW = 12, 4  # pictures
_HEIGHT = 190  # pixels
_SLOWLY = 2000  # ms between two pictures of one run
_PATIENCE = 900.0  # s for which a lecturer may be away


# -- the lecturer


def opened_class() -> str | None:
    """The key of the class that this tab has opened; None if it has none."""
    key = tab_memory().get(_OPENED, "")
    return key if key and watching().find(key) is not None else None


def class_key() -> dict[str, str]:
    """What the links of the Share panel carry besides."""
    key = opened_class()
    return {} if key is None else {CLASS: key}


def class_panel() -> None:
    """Open a class, or end it."""
    st.markdown(
        "While a class is open, the other links of this panel carry its key: the pictures of all runs that begin from "
        "them come to stand here, without names. Each visitor is told, and may decline."
    )
    if opened_class() is None:
        st.button("Open a class", key="class open", icon=":material/groups:", on_click=_open)
        if st.session_state.get(_TROUBLE):
            st.warning(st.session_state[_TROUBLE], icon=":material/error:")
    else:
        st.button("End the class", key="class close", icon=":material/group_off:", on_click=_close)


def show_class() -> None:
    """Above the lecturer's page: how many runs there are, and their pictures where they are asked for."""
    if opened_class() is not None:
        with st.container(key="share class"):
            st.fragment(_board, run_every=4.0)()


def _board() -> None:
    """The class as it is now."""
    key = opened_class()
    room = None if key is None else watching().find(key)
    if room is None:
        return
    members = [shown for member in list(room.members) if (shown := watching().find(member)) is not None]
    there = [shown for shown in members if any(each.token in live_runs() for each in shown.stage.canvases)]
    with st.container(horizontal=True, vertical_alignment="center"):
        runs = f"{len(there)} run{'' if len(there) == 1 else 's'}"
        st.markdown(f":material/groups: Your class: {runs}.", width="content")
        if not st.toggle("Show them", key="class show"):
            return
        start = _asked(math.ceil(len(there) / _A_PAGE)) * _A_PAGE
    seen = there[start : start + _A_PAGE]
    for first in range(0, len(seen), _A_ROW):
        for column, each in zip(st.columns(_A_ROW), seen[first : first + _A_ROW], strict=False):
            with column:
                _thumbnail(each)


def _asked(pages: int) -> int:
    """Which of the pages of pictures is looked at, from 0."""
    if pages < 2:
        return 0
    chosen = st.segmented_control("Page", range(1, pages + 1), key="class page", label_visibility="collapsed")
    return (chosen or 1) - 1


def _thumbnail(shown: Shown) -> None:
    canvas = next(each for each in shown.stage.canvases if each.token in live_runs())
    mount(shown, canvas, shown.changes, height=_HEIGHT, steps=None, bare=True, pause=_SLOWLY)


def _open() -> None:
    memory = tab_memory()
    st.session_state[_TROUBLE] = ""
    try:
        if not known_tab():
            raise ValueError("This host serves Streamlit's own page, which can't tell one tab from another.")
        memory[_OPENED] = watching().open(lambda: tabs().connected(memory), _PATIENCE)
    except ValueError as error:
        st.session_state[_TROUBLE] = str(error)


def _close() -> None:
    watching().close(tab_memory().pop(_OPENED, ""))


# -- the students


def join_class(page: str) -> None:
    """Join the class that the address names; say that one's picture is seen, as long as it is.

    Args:
        page: its name in the address.
    """
    key, memory = st.query_params.get(CLASS), tab_memory()
    if key is not None:
        st.query_params.pop(CLASS)
        trouble = _join(key)
        if trouble:
            tell(page, trouble, icon=":material/group_off:")
    joined, mine = memory.get(_JOINED, ""), memory.get(_MINE, "")
    if not mine:
        return
    room = watching().find(joined)
    if room is None or mine not in room.members or watching().find(mine) is None:
        _leave()
        tell(
            page,
            "The class is over: nobody sees the picture of your run any more.",
            icon=":material/group_off:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="center", key="share joined"):
        words = "Your lecturer sees the picture of your run, without your name."
        st.markdown(f":material/groups: {words}", width="content")
        st.button("Don't show mine", key="class leave", type="tertiary", on_click=_leave)


def publish_to_class(page: str, title: str) -> None:
    """Let the lecturer see what the page shows now."""
    mine = tab_memory().get(_MINE, "")
    if mine and parts().canvases:
        watching().show(mine, stage_now(page, title))


def _join(key: str) -> str:
    """Join a class; why that can't be, if it can't."""
    room = watching().find(key) if is_key(key) else None
    memory = tab_memory()
    if room is None:
        return "The class of this link is over, or the link is not whole. The page is yours all the same."
    if memory.get(_JOINED) == key or memory.get(_OPENED) == key:
        return ""
    if not known_tab():
        return "This host can't tell one tab from another: the class does not see your run."
    _leave()
    try:
        mine = watching().open(lambda: tabs().connected(memory))
        watching().add(key, mine)
    except ValueError as error:
        return f"{error} The page is yours all the same."
    memory[_JOINED], memory[_MINE] = key, mine
    return ""


def _leave() -> None:
    memory = tab_memory()
    memory.pop(_JOINED, None)
    watching().close(memory.pop(_MINE, ""))
