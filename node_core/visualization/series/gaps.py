"""How far off models and untrained methods are, inside of what was observed and beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import plotly.graph_objects as go

from node_core.studies.series.gaps_config import BASELINE_LABELS, GapsResult, Score
from node_core.visualization.style import lane_colour, styled

INSIDE, BEYOND = "between the observations", "beyond the last"
_CLEARLY = 1.05  # times as far off: nearer than that is no difference that a few series could show


class GapsInfo(NamedTuple):
    """What is shown.

    names     of all that are compared, models first
    inside    their errors between the observations, None where there is nothing to compare with
    beyond    their errors after the learned part
    sentence  who is ahead where, of models and untrained methods
    """

    names: tuple[str, ...]
    inside: tuple[float | None, ...]
    beyond: tuple[float | None, ...]
    sentence: str


def gaps_info(result: GapsResult, labels: Mapping[str, str]) -> GapsInfo:
    """What a result shows.

    Args:
        result: of `node_core.studies.series.gaps`.
        labels: what its models are called.
    """
    rows = [
        *((labels[score.name], score) for score in result.models),
        *((BASELINE_LABELS[score.name], score) for score in result.baselines),
    ]
    models, plain = rows[: len(result.models)], rows[len(result.models) :]
    said = [
        _verdict(models, plain, "inside", "Between the observations"),
        _verdict(models, plain, "beyond", "Beyond the last one"),
    ]
    against = "the series without noise" if result.truth else "observations that nobody was given"
    count = f"{result.n_series} series" if result.n_series > 1 else "the one series"
    said.append(f"Root mean squares over {count} for testing, against {against}.")
    return GapsInfo(
        tuple(name for name, _ in rows),
        tuple(score.inside for _, score in rows),
        tuple(score.beyond for _, score in rows),
        " ".join(part for part in said if part),
    )


def _verdict(models: list[tuple[str, Score]], plain: list[tuple[str, Score]], where: str, place: str) -> str:
    """Who is nearest there; "" where nothing can be compared."""

    def best(rows: list[tuple[str, Score]]) -> tuple[float, str] | None:
        found = [(value, name) for name, score in rows if (value := getattr(score, where)) is not None]
        return min(found, default=None)

    model, other = best(models), best(plain)
    if model is None:
        return f"{place} there is nothing to compare with."
    if other is None:
        return f"{place} {model[1]} is off by {model[0]:.3g}."
    if model[0] * _CLEARLY < other[0]:
        return f"{place} {model[1]} is ahead: off by {model[0]:.3g}, {_low(other[1])} by {other[0]:.3g}."
    if other[0] * _CLEARLY < model[0]:
        return (
            f"{place} no model wins: off by {model[0]:.3g} ({model[1]}), {_low(other[1])} by {other[0]:.3g}."
        )
    return f"{place} {model[1]} and {_low(other[1])} tie, off by {model[0]:.3g} and {other[0]:.3g}."


def _low(label: str) -> str:
    """A label of an untrained method within a sentence."""
    return label[0].lower() + label[1:]


def gaps_figure(info: GapsInfo) -> go.Figure:
    """Two bars for each."""
    names = list(reversed(info.names))
    figure = go.Figure(
        [
            go.Bar(
                y=names,
                x=list(reversed(values)),
                name=label,
                orientation="h",
                marker={"color": lane_colour(k)},
                hovertemplate="%{y}: %{x:.3g}<extra>" + label + "</extra>",
            )
            for k, (label, values) in enumerate(((INSIDE, info.inside), (BEYOND, info.beyond)))
        ]
    )
    return styled(
        figure,
        height=110 + 46 * len(names),
        x="root mean square error",
        layout={"barmode": "group", "legend": {"traceorder": "normal"}},
    )
