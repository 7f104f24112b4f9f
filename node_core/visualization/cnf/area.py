"""A small square, and what a moment of the flow makes of it: its area is told by the trace alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.cnf.area_config import AreaResult
from node_core.visualization.style import REFERENCE_COLOUR, Floats, faded, lane_colour, styled


class AreaInfo(NamedTuple):
    """The unit square's corners (5, 2), closed, and their images under I + eps J; the numbers and their sentence."""

    before: Floats
    after: Floats
    area: float
    linear: float
    rest: float
    sentence: str


def area_info(result: AreaResult, eps: float) -> AreaInfo:
    """The square after the time `eps`: det(I + eps J) beside 1 + eps tr J, which differ by eps^2 det J."""
    jacobian = result.jacobian
    before = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=float) - 0.5
    matrix = np.eye(2) + eps * jacobian
    area, trace = float(np.linalg.det(matrix)), float(np.trace(jacobian))
    linear, rest = 1 + eps * trace, eps**2 * float(np.linalg.det(jacobian))
    where = f"at z = ({_told(result.z[0], 2)}, {_told(result.z[1], 2)}), t = {result.config.t:g}"
    change = "grows" if area > 1 else "shrinks"
    opposite = "falls" if area > 1 else "rises"
    said = (
        f"{where[0].upper()}{where[1:]}, after {result.iteration:,} iterations, tr J = {_told(trace, 3)}: the area "
        f"{change} to {_told(area, 4)}, and 1 + ε tr J says {_told(linear, 4)}. They differ by ε² det J = "
        f"{_told(rest, 4)}, a quarter of it with half of ε. In the flow's infinitely small steps only the trace is "
        f"left, and the density {opposite} as the area {change}."
    )
    if area <= 0:
        said = (
            f"{where[0].upper()}{where[1:]}, after {result.iteration:,} iterations, ε = {eps:g} is too large: I + εJ "
            f"turns the square over (its determinant is {_told(area, 3)}), which no flow can. Take a smaller ε."
        )
    return AreaInfo(before, before @ matrix.T, area, linear, rest, said)


def area_figure(info: AreaInfo) -> go.Figure:
    """Both shapes, with equal scales."""
    figure = go.Figure()
    for name, corners, colour in (
        ("the square", info.before, REFERENCE_COLOUR),
        ("after ε", info.after, lane_colour(0)),
    ):
        figure.add_scatter(
            x=corners[:, 0],
            y=corners[:, 1],
            mode="lines",
            fill="toself",
            fillcolor=faded(colour, 0.25),
            line={"color": colour, "width": 2.5},
            name=name,
            hoverinfo="skip",
        )
    axes = {"yaxis": {"scaleanchor": "x", "scaleratio": 1, "zeroline": False}, "xaxis": {"zeroline": False}}
    return styled(figure, height=340, layout=axes)


def _told(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
