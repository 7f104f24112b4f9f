"""A method's region of absolute stability in the complex plane, with the h lambda of a problem on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.solvers.race_config import StabilityLane
from node_core.visualization.stability_region import TOLERATED, region_figure
from node_core.visualization.style import Floats, lane_colour

NO_GROWTH = 1e-12
AS_THE_SOLUTION = 1e-3


class StabilityInfo(NamedTuple):
    """One method's picture. Points beyond the window sit on its edge (`clipped` counts them).

    `grows` marks the points with Re > 0, where the solution itself grows; `inside` those, and the points at which the
    method does not amplify what decays.
    """

    label: str
    colour: str
    re: Floats
    im: Floats
    growth: Floats
    point_re: Floats
    point_im: Floats
    point_t: Floats
    point_growth: Floats
    inside: np.ndarray
    grows: np.ndarray
    clipped: int
    sentence: str
    formula: str = ""


def stability_info(lane: StabilityLane, index: int) -> StabilityInfo:
    """What the picture of `lane` shows; `index` chooses its colour."""
    re, im = lane.region_re, lane.region_im
    point_re = np.clip(lane.h_lambda.real, re[0], re[-1])
    point_im = np.clip(lane.h_lambda.imag, im[0], im[-1])
    clipped = int(np.count_nonzero((point_re != lane.h_lambda.real) | (point_im != lane.h_lambda.imag)))
    grows = lane.h_lambda.real > NO_GROWTH
    inside = grows | (lane.growth <= TOLERATED)
    return StabilityInfo(
        lane.label,
        lane_colour(index),
        re,
        im,
        lane.region,
        point_re,
        point_im,
        lane.t,
        lane.growth,
        inside,
        grows,
        clipped,
        _sentence(lane, inside, grows),
        lane.formula,
    )


def stability_figure(info: StabilityInfo, *, height: int = 360) -> go.Figure:
    """Draw `info`: shaded where |R(z)| <= 1, dots for h lambda inside, crosses outside, rings where Re > 0."""
    figure = region_figure(info.re, info.im, info.growth, info.colour, opacity=0.28, height=height)
    for sits, symbol, size, name in (
        (info.inside & ~info.grows, "circle", 9, "damped"),
        (info.grows, "circle-open", 9, "grows by itself"),
        (~info.inside, "x", 11, "amplified"),
    ):
        if sits.any():
            figure.add_scatter(
                x=info.point_re[sits],
                y=info.point_im[sits],
                customdata=np.stack([info.point_t[sits], info.point_growth[sits]], axis=1),
                mode="markers",
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": info.colour,
                    "line": {"width": 1, "color": "white"},
                },
                name=name,
                hovertemplate="t = %{customdata[0]:.3g}<br>hλ = %{x:.3g} %{y:+.3g}i<br>"
                "|R| = %{customdata[1]:.3g}<extra></extra>",
            )
    return figure


def _sentence(lane: StabilityLane, inside: np.ndarray, grows: np.ndarray) -> str:
    """What the picture says, in words; values that lie on one another are counted once."""
    if not lane.h_lambda.size:
        return f"{lane.label}: there are no eigenvalues to draw."
    first = _distinct(lane.h_lambda)
    outside, count = int(np.count_nonzero(~inside[first])), first.size
    if outside:
        worst = _times(float(np.max(np.where(~inside, lane.growth, 0.0))))
        lie = "value of hλ lies" if count == 1 else "values of hλ lie"
        return f"{lane.label}: {outside} of {count} {lie} outside; the worst is amplified {worst} a step."
    growing = int(np.count_nonzero(grows[first]))
    if growing == 0:
        return f"{lane.label}: every hλ lies inside, so no step amplifies an error."
    if growing == count:
        return f"{lane.label}: every hλ has a positive real part: the solution itself grows. {_compared(lane, grows)}"
    return (
        f"{lane.label}: {growing} of {count} values of hλ have a positive real part, where the solution itself grows; "
        f"the others lie inside. {_compared(lane, grows)}"
    )


def _distinct(values: np.ndarray) -> np.ndarray:
    """The index of the first of each distinct value; a linear system has one for each component, however often."""
    scale = float(np.abs(values).max()) or 1.0
    return np.unique(np.round(values / scale, 8), return_index=True)[1]


def _times(growth: float) -> str:
    """A factor a step: "1.5 times", or in percent where the factor reads as 1."""
    if growth < 1.1:
        return f"by {100 * (growth - 1):.2g} %"
    return f"{growth:.3g} times" if growth < 1e4 else f"{growth:.1e} times"


def _compared(lane: StabilityLane, grows: np.ndarray) -> str:
    """The method's growth a step, |R(h lambda)|, beside the solution's, exp(Re h lambda), where they differ most."""
    own, true = lane.growth[grows], np.exp(lane.h_lambda.real[grows])
    worst = int(np.argmax(np.abs(np.log(np.maximum(own, 1e-300) / true))))
    if abs(own[worst] / true[worst] - 1) < AS_THE_SOLUTION:
        return f"A step grows as it does, to {100 * AS_THE_SOLUTION:g} %."
    than = "more" if own[worst] > true[worst] else "less"
    return (
        f"A step that should multiply by {true[worst]:.4g} there multiplies by {own[worst]:.4g}: what grows, grows "
        f"{than} than it should."
    )
