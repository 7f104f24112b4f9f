"""What stands below a page's picture comes after it: plotly, tables and code keep a browser busy for seconds."""

from __future__ import annotations

import streamlit as st

from node_core.assets import ASSETS

_ALL = "the whole page"
_asks = st.components.v2.component(
    "rest_of_the_page",
    html='<div class="later"></div>',
    js=(ASSETS / "front" / "later.js").read_text(encoding="utf-8"),
)


def rest_may_come() -> bool:
    """Whether the page may go on below its picture: not before that is painted, in a tab that has just been opened.

    Only of an address that asks for nothing else: what it names may stand below, and is not to be kept waiting. The
    page is run again when the browser says that the picture is there; from then on every page comes as a whole.
    """
    if st.session_state.get(_ALL) or st.query_params:
        st.session_state[_ALL] = True
        return True
    _asks(key="rest of the page", data={}, height=1, on_now_change=_come)
    return False


def _come() -> None:
    st.session_state[_ALL] = True
