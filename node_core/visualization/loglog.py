"""Lines on logarithmic axes: what most of the measured pictures of the Adjoint lesson are."""

from __future__ import annotations

from itertools import cycle
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.visualization.style import REFERENCE_COLOUR, Floats, log_limits, styled

NARROW = 1.6
"""Decades below which 2 and 5 get their ticks as well."""


class Series(NamedTuple):
    """Measured points (n,), where both numbers are positive and finite; `hover` (n,) goes into
    the label.
    """

    label: str
    colour: str
    symbol: str
    x: Floats
    y: Floats
    hover: Floats
    dash: str = "solid"


class Guide(NamedTuple):
    """A dashed line of the theory, y = scale x^power over (x0, x1)."""

    label: str
    x: tuple[float, float]
    y: tuple[float, float]


class LogInfo(NamedTuple):
    """All that a picture shows. `hover_title` names what `Series.hover` holds."""

    x_title: str
    y_title: str
    hover_title: str
    series: tuple[Series, ...]
    guides: tuple[Guide, ...] = ()
    log_x: bool = True
    flip_x: bool = False


def series_of(
    label: str, colour: str, symbol: str, x: Floats, y: Floats, hover: Floats, dash: str = "solid"
) -> Series:
    """A series of the points that a logarithmic axis can show."""
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    return Series(label, colour, symbol, x[seen], y[seen], hover[seen], dash)


def log_figure(info: LogInfo, *, height: int = 440) -> go.Figure:
    """Draw `info` with y, and x if asked for, on a logarithmic axis."""
    figure = go.Figure()
    for guide, dash in zip(info.guides, cycle(("dash", "dot"))):
        figure.add_scatter(
            x=list(guide.x), y=list(guide.y), mode="lines", name=guide.label, hoverinfo="skip",
            line={"color": REFERENCE_COLOUR, "dash": dash, "width": 2.5},
        )  # fmt: skip
    for line in info.series:
        figure.add_scatter(
            x=line.x,
            y=line.y,
            customdata=line.hover,
            mode="lines+markers",
            line={"color": line.colour, "width": 2.4, "dash": line.dash},
            marker={"color": line.colour, "size": 9, "symbol": line.symbol},
            name=line.label,
            hovertemplate=f"{line.label}<br>{info.x_title} = %{{x:.3g}}<br>{info.y_title} = %{{y:.3g}}"
            f"<br>{info.hover_title} = %{{customdata:.3g}}<extra></extra>",
        )
    styled(figure, height=height)
    values = [line.y for line in info.series] + [np.array(guide.y) for guide in info.guides]
    _log_axis(figure.update_yaxes, info.y_title, values)
    if info.log_x:
        _log_axis(figure.update_xaxes, info.x_title, [line.x for line in info.series], flip=info.flip_x)
    else:
        figure.update_xaxes(title_text=info.x_title)
    return figure


def _log_axis(update: object, title: str, values: list[Floats], *, flip: bool = False) -> None:
    assert callable(update)
    limits = log_limits(np.concatenate(values) if values else np.empty(0), pad=0.08)
    wide = 1.0 if limits is None else limits[1] - limits[0]
    update(type="log", title_text=title, exponentformat="power", dtick=max(1, round(wide / 6)))
    if limits is None:
        return
    if wide < NARROW:  # plotly would write 2 and 5 so small that they read as exponents
        marks = [m * 10.0**k for k in range(int(limits[0]) - 1, int(limits[1]) + 2) for m in (1, 2, 5)]
        marks = [mark for mark in marks if limits[0] <= np.log10(mark) <= limits[1]]
        update(tickmode="array", tickvals=marks, ticktext=[f"{mark:g}" for mark in marks])
    update(range=list(limits[::-1] if flip else limits))
