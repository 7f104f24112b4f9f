"""Order of convergence: the error against the step size on logarithmic axes, with fitted slopes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.solvers.race_config import Bools, OrderResult
from node_core.visualization.loglog import log_axis
from node_core.visualization.style import LANE_SYMBOLS, Floats, lane_colour, styled


class OrderLine(NamedTuple):
    """One method: the measured points, the fitted line (two points, empty where nothing could be fitted)."""

    label: str
    colour: str
    symbol: str
    dt: Floats
    error: Floats
    fitted: Bools
    fit_dt: Floats
    fit_error: Floats


class OrderInfo(NamedTuple):
    """All that the picture shows; a line's label holds the slope beside the order of the method."""

    lines: tuple[OrderLine, ...]


def order_info(result: OrderResult) -> OrderInfo:
    """What the picture of `result` shows; errors that are not positive and finite are left out."""
    lines = []
    for index, curve in enumerate(result.curves):
        seen = np.isfinite(curve.error) & (curve.error > 0) & (curve.error < 1e6)
        dt, error, fitted = curve.dt[seen], curve.error[seen], curve.fitted[seen]
        if np.isfinite(curve.slope) and fitted.sum() >= 2:
            ends = np.array([dt[fitted].min(), dt[fitted].max()])
            centre = np.log(error[fitted]).mean() - curve.slope * np.log(dt[fitted]).mean()
            fit = np.exp(centre + curve.slope * np.log(ends))
            label = f"{curve.label}: slope {curve.slope:.2f} (order {curve.order})"
        else:
            ends, fit = np.empty(0), np.empty(0)
            label = f"{curve.label}: no slope (order {curve.order})"
        lines.append(
            OrderLine(
                label,
                lane_colour(index),
                LANE_SYMBOLS[index % len(LANE_SYMBOLS)],
                dt,
                error,
                fitted,
                ends,
                fit,
            )
        )
    return OrderInfo(tuple(lines))


def order_figure(info: OrderInfo, *, height: int = 520) -> go.Figure:
    """Draw `info`: hollow points were left out of the fit (round-off, or steps too long to be in the limit)."""
    figure = go.Figure()
    for line in info.lines:
        symbols = [line.symbol if used else f"{line.symbol}-open" for used in line.fitted]
        figure.add_scatter(
            x=line.dt,
            y=line.error,
            mode="markers",
            marker={
                "color": line.colour,
                "size": 10,
                "symbol": symbols,
                "line": {"width": 2, "color": line.colour},
            },
            name=line.label,
            legendgroup=line.label,
            hovertemplate="h = %{x:.3g}<br>error = %{y:.3g}<extra></extra>",
        )
        if line.fit_dt.size:
            figure.add_scatter(
                x=line.fit_dt,
                y=line.fit_error,
                mode="lines",
                line={"color": line.colour, "width": 2.2},
                legendgroup=line.label,
                showlegend=False,
                hoverinfo="skip",
            )
    axes = {
        "xaxis": log_axis([line.dt for line in info.lines]),
        "yaxis": log_axis([line.error for line in info.lines]),
    }
    return styled(figure, height=height, x="step size h", y="error at the end", layout=axes)
