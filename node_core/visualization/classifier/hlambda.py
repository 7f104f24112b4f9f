"""The h lambda cloud of a learned field on the stability region of the solver that follows it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.solvers.methods import METHODS
from node_core.solvers.stability import stability_function, stability_region, with_stability_function
from node_core.studies.classifier.hlambda_config import HLambdaResult
from node_core.visualization.stability_region import TOLERATED, region_figure
from node_core.visualization.style import FONT_SIZE, Floats, lane_colour, thinned

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
        lie = "value lies" if decays.sum() == 1 else "values lie"
        rates = (result.h_lambda / result.dt[:, None, None]).real
        step, *_ = np.unravel_index(rates.argmin(), rates.shape)
        said = (
            f"{outside.sum()} of {decays.sum()} decaying {lie} outside {label}'s region: there the solver "
            f"amplifies what the field damps. The fastest has λ = {rates.min():.2g}: it decays within "
            f"{-1 / rates.min():.2g}, and the step there is {result.dt[step]:.2g}."
        ).replace("-", "−")
    elif not decays.any():
        said = f"No hλ decays here, the largest has |hλ| = {largest:.2g}: the flow only spreads points apart."
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
    figure = region_figure(info.re, info.im, info.region, lane_colour(1), opacity=0.22, height=height)
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
    return figure
