"""What models of series were asked, as figures: fewer observations, a latent coordinate, rates, an interaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from node_core.studies.series.questions_config import (
    RATES,
    EventsResult,
    InteractionResult,
    LatentResult,
    ObservationsResult,
    RatesResult,
)
from node_core.visualization.style import (
    REFERENCE_COLOUR,
    Floats,
    axis_style,
    faded,
    laid_out,
    lane_colour,
    layout_style,
    styled,
)

GREEK = dict(zip(RATES, ("α", "β", "γ", "δ"), strict=True))
MEANINGS = ("hares' growth", "eaten by a lynx", "lynxes' death", "grown by a hare")
HEIGHT = 340


class Said(NamedTuple):
    """A figure and the sentence that says what it shows."""

    figure: go.Figure
    sentence: str


def observations_said(result: ObservationsResult, labels: Sequence[str], given: int) -> Said:
    """Errors against the number of observations.

    Args:
        result: of the study.
        labels: what its models are called.
        given: how many observations they learned with.
    """
    figure = go.Figure()
    counts = result.config.counts
    for k, label in enumerate(labels):
        for values, name, dash in (
            (result.inside[k], "inside", "solid"),
            (result.beyond[k], "beyond", "dot"),
        ):
            figure.add_scatter(
                x=list(counts),
                y=values,
                mode="lines+markers",
                name=f"{label}, {name}",
                line={"color": lane_colour(k), "dash": dash, "width": 2},
            )
    known = [k for k in range(len(counts)) if np.isfinite(result.inside[0, k])]
    if len(known) > 1:
        few, many = known[0], known[-1]
        times = result.inside[0, few] / result.inside[0, many]
        sentence = (
            f"Given {counts[few]} observations of each series instead of {counts[many]}, {labels[0]} is {times:.2g} "
            f"times as far off inside. It learned with {given}; what it is given now is no part of its weights."
        )
    else:
        sentence = (
            "Of series as short as these too little is left to compare with inside, once some are given."
        )
    layout = {"xaxis": {"type": "log", "tickvals": list(counts), "ticktext": [str(c) for c in counts]}}
    figure = styled(
        figure, height=HEIGHT, x="observations of each series", y="root mean square error", layout=layout
    )
    return Said(figure, sentence)


def latent_said(result: LatentResult, names: Sequence[str]) -> Said:
    """Curves as one coordinate of z0 is moved, one panel a value."""
    dim = result.curves.shape[-1]
    figure = make_subplots(1, dim, subplot_titles=[str(name) for name in names[:dim]])
    for k, offset in enumerate(result.offsets):
        share = k / max(1, len(result.offsets) - 1)
        colour = lane_colour(1) if share > 0.5 else lane_colour(0)
        strength = 0.25 + 0.75 * abs(2 * share - 1)
        middle = abs(2 * share - 1) < 1e-9
        for j in range(dim):
            figure.add_scatter(
                x=result.ts,
                y=result.curves[k, :, j],
                mode="lines",
                name=f"{offset:+.1f} σ",
                legendgroup=str(k),
                showlegend=j == 0 and (middle or k in (0, len(result.offsets) - 1)),
                line={
                    "color": REFERENCE_COLOUR if middle else faded(colour, strength),
                    "width": 3 if middle else 1.6,
                },
                row=1,
                col=j + 1,
            )
    axes = {f"{a}axis{'' if j == 0 else j + 1}": axis_style() for a in "xy" for j in range(dim)}
    figure = laid_out(
        figure, {**layout_style(HEIGHT), **axes, "margin": {"l": 10, "r": 10, "t": 40, "b": 10}}
    )
    chosen = result.config.coordinate
    order = np.argsort(-result.influence)
    used = ", ".join(f"{i + 1}: {result.influence[i]:.2f}" for i in order)
    sentence = (
        f"Coordinate {chosen + 1} of z(t0) alone is moved, by up to {result.config.reach:g} standard deviations of "
        "what the encoder says of the test series; all the rest of the curve follows from the field. How far a curve "
        f"moves when a coordinate moves by one of its own, in standard deviations of the data: {used}."
    )
    return Said(figure, sentence)


def rates_said(result: RatesResult) -> Said:
    """The fit with the interval of its curves, and what was observed."""
    figure = go.Figure()
    for j, name in enumerate(
        ("hares", "lynxes") if result.config.run.data == "hares" else ("first", "second")
    ):
        colour = lane_colour(1 - j)
        figure.add_scatter(
            x=np.concatenate((result.ts, result.ts[::-1])),
            y=np.concatenate((result.curve_high[:, j], result.curve_low[::-1, j])),
            fill="toself",
            fillcolor=faded(colour, 0.18),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(x=result.ts, y=result.curve[:, j], mode="lines", name=name, line={"color": colour})
        figure.add_scatter(
            x=result.observed_t,
            y=result.observed[:, j],
            mode="markers",
            marker={"color": colour, "size": 8},
            showlegend=False,
            name=name,
        )
    figure.add_vline(x=result.split, line={"dash": "dot", "color": REFERENCE_COLOUR})
    top = float(np.nanmax(result.observed)) * 1.6
    figure = styled(figure, height=HEIGHT, x="time", y="value", layout={"yaxis": {"range": [0, top]}})
    said = [
        f"{result.found} of {result.config.starts} random beginnings of the fit ended in the same place.",
        "The bands hold 95 % of the curves that the uncertainty of the four rates leaves possible (Laplace's "
        "approximation); after the dotted line nothing was learned from.",
    ]
    if np.isfinite(result.log_rmse_beyond):
        said.append(f"There the fit is off by {result.log_rmse_beyond:.2f} in the logarithm.")
    return Said(figure, " ".join(said))


def rates_table(result: RatesResult) -> dict[str, list[str]]:
    """The four rates and their intervals, as columns."""
    return {
        "Rate": [f"{GREEK[name]}, {meaning}" for name, meaning in zip(RATES, MEANINGS, strict=True)],
        "Fitted": [f"{value:.3g}" for value in result.rates],
        "95 % interval": [f"{a:.3g} to {b:.3g}" for a, b in zip(result.low, result.high, strict=True)],
    }


def interaction_said(result: InteractionResult) -> Said:
    """What the net does to the growth of each, against the law, along the path."""
    figure = go.Figure()
    names = ("lynxes on hares", "hares on lynxes")
    reach = float(np.abs(result.fitted_path).max()) * 1.1
    figure.add_scatter(
        x=[-reach, reach],
        y=[-reach, reach],
        mode="lines",
        name="the law",
        line={"color": REFERENCE_COLOUR, "dash": "dot"},
    )
    for j, name in enumerate(names):
        figure.add_scatter(
            x=result.fitted_path[:, j],
            y=result.learned_path[:, j],
            mode="markers",
            name=name,
            marker={"color": lane_colour(j), "size": 7},
        )
    figure = styled(figure, height=HEIGHT, x="Lotka-Volterra's interaction", y="the net's")
    first, second = result.correlation
    sentence = (
        "Where the net has found the law, the dots lie on the line. Along the path of the two animals its answers "
        f"correlate with Lotka-Volterra's by {first:.2f} (what lynxes do to hares) and {second:.2f} (what hares do to "
        f"lynxes), and are off by {result.off_near:.0%} of their size; over the whole plane, most of which was never "
        f"visited, by {result.off_far:.0%}."
    )
    return Said(figure, sentence)


def events_said(result: EventsResult) -> Said:
    """Errors of the rate: the model's, moving averages', a constant's."""
    names = ["Latent ODE", *(f"moving average over {w:g}" for w in result.config.widths), "one rate a series"]
    values: Floats = np.array([result.model, *result.averages, result.constant])
    figure = go.Figure(
        go.Bar(
            x=values[::-1],
            y=names[::-1],
            orientation="h",
            marker={"color": [lane_colour(1)] * (len(names) - 1) + [lane_colour(0)]},
        )
    )
    best = int(np.argmin(values[1:])) + 1
    ahead = values[0] < values[best]
    who, other = (names[0], names[best]) if ahead else (names[best], names[0])
    sentence = (
        f"How far off the rate is (events a unit of time, {result.n_series} series for testing): {who} is nearest with "
        f"{min(values[0], values[best]):.2f}, {other} has {max(values[0], values[best]):.2f}."
    )
    return Said(styled(figure, height=HEIGHT, x="root mean square error of the rate"), sentence)
