"""The ResNet on its way to the ODE: its error against the number of layers, and what the layers cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.resnets.limit_config import LimitResult
from node_core.visualization.loglog import Guide, LogInfo, Series, log_figure, series_of
from node_core.visualization.style import FONT_SIZE, Floats, laid_out, lane_colour


class DepthInfo(NamedTuple):
    """Measured lines and the guide of the theory, with the depth that is shown marked (x, y), or None."""

    lines: LogInfo
    marked: tuple[tuple[float, float], ...]


def error_info(result: LimitResult, layers: int) -> DepthInfo:
    """The distance between ResNet and ODE at the end, against L, with a guide of slope -1."""
    depth = result.layers.astype(float)
    guide = result.error[-1] * depth[-1]
    lines: tuple[Series, ...] = (
        series_of("mean distance", lane_colour(0), "circle", depth, result.error, 1.0 / depth),
        series_of("largest", lane_colour(3), "diamond", depth, result.worst, 1.0 / depth, "dot"),
    )
    guides = (Guide("slope −1: error ∝ 1/L", (depth[0], depth[-1]), (guide / depth[0], guide / depth[-1])),)
    info = LogInfo("layers L", "|h_L − h(T)|", "h = T/L", lines, guides)
    return DepthInfo(info, _marks(result, layers, result.error))


def count_info(result: LimitResult, layers: int) -> DepthInfo:
    """Trainable numbers against L: layers with weights of their own, shared weights, and the ODE-Net."""
    depth = result.layers.astype(float)
    own = result.block * depth + result.head
    shared = np.full_like(depth, result.block + result.head)
    lines: tuple[Series, ...] = (
        series_of("a block for each layer", lane_colour(1), "square", depth, own, depth),
        series_of("one shared block = the ODE-Net", lane_colour(2), "circle", depth, shared, depth),
    )
    return DepthInfo(LogInfo("layers L", "parameters", "L", lines), _marks(result, layers, own, shared))


def depth_figure(info: DepthInfo, *, height: int = 400) -> go.Figure:
    """Draw `info` with rings around the shown depth."""
    figure = log_figure(info.lines, height=height)
    figure.add_scatter(
        x=[x for x, _ in info.marked],
        y=[y for _, y in info.marked],
        mode="markers",
        marker={"symbol": "circle-open", "size": 20, "line": {"width": 3}, "color": lane_colour(0)},
        showlegend=False,
        hoverinfo="skip",
    )
    return laid_out(figure, {"uirevision": "depth", "legend": {"font": {"size": FONT_SIZE - 2}}})


def _marks(result: LimitResult, layers: int, *values: Floats) -> tuple[tuple[float, float], ...]:
    where = np.flatnonzero(result.layers == layers)
    return tuple((float(layers), float(line[where[0]])) for line in values) if where.size else ()
