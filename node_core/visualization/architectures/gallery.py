"""Images side by side with a word under each, and what the digits cost on average."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from node_core.studies.architectures.questions_config import HardestResult
from node_core.visualization.style import FONT_SIZE, LANE_COLOURS, Floats, faded, styled

A_ROW = 6
INK = LANE_COLOURS[1]
_GAP = 0.35  # of an image's side, below and beside it


class GalleryInfo(NamedTuple):
    """Images (n, side, side) of brightness 0 to 1, and a caption of each."""

    images: NDArray[np.float32]
    captions: tuple[str, ...]


def hardest_info(result: HardestResult) -> tuple[GalleryInfo, GalleryInfo]:
    """The images that cost the most evaluations, and those that cost the fewest."""
    kept = len(result.hardest)
    last = range(len(result.nfe) - 1, len(result.nfe) - 1 - kept, -1)
    return (
        GalleryInfo(result.hardest, tuple(_caption(result, k) for k in range(kept))),
        GalleryInfo(result.easiest, tuple(_caption(result, k) for k in last)),
    )


def gallery_figure(info: GalleryInfo, *, a_row: int = A_ROW) -> go.Figure:
    """Draw images as ink on the page: nothing where they are dark."""
    n, side = len(info.images), info.images.shape[1]
    columns, rows = min(a_row, n), math.ceil(n / a_row)
    figure = go.Figure()
    pitch = 1 + _GAP
    for k, image in enumerate(info.images):
        row, column = divmod(k, a_row)
        at = (np.arange(side) + 0.5) / side
        figure.add_heatmap(
            x=column * pitch + at,
            y=-row * pitch - at,
            z=image,
            zmin=0,
            zmax=1,
            colorscale=[[0, faded(INK, 0.08)], [1, INK]],
            showscale=False,
            hoverinfo="skip",
        )
        figure.add_annotation(
            x=column * pitch + 0.5,
            y=-row * pitch - 1.17,
            text=info.captions[k],
            showarrow=False,
            font={"size": FONT_SIZE - 4},
        )
    hidden = {"visible": False, "fixedrange": True}
    layout = {
        "xaxis": {**hidden, "range": [-0.1, columns * pitch - _GAP + 0.1]},
        "yaxis": {**hidden, "range": [-rows * pitch, 0.05], "scaleanchor": "x", "constraintoward": "top"},
    }
    return styled(figure, height=84 * rows + 20, layout=layout)


def by_digit_figure(by_digit: Floats) -> go.Figure:
    """Mean evaluations of the images of each digit, (10,)."""
    figure = go.Figure()
    figure.add_scatter(  # no bars: these would have to begin at zero, and hide what differs
        x=[str(digit) for digit in range(len(by_digit))],
        y=by_digit,
        mode="markers",
        marker={"color": INK, "size": 13},
        hovertemplate="%{x}: %{y:.1f} evaluations<extra></extra>",
    )
    finite = by_digit[np.isfinite(by_digit)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    pad = max(1.0, 0.3 * (high - low))
    return styled(
        figure,
        height=230,
        x="digit",
        y="mean NFE",
        layout={"xaxis": {"type": "category"}, "yaxis": {"range": [max(0.0, low - pad), high + pad]}},
    )


def _caption(result: HardestResult, k: int) -> str:
    what = f"{result.labels[k]}" + (f"→{result.predicted[k]}" if result.error[k] else "")
    return f"{what}: {result.nfe[k]:.0f}"
