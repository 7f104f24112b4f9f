"""Solver swap: the accuracy of the same weights when other solvers take other steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.solvers.methods import METHODS
from node_core.studies.classifier.solver_swap_config import SolverSwapResult, SwapEntry
from node_core.visualization.style import (
    FONT_SIZE,
    LANE_SYMBOLS,
    REFERENCE_COLOUR,
    Floats,
    lane_colour,
    styled,
)


class SwapLine(NamedTuple):
    """One method: its steps, long ones first, and the accuracy (%) with each; nan where the solve failed."""

    label: str
    colour: str
    symbol: str
    dt: Floats
    accuracy: Floats


class SwapInfo(NamedTuple):
    """The lines, the reference's accuracy (%), and the training's own solver as (dt, accuracy); dt None: adaptive."""

    lines: tuple[SwapLine, ...]
    reference: float
    trained_dt: float | None
    trained: float
    trained_label: str


def swap_info(result: SolverSwapResult) -> SwapInfo:
    """What the picture of `result` shows."""
    names = list(dict.fromkeys(entry.method for entry in result.entries))
    lines = []
    for index, name in enumerate(names):
        own = sorted((e for e in result.entries if e.method == name), key=lambda e: -(e.dt or 0.0))
        dt = np.array([entry.dt for entry in own], dtype=float)
        accuracy = 100.0 * np.array([entry.accuracy for entry in own])
        lines.append(SwapLine(METHODS[name].label, lane_colour(index), LANE_SYMBOLS[index], dt, accuracy))
    return SwapInfo(
        tuple(lines),
        100.0 * result.reference.accuracy,
        result.trained.dt,
        100.0 * result.trained.accuracy,
        solver_label(result.trained),
    )


def swap_figure(info: SwapInfo, *, height: int = 380) -> go.Figure:
    """Draw `info`: finer steps to the right, the ODE's own answer dashed, the training's solver ringed."""
    figure = go.Figure()
    for line in info.lines:
        figure.add_scatter(
            x=line.dt,
            y=line.accuracy,
            mode="lines+markers",
            name=line.label,
            line={"color": line.colour, "width": 2.4},
            marker={"size": 9, "symbol": line.symbol},
            hovertemplate="h = %{x:.3g}: %{y:.1f} %<extra>" + line.label + "</extra>",
        )
    steps = np.concatenate([line.dt for line in info.lines])
    ends = [float(steps.max()), float(steps.min())]
    figure.add_scatter(
        x=ends,
        y=[info.reference] * 2,
        mode="lines",
        name="solved accurately",
        line={"color": REFERENCE_COLOUR, "dash": "dash", "width": 2.5},
        hoverinfo="skip",
    )
    if info.trained_dt is not None:
        figure.add_scatter(
            x=[info.trained_dt],
            y=[info.trained],
            mode="markers",
            name="trained so",
            marker={"symbol": "circle-open", "size": 20, "color": REFERENCE_COLOUR, "line": {"width": 3}},
            hovertemplate=f"{info.trained_label}: %{{y:.1f}} %<extra></extra>",
        )
    shown = sorted(set(steps.tolist()))
    layout = {
        "legend": {"font": {"size": FONT_SIZE - 2}},
        "xaxis": {
            "type": "log",
            "autorange": "reversed",
            "tickvals": shown,
            "ticktext": [f"{v:.3g}" for v in shown],
        },
    }
    return styled(figure, height=height, x="step h (finer to the right)", y="accuracy (%)", layout=layout)


def solver_label(entry: SwapEntry) -> str:
    """The entry's solver for people."""
    label = METHODS[entry.method].label
    return label if entry.dt is None else f"{label}, h = {entry.dt:g}"
