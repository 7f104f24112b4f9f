"""The charts of a controller's run: how it learns, and one trial looked at closely; they follow while it plays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import Snapshot, unpack
from node_core.training.control.config import ControlConfig
from node_core.visualization.control.curves import cost_info, gradient_info, success_info
from node_core.visualization.control.trial import TrialInfo, trial_info
from node_core.visualization.training_curves import CurvesInfo, Run, curves_figure
from pages.ui.live.chart import following_chart
from pages.ui.live.run import live_runs

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LEARNING: tuple[tuple[str, str, Callable[[Run, str], CurvesInfo]], ...] = (
    ("cost", "Cost against the iteration", cost_info),
    ("success", "Share of successful starts against the iteration", success_info),
    ("gradient", "Norm of the gradient against the iteration", gradient_info),
)
_TRIAL = (
    ("to_go", "Cost to go along the trial"),
    ("controls", "Control along the trial"),
    ("costate", "Costate a(t) along the trial"),
)


def control_curves(token: str) -> None:
    """How it learns: cost, success, gradient."""
    charts = [(key, label, partial(_learning, live_runs(), token, make)) for key, label, make in _LEARNING]
    _side_by_side(charts, token)


def trial_curves(token: str) -> None:
    """One trial: cost to go, control, costate."""
    _side_by_side([(key, label, partial(_trial, live_runs(), token, key)) for key, label in _TRIAL], token)


def trial_of(token: str) -> TrialInfo | None:
    """The trial as the newest picture has it; None before there is one."""
    return _info(live_runs(), token)


def _side_by_side(charts: Sequence[tuple[str, str, Callable[[], Figure]]], token: str) -> None:
    for column, (key, label, make) in zip(st.columns(len(charts)), charts, strict=True):
        with column:
            following_chart(make, [token], f"curve_{key}", label)


def _learning(runs: LiveRuns, token: str, make: Callable[[Run, str], CurvesInfo]) -> Figure:
    return curves_figure(make(Run("", runs.history(token) if token in runs else []), token))


def _trial(runs: LiveRuns, token: str, key: str) -> Figure:
    info = _info(runs, token)
    empty = CurvesInfo("t (s)", "", False, (), token)
    return curves_figure(empty if info is None else getattr(info, key))


def _info(runs: LiveRuns, token: str) -> TrialInfo | None:
    snapshot = _snapshot(runs, token)
    if snapshot is None:
        return None
    config: ControlConfig = runs.look(token).config
    if snapshot.scalars.get("plant") != config.plant:  # of before
        return None
    return trial_info(snapshot.arrays, config, token)


def _snapshot(runs: LiveRuns, token: str) -> Snapshot | None:
    message = runs.look(token).snapshot if token in runs else None
    return None if message is None else unpack(message)
