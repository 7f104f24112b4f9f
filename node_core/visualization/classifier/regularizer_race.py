"""The regulariser race: losses and NFE of the lanes, and how straight the paths became."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.classifier.regularizer_race_config import LaneName, RaceLane, RegularizerRaceResult
from node_core.visualization.style import Floats, lane_colour, styled
from node_core.visualization.training_curves import Curve, CurvesInfo

LABELS: dict[LaneName, str] = {
    "none": "no penalty",
    "kinetic": "kinetic energy",
    "jacobian": "Jacobian norm",
    "steer": "STEER",
}


class PathsInfo(NamedTuple):
    """One lane's paths in the first two coordinates: a broken line for each class, and the ends."""

    label: str
    lines: tuple[tuple[Floats, Floats], ...]
    ends: tuple[tuple[Floats, Floats], ...]
    reach: float


def race_curves(result: RegularizerRaceResult) -> tuple[CurvesInfo, CurvesInfo]:
    """The loss (without the penalty) and the NFE of every lane against the iteration."""
    infos = []
    for title, log, key in (("loss", True, "loss"), ("NFE forward", False, "nfe")):
        curves = tuple(
            Curve(
                LABELS[lane.name],
                lane_colour(index),
                False,
                lane.iteration.astype(float),
                getattr(lane, key),
            )
            for index, lane in enumerate(result.lanes)
        )
        infos.append(CurvesInfo("iteration", title, log, curves, "race"))
    return infos[0], infos[1]


def paths_info(lane: RaceLane, reach: float) -> PathsInfo:
    """The paths of one lane within +-`reach`, the same for all lanes."""
    lines, ends = [], []
    for c in np.unique(lane.labels):
        paths = lane.paths[:, lane.labels == c, :2].astype(float)
        broken = np.concatenate([paths, np.full((1, *paths.shape[1:]), np.nan)]).swapaxes(0, 1)
        second = broken[..., 1] if broken.shape[-1] > 1 else np.zeros_like(broken[..., 0])
        lines.append((broken[..., 0].ravel(), second.ravel()))
        ends.append((paths[-1, :, 0], paths[-1, :, 1] if paths.shape[-1] > 1 else np.zeros(paths.shape[1])))
    return PathsInfo(LABELS[lane.name], tuple(lines), tuple(ends), reach)


def common_reach(result: RegularizerRaceResult) -> float:
    """The largest coordinate that any lane's paths take, in the first two components."""
    return 1.05 * max(float(np.abs(lane.paths[..., :2]).max(initial=1.0)) for lane in result.lanes)


def paths_figure(info: PathsInfo, *, height: int = 250) -> go.Figure:
    """Draw one lane's paths."""
    figure = go.Figure()
    for c, ((x, y), (end_x, end_y)) in enumerate(zip(info.lines, info.ends, strict=True)):
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": lane_colour(c), "width": 1.4},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=end_x,
            y=end_y,
            mode="markers",
            marker={"color": lane_colour(c), "size": 5},
            hoverinfo="skip",
            showlegend=False,
        )
    axis = {"range": [-info.reach, info.reach], "showticklabels": False, "constrain": "domain"}
    return styled(figure, height=height, layout={"xaxis": axis, "yaxis": {**axis, "scaleanchor": "x"}})
