"""After the training: the error with other solvers, and without a layer or with one twice."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.solvers.methods import METHODS
from node_core.studies.architectures.questions_config import LayersResult, SwapEntry, SwapResult
from node_core.visualization.style import (
    FONT_SIZE,
    LANE_SYMBOLS,
    REFERENCE_COLOUR,
    Floats,
    lane_colour,
    log_limits,
    log_ticks,
    styled,
)


class SolverLine(NamedTuple):
    """One method: evaluations and error (%) of each of its tolerances or steps, few evaluations first."""

    label: str
    nfe: Floats
    error: Floats
    words: tuple[str, ...]


class SolversInfo(NamedTuple):
    """The methods, the training's own solver, and a sentence."""

    lines: tuple[SolverLine, ...]
    trained: tuple[float, float]
    sentence: str


def solvers_info(result: SwapResult) -> SolversInfo:
    """What the picture of `result` shows; a solver that gave up has no point."""
    own = result.entries[0]
    there = [entry for entry in result.entries if math.isfinite(entry.error)]
    lines = []
    for name in dict.fromkeys(entry.method for entry in there):
        entries = sorted((e for e in there if e.method == name), key=lambda e: e.nfe)
        lines.append(
            SolverLine(
                METHODS[name].label,
                np.array([entry.nfe for entry in entries], dtype=float),
                100 * np.array([entry.error for entry in entries]),
                tuple(solver_word(entry) for entry in entries),
            )
        )
    return SolversInfo(tuple(lines), (float(own.nfe), 100 * own.error), _sentence(own, there, result.images))


def _sentence(own: SwapEntry, there: list[SwapEntry], images: int) -> str:
    text = f"Trained with {solver_word(own)}: {own.error:.1%} of {images:,} images wrong with {own.nfe} evaluations."
    as_good = [entry for entry in there if not entry.trained and entry.error <= own.error + 1 / images]
    if as_good:
        cheapest = min(as_good, key=lambda entry: (entry.nfe, entry.error))
        text += (
            f" {solver_word(cheapest)} needs {cheapest.nfe} for {cheapest.error:.1%}: what is turned after the "
            "training is paid, or saved, when the net is used."
        )
    return text[0].upper() + text[1:]


def solver_word(entry: SwapEntry) -> str:
    """The entry's solver for people."""
    how = f"h = {entry.dt:g}" if math.isfinite(entry.dt) else f"tolerance {entry.rtol:g}"
    return f"{METHODS[entry.method].label}, {how}"


def solvers_figure(info: SolversInfo) -> go.Figure:
    """Error against evaluations; the training's own solver is ringed."""
    figure = go.Figure()
    for index, line in enumerate(info.lines):
        figure.add_scatter(
            x=line.nfe,
            y=line.error,
            mode="lines+markers",
            name=line.label,
            line={"color": lane_colour(index), "width": 2.2},
            marker={"size": 9, "symbol": LANE_SYMBOLS[index % len(LANE_SYMBOLS)]},
            text=line.words,
            hovertemplate="%{text}: %{y:.2f} % with %{x} evaluations<extra></extra>",
        )
    figure.add_scatter(
        x=[info.trained[0]],
        y=[info.trained[1]],
        mode="markers",
        name="trained so",
        marker={"symbol": "circle-open", "size": 19, "color": REFERENCE_COLOUR, "line": {"width": 3}},
        hoverinfo="skip",
    )
    evaluations = np.concatenate([*(line.nfe for line in info.lines), [info.trained[0]]])
    layout = {
        "legend": {"font": {"size": FONT_SIZE - 2}},
        "xaxis": log_ticks(log_limits(evaluations, pad=0.1), 4),
        "yaxis": {"rangemode": "tozero"},
    }
    return styled(figure, height=360, x="evaluations of the block (NFE)", y="test error (%)", layout=layout)


class LayersInfo(NamedTuple):
    """Errors (%) of the whole net, without each layer and with each twice; how far each moves the state (%)."""

    whole: float
    removed: Floats
    repeated: Floats
    moved: Floats
    sentence: str


def layers_info(result: LayersResult) -> LayersInfo:
    """What the picture of `result` shows."""
    worst = np.flatnonzero(result.removed == result.removed.max()) + 1
    missed = ""
    if result.removed.max() <= result.whole:
        missed = " (none of them is missed)"
    elif len(worst) < len(result.removed):
        missed = f" (worst without layer {' or '.join(map(str, worst))})"
    text = (
        f"The whole net errs on {result.whole:.1%} of {result.images:,} images; without one of its layers on "
        f"{_span(result.removed)}{missed}, with one passed twice on {_span(result.repeated)}."
    )
    return LayersInfo(
        100 * result.whole, 100 * result.removed, 100 * result.repeated, 100 * result.moved, text
    )


def _span(errors: Floats) -> str:
    """From the least to the largest share; one where they are alike."""
    ends = dict.fromkeys(f"{error:.1%}" for error in (errors.min(), errors.max()))
    return " to ".join(ends)


def layers_figure(info: LayersInfo) -> go.Figure:
    """Bars, a pair a layer; the whole net's error is dashed."""
    figure = go.Figure()
    names = [str(k + 1) for k in range(len(info.removed))]
    for index, (label, values) in enumerate((("removed", info.removed), ("passed twice", info.repeated))):
        figure.add_bar(
            x=names,
            y=values,
            name=label,
            marker={"color": lane_colour(index)},
            customdata=info.moved,
            hovertemplate="layer %{x} "
            + label
            + ": %{y:.1f} %; it moves the state by %{customdata:.0f} %<extra></extra>",
        )
    figure.add_hline(y=info.whole, line={"color": REFERENCE_COLOUR, "dash": "dash", "width": 2})
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="lines",
        name="the whole net",
        line={"color": REFERENCE_COLOUR, "dash": "dash", "width": 2},
    )
    layout = {"xaxis": {"type": "category"}, "yaxis": {"rangemode": "tozero"}, "bargap": 0.25}
    return styled(figure, height=340, x="layer", y="test error (%)", layout=layout)
