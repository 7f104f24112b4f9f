"""What it takes to learn: accuracy against time, evaluations against iterations, and prices beside the ODE-Net's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.limits.speed_config import LABELS, NETS, SpeedConfig, SpeedLane, SpeedResult
from node_core.visualization.loglog import log_axis
from node_core.visualization.style import FONT_SIZE, REFERENCE_COLOUR, Floats, lane_colour, styled
from node_core.visualization.training_curves import Curve, CurvesInfo

COLOURS = {name: lane_colour(index) for index, name in enumerate(LABELS)}
WHAT = {"rings": "training points", "digits": "test images"}


class SpeedLine(NamedTuple):
    """One net: processor time (s) and accuracy (%), and where it reached the target, if it did."""

    label: str
    colour: str
    seconds: Floats
    accuracy: Floats
    reached: tuple[float, float] | None


class SpeedInfo(NamedTuple):
    """The lines, and the accuracy (%) that counts as learned."""

    lines: tuple[SpeedLine, ...]
    target: float


class PriceInfo(NamedTuple):
    """What nets cost as a share of what the ODE-Net does: a bar for each (label, colour, share) of a title."""

    titles: tuple[str, ...]
    bars: tuple[tuple[str, str, tuple[float, ...]], ...]


def speed_info(result: SpeedResult, names: Sequence[str]) -> SpeedInfo:
    """Accuracy against the processor time of the training."""
    lines = []
    for lane in (result.lane(name) for name in names):
        k = lane.reached(result.config.target)
        reached = None if k is None else (float(lane.seconds[k]), 100 * float(lane.accuracy[k]))
        lines.append(
            SpeedLine(LABELS[lane.name], COLOURS[lane.name], lane.seconds, 100 * lane.accuracy, reached)
        )
    return SpeedInfo(tuple(lines), 100 * result.config.target)


def evaluations_info(result: SpeedResult, names: Sequence[str]) -> CurvesInfo:
    """Evaluations of f forward in every iteration; an MLP has none."""
    curves = tuple(
        Curve(LABELS[name], COLOURS[name], False, _counted(result.lane(name)), result.lane(name).nfe)
        for name in names
        if result.lane(name).nfe.any()
    )
    return CurvesInfo("iteration", "evaluations of f", False, curves, "limits")


def price_info(result: SpeedResult) -> PriceInfo:
    """Time to the target, time of the whole training and parameters, of the other nets over the ODE-Net's."""
    own = result.lane("odenet")
    bars = []
    for lane in (result.lane(name) for name in NETS if name != "odenet"):
        pairs = (
            (time_to(lane, result.config), time_to(own, result.config)),
            (float(lane.seconds[-1]), float(own.seconds[-1])),
            (float(lane.parameters), float(own.parameters)),
        )
        bars.append((LABELS[lane.name], COLOURS[lane.name], tuple(a / b for a, b in pairs)))
    return PriceInfo(("time to the target", "time of the training", "parameters"), tuple(bars))


def time_to(lane: SpeedLane, config: SpeedConfig) -> float:
    """Processor time (s) until the target was reached; nan if it was not."""
    k = lane.reached(config.target)
    return math.nan if k is None else float(lane.seconds[k])


def speed_figure(info: SpeedInfo, *, height: int = 340) -> go.Figure:
    """Draw accuracy against time, with a ring where a net reached the target."""
    figure = go.Figure()
    for line in info.lines:
        figure.add_scatter(
            x=line.seconds,
            y=line.accuracy,
            mode="lines",
            name=line.label,
            line={"color": line.colour, "width": 2.4},
            hovertemplate="%{x:.3g} s: %{y:.1f} %<extra>" + line.label + "</extra>",
        )
        if line.reached is not None:
            figure.add_scatter(
                x=[line.reached[0]],
                y=[line.reached[1]],
                mode="markers",
                marker={
                    "symbol": "circle-open",
                    "size": 13,
                    "line": {"width": 2.5},
                    "color": line.colour,
                },
                showlegend=False,
                hoverinfo="skip",
            )
    figure.add_hline(y=info.target, line={"color": REFERENCE_COLOUR, "dash": "dash", "width": 2})
    small = {"legend": {"font": {"size": FONT_SIZE - 3}}}
    axes = {"xaxis": log_axis([line.seconds for line in info.lines])}
    return styled(figure, height=height, x="processor time (s)", y="right (%)", layout={**small, **axes})


