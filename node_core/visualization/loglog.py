"""Lines on logarithmic axes: what most measured pictures are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.visualization.style import REFERENCE_COLOUR, Floats, log_limits, log_ticks, styled


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
    values = [line.y for line in info.series] + [np.array(guide.y) for guide in info.guides]
    axes = {"yaxis": log_axis(values)}
    if info.log_x:
        axes["xaxis"] = log_axis([line.x for line in info.series], flip=info.flip_x)
    return styled(figure, height=height, x=info.x_title, y=info.y_title, layout=axes)


def log_axis(values: Sequence[Floats], *, flip: bool = False) -> dict[str, Any]:
    """A logarithmic axis that shows these values, as plain data; `flip`: from large to small."""
    limits = log_limits(np.concatenate(values) if values else np.empty(0), pad=0.08)
    axis = log_ticks(limits, 6)
    return axis if limits is None else {**axis, "range": list(limits[::-1] if flip else limits)}
