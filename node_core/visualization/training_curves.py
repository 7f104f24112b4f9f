"""The curves of a training that goes on: loss, accuracy, function evaluations, and the solver's steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.visualization.style import FONT_SIZE, Floats, lane_colour, log_limits, styled

MOST = 400  # points a curve; more than a screen shows, fewer than a browser minds
HEIGHT = 250
NARROW = 1.6  # decades

Row = Mapping[str, float]


class Curve(NamedTuple):
    """One line: dashed for the way back or for test data, a staircase for steps; `listed` in the legend or not."""

    label: str
    colour: str
    dashed: bool
    stairs: bool
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
    """A run's name and its history, one row an iteration (see `node_core.training.train`)."""

    label: str
    rows: Sequence[Row]


def loss_info(runs: Sequence[Run], revision: str = "") -> CurvesInfo:
    """The loss of every run against the iteration."""
    curves = [_curve(run, index, "loss") for index, run in enumerate(runs)]
    return CurvesInfo("iteration", "loss", True, tuple(c for c in curves if c), revision)


def accuracy_info(runs: Sequence[Run], revision: str = "") -> CurvesInfo:
    """Accuracy on the batch and, dashed, on the test points."""
    curves = []
    for index, run in enumerate(runs):
        curves += [
            _curve(run, index, "accuracy", scale=100.0),
            _curve(run, index, "test_accuracy", "test", dashed=True, scale=100.0),
        ]
    return CurvesInfo("iteration", "accuracy (%)", False, tuple(c for c in curves if c), revision)


def nfe_info(runs: Sequence[Run], revision: str = "") -> CurvesInfo:
    """Function evaluations an iteration, forward and, dashed, backward (Chen et al. 2018, Fig. 3d)."""
    curves = []
    for index, run in enumerate(runs):
        curves += [
            _curve(run, index, "nfe_forward", "forward"),
            _curve(run, index, "nfe_backward", "backward", dashed=True),
        ]
    return CurvesInfo("iteration", "NFE", False, tuple(c for c in curves if c), revision)


def steps_info(snapshots: Sequence[tuple[str, Mapping[str, np.ndarray]]], revision: str = "") -> CurvesInfo:
    """The solver's accepted steps in the last iteration: their size against the flow's time.

    Args:
        snapshots: label and arrays of each run's newest snapshot.
        revision: see `CurvesInfo`.
    """
    curves = []
    for index, (label, arrays) in enumerate(snapshots):
        for way in ("forward", "backward"):
            if not arrays.get(f"{way}_t", np.empty(0)).size:
                continue
            accepted = arrays[f"{way}_accepted"] > 0.5
            start = arrays[f"{way}_t"][accepted].astype(float)
            dt = arrays[f"{way}_dt"][accepted].astype(float)
            order = np.argsort(np.minimum(start, start + dt))
            start, dt = start[order], dt[order]
            low, high = np.minimum(start, start + dt), np.maximum(start, start + dt)
            x, y = np.append(low, high[-1:]), np.append(np.abs(dt), np.abs(dt[-1:]))
            back = way == "backward"
            curves.append(
                Curve(label or way, lane_colour(index), back, True, x, y, listed=not (label and back))
            )
    return CurvesInfo("t in the flow", "step h", True, tuple(curves), revision)


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
                "shape": "hv" if curve.stairs else "linear",
            },
            showlegend=curve.listed,
            hovertemplate="%{y:.4g} at %{x:.4g}<extra>%{fullData.name}</extra>",
        )
    styled(figure, height=height, x=info.x_title, y=info.y_title)
    small = {"size": FONT_SIZE - 3}
    figure.update_layout(
        {
            "uirevision": info.revision or "same",
            "showlegend": True,
            "legend": {"font": small},
            # Said outright: after an empty chart with its fixed range, plotly would never range by itself again.
            "xaxis": {"autorange": True, "tickfont": small, "title": {"font": small}},
            "yaxis": {
                "autorange": True,
                "tickfont": small,
                "title": {"font": small},
                **(_log_axis(info) if info.log_y else {"type": "linear"}),
            },
        }
    )
    if not info.curves:
        # An empty pair of axes from -1 to 6 would look like a result.
        still = {"autorange": False, "range": [0, 1], "showticklabels": False}
        figure.update_layout({"xaxis": still, "showlegend": False, "uirevision": f"{info.revision} empty"})
        figure.update_layout({"yaxis": {"type": "linear", **still}})
        figure.add_annotation(x=0.5, y=0.5, text="Press Play", showarrow=False, font={"size": FONT_SIZE})
    return figure


def _log_axis(info: CurvesInfo) -> dict[str, object]:
    """Ticks at 1, 2 and 5 where there are few decades: plotly would write 2 and 5 so small that they read as powers."""
    limits = log_limits(np.concatenate([curve.y for curve in info.curves]) if info.curves else np.empty(0))
    if limits is None or limits[1] - limits[0] > NARROW:
        wide = 1.0 if limits is None else limits[1] - limits[0]
        return {"type": "log", "exponentformat": "power", "dtick": max(1, round(wide / 4))}
    marks = [m * 10.0**k for k in range(int(limits[0]) - 2, int(limits[1]) + 2) for m in (1, 2, 5)]
    return {"type": "log", "tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}


def _curve(
    run: Run, index: int, key: str, suffix: str = "", *, dashed: bool = False, scale: float = 1.0
) -> Curve | None:
    found = [(row["iteration"], row[key]) for row in run.rows if key in row and np.isfinite(row[key])]
    if not found:
        return None
    points = _binned(np.array(found, dtype=float))
    # Several runs: one entry a run, since colour tells the run and dots tell the rest.
    return Curve(
        run.label or suffix or key,
        lane_colour(index),
        dashed,
        False,
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
