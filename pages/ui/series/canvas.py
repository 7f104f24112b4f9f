"""The live picture of a series."""

from __future__ import annotations

from typing import Any

import streamlit as st

from node_core.runs.record import View
from node_core.training.series.config import SeriesConfig
from pages.ui.live.run import CANVAS_SCRIPT, run_view
from pages.ui.series.controls import MODELS, SETS
from pages.ui.series.edits import CANVAS, names_of, take_edits

HTML = '<div class="live" data-part="SeriesView"></div>'
MODULE = "series/view.js"
LAYERS = ["band", "truth", "left"]


def series_view(
    token: str, config: SeriesConfig, *, height: int, name: str = "", edited: bool = False
) -> View:
    """Mount the canvas, and tell how the run stands.

    Args:
        token: the run.
        config: what it trains.
        height: pixels; less on a narrow screen.
        name: "" for the page's own run, whose observations can be changed; else that of a run beside it.
        edited: whether they were.
    """
    return run_view(
        _canvas(),
        token,
        MODULE,
        drawn_of(config, editable=not name and config.data != "events", edited=edited),
        height=height,
        key=f"{CANVAS}_{name}" if name else CANVAS,
        on_pick=None if name else take_edits,
        follows=False,
        subject=f"{SETS[config.data]}, {MODELS[config.model]}",
    )


def drawn_of(config: SeriesConfig, *, editable: bool, edited: bool) -> dict[str, Any]:
    """What the canvas is told besides the run."""
    return {
        "names": list(names_of(config)),
        "layers": LAYERS,
        "plane": "data" if config.data in ("spirals", "hares") else "state",
        "editable": editable,
        "edited": edited,
    }


@st.cache_resource(show_spinner=False)
def _canvas() -> Any:
    return st.components.v2.component("series_canvas", html=HTML, js=CANVAS_SCRIPT)