def price_figure(info: PriceInfo, *, height: int = 340) -> go.Figure:
    """Draw the shares as bars on a logarithmic axis, the ODE-Net as the line at 1."""
    figure = go.Figure()
    for label, colour, shares in info.bars:
        figure.add_bar(
            y=list(info.titles),
            x=[share if math.isfinite(share) else None for share in shares],
            orientation="h",
            name=label,
            marker={"color": colour},
            text=[f"{share:.2g}×" if math.isfinite(share) else "" for share in shares],
            textposition="auto",
            hovertemplate="%{y}: %{x:.3g} times the ODE-Net's<extra>" + label + "</extra>",
        )
    figure.add_vline(x=1.0, line={"color": COLOURS["odenet"], "width": 2.5, "dash": "dash"})
    layout = {
        "xaxis": {"type": "log", "tickvals": [0.01, 0.1, 1, 10], "ticktext": ["0.01", "0.1", "1", "10"]},
        "yaxis": {"autorange": "reversed"},
        "legend": {"font": {"size": FONT_SIZE - 3}},
        "bargap": 0.25,
    }
    return styled(figure, height=height, x="share of what the ODE-Net costs", layout=layout)


def speed_sentence(result: SpeedResult) -> str:
    """How much longer the ODE-Net took to the same accuracy, and how its solves grew."""
    config, own = result.config, result.lane("odenet")
    goal = f"To get {config.target:.0%} of {result.judged:,} {WHAT[config.task]} right, "
    mine = time_to(own, config)
    grew = (
        f"Its solver took {own.nfe[0]:.0f} evaluations of f in the first iteration, up to {own.nfe.max():.0f} later "
        f"and {own.nfe[-1]:.0f} in the last."
        if own.nfe.size
        else ""
    )
    if math.isnan(mine):
        return f"{goal}the ODE-Net would need more than its {config.iterations} iterations. {grew}"
    told = []
    for name in ("resnet", "mlp"):
        theirs = time_to(result.lane(name), config)
        told.append(
            f"the {LABELS[name]} did not get there"
            if math.isnan(theirs)
            else f"the {LABELS[name]} {theirs:.2g} s"
        )
    ratios = [mine / time_to(result.lane(name), config) for name in ("resnet", "mlp")]
    longer = f", {ratios[0]:.2g} and {ratios[1]:.2g} times less" if all(map(math.isfinite, ratios)) else ""
    return f"{goal}the ODE-Net took {mine:.2g} s of processor time, {told[0]} and {told[1]}{longer}. {grew}"


def remedy_sentence(result: SpeedResult, name: str) -> str:
    """What a remedy's lane took, beside the plain ODE-Net."""
    config, lane, own = result.config, result.lane(name), result.lane("odenet")
    theirs, mine = time_to(lane, config), time_to(own, config)
    label = LABELS[name].removeprefix("ODE-Net, ")
    if math.isnan(theirs):
        return f"With {label}, {config.target:.0%} was not reached in {config.iterations} iterations."
    ratio = "" if math.isnan(mine) else f", {_times(mine / theirs)} as fast"
    return (
        f"With {label}: {theirs:.2g} s{ratio}; in the end {lane.accuracy[-1]:.1%} right, with {lane.nfe[-1]:.0f} "
        f"evaluations a solve (without: {own.accuracy[-1]:.1%}, {own.nfe[-1]:.0f})."
    )


def verdict_sentence(result: SpeedResult) -> str:
    """Which nets tie, and what each costs beside the ODE-Net."""
    own = result.lane("odenet")
    right = float(own.accuracy[-1])
    told = []
    for lane in (result.lane(name) for name in ("mlp", "resnet")):
        other = float(lane.accuracy[-1])
        # of the difference of two shares among as many points
        spread = math.sqrt((right * (1 - right) + other * (1 - other)) / result.judged)
        gap = other - right
        verdict = "ties" if abs(gap) <= 2 * spread else "wins" if gap > 0 else "loses"
        told.append(
            f"the {LABELS[lane.name]} {verdict} ({other:.1%}) with {_share(lane.parameters / own.parameters)} the "
            f"parameters and {_share(float(lane.seconds[-1] / own.seconds[-1]))} the time"
        )
    return (
        f"Beside the ODE-Net ({right:.1%} of {result.judged:,} {WHAT[result.config.task]} right, {own.parameters:,} "
        f"parameters, {own.seconds[-1]:.2g} s), {told[0]}; {told[1]}. Differences below two standard errors count as a "
        "tie."
    )


def _counted(lane: SpeedLane) -> Floats:
    return np.arange(1.0, lane.nfe.size + 1)


def _share(ratio: float) -> str:
    """A ratio before "the parameters"."""
    return "about" if 0.95 <= ratio <= 1.05 else f"{ratio:.2g} times"


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times"
