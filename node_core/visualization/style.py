"""One look for every figure: colours that read on light and dark, large type, legends outside of the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from node_core.studies.frame import framed as framed

LANE_COLOURS = ("#e8543f", "#2f8fe0", "#12a57c", "#b46be0", "#d98a00", "#d6478f", "#6f7d8c", "#8a6d3b")
LANE_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "hexagon", "star", "cross")
REFERENCE_COLOUR = "#8b8f97"
GRID_COLOUR = "rgba(139,143,151,0.25)"
ARROW_COLOUR = "rgba(139,143,151,0.55)"
FONT_SIZE = 16
_NARROW = 1.6  # decades, below which 2 and 5 get their ticks as well

Floats = NDArray[np.float64]


def lane_colour(index: int) -> str:
    """The colour of the `index`-th compared method; the same in every figure of a page."""
    return LANE_COLOURS[index % len(LANE_COLOURS)]


def faded(colour: str, alpha: float) -> str:
    """The colour `#rrggbb` as `rgba(...)` with the given opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def layout_style(height: int) -> dict[str, Any]:
    """The common layout, as plain data: transparent (the page's theme shows through), legend above the data."""
    return {
        "height": height,
        "font": {"size": FONT_SIZE},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": FONT_SIZE},
        },
        "hoverlabel": {"font": {"size": FONT_SIZE - 1}},
        # plotly takes the paper's colour at half strength: black, over the legend, for a transparent paper
        "modebar": {"bgcolor": "rgba(0,0,0,0)"},
    }


def axis_style(title: str = "") -> dict[str, Any]:
    """The common look of an axis, as plain data."""
    return {
        "gridcolor": GRID_COLOUR,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"size": FONT_SIZE - 2},
        "title": {"text": title, "font": {"size": FONT_SIZE}, "standoff": 6},
    }


def styled(
    figure: go.Figure, *, height: int, x: str = "", y: str = "", layout: Mapping[str, Any] | None = None
) -> go.Figure:
    """Give a figure with one pair of axes the common layout and the axes' titles (in place), and return it.

    Args:
        figure: with its traces.
        height: in pixels.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        layout: what differs from the common layout, nested as plotly nests it.
    """
    common = {**layout_style(height), "xaxis": axis_style(x), "yaxis": axis_style(y)}
    return laid_out(figure, merged(common, layout or {}))


def laid_out(figure: go.Figure, layout: Mapping[str, Any]) -> go.Figure:
    """Change a figure's layout (in place), and return it.

    Whole, not by `update_layout`, which takes plotly ten times as long: longer than a solver takes for its race.
    """
    present = figure.layout.to_plotly_json()
    present.pop("template", None)  # the common one comes back by itself; to check it again takes the longest
    figure.layout = merged(present, layout)
    return figure


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested plain data with some of it changed."""
    found = dict(base)
    for key, value in changes.items():
        old = found.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            found[key] = merged(old, value)
        else:
            found[key] = value
    return found


def drawable(values: Floats, limits: tuple[float, float], reach: float = 20.0) -> Floats:
    """`values` with what is not finite as nan and what is far outside of `limits` pulled in.

    A browser cannot draw a line to 1e30; a line to `reach` widths outside of the picture looks the same.
    """
    low, high = limits
    width = max(high - low, 1e-300)
    finite = np.where(np.isfinite(values), values, np.nan)
    clipped: Floats = np.clip(finite, low - reach * width, high + reach * width)
    return clipped


def thinned(count: int, most: int) -> NDArray[np.int_]:
    """Indices of at most `most` of `count` items, evenly spread, first and last included."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


def log_limits(values: Floats, *, pad: float = 0.15) -> tuple[float, float] | None:
    """Limits (as powers of ten) of the positive finite values, or None where there are none."""
    seen = values[np.isfinite(values) & (values > 0)]
    if not seen.size:
        return None
    low, high = float(np.log10(seen.min())), float(np.log10(seen.max()))
    width = max(high - low, 0.5)
    return low - pad * width, high + pad * width


def log_ticks(limits: tuple[float, float] | None, most: int) -> dict[str, Any]:
    """A logarithmic axis with its ticks, as plain data: about `most` powers of ten, or 1, 2 and 5 where few are seen.

    Those are written out, because plotly would write 2 and 5 so small that they read as exponents.

    Args:
        limits: of the axis, as powers of ten (see `log_limits`); None where there is nothing to show.
        most: powers of ten that may be labelled.
    """
    if limits is None or limits[1] - limits[0] >= _NARROW:
        wide = 1.0 if limits is None else limits[1] - limits[0]
        return {"type": "log", "exponentformat": "power", "dtick": max(1, round(wide / most))}
    powers = range(math.floor(limits[0]) - 1, math.ceil(limits[1]) + 1)
    marks = [(m, k) for k in powers for m in (1, 2, 5)]
    return {
        "type": "log",
        "tickmode": "array",
        "tickvals": [m * 10.0**k for m, k in marks],
        "ticktext": [_mark(m, k) for m, k in marks],
    }


def _mark(m: int, k: int) -> str:
    """The number m 10^k as a label."""
    if -4 <= k <= 4:
        return f"{m * 10.0**k:g}"
    power = f"10<sup>{k}</sup>".replace("-", "−")
    return power if m == 1 else f"{m}·{power}"
