"""A drawn digit on its way through a net, among test images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from node_core.studies.architectures.questions_config import DigitAnswer
from node_core.visualization.style import FONT_SIZE, LANE_COLOURS, REFERENCE_COLOUR, styled

DIGIT_COLOURS = (*LANE_COLOURS, "#0e9aa7", "#9a9a00")


class PathInfo(NamedTuple):
    """Where test images end (n, 2), with their digits (n,), and the drawing's path (time, 2) to its answer."""

    ends: NDArray[np.float32]
    labels: NDArray[np.int64]
    path: NDArray[np.float32]
    jumps: bool
    answer: int


def path_info(answer: DigitAnswer) -> PathInfo:
    """What the picture of a net's answer shows."""
    return PathInfo(answer.others[-1], answer.labels, answer.path, answer.jumps, answer.answer)


def path_figure(info: PathInfo) -> go.Figure:
    """Test images where they end, each as its digit; the drawing's path in between."""
    figure = go.Figure()
    for digit in sorted(set(info.labels.tolist())):
        own = info.labels == digit
        figure.add_scatter(
            x=info.ends[own, 0],
            y=info.ends[own, 1],
            mode="text",
            text=[str(digit)] * int(own.sum()),
            textfont={"color": DIGIT_COLOURS[digit], "size": FONT_SIZE - 4},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=info.path[:, 0],
        y=info.path[:, 1],
        mode="lines+markers",
        line={"color": REFERENCE_COLOUR, "width": 3, "shape": "linear" if info.jumps else "spline"},
        marker={"size": 5, "color": REFERENCE_COLOUR},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=info.path[-1:, 0],
        y=info.path[-1:, 1],
        mode="markers",
        marker={
            "size": 15,
            "color": DIGIT_COLOURS[info.answer],
            "line": {"width": 2, "color": REFERENCE_COLOUR},
        },
        hovertemplate=f"the drawing: {info.answer}<extra></extra>",
    )
    bare = {"showticklabels": False, "showgrid": False}
    return styled(figure, height=260, layout={"showlegend": False, "xaxis": bare, "yaxis": bare})
