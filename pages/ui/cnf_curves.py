"""The curves of a flow's run: log-likelihood, NFE and step sizes, brought up to date while it plays."""

from __future__ import annotations

import streamlit as st

from node_core.training.cnf_config import CNFConfig
from node_core.training.snapshot import unpack
from node_core.visualization.cnf import likelihood_info, path_steps
from node_core.visualization.training_curves import Run, curves_figure, nfe_info, steps_info
from pages.ui.live import live_runs
from pages.ui.live_chart import live_chart
from pages.ui.live_curves import CHARTS_A_SECOND


def refreshing(token: str, seconds: float) -> float | None:
    """How often a picture follows a run (s): seldom where there are many runs, not at all while this one stands."""
    runs = live_runs()
    if token not in runs:
        return None
    view = runs.look(token)
    if view.snapshot is None and view.status != "failed":
        return 1.0  # the first picture is on its way
    return max(seconds, 4 * len(runs) / CHARTS_A_SECOND) if view.status == "running" else None


def cnf_curves(token: str, config: CNFConfig) -> None:
    """Draw the charts; they follow by themselves while the run plays."""
    st.fragment(_draw, run_every=refreshing(token, 1.0))(token, config)


def _draw(token: str, config: CNFConfig) -> None:
    runs = live_runs()
    if token not in runs:
        return
    message, history = runs.poll(token).snapshot, Run("", runs.history(token))
    snapshot = None if message is None else unpack(message)
    entropy = None if snapshot is None else snapshot.scalars.get("entropy")
    best = -float(entropy) if isinstance(entropy, int | float) else None
    charts = [
        (
            "likelihood",
            "Log-likelihood against the iteration",
            likelihood_info(history, best, config.objective, token),
        )
    ]
    if config.flow == "cnf":
        arrays = {} if snapshot is None else snapshot.arrays
        charts += [
            ("nfe", "Function evaluations against the iteration", nfe_info([history], token)),
            (
                "path_steps",
                "The solver's steps along the particles' paths",
                steps_info(path_steps(arrays), token),
            ),
        ]
    for column, (key, label, info) in zip(st.columns(len(charts)), charts, strict=True):
        with column:
            live_chart(curves_figure(info), f"curve_{key}", label)
