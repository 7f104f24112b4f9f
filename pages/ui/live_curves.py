"""The curves of live runs: loss, accuracy, NFE and step sizes, brought up to date while a run plays."""

from __future__ import annotations

from collections.abc import Sequence

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

CHARTS_A_SECOND = 30  # for the whole server: past it, plotly's throughput falls


def live_curves(shown: Sequence[tuple[str, str]]) -> None:
    """Draw the charts of (label, token) pairs; they follow by themselves while a run plays.

    Args:
        shown: the runs of the page; a label may be "" where there is only one.
    """
    runs = live_runs()
    playing = any(runs.look(token).status == "running" for _, token in shown if token in runs)
    # Many runs at once: each page's charts come less often, so that the server keeps up.
    every = max(1.0, 4 * len(runs) / CHARTS_A_SECOND) if playing else None
    st.fragment(_draw, run_every=every)(tuple(shown))


def _draw(shown: tuple[tuple[str, str], ...]) -> None:
    runs = live_runs()
    shown = tuple((label, token) for label, token in shown if token in runs)
    histories = [Run(label, runs.history(token)) for label, token in shown]
    arrays = []
    for label, token in shown:
        message = runs.poll(token).snapshot
        if message is not None:
            arrays.append((label, unpack(message).arrays))
    revision = " ".join(token for _, token in shown)
    charts: list[tuple[str, str, CurvesInfo]] = [
        ("loss", "Loss against the iteration", loss_info(histories, revision)),
        ("nfe", "Function evaluations against the iteration", nfe_info(histories, revision)),
        ("accuracy", "Accuracy against the iteration", accuracy_info(histories, revision)),
        ("steps", "The solver's steps in the last iteration", steps_info(arrays, revision)),
    ]
    for start in (0, 2):
        for column, (key, label, info) in zip(st.columns(2), charts[start : start + 2], strict=True):
            with column:
                live_chart(curves_figure(info), f"curve_{key}", label)
