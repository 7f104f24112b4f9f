"""The curve of the run as a file."""

from __future__ import annotations

import time

import streamlit as st

from node_core.runs.snapshot import unpack
from node_core.studies.series.curve import curve_table
from node_core.training.series.config import SeriesConfig
from pages.ui.live.run import live_runs
from pages.ui.series.edits import names_of

_PATIENCE = 20.0  # s that a download waits for the curve to be there


def download_curve(token: str, config: SeriesConfig) -> None:
    """Offer the curve as it is now, with its band, as a CSV file."""
    st.download_button(
        "Download the curve (CSV)",
        data=lambda: _table(token, config),
        file_name="curve.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help="A row a time: the curve and the two ends of its band, of each value.",
    )


def _table(token: str, config: SeriesConfig) -> bytes:
    """The newest picture's curve; waits for the run's first one."""
    give_up = time.monotonic() + _PATIENCE
    while (message := live_runs().look(token).snapshot) is None:
        if time.monotonic() > give_up:
            raise RuntimeError("the run has no picture yet")
        time.sleep(0.05)
    return curve_table(unpack(message).arrays, names_of(config)).encode()
