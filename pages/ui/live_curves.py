"""The curves of live runs: loss, accuracy, NFE and step sizes, brought up to date while a run plays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from node_core.training.snapshot import unpack
from node_core.visualization.training_curves import (
    CurvesInfo,
    Run,
    accuracy_info,
    curves_figure,
    loss_info,
    nfe_info,
    steps_info,
)
from pages.ui.live import live_runs
from pages.ui.live_chart import live_chart

Chart = Literal["loss", "nfe", "accuracy", "steps"]
LABELS: dict[Chart, str] = {
    "loss": "Loss against the iteration",
    "nfe": "Function evaluations against the iteration",
    "accuracy": "Accuracy against the iteration",
    "steps": "The solver's steps in the last iteration",
}
CHARTS_A_SECOND = 30  # for the whole server: past it, plotly's throughput falls


def live_curves(shown: Sequence[tuple[str, str]], charts: Sequence[Chart]) -> None:
    """Draw charts of (label, token) pairs side by side; they follow by themselves while a run plays.

    Args:
        shown: the runs of the page; a label may be "" where there is only one.
        charts: which, from left to right.
    """
    runs = live_runs()
    playing = any(runs.look(token).status == "running" for _, token in shown if token in runs)
    # Many runs at once: each page's charts come less often, so that the server keeps up.
    every = max(1.0, 4 * len(runs) / CHARTS_A_SECOND) if playing else None
    st.fragment(_draw, run_every=every, key=f"curves {charts}")(tuple(shown), tuple(charts))


def _draw(shown: tuple[tuple[str, str], ...], charts: tuple[Chart, ...]) -> None:
    runs = live_runs()
    shown = tuple((label, token) for label, token in shown if token in runs)
    revision = " ".join(token for _, token in shown)
    for column, chart in zip(st.columns(len(charts)), charts, strict=True):
        with column:
            live_chart(curves_figure(_info(chart, shown, revision)), f"curve_{chart}", LABELS[chart])


def _info(chart: Chart, shown: tuple[tuple[str, str], ...], revision: str) -> CurvesInfo:
    runs = live_runs()
    if chart == "steps":
        messages = [(label, runs.poll(token).snapshot) for label, token in shown]
        return steps_info([(label, unpack(m).arrays) for label, m in messages if m is not None], revision)
    make = {"loss": loss_info, "nfe": nfe_info, "accuracy": accuracy_info}[chart]
    return make([Run(label, runs.history(token)) for label, token in shown], revision)
