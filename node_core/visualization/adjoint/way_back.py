"""The ways back of all modes over one time axis."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from node_core.studies.gradients.config import AdjointResult, Floats, Truth, Way
from node_core.visualization.gradients import TRUTH_COLOUR, mode_colour
from node_core.visualization.style import (
    FONT_SIZE,
    drawable,
    framed,
    log_limits,
    log_ticks,
    styled,
    thinned,
)

MAX_POINTS = 1500
GAP_FLOOR = 1e-13
"""What is less apart than this is rounding: a mode that keeps the forward states has no gap."""
# a gap is magnified, by a power of ten, until its largest is about a tenth of the path's size
_TO_BE_SEEN, _MOST_MAGNIFIED = 0.1, 1e6


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


def magnification(way: Way, size: float) -> float:
    """By how much the gap is drawn larger than it is, a power of ten: 1 where it is seen, or where there is none.

    Args:
        size: of the path in the plane.
    """
    largest = float(way.gap.max(initial=0.0))
    if not GAP_FLOOR < largest < math.inf:
        return 1.0
    return min(max(10.0 ** math.floor(math.log10(_TO_BE_SEEN * size / largest)), 1.0), _MOST_MAGNIFIED)


class BackLine(NamedTuple):
    """One mode's way back, thinned, each line over its own times; `step` are the sizes of all attempts."""

    label: str
    colour: str
    a_t: Floats
    a: Floats
    theta_t: Floats
    theta: Floats
    gap_t: Floats
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
    truth = _true_line(result.truth)
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
        truth,
        lines,
        result.path.attempt_t,
        np.abs(result.path.attempt_dt),
    )


def _line(way: Way, colour: str) -> BackLine:
    a_rows, z_rows = thinned(way.a_t.size, MAX_POINTS), thinned(way.t.size, MAX_POINTS)
    # autograd sums dL/dtheta without telling when: there is no line then
    theta_rows, steps = thinned(way.theta_norm.size, MAX_POINTS), thinned(way.attempt_t.size, MAX_POINTS)
    return BackLine(
        label=way.label,
        colour=colour,
        a_t=way.a_t[a_rows],
        a=np.linalg.norm(way.a, axis=1)[a_rows],
        theta_t=way.step_t[theta_rows],
        theta=way.theta_norm[theta_rows],
        gap_t=way.t[z_rows],
        gap=np.where(way.gap > GAP_FLOOR, way.gap, np.nan)[z_rows],
        step_t=way.attempt_t[steps],
        step=np.abs(way.attempt_dt[steps]),
    )


def _true_line(truth: Truth) -> BackLine:
    rows, none = thinned(truth.t.size, MAX_POINTS), np.empty(0)
    t, a, theta = (
        truth.t[rows],
        np.linalg.norm(truth.a, axis=1)[rows],
        truth.theta_norm[rows],
    )
    return BackLine("truth", TRUTH_COLOUR, t, a, t, theta, none, none, none, none)


def back_figure(info: BackInfo, *, height: int = 900) -> go.Figure:
    """Draw `info`: four rows that zoom together along the time axis."""
    titles = ("|a(t)|", "|dL/dθ| so far", "gap |z back − z forward|", "step sizes (grey: forward)")
    figure = make_subplots(rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=titles)
    for line, width in [(info.truth, 6.0), *((line, 2.4) for line in info.lines)]:
        first = True
        for row, t, values in (
            (1, line.a_t, line.a),
            (2, line.theta_t, line.theta),
            (3, line.gap_t, line.gap),
        ):
            if np.isfinite(values).any():
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
    axes: dict[str, dict[str, Any]] = {f"xaxis{row}": {"range": list(info.t_range)} for row in ("", 2, 3, 4)}
    axes["xaxis4"]["title"] = {"text": "t"}
    axes |= {"yaxis": {"range": list(info.a_range)}, "yaxis2": {"range": list(info.theta_range)}}
    gaps = np.concatenate([line.gap for line in info.lines] or [np.empty(0)])
    steps = np.concatenate([info.forward_step, *(line.step for line in info.lines)])
    for row, values in ((3, gaps), (4, steps)):
        limits = log_limits(values)
        axes[f"yaxis{row}"] = log_ticks(limits, 4) | ({} if limits is None else {"range": list(limits)})
    figure.update_annotations(x=0, xanchor="left", font={"size": FONT_SIZE})
    return styled(figure, height=height, layout={**axes, "legend": {"y": 1.05}, "margin": {"t": 30}})
