"""What the panels share: a heading, a row of choices, charts side by side, the remedy, the way into another lesson."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.errors import StreamlitAPIException

from node_core.visualization.style import laid_out
from pages.ui.address import Url
from pages.ui.layout import presented
from pages.ui.lessons import lesson_titled
from pages.ui.live.chart import live_chart

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def panel(number: int, title: str) -> None:
    """Draw the heading of a panel."""
    st.subheader(f"{number}. {title}", divider="gray")


def options(label: str, names: Mapping[str, str], key: str, url: Url) -> str:
    """Ask for one of some words, the first at the beginning; the address holds what is shown of it."""
    first = next(iter(names))
    chosen = st.segmented_control(
        label,
        list(names),
        default=first,
        required=True,
        key=key,
        format_func=lambda name: names[name],
        wrap=True,
        bind="query-params",
    )
    found = first if chosen is None else str(chosen)
    url.note(key, names[found])
    return found


def side_by_side(*charts: tuple[Figure, str, str], present: bool = False) -> None:
    """Draw figures beside each other, each with its key and what it is; a reader's zoom stays.

    Args:
        charts: (figure, key, what it is).
        present: whether they stay in sight when the page is presented.
    """
    for k, (column, (figure, key, label)) in enumerate(
        zip(st.columns(len(charts), gap="medium"), charts, strict=True)
    ):
        with column, presented("picture", str(k)) if present else nullcontext():
            st.markdown(f"**{label}**")
            live_chart(laid_out(figure, {"uirevision": key}), key, label)


def mended(sentence: str) -> None:
    """Say what helps, or what it came to."""
    st.markdown(f":material/healing: {sentence}")


def lead_to(title: str, label: str, **address: str | Sequence[str]) -> None:
    """Offer the lesson of this title with these settings in its address."""
    lesson = lesson_titled(title)
    query = {key: value if isinstance(value, str) else list(value) for key, value in address.items()}
    try:
        st.page_link(lesson.path, label=label, icon=lesson.icon, query_params=query)
    except StreamlitAPIException:  # this page runs alone, so that there is nowhere to go
        st.markdown(f"{lesson.icon} {label}")
