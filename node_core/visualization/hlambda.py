"""The h lambda cloud of a learned field on the stability region of the solver that follows it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.solvers.methods import METHODS
from node_core.solvers.stability import stability_function, stability_region, with_stability_function
from node_core.studies.hlambda_config import HLambdaResult
from node_core.visualization.stability import TOLERATED
from node_core.visualization.style import (
    FONT_SIZE,
    REFERENCE_COLOUR,
    Floats,
    faded,
    lane_colour,
    styled,
    thinned,
)

MOST = 1500
_WINDOW = 4.2


class CloudInfo(NamedTuple):
    """The region |R| (n, n) over `re` and `im`; the cloud's points with the step's start and their |R|."""

    label: str
    re: Floats
    im: Floats
    region: Floats
    point_re: Floats
    point_im: Floats
    point_t: Floats
    growth: Floats
    largest: float
    sentence: str


def cloud_info(result: HLambdaResult) -> CloudInfo | None:
    """What the picture of `result` shows; None for multistep methods, which have no single region."""
    if result.method not in with_stability_function():
        return None
    values = result.h_lambda.reshape(-1)
    t = np.repeat(result.t, result.h_lambda[0].size if result.h_lambda.size else 0)
    growth = np.abs(stability_function(result.method, values))
    reach = max(_WINDOW, 1.15 * float(np.abs(values).max(initial=0.0)))
    region = stability_region(result.method, (-reach, 0.6 * reach), (-0.8 * reach, 0.8 * reach), 160)
    kept = thinned(values.size, MOST)
    decays = values.real < 0
    outside = decays & (growth > TOLERATED)
    label = METHODS[result.method].label
    largest = float(np.abs(values).max(initial=0.0))
    if outside.any():
        said = (
            f"{outside.sum()} of {decays.sum()} decaying values lie outside {label}'s region: there the solver "
            "amplifies what the field damps."
        )
    else:
        said = (
            f"Every decaying hλ lies inside {label}'s region, the largest has |hλ| = {largest:.2g}: accuracy, not "
            "stability, sets the step."
        )
    return CloudInfo(
        label, region.re, region.im, region.magnitude,
        values.real[kept], values.imag[kept], t[kept], growth[kept], largest, said,
    )  # fmt: skip


def cloud_figure(info: CloudInfo, *, height: int = 440) -> go.Figure:
    """Draw `info`: the region shaded, the cloud coloured by the flow's time."""
    colour = lane_colour(1)
    figure = go.Figure()
    figure.add_heatmap(
        x=info.re,
        y=info.im,
        z=np.where(info.region <= TOLERATED, 1.0, np.nan),
        colorscale=[[0, faded(colour, 0.22)], [1, faded(colour, 0.22)]],
        showscale=False,
        hoverinfo="skip",
    )
    figure.add_contour(
        x=info.re,
        y=info.im,
        z=np.minimum(info.region, 2.0),
        contours={"start": 1.0, "end": 1.0, "size": 1.0, "coloring": "none"},
        line={"width": 2.5, "color": colour},
        showscale=False,
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=info.point_re,
        y=info.point_im,
        customdata=np.stack([info.point_t, info.growth], axis=1),
        mode="markers",
        marker={
            "size": 6,
            "color": info.point_t,
            "colorscale": "Plasma",
            "opacity": 0.8,
            "colorbar": {"title": {"text": "t"}, "thickness": 12, "tickfont": {"size": FONT_SIZE - 3}},
        },
        hovertemplate="t = %{customdata[0]:.3g}<br>hλ = %{x:.3g} %{y:+.3g}i<br>"
        "|R| = %{customdata[1]:.3g}<extra></extra>",
    )
    axis = {"color": REFERENCE_COLOUR, "width": 1.2}
    figure.add_hline(y=0.0, line=axis)
    figure.add_vline(x=0.0, line=axis)
    styled(figure, height=height, x="Re hλ", y="Im hλ")
    figure.update_layout(showlegend=False)
    figure.update_xaxes(range=[info.re[0], info.re[-1]], showgrid=False, constrain="domain")
    figure.update_yaxes(range=[info.im[0], info.im[-1]], showgrid=False, scaleanchor="x", constrain="domain")
    return figure
