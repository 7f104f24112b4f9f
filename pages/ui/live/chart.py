"""A plotly chart that is updated in place: the reader's zoom survives, which st.plotly_chart of 1.67 does not grant."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui.canvas import inline_script
from pages.ui.live.feed import live_feeds
from pages.ui.live.socket import plotly_address

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_chart = st.components.v2.component(
    "live_chart",
    html='<div class="live-chart" role="img"></div>',
    js=inline_script("feed.js", "chart/chart.js"),
    isolate_styles=False,  # plotly's zoom needs its styles, which it puts into the page
)


def live_chart(figure: Figure, key: str, label: str) -> None:
    """Draw a figure, or bring the one of this key up to date.

    Args:
        figure: with a height and a `uirevision` in its layout: while that is the same, zoom and hidden curves stay.
        key: unique in the page.
        label: what the chart is, for those who cannot see it.
    """
    _mount(json.loads(figure.to_json()), key, label)


def following_chart(make: Callable[[], Figure], tokens: Sequence[str], key: str, label: str) -> None:
    """Draw a figure of live runs that follows them by itself, without a rerun of the page.

    Args:
        make: draws the figure (see `live_chart`) as the runs stand; it is called in other threads too.
        tokens: the runs.
        key: unique in the page.
        label: what the chart is, for those who cannot see it.
    """
    feeds = live_feeds()
    feed = feeds.offer((key, *tokens), tokens, make)
    stamp, figure = feeds.look(feed)
    _mount(figure, key, label, {"feed": feed.address, "stamp": stamp, "every": feeds.every()})


def _mount(figure: dict[str, Any], key: str, label: str, feed: dict[str, Any] | None = None) -> None:
    _chart(
        key=key,
        data={"figure": figure, "library": plotly_address(), "label": label, **(feed or {})},
        height=figure["layout"]["height"],
    )
