"""The energy over a thousand periods: lines that rise drift, lines that stay level only go to and fro."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.solvers.energy_config import EnergyCurve, EnergyResult
from node_core.visualization.loglog import LogInfo, log_figure, series_of
from node_core.visualization.style import LANE_SYMBOLS, lane_colour

SYMPLECTIC = ("semi_implicit_euler", "leapfrog", "yoshida4")
LEVEL = 1.2  # times the error of the first ten periods: less is to and fro


class EnergyInfo(NamedTuple):
    """The lines, and what they say."""

    lines: LogInfo
    sentence: str


def energy_info(result: EnergyResult) -> EnergyInfo:
    """What the picture of `result` shows; the symplectic methods' lines are dashed."""
    lines = tuple(
        series_of(
            curve.label,
            lane_colour(index),
            LANE_SYMBOLS[index],
            curve.periods,
            curve.error,
            np.full(curve.periods.size, curve.nfe),
            "dash" if curve.method in SYMPLECTIC else "solid",
        )
        for index, curve in enumerate(result.curves)
    )
    info = LogInfo("periods", "largest |E / E₀ − 1|", "evaluations a period", lines)
    return EnergyInfo(info, _sentence(result))


def energy_figure(info: EnergyInfo, *, height: int = 480) -> go.Figure:
    """Draw `info`, small markers on many points."""
    figure = log_figure(info.lines, height=height)
    figure.update_traces(marker={"size": 5})
    return figure


def _sentence(result: EnergyResult) -> str:
    """Who drifts and by how much, and who stays level."""
    drifting = [curve for curve in result.curves if not _is_level(curve)]
    level = [curve for curve in result.curves if _is_level(curve)]
    told = [f"{curve.label} {_drift(curve)}" for curve in drifting]
    parts = []
    if told:
        parts.append(f"After {_periods(result)} periods {_listed(told)}.")
    if level:
        kept = [f"{curve.label} by at most {_percent(float(curve.error.max()))}" for curve in level]
        parts.append(f"To and fro, without drifting, go {_listed(kept)}.")
    return " ".join(parts)


def _is_level(curve: EnergyCurve) -> bool:
    """Whether the error stays of the size that it has within the first ten periods."""
    early = curve.error[curve.periods <= 10.0]
    return bool(early.size and curve.error.size and curve.error.max() <= LEVEL * early.max())


def _drift(curve: EnergyCurve) -> str:
    if not np.isfinite(curve.drift) or curve.drift > 10.0:
        return f"has exploded (after {curve.reached:,.0f} periods)"
    return f"has {'gained' if curve.drift > 0 else 'lost'} {_percent(abs(curve.drift))} of the energy"


def _periods(result: EnergyResult) -> str:
    return f"{max(curve.reached for curve in result.curves):,.0f}"


def _percent(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g} %"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
