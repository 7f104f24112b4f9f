"""The curves of a flow's run: log-likelihood and NFE, brought up to date while it plays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import Snapshot, unpack
from node_core.training.flow.config import CNFConfig
from node_core.visualization.cnf.flow import likelihood_info
from node_core.visualization.training_curves import Run, curves_figure, nfe_info
from pages.ui.live.chart import following_chart
from pages.ui.live.run import live_runs

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def cnf_curves(token: str, config: CNFConfig) -> None:
    """Draw the charts; they follow by themselves while the run plays."""
    charts: list[tuple[str, str, Callable[[], Figure]]] = [
        (
            "likelihood",
            "Log-likelihood against the iteration",
            partial(_likelihood, live_runs(), token, config.objective),
        )
    ]
    if config.flow == "cnf":
        charts += [("nfe", "Function evaluations against the iteration", partial(_nfe, live_runs(), token))]
    for column, (key, label, make) in zip(st.columns(len(charts)), charts, strict=True):
        with column:
            following_chart(make, [token], f"curve_{key}", label)


def _likelihood(runs: LiveRuns, token: str, objective: str) -> Figure:
    snapshot = _snapshot(runs, token)
    entropy = None if snapshot is None else snapshot.scalars.get("entropy")
    best = -float(entropy) if isinstance(entropy, int | float) else None
    return curves_figure(likelihood_info(_history(runs, token), best, objective, token))


def _nfe(runs: LiveRuns, token: str) -> Figure:
    return curves_figure(nfe_info([_history(runs, token)], token))


def _history(runs: LiveRuns, token: str) -> Run:
    return Run("", runs.history(token) if token in runs else [])


def _snapshot(runs: LiveRuns, token: str) -> Snapshot | None:
    message = runs.look(token).snapshot if token in runs else None
    return None if message is None else unpack(message)
