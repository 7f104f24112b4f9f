"""Four rows over one time axis: the state, the step size, the local error ratio and the global error."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.solvers.race_config import Bools, Lane, RaceResult
from node_core.visualization.style import (
    FONT_SIZE,
    REFERENCE_COLOUR,
    Floats,
    axis_style,
    drawable,
    framed,
    lane_colour,
    layout_style,
    log_limits,
    log_ticks,
    thinned,
)

MAX_POINTS = 2000
FLOOR = 1e-17

# the rows from the top down: their share of the height, and the axes of their traces
_DOMAINS = ((0.81, 1.0), (0.54, 0.73), (0.27, 0.46), (0.0, 0.19))
_ROWS = tuple({"xaxis": f"x{n}", "yaxis": f"y{n}"} for n in ("", "2", "3", "4"))


class TimelineLane(NamedTuple):
    """One method over time. `h` are the lengths of all attempts; `ratio` is empty for a fixed-step method."""

    label: str
    colour: str
    t: Floats
    y: Floats
    attempt_t: Floats
    h: Floats
    accepted: Bools
    ratio: Floats
    error_t: Floats
    error: Floats
    exploded_at: float | None


class TimelineInfo(NamedTuple):
    """All that the timeline shows of one state component."""

    component: str
    log_time: bool
    t_range: tuple[float, float]
    y_range: tuple[float, float]
    reference_t: Floats
    reference_y: Floats
    lanes: tuple[TimelineLane, ...]


def timeline_info(result: RaceResult, component: int = 0, *, log_time: bool = False) -> TimelineInfo:
    """What the timeline shows of the state's `component`.

    Raises:
        ValueError: if the state has no such component.
    """
    if not 0 <= component < result.dim:
        raise ValueError(
            f"There is no component {component} in a state of {result.dim}: use 0 .. {result.dim - 1}."
        )
    reference = result.reference_y[:, component]
    y_range = framed(reference, [lane.curve_y[:, component] for lane in result.lanes])
    start, end = result.config.problem.t_span
    if log_time:
        starts = [lane.step_t[1] for lane in result.lanes if lane.step_t.size > 1 and lane.step_t[1] > 0]
        start = max(min([float(s) for s in starts], default=end * 1e-6), end * 1e-9)
    lanes = tuple(_timeline_lane(lane, index, component, y_range) for index, lane in enumerate(result.lanes))
    return TimelineInfo(
        result.state_names[component],
        log_time,
        (start, end),
        y_range,
        result.reference_t,
        drawable(reference, y_range),
        lanes,
    )


def timeline_figure(info: TimelineInfo, *, height: int = 900) -> go.Figure:
    """Draw `info`: four rows that zoom together along the time axis.

    The figure is written as plain data and checked once: many small updates would cost more than the race itself.
    """
    traces: list[dict[str, Any]] = []
    if info.reference_t.size:
        traces.append(
            {
                "type": "scatter",
                "x": info.reference_t,
                "y": info.reference_y,
                "mode": "lines",
                "line": {"color": REFERENCE_COLOUR, "width": 5},
                "opacity": 0.55,
                "name": "reference",
                **_ROWS[0],
            }
        )
    for lane in info.lanes:
        traces += _lane_traces(lane)
    return go.Figure({"data": traces, "layout": _layout(info, height)})


def _timeline_lane(lane: Lane, index: int, component: int, y_range: tuple[float, float]) -> TimelineLane:
    curve = thinned(lane.curve_t.size, MAX_POINTS)
    attempts = thinned(lane.attempt_t.size, MAX_POINTS)
    # a rejection must not be lost to thinning: it is what the row is drawn for
    attempts = np.union1d(attempts, np.flatnonzero(~lane.attempt_accepted)[:MAX_POINTS])
    errors = thinned(lane.step_t.size, MAX_POINTS)
    ratio = lane.attempt_ratio[attempts] if lane.adaptive else np.empty(0)
    return TimelineLane(
        lane.label,
        lane_colour(index),
        lane.curve_t[curve],
        drawable(lane.curve_y[curve, component], y_range),
        lane.attempt_t[attempts],
        np.abs(lane.attempt_dt[attempts]),
        lane.attempt_accepted[attempts],
        np.clip(np.where(np.isfinite(ratio), ratio, 1e6), 1e-6, 1e6) if ratio.size else ratio,
        lane.step_t[errors],
        _positive(lane.step_error[errors]),
        lane.exploded_at,
    )


def _positive(error: Floats) -> Floats:
    """Errors for a logarithmic axis: an exact zero (the initial state) and what is not finite are left out."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(error) & (error > FLOOR), np.minimum(error, 1e30), np.nan)


