"""A method's region of absolute stability in the plane of h lambda: the ground on which a lesson puts its points."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from node_core.visualization.style import REFERENCE_COLOUR, Floats, faded, styled

# beyond round-off: on the boundary |R| = 1 a method neither damps nor amplifies
TOLERATED = 1.0 + 1e-9


def region_figure(
    re: Floats, im: Floats, magnitude: Floats, colour: str, *, opacity: float, height: int
) -> go.Figure:
    """Shade where |R(z)| <= 1 and outline it, in equal units, so that Euler's disc is a disc.

    Args:
        re, im: real and imaginary parts of the grid's z = h lambda, (nx,) and (ny,); the figure's window too.
        magnitude: |R(z)| there, (ny, nx).
        colour: of the outline, #rrggbb.
        opacity: of the shade.
        height: of the figure in pixels.
    """
    figure = go.Figure()
    # filled as cells and outlined as a contour: a contour with one level can't leave its outside empty
    figure.add_heatmap(
        x=re,
        y=im,
        z=np.where(magnitude <= TOLERATED, 1.0, np.nan),
        colorscale=[[0, faded(colour, opacity)], [1, faded(colour, opacity)]],
        showscale=False,
        hoverinfo="skip",
        name="|R(z)| <= 1",
    )
    figure.add_contour(
        x=re,
        y=im,
        z=np.minimum(magnitude, 2.0),
        contours={"start": 1.0, "end": 1.0, "size": 1.0, "coloring": "none"},
        line={"width": 2.5, "color": colour},
        showscale=False,
        hoverinfo="skip",
        name="|R(z)| = 1",
    )
    axis = {"color": REFERENCE_COLOUR, "width": 1.2}
    figure.add_hline(y=0.0, line=axis)
    figure.add_vline(x=0.0, line=axis)
    layout = {
        "showlegend": False,
        "xaxis": {"range": [re[0], re[-1]], "showgrid": False, "constrain": "domain"},
        "yaxis": {"range": [im[0], im[-1]], "showgrid": False, "scaleanchor": "x", "constrain": "domain"},
    }
    return styled(figure, height=height, x="Re hλ", y="Im hλ", layout=layout)
