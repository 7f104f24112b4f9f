"""The curves of live runs: loss, accuracy and NFE, brought up to date while a run plays."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import streamlit as st

from node_core.runs.scheduler import LiveRuns
from node_core.visualization.training_curves import (
    CurvesInfo,
    Run,
    accuracy_info,
    curves_figure,
    loss_info,
    nfe_info,
)
from pages.ui.live.chart import following_chart
from pages.ui.live.run import live_runs

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Chart = Literal["loss", "nfe", "accuracy"]
LABELS: dict[Chart, str] = {
    "loss": "Loss against the iteration",
    "nfe": "Function evaluations against the iteration",
    "accuracy": "Accuracy against the iteration",
}


def live_curves(shown: Sequence[tuple[str, str]], charts: Sequence[Chart]) -> None:
    """Draw charts of (label, token) pairs side by side; they follow by themselves while a run plays.

    Args:
        shown: the runs of the page; a label may be "" where there is only one.
        charts: which, from left to right.
    """
    pairs = tuple(shown)
    runs, tokens = live_runs(), [token for _, token in pairs]
    for column, chart in zip(st.columns(len(charts)), charts, strict=True):
        with column:
            make = functools.partial(_figure, runs, chart, pairs)
            following_chart(make, tokens, f"curve_{chart}", LABELS[chart])


def _figure(runs: LiveRuns, chart: Chart, shown: tuple[tuple[str, str], ...]) -> Figure:
    there = tuple((label, token) for label, token in shown if token in runs)
    return curves_figure(_info(runs, chart, there, " ".join(token for _, token in there)))


def _info(runs: LiveRuns, chart: Chart, shown: tuple[tuple[str, str], ...], revision: str) -> CurvesInfo:
    make = {"loss": loss_info, "nfe": nfe_info, "accuracy": accuracy_info}[chart]
    return make([Run(label, runs.history(token)) for label, token in shown], revision)
