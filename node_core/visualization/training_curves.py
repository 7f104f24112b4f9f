"""The curves of a training that goes on: loss, accuracy, function evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.visualization.style import (
    FONT_SIZE,
    Floats,
    lane_colour,
    log_limits,
    log_ticks,
    merged,
    styled,
)

MOST = 400  # points a curve; more than a screen shows, fewer than a browser minds
HEIGHT = 250

Row = Mapping[str, float]


class Curve(NamedTuple):
    """One line: dashed for the way back or for test data; `listed` in the legend or not."""

    label: str
    colour: str
    dashed: bool
    x: Floats
    y: Floats
    listed: bool = True


class CurvesInfo(NamedTuple):
    """One chart; `revision` changes when the reader's zoom should be forgotten."""

    x_title: str
    y_title: str
    log_y: bool
    curves: tuple[Curve, ...]
    revision: str


class Run(NamedTuple):
    """A run's name and its history, one row an iteration (see `node_core.training.classifier.train`)."""

    label: str
    rows: Sequence[Row]


def loss_info(runs: Sequence[Run], revision: str = "") -> CurvesInfo:
    """The loss of every run against the iteration."""
    curves = [curve_of(run, index, "loss") for index, run in enumerate(runs)]
    return CurvesInfo("iteration", "loss", True, tuple(c for c in curves if c), revision)


def accuracy_info(runs: Sequence[Run], revision: str = "") -> CurvesInfo:
    """Accuracy on the batch and, dashed, on the test points."""
    curves = []
    for index, run in enumerate(runs):
        curves += [
            curve_of(run, index, "accuracy", scale=100.0),
            curve_of(run, index, "test_accuracy", "test", dashed=True, scale=100.0),
        ]
    return CurvesInfo("iteration", "accuracy (%)", False, tuple(c for c in curves if c), revision)


def nfe_info(runs: Sequence[Run], revision: str = "") -> CurvesInfo:
    """Function evaluations an iteration, forward and, dashed, backward (Chen et al. 2018, Fig. 3d)."""
    curves = []
    for index, run in enumerate(runs):
        curves += [
            curve_of(run, index, "nfe_forward", "forward"),
            curve_of(run, index, "nfe_backward", "backward", dashed=True),
        ]
    return CurvesInfo("iteration", "NFE", False, tuple(c for c in curves if c), revision)


def curves_figure(info: CurvesInfo, *, height: int = HEIGHT) -> go.Figure:
    """Draw one chart; as long as `info.revision` is the same, plotly keeps the reader's zoom."""
    figure = go.Figure()
    for curve in info.curves:
        figure.add_scatter(
            x=curve.x,
            y=curve.y,
            mode="lines",
            name=curve.label,
            line={
                "color": curve.colour,
                "width": 2,
                "dash": "dot" if curve.dashed else "solid",
            },
            showlegend=curve.listed,
            hovertemplate="%{y:.4g} at %{x:.4g}<extra>%{fullData.name}</extra>",
        )
    layout = merged(small_type(), _filled(info) if info.curves else _empty(info))
    return styled(figure, height=height, x=info.x_title, y=info.y_title, layout=layout)


def small_type() -> dict[str, Any]:
    """The layout of a chart that stands beside others, as plain data."""
    small = {"size": FONT_SIZE - 3}
    axis = {"tickfont": small, "title": {"font": small}}
    return {"legend": {"font": small}, "xaxis": axis, "yaxis": axis}


def _filled(info: CurvesInfo) -> dict[str, Any]:
    # Said outright: after an empty chart with its fixed range, plotly would never range by itself again.
    scale = _log_axis(info) if info.log_y else {"type": "linear"}
    return {
        "uirevision": info.revision or "same",
        "showlegend": True,
        "xaxis": {"autorange": True},
        "yaxis": {"autorange": True, **scale},
    }


def _empty(info: CurvesInfo) -> dict[str, Any]:
    # An empty pair of axes from -1 to 6 would look like a result.
    still = {"autorange": False, "range": [0, 1], "showticklabels": False}
    word = {"x": 0.5, "y": 0.5, "text": "Press Play", "showarrow": False, "font": {"size": FONT_SIZE}}
    return {
        "uirevision": f"{info.revision} empty",
        "showlegend": False,
        "xaxis": still,
        "yaxis": {"type": "linear", **still},
        "annotations": [word],
    }


def _log_axis(info: CurvesInfo) -> dict[str, Any]:
    values = [curve.y for curve in info.curves]
    return log_ticks(log_limits(np.concatenate(values) if values else np.empty(0)), 4)


def curve_of(
    run: Run, index: int, key: str, suffix: str = "", *, dashed: bool = False, scale: float = 1.0
) -> Curve | None:
    """One column of a run's history against the iteration; None where it has no finite number.

    Args:
        run: whose.
        index: of its colour.
        key: of the column.
        suffix: the curve's name where the run has none.
        dashed: for the way back or for test data.
        scale: factor of its values.
    """
    found = [(row["iteration"], row[key]) for row in run.rows if key in row and np.isfinite(row[key])]
    if not found:
        return None
    points = _binned(np.array(found, dtype=float))
    # Several runs: one entry a run, since colour tells the run and dots tell the rest.
    return Curve(
        run.label or suffix or key,
        lane_colour(index),
        dashed,
        points[:, 0],
        scale * points[:, 1],
        listed=not (run.label and dashed),
    )


def _binned(points: Floats) -> Floats:
    """At most `MOST` rows (x, y): means of equally many neighbours, so that no excursion is lost altogether."""
    if len(points) <= MOST:
        return points
    parts = np.array_split(points, MOST)
    return np.array([part.mean(axis=0) for part in parts])
