"""A method's region of absolute stability in the complex plane, with the h lambda of a problem on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.race_config import StabilityLane
from node_core.visualization.style import REFERENCE_COLOUR, Floats, faded, lane_colour, styled

# beyond round-off: on the boundary |R| = 1 a method neither damps nor amplifies
TOLERATED = 1.0 + 1e-9
NO_GROWTH = 1e-12


class StabilityInfo(NamedTuple):
    """One method's picture. Points beyond the window sit on its edge (`clipped` counts them).

    `inside` marks the points at which the method does not amplify (or where the solution itself grows, Re > 0).
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
    clipped: int
    sentence: str


def stability_info(lane: StabilityLane, index: int) -> StabilityInfo:
    """What the picture of `lane` shows; `index` chooses its colour."""
    re, im = lane.region_re, lane.region_im
    point_re = np.clip(lane.h_lambda.real, re[0], re[-1])
    point_im = np.clip(lane.h_lambda.imag, im[0], im[-1])
    clipped = int(np.count_nonzero((point_re != lane.h_lambda.real) | (point_im != lane.h_lambda.imag)))
    decaying = lane.h_lambda.real <= NO_GROWTH
    inside = ~decaying | (lane.growth <= TOLERATED)
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
        clipped,
        _sentence(lane, inside, decaying),
    )


def stability_figure(info: StabilityInfo, *, height: int = 360) -> go.Figure:
    """Draw `info`: shaded where |R(z)| <= 1, filled dots for h lambda inside, crosses outside."""
    figure = go.Figure()
    # filled as cells and outlined as a contour: a contour with one level can't leave its outside empty
    figure.add_heatmap(
        x=info.re,
        y=info.im,
        z=np.where(info.growth <= TOLERATED, 1.0, np.nan),
        colorscale=[[0, faded(info.colour, 0.28)], [1, faded(info.colour, 0.28)]],
        showscale=False,
        hoverinfo="skip",
        name="|R(z)| <= 1",
    )
    figure.add_contour(
        x=info.re,
        y=info.im,
        z=np.minimum(info.growth, 2.0),
        contours={"start": 1.0, "end": 1.0, "size": 1.0, "coloring": "none"},
        line={"width": 2.5, "color": info.colour},
        showscale=False,
        hoverinfo="skip",
        name="|R(z)| = 1",
    )
    for sits, symbol, size, name in (
        (info.inside, "circle", 9, "damped"),
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
    axis = {"color": REFERENCE_COLOUR, "width": 1.2}
    figure.add_hline(y=0.0, line=axis)
    figure.add_vline(x=0.0, line=axis)
    styled(figure, height=height)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title_text="Re hλ", range=[info.re[0], info.re[-1]], showgrid=False)
    # equal units, so that Euler's disc is a disc
    figure.update_yaxes(
        title_text="Im hλ",
        range=[info.im[0], info.im[-1]],
        showgrid=False,
        scaleanchor="x",
        constrain="domain",
    )
    figure.update_xaxes(constrain="domain")
    return figure


def _sentence(lane: StabilityLane, inside: np.ndarray, decaying: np.ndarray) -> str:
    """What the picture says, in words."""
    if not lane.h_lambda.size:
        return f"{lane.label}: there are no eigenvalues to draw."
    outside = int(np.count_nonzero(~inside))
    if outside:
        worst = float(np.max(np.where(~inside, lane.growth, 0.0)))
        times = f"{worst:.3g}" if worst < 1e4 else f"{worst:.1e}"
        return (
            f"{lane.label}: {outside} of {inside.size} values of hλ lie outside; "
            f"the worst is amplified {times} times a step."
        )
    if not decaying.any():
        return f"{lane.label}: every hλ has a positive real part; the solution itself grows here."
    return f"{lane.label}: every hλ that should decay lies inside, so errors are damped."
