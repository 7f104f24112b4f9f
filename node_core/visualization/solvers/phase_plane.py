"""The phase plane of a race: direction field, trajectories, a dot at every step, a cross at every rejection."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.frame import equal_units
from node_core.studies.solvers.race_config import DirectionField, Lane, RaceResult
from node_core.visualization.style import (
    ARROW_COLOUR,
    LANE_SYMBOLS,
    REFERENCE_COLOUR,
    Floats,
    drawable,
    framed,
    lane_colour,
    styled,
    thinned,
)

MAX_DOTS = 1500
MAX_CURVE = 3000


class PhaseLane(NamedTuple):
    """One method in the plane: its curve with times, its steps, and where rejected attempts set out from."""

    label: str
    colour: str
    symbol: str
    t: Floats
    x: Floats
    y: Floats
    dot_t: Floats
    dot_x: Floats
    dot_y: Floats
    rejected_t: Floats
    rejected_x: Floats
    rejected_y: Floats
    exploded_at: float | None


class PhaseInfo(NamedTuple):
    """All that the phase plane shows. `arrows` are segments with nan between them: (x, y).

    `equal`: whether both axes have the same units, so that a circle is a circle.
    """

    x_title: str
    y_title: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    arrow_x: Floats
    arrow_y: Floats
    reference_t: Floats
    reference_x: Floats
    reference_y: Floats
    lanes: tuple[PhaseLane, ...]
    equal: bool = False


def phase_info(result: RaceResult, axes: tuple[int, int] = (0, 1)) -> PhaseInfo:
    """What the plane of the components `axes` shows; a one-dimensional system is drawn as y over t.

    Raises:
        ValueError: if an axis is not a component of the state.
    """
    if result.dim > 1 and not all(0 <= axis < result.dim for axis in axes):
        raise ValueError(
            f"The axes {axes} are not components of a state of {result.dim}: use 0 .. {result.dim - 1}."
        )
    reference_x, reference_y = _plane(result, result.reference_t, result.reference_y, axes)
    planes = [_plane(result, lane.curve_t, lane.curve_y, axes) for lane in result.lanes]
    if result.dim == 1:
        x_range = result.config.problem.t_span
    else:
        x_range = framed(reference_x, [x for x, _ in planes])
    y_range = framed(reference_y, [y for _, y in planes])
    equal = False
    if result.dim > 1:
        x_range, y_range, equal = equal_units(x_range, y_range)
    lanes = tuple(
        _phase_lane(result, lane, index, axes, x_range, y_range) for index, lane in enumerate(result.lanes)
    )
    arrow_x, arrow_y = _arrows(result.field, axes, x_range, y_range)
    return PhaseInfo(
        "t" if result.dim == 1 else result.state_names[axes[0]],
        result.state_names[0 if result.dim == 1 else axes[1]],
        x_range,
        y_range,
        arrow_x,
        arrow_y,
        result.reference_t,
        drawable(reference_x, x_range),
        drawable(reference_y, y_range),
        lanes,
        equal,
    )


def phase_figure(info: PhaseInfo, *, height: int = 560) -> go.Figure:
    """Draw `info`. Density of dots is the step size: the closer the dots, the shorter the steps."""
    figure = go.Figure()
    if info.arrow_x.size:
        figure.add_scatter(
            x=info.arrow_x,
            y=info.arrow_y,
            mode="lines",
            line={"color": ARROW_COLOUR, "width": 1.2},
            hoverinfo="skip",
            showlegend=False,
            name="direction field",
        )
    if info.reference_x.size:
        figure.add_scatter(
            x=info.reference_x,
            y=info.reference_y,
            mode="lines",
            line={"color": REFERENCE_COLOUR, "width": 5},
            opacity=0.55,
            name="reference",
            hoverinfo="skip",
        )
    for lane in info.lanes:
        _add_lane(figure, lane)
    axes: dict[str, dict[str, Any]] = {
        "xaxis": {"range": list(info.x_range)},
        "yaxis": {"range": list(info.y_range)},
    }
    if info.equal:
        axes["yaxis"] |= {"scaleanchor": "x"}
    return styled(figure, height=height, x=info.x_title, y=info.y_title, layout=axes)


def phase_figure_3d(result: RaceResult, *, height: int = 600) -> go.Figure:
    """The trajectories of a three-dimensional system in space, with a dot at every step."""
    figure = go.Figure()
    ranges = [
        framed(result.reference_y[:, i], [lane.curve_y[:, i] for lane in result.lanes]) for i in range(3)
    ]
    for index, lane in enumerate(result.lanes):
        pick = thinned(lane.curve_t.size, MAX_CURVE)
        line = [drawable(lane.curve_y[pick, i], ranges[i], reach=0.0) for i in range(3)]
        figure.add_scatter3d(
            x=line[0],
            y=line[1],
            z=line[2],
            mode="lines",
            line={"color": lane_colour(index), "width": 3},
            name=lane.label,
        )
        pick = thinned(lane.step_t.size, MAX_DOTS)
        dots = [drawable(lane.step_y[pick, i], ranges[i], reach=0.0) for i in range(3)]
        figure.add_scatter3d(
            x=dots[0],
            y=dots[1],
            z=dots[2],
            mode="markers",
            marker={"color": lane_colour(index), "size": 2.5},
            name=f"{lane.label}: steps",
            showlegend=False,
        )
    names = result.state_names
    axis = {"backgroundcolor": "rgba(0,0,0,0)", "gridcolor": "rgba(139,143,151,0.4)"}
    scene = {
        "aspectmode": "cube",
        "camera": {"eye": {"x": 1.2, "y": -1.45, "z": 0.5}, "center": {"x": 0, "y": 0, "z": -0.08}},
        "xaxis": {"title": {"text": names[0]}, "range": list(ranges[0]), **axis},
        "yaxis": {"title": {"text": names[1]}, "range": list(ranges[1]), **axis},
        "zaxis": {"title": {"text": names[2]}, "range": list(ranges[2]), **axis},
    }
    return styled(figure, height=height, layout={"scene": scene})


def _plane(result: RaceResult, t: Floats, y: Floats, axes: tuple[int, int]) -> tuple[Floats, Floats]:
    """The two drawn coordinates of states `y` (time, dim) at times `t`."""
    if result.dim == 1:
        return t, y[:, 0]
    return y[:, axes[0]], y[:, axes[1]]


def _phase_lane(
    result: RaceResult,
    lane: Lane,
    index: int,
    axes: tuple[int, int],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> PhaseLane:
    curve = thinned(lane.curve_t.size, MAX_CURVE)
    dots = thinned(lane.step_t.size, MAX_DOTS)
    rejected = ~lane.attempt_accepted
    rejected_t = lane.attempt_t[rejected][: lane.rejected_y.shape[0]]
    x, y = _plane(result, lane.curve_t[curve], lane.curve_y[curve], axes)
    dot_x, dot_y = _plane(result, lane.step_t[dots], lane.step_y[dots], axes)
    rejected_x, rejected_y = _plane(result, rejected_t, lane.rejected_y, axes)
    return PhaseLane(
        lane.label,
        lane_colour(index),
        LANE_SYMBOLS[index % len(LANE_SYMBOLS)],
        lane.curve_t[curve],
        drawable(x, x_range),
        drawable(y, y_range),
        lane.step_t[dots],
        drawable(dot_x, x_range),
        drawable(dot_y, y_range),
        rejected_t,
        drawable(rejected_x, x_range),
        drawable(rejected_y, y_range),
        lane.exploded_at,
    )


def _arrows(
    field: DirectionField | None,
    axes: tuple[int, int],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> tuple[Floats, Floats]:
    """The direction field as short segments of equal drawn length, each with a small head, nan between."""
    if field is None or axes != (0, 1):
        return np.empty(0), np.empty(0)
    width, height = x_range[1] - x_range[0], y_range[1] - y_range[0]
    if not 1e-100 < width / height < 1e100 or max(width, height) > 1e100:
        return np.empty(0), np.empty(0)  # nobody reads such a plane, and its arrows overflow
    spacing = 0.55 / max(np.sqrt(field.x.size), 1.0)
    with np.errstate(all="ignore"):
        length = np.hypot(field.u / width, field.v / height)
        scale = np.where((length > 0) & np.isfinite(length), spacing / length, np.nan)
        du, dv = field.u * scale, field.v * scale
    tip_x, tip_y = field.x + du / 2, field.y + dv / 2
    # the head is drawn in units of the picture, so that it looks alike whatever the axes' units are
    side_u, side_v = -dv * width / height, du * height / width
    gap = np.full(field.x.size, np.nan)
    columns_x = (
        field.x - du / 2,
        tip_x,
        gap,
        tip_x - 0.35 * du + 0.2 * side_u,
        tip_x,
        tip_x - 0.35 * du - 0.2 * side_u,
        gap,
    )
    columns_y = (
        field.y - dv / 2,
        tip_y,
        gap,
        tip_y - 0.35 * dv + 0.2 * side_v,
        tip_y,
        tip_y - 0.35 * dv - 0.2 * side_v,
        gap,
    )
    return np.stack(columns_x, axis=1).ravel(), np.stack(columns_y, axis=1).ravel()


def _add_lane(figure: go.Figure, lane: PhaseLane) -> None:
    hover = f"{lane.label}<br>t = %{{customdata:.4g}}<br>(%{{x:.4g}}, %{{y:.4g}})<extra></extra>"
    figure.add_scatter(
        x=lane.x,
        y=lane.y,
        customdata=lane.t,
        mode="lines",
        line={"color": lane.colour, "width": 2.2},
        name=lane.label
        if lane.exploded_at is None
        else f"{lane.label} (exploded at t = {lane.exploded_at:.3g})",
        legendgroup=lane.label,
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=lane.dot_x,
        y=lane.dot_y,
        customdata=lane.dot_t,
        mode="markers",
        marker={"color": lane.colour, "size": 7, "symbol": lane.symbol},
        legendgroup=lane.label,
        showlegend=False,
        name=f"{lane.label}: steps",
        hovertemplate=hover,
    )
    if lane.rejected_x.size:
        figure.add_scatter(
            x=lane.rejected_x,
            y=lane.rejected_y,
            customdata=lane.rejected_t,
            mode="markers",
            marker={
                "color": lane.colour,
                "size": 13,
                "symbol": "x-thin",
                "line": {"color": lane.colour, "width": 3},
            },
            legendgroup=lane.label,
            showlegend=False,
            name=f"{lane.label}: rejected",
            hovertemplate=f"{lane.label}: rejected attempt<br>t = %{{customdata:.4g}}<extra></extra>",
        )