def _lane_traces(lane: TimelineLane) -> list[dict[str, Any]]:
    base: dict[str, Any] = {"type": "scatter", "legendgroup": lane.label, "name": lane.label}
    hidden: dict[str, Any] = {**base, "showlegend": False}
    line = {"color": lane.colour, "width": 2.2}
    cross = {
        "color": lane.colour,
        "size": 10,
        "symbol": "x-thin",
        "line": {"color": lane.colour, "width": 2.5},
    }
    traces: list[dict[str, Any]] = [
        {**base, "x": lane.t, "y": lane.y, "mode": "lines", "line": line, **_ROWS[0]}
    ]
    accepted, rejected = lane.accepted, ~lane.accepted
    for row, values, shape in ((1, lane.h, "hv"), (2, lane.ratio, "linear")):
        if not values.size:
            continue
        traces.append(
            {
                **hidden,
                "x": lane.attempt_t[accepted],
                "y": values[accepted],
                "mode": "lines+markers",
                "line": {"color": lane.colour, "width": 1.4, "shape": shape},
                "marker": {"color": lane.colour, "size": 5},
                **_ROWS[row],
            }
        )
        if rejected.any():
            traces.append(
                {
                    **hidden,
                    "x": lane.attempt_t[rejected],
                    "y": values[rejected],
                    "mode": "markers",
                    "marker": cross,
                    "name": f"{lane.label}: rejected",
                    **_ROWS[row],
                }
            )
    traces.append({**hidden, "x": lane.error_t, "y": lane.error, "mode": "lines", "line": line, **_ROWS[3]})
    return traces


def _layout(info: TimelineInfo, height: int) -> dict[str, Any]:
    layout = layout_style(height)
    layout["margin"] = {"l": 10, "r": 10, "t": 30, "b": 10}
    # above the first row's title, so that neither the title nor the data is covered
    layout["legend"] = {**layout["legend"], "y": 1.05}
    titles = (
        f"state {info.component}(t)",
        "step size h(t), × = rejected",
        "local error / tolerance",
        "global error",
    )
    layout["annotations"] = [
        {
            "text": title,
            "xref": "paper",
            "yref": "paper",
            "x": 0,
            "y": domain[1],
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": FONT_SIZE},
        }
        for title, domain in zip(titles, _DOMAINS, strict=True)
    ]
    for row, domain in enumerate(_DOMAINS):
        name = "" if row == 0 else str(row + 1)
        layout[f"xaxis{name}"] = {**_time_axis(info, last=row == 3), "anchor": f"y{name}"}
        layout[f"yaxis{name}"] = {**_value_axis(info, row), "anchor": f"x{name}", "domain": list(domain)}
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "x3 domain",
            "yref": "y3",
            "x0": 0,
            "x1": 1,
            "y0": 1,
            "y1": 1,
            "line": {"color": REFERENCE_COLOUR, "dash": "dash", "width": 1.5},
        }
    ]
    return layout


def _time_axis(info: TimelineInfo, *, last: bool) -> dict[str, Any]:
    axis = {**axis_style("t" if last else ""), "showticklabels": last}
    if not last:
        axis["matches"] = "x4"
    if info.log_time:
        low, high = np.log10(info.t_range)
        return {**axis, "type": "log", "exponentformat": "power", "range": [float(low), float(high)]}
    return {**axis, "range": list(info.t_range)}


def _value_axis(info: TimelineInfo, row: int) -> dict[str, Any]:
    axis = axis_style()
    if row == 0:
        return {**axis, "range": list(info.y_range)}
    values = {
        1: [lane.h for lane in info.lanes],
        2: [lane.ratio for lane in info.lanes] + [np.ones(1)],
        3: [lane.error for lane in info.lanes],
    }[row]
    limits = log_limits(np.concatenate(values), pad=0.12)
    if limits is not None and row == 2:
        limits = (max(limits[0], -5.0), limits[1])
    if limits is not None and row == 3:
        # an exploding error would squeeze the others flat
        limits = (limits[0], min(limits[1], max(limits[0] + 1.0, 4.0)))
    axis |= log_ticks(limits, 4)
    return axis if limits is None else {**axis, "range": list(limits)}
