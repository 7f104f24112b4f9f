"""Stiffness: steps against mu by an explicit and an implicit method, and their h lambda on their regions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.solvers.methods import METHODS
from node_core.solvers.stability import real_axis_limit, stability_region
from node_core.studies.limits.stiff_config import StiffResult, StiffSolve
from node_core.visualization.loglog import LogInfo, series_of
from node_core.visualization.stability_region import region_figure
from node_core.visualization.style import Floats, lane_colour

EXPLICIT, IMPLICIT = "dopri5", "rodas5p"
FIELDS = {"formula": "van der Pol", "net": "a net that learned it"}
WAYS = {EXPLICIT: "explicit", IMPLICIT: "implicit"}
COLOURS = {EXPLICIT: lane_colour(0), IMPLICIT: lane_colour(2)}
_GRID, _SMALLEST = 160, 4.6


class StepsCloud(NamedTuple):
    """|R| (n, n) over `re` and `im`, and the h lambda of the formula and of the net on it."""

    method: str
    re: Floats
    im: Floats
    region: Floats
    clouds: tuple[tuple[str, Floats, Floats], ...]


def steps_info(result: StiffResult, methods: tuple[str, ...]) -> LogInfo:
    """Attempted steps against mu, of the formula and of the net; what did not reach the end is left out."""
    mus = np.array(result.config.mus)
    lines = []
    for method in methods:
        for field in FIELDS:
            solves = [result.solve(field, method, mu) for mu in result.config.mus]
            steps = np.array([s.steps if s.done else np.nan for s in solves], dtype=float)
            nfe = np.array([s.nfe for s in solves], dtype=float)
            symbol, dash = ("circle", "solid") if field == "formula" else ("diamond", "dot")
            name = WAYS[method] if field == "formula" else f"{WAYS[method]}, net"
            lines.append(series_of(name, COLOURS[method], symbol, mus, steps, nfe, dash))
    return LogInfo("μ", "steps", "evaluations", tuple(lines))


def cloud_info(result: StiffResult, method: str, mu: float) -> StepsCloud:
    """Where the steps' h lambda lie on the method's region of stability."""
    solves = [(label, result.solve(field, method, mu)) for field, label in FIELDS.items()]
    farthest = max(float(np.abs(s.h_lambda).max(initial=0.0)) for _, s in solves)
    reach = max(_SMALLEST, 1.15 * farthest)
    region = stability_region(method, (-reach, 0.35 * reach), (-0.675 * reach, 0.675 * reach), _GRID)
    clouds = tuple((label, s.h_lambda.real.ravel(), s.h_lambda.imag.ravel()) for label, s in solves)
    return StepsCloud(method, region.re, region.im, region.magnitude, clouds)


def cloud_figure(info: StepsCloud, *, height: int = 360) -> go.Figure:
    """Draw the region, and the h lambda of both fields."""
    figure = region_figure(info.re, info.im, info.region, COLOURS[info.method], opacity=0.2, height=height)
    for (label, re, im), symbol in zip(info.clouds, ("circle", "diamond-open"), strict=True):
        figure.add_scatter(
            x=re,
            y=im,
            mode="markers",
            name=label,
            marker={"symbol": symbol, "size": 7, "color": COLOURS[info.method], "opacity": 0.7},
            hovertemplate="hλ = %{x:.3g} %{y:+.3g}i<extra>" + label + "</extra>",
        )
    return figure


def stiff_sentence(result: StiffResult, mu: float) -> str:
    """What the explicit method's step is held by, for the formula and for the net."""
    formula, net = (result.solve(field, EXPLICIT, mu) for field in FIELDS)
    low = result.config.mus[0]
    before = result.solve("formula", EXPLICIT, low)
    limit = abs(real_axis_limit(EXPLICIT))
    label = METHODS[EXPLICIT].label
    counts = f"{label} takes {_steps(formula)} at μ = {mu:g}"
    if mu > low:
        counts += f" ({before.steps:,} at μ = {low:g})"
    counts += f", and {_steps(net)} on the net, {result.net_error:.0%} off the formula"
    held = _most(formula) >= 0.9 * limit
    cause = (
        f"The fastest decay is λ = {_signed(formula.fastest)}, and hλ reaches {_signed(-_most(formula))} where the "
        f"region ends at {_signed(-limit)}: stability holds the step, not accuracy."
        if held
        else f"hλ goes no farther than {_signed(-_most(formula))}, inside the region, which ends at {_signed(-limit)}: "
        "not stiff yet, accuracy holds the step."
    )
    return f"{counts}. {cause}"


def implicit_sentence(result: StiffResult, mu: float) -> str:
    """What the implicit method takes for the same."""
    formula, net = (result.solve(field, IMPLICIT, mu) for field in FIELDS)
    other = result.solve("formula", EXPLICIT, mu)
    faster = other.seconds / formula.seconds
    ratio = f"{faster:.2g} times less" if faster >= 1 else f"{1 / faster:.2g} times more"
    return (
        f"{METHODS[IMPLICIT].label} takes {_steps(formula)} ({net.steps:,} on the net), with hλ down to "
        f"{_signed(-_most(formula))}, and {ratio} processor time than {METHODS[EXPLICIT].label}."
    )


def _most(solve: StiffSolve) -> float:
    """How far to the left h lambda reaches."""
    return float(-solve.h_lambda.real.min(initial=0.0))


def _steps(solve: StiffSolve) -> str:
    return f"{solve.steps:,} steps" if solve.done else f"more than {solve.steps:,} steps"


def _signed(value: float) -> str:
    return f"{value:,.3g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}".replace("-", "−")
