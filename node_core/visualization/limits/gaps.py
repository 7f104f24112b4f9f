"""Where a spline or a recurrent net wins: errors between observations and after them."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from node_core.studies.limits.gaps_config import SERIES_LABELS, GapsResult, GapsWay
from node_core.visualization.style import FONT_SIZE, lane_colour, styled

COLOURS = {name: lane_colour(index) for name, index in (("spline", 0), ("gru", 1), ("latent_ode", 2))}
PLACES = ("between observations", "after the last")


class GapsInfo(NamedTuple):
    """A bar of each way for each of `PLACES`: (label, colour, errors)."""

    bars: tuple[tuple[str, str, tuple[float, float]], ...]


def gaps_info(result: GapsResult) -> GapsInfo:
    """The errors of every way."""
    return GapsInfo(
        tuple((SERIES_LABELS[w.name], COLOURS[w.name], (w.inside, w.beyond)) for w in result.ways)
    )


def gaps_figure(info: GapsInfo, *, height: int = 340) -> go.Figure:
    """Draw the errors as bars on a logarithmic axis: shorter is better."""
    figure = go.Figure()
    for label, colour, errors in info.bars:
        figure.add_bar(
            y=list(PLACES),
            x=list(errors),
            orientation="h",
            name=label,
            marker={"color": colour},
            text=[short(error) for error in errors],
            textposition="auto",
            hovertemplate="%{y}: %{x:.3g} off<extra>" + label + "</extra>",
        )
    layout = {
        "xaxis": {"type": "log", "dtick": 1, "exponentformat": "power"},
        "yaxis": {"autorange": "reversed"},
        "legend": {"font": {"size": FONT_SIZE - 3}},
        "bargap": 0.25,
    }
    return styled(figure, height=height, x="off by (the spirals' unit)", layout=layout)


def gaps_sentence(result: GapsResult) -> str:
    """Who is nearest between the observations and after them, and how the latent ODE does beside."""
    config, own = result.config, result.way("latent_ode")
    told = []
    for place, key in (("Between them", "inside"), ("After the last", "beyond")):
        ranked = sorted(result.ways, key=lambda way: float(getattr(way, key)))
        best, error = ranked[0], float(getattr(ranked[0], key))
        mine = float(getattr(own, key))
        if best.name == "latent_ode":
            second = ranked[1]
            told.append(
                f"{place} the latent ODE wins: {short(error)} off, the {SERIES_LABELS[second.name]} "
                f"{short(float(getattr(second, key)))}"
            )
        else:
            told.append(
                f"{place} the {SERIES_LABELS[best.name]} wins: {short(error)} off, the latent ODE {short(mine)}"
            )
    return (
        f"{config.observations} observations of each spiral, with noise of {config.noise:g}. {told[0]}. {told[1]}. "
        f"{_costs(result)}"
    )


def short(error: float) -> str:
    """An error with two digits, or as a whole number."""
    return f"{error:.2g}" if error < 100 else f"{error:,.0f}"


def _costs(result: GapsResult) -> str:
    spline, gru, own = (result.way(name) for name in ("spline", "gru", "latent_ode"))
    return (
        f"The spline took {spline.seconds:.2g} s for all {result.series} series and no training, the GRU "
        f"{_trained(gru)}, the latent ODE {_trained(own)} of training ({result.config.iterations} iterations)."
    )


def _trained(way: GapsWay) -> str:
    return f"{way.seconds:.2g} s"
