"""The curves of the runs on series, brought up to date while they play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from node_core.runs.scheduler import LiveRuns
from node_core.visualization.series.curves import fit_info
from node_core.visualization.training_curves import CurvesInfo, Run, curves_figure, nfe_info
from pages.ui.live.chart import following_chart
from pages.ui.live.run import live_runs

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_FIT = ("fit", "Log-likelihood against the iteration", fit_info)
_NFE = ("nfe", "Function evaluations against the iteration", nfe_info)


def series_curves(shown: Sequence[tuple[str, str]], *, solves: bool) -> None:
    """Draw the charts of (label, token) pairs.

    Args:
        shown: the runs of the page; a label may be "" where there is only one.
        solves: whether any of them solves an ODE with a solver that counts.
    """
    pairs, charts = tuple(shown), (_FIT, _NFE) if solves else (_FIT,)
    tokens = [token for _, token in pairs]
    for column, (key, label, make) in zip(st.columns(len(charts)), charts, strict=True):
        with column:
            following_chart(partial(_figure, live_runs(), make, pairs), tokens, f"curve_{key}", label)


def _figure(
    runs: LiveRuns, make: Callable[[Sequence[Run], str], CurvesInfo], shown: tuple[tuple[str, str], ...]
) -> Figure:
    there = [(label, token) for label, token in shown if token in runs]
    histories = [Run(label, runs.history(token)) for label, token in there]
    return curves_figure(make(histories, " ".join(token for _, token in there)))
