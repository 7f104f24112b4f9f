"""What is on a live page: noted as it is drawn, so that the Share panel knows what there is to be shared."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from pages.ui.live.watching import Canvas, Chart

_PARTS = "parts of the page"


@dataclass
class Parts:
    """Of one page.

    Args:
        runs: tokens, by their places in the tab's memory.
        canvases, charts: what shows them, from above.
    """

    runs: dict[str, str] = field(default_factory=dict)
    canvases: list[Canvas] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)


def begin_page() -> None:
    """A page is about to be drawn: nothing is on it yet."""
    st.session_state[_PARTS] = Parts()


def parts() -> Parts:
    """What the page has drawn since `begin_page`; a page that runs alone notes it for nobody."""
    found = st.session_state.get(_PARTS)
    return found if isinstance(found, Parts) else Parts()
