"""Not every function is a flow: the paths of trained nets, and what they failed at."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.limits.flows_config import FLOW_NETS, FlowNet, FlowsResult
from node_core.visualization.style import FONT_SIZE, Floats, lane_colour, styled

NAMES = FLOW_NETS


class PathsInfo(NamedTuple):
    """One net's paths: of each class a broken line (x, y), starts and ends (x, y); both axes with their titles."""

    label: str
    lines: tuple[tuple[Floats, Floats], ...]
    starts: tuple[tuple[Floats, Floats], ...]
    ends: tuple[tuple[Floats, Floats], ...]
    x_title: str
    y_title: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]


def paths_info(net: FlowNet, reach: float) -> PathsInfo:
    """The paths over time where the data lie on a line, else in the first two coordinates, within +-`reach`."""
    on_a_line = math.isfinite(net.swapped)
    lines, starts, ends = [], [], []
    for c in np.unique(net.labels):
        paths = net.paths[:, net.labels == c].astype(float)
        first = np.broadcast_to(net.ts[:, None], paths.shape[:2]) if on_a_line else paths[..., 0]
        second = paths[..., 0] if on_a_line else paths[..., 1]
        gap = np.full((1, paths.shape[1]), np.nan)
        lines.append(tuple(np.concatenate([v, gap]).T.ravel() for v in (first, second)))
        starts.append((first[0], second[0]))
        ends.append((first[-1], second[-1]))
    titles = ("depth t", "x") if on_a_line else ("y₁", "y₂")
    y_range = (-reach, reach)
    x_range = (float(net.ts[0]), float(net.ts[-1])) if on_a_line else y_range
    return PathsInfo(NAMES[net.name], tuple(lines), tuple(starts), tuple(ends), *titles, x_range, y_range)  # type: ignore[arg-type]


def common_reach(result: FlowsResult, names: tuple[str, ...]) -> float:
    """The largest coordinate that is drawn of any of these nets."""
    nets = [result.net(name) for name in names]
    return 1.08 * max(float(np.abs(net.paths[..., : _drawn(net)]).max(initial=1.0)) for net in nets)


def paths_figure(info: PathsInfo, *, height: int = 320) -> go.Figure:
    """Draw the paths, thin, their starts hollow and their ends full."""
    figure = go.Figure()
    for c, ((x, y), (start_x, start_y), (end_x, end_y)) in enumerate(
        zip(info.lines, info.starts, info.ends, strict=True)
    ):
        quiet: dict[str, Any] = {"hoverinfo": "skip", "showlegend": False}
        colour = lane_colour(c)
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": colour, "width": 1.2}, opacity=0.55, **quiet
        )
        hollow = {"color": colour, "size": 6, "symbol": "circle-open"}
        figure.add_scatter(x=start_x, y=start_y, mode="markers", marker=hollow, **quiet)
        figure.add_scatter(x=end_x, y=end_y, mode="markers", marker={"color": colour, "size": 7}, **quiet)
    small = {"tickfont": {"size": FONT_SIZE - 4}}
    layout = {
        "xaxis": {"range": _padded(info.x_range), **small},
        "yaxis": {"range": list(info.y_range), **small},
    }
    return styled(figure, height=height, x=info.x_title, y=info.y_title, layout=layout)


def flows_sentence(result: FlowsResult) -> str:
    """What the plain net could not do."""
    net = result.net("plain")
    if math.isfinite(net.swapped):
        return (
            f"Of all pairs of a −1 and a +1 a flow of the line swaps {net.swapped:.0%}, for two paths would have to "
            f"meet: after {net.iterations} iterations the ODE-Net has {net.accuracy:.0%} of {result.points:,} points "
            f"on their side, and a mean squared error of {net.loss:.2f}, where 1 is what leaving all at 0 gives."
        )
    wrong = round((1 - net.accuracy) * result.points)
    return (
        f"No flow of the plane frees the ball from its shell: after {net.iterations} iterations {wrong} of "
        f"{result.points:,} points are still wrong (loss {net.loss:.1e}), and a solve takes {net.nfe} evaluations to "
        "squeeze the others through a channel."
    )


def flows_remedy(result: FlowsResult, name: str) -> str:
    """What another net makes of the same data in as many iterations."""
    net, plain = result.net(name), result.net("plain")
    more = net.parameters - plain.parameters
    steps = f"{net.nfe} layers" if name == "resnet" else f"{net.nfe} evaluations, not {plain.nfe}"
    way = "A ResNet jumps" if name == "resnet" else "With a dimension more they pass each other"
    if math.isfinite(net.swapped):
        done = f"{net.swapped:.0%} of the pairs are swapped"
    else:
        done = f"{net.accuracy:.1%} of the points are right"
        way = "A ResNet jumps" if name == "resnet" else "In three dimensions the ball is lifted out"
    return f"{way}: {done}, loss {net.loss:.1e}, in {steps}, for {more:,} parameters more."


def _drawn(net: FlowNet) -> int:
    return 1 if math.isfinite(net.swapped) else 2


def _padded(limits: tuple[float, float]) -> list[float]:
    pad = 0.03 * (limits[1] - limits[0])
    return [limits[0] - pad, limits[1] + pad]
