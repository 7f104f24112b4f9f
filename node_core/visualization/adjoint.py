"""The ways back of all modes over one time axis, and the colours of the symbols wherever they stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from node_core.studies.adjoint_config import AdjointResult, Floats, Way
from node_core.visualization.style import (
    FONT_SIZE,
    REFERENCE_COLOUR,
    drawable,
    framed,
    lane_colour,
    log_limits,
    styled,
    thinned,
)

# Middle tones, so that one colour reads on white and on black; the equations use the same.
Z_COLOUR = "#2f8fe0"
A_COLOUR = "#e8543f"
BACK_COLOUR = "#b46be0"
LOSS_COLOUR = "#d98a00"
THETA_COLOURS = ("#12a57c", "#6aa52f", "#0e8f9e", "#3f7d5f")
TRUTH_COLOUR = REFERENCE_COLOUR

MODE_INDEX = {
    "adjoint": 0,
    "adjoint_seminorm": 4,
    "interpolated": 1,
    "checkpointed": 2,
    "backprop": 3,
    "differences": 6,
}
MAX_POINTS = 1500


def mode_colour(mode: str) -> str:
    """The colour of a gradient mode, the same in every figure."""
    return lane_colour(MODE_INDEX[mode])


def verdict(way: Way) -> str:
    """How far off a mode's gradient is, in a word or two."""
    if way.failure:
        return "failed"
    if way.error >= 1e4:
        return "all wrong"
    if way.error >= 0.1:
        percent = 100 * way.error
        return f"{percent:,.0f} % off" if percent >= 1000 else f"{percent:.3g} % off"
    return f"{100 * way.error:.2g} % off" if way.error >= 1e-4 else f"off by {way.error:.0e}"


class BackLine(NamedTuple):
    """One mode's way back, thinned; `gap` is nan where there is none, `step` the sizes of all attempts."""

    label: str
    colour: str
    t: Floats
    a: Floats
    theta: Floats
    gap: Floats
    step_t: Floats
    step: Floats


class BackInfo(NamedTuple):
    """All that the picture shows: |a(t)|, |dL/dtheta| so far, the gap and the step sizes."""

    t_range: tuple[float, float]
    a_range: tuple[float, float]
    theta_range: tuple[float, float]
    truth: BackLine
    lines: tuple[BackLine, ...]
    forward_t: Floats
    forward_step: Floats


def back_info(result: AdjointResult) -> BackInfo:
    """What the comparison of all modes that found a way back shows."""
    truth = _line(result.reference, TRUTH_COLOUR)
    lines = tuple(_line(way, mode_colour(way.mode)) for way in result.ways if not way.failure)
    a_range = framed(truth.a, [line.a for line in lines])
    theta_range = framed(truth.theta, [line.theta for line in lines])
    lines = tuple(
        line._replace(a=drawable(line.a, a_range), theta=drawable(line.theta, theta_range)) for line in lines
    )
    return BackInfo(
        (0.0, float(result.path.t[-1])),
        a_range,
        theta_range,
        truth._replace(label="truth"),
        lines,
        result.path.attempt_t,
        np.abs(result.path.attempt_dt),
    )


def _line(way: Way, colour: str) -> BackLine:
    rows = thinned(way.t.size, MAX_POINTS)
    theta = way.theta_norm[rows] if way.theta_norm.size else np.full(rows.size, np.nan)
    gap = np.where(way.gap > 1e-13, way.gap, np.nan)[rows]
    steps = thinned(way.attempt_t.size, MAX_POINTS)
    norm = np.linalg.norm(way.a, axis=1)[rows]
    return BackLine(
        way.label, colour, way.t[rows], norm, theta, gap, way.attempt_t[steps], np.abs(way.attempt_dt[steps])
    )


def back_figure(info: BackInfo, *, height: int = 900) -> go.Figure:
    """Draw `info`: four rows that zoom together along the time axis."""
    titles = ("|a(t)|", "|dL/dθ| so far", "gap |z back − z forward|", "step sizes (grey: forward)")
    figure = make_subplots(rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=titles)
    for line, width in [(info.truth, 6.0), *((line, 2.4) for line in info.lines)]:
        first = True
        for row, t, values in ((1, line.t, line.a), (2, line.t, line.theta), (3, line.t, line.gap)):
            if np.isfinite(values).any() and not (row == 3 and line is info.truth):
                figure.add_scatter(
                    x=t, y=values, mode="lines", line={"color": line.colour, "width": width}, name=line.label,
                    opacity=0.5 if line is info.truth else 1.0, legendgroup=line.label, showlegend=first,
                    row=row, col=1,
                )  # fmt: skip
                first = False
    for label, colour, t, step in [
        ("forward", TRUTH_COLOUR, info.forward_t, info.forward_step),
        *((line.label, line.colour, line.step_t, line.step) for line in info.lines),
    ]:
        figure.add_scatter(
            x=t, y=step, mode="markers", marker={"color": colour, "size": 6}, name=label, legendgroup=label,
            showlegend=False, row=4, col=1,
        )  # fmt: skip
    styled(figure, height=height)
    figure.update_xaxes(range=list(info.t_range))
    figure.update_xaxes(title_text="t", row=4, col=1)
    figure.update_yaxes(range=list(info.a_range), row=1, col=1)
    figure.update_yaxes(range=list(info.theta_range), row=2, col=1)
    gaps = np.concatenate([line.gap for line in info.lines] or [np.empty(0)])
    steps = np.concatenate([info.forward_step, *(line.step for line in info.lines)])
    for row, values in ((3, gaps), (4, steps)):
        limits = log_limits(values)
        figure.update_yaxes(type="log", exponentformat="power", row=row, col=1)
        if limits is not None:
            figure.update_yaxes(
                range=list(limits), dtick=max(1, round((limits[1] - limits[0]) / 4)), row=row, col=1
            )
    figure.update_annotations(x=0, xanchor="left", font={"size": FONT_SIZE})
    figure.update_layout(legend={"y": 1.05}, margin={"t": 30})
    return figure
