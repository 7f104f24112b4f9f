"""Work-precision: the error a method reached against what it cost, in evaluations of f or in time."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.studies.race_config import WorkResult
from node_core.visualization.style import LANE_SYMBOLS, Floats, lane_colour, log_limits, styled

Work = Literal["nfe", "seconds"]
TITLES: dict[Work, str] = {"nfe": "function evaluations", "seconds": "time (s)"}


class WorkLine(NamedTuple):
    """One method, sorted by work; `setting` is the tolerance or the step size of each point."""

    label: str
    colour: str
    symbol: str
    work: Floats
    error: Floats
    setting: Floats


class WorkInfo(NamedTuple):
    """All that the picture shows."""

    x_title: str
    lines: tuple[WorkLine, ...]


def work_info(result: WorkResult, work: Work = "nfe") -> WorkInfo:
    """What the picture of `result` shows against `work`; failed solves and useless errors are left out."""
    lines = []
    for index, curve in enumerate(result.curves):
        spent = curve.nfe if work == "nfe" else curve.seconds
        seen = np.isfinite(curve.error) & (curve.error > 0) & (curve.error < 1e3) & (spent > 0)
        order = np.argsort(spent[seen], kind="stable")
        lines.append(
            WorkLine(
                curve.label,
                lane_colour(index),
                LANE_SYMBOLS[index % len(LANE_SYMBOLS)],
                spent[seen][order],
                curve.error[seen][order],
                curve.setting[seen][order],
            )
        )
    return WorkInfo(TITLES[work], tuple(lines))


def work_figure(info: WorkInfo, *, height: int = 480) -> go.Figure:
    """Draw `info`: further down is more accurate, further left is cheaper."""
    figure = go.Figure()
    for line in info.lines:
        figure.add_scatter(
            x=line.work,
            y=line.error,
            customdata=line.setting,
            mode="lines+markers",
            line={"color": line.colour, "width": 2.2},
            marker={"color": line.colour, "size": 9, "symbol": line.symbol},
            name=line.label,
            hovertemplate=f"{line.label}<br>work = %{{x:.3g}}<br>error = %{{y:.3g}}"
            "<br>tolerance or step = %{customdata:.3g}<extra></extra>",
        )
    styled(figure, height=height)
    for axis, title, values in (
        (figure.update_xaxes, info.x_title, [line.work for line in info.lines]),
        (figure.update_yaxes, "error", [line.error for line in info.lines]),
    ):
        limits = log_limits(np.concatenate(values) if values else np.empty(0), pad=0.08)
        dtick = 1 if limits is None else max(1, round((limits[1] - limits[0]) / 6))
        axis(type="log", title_text=title, exponentformat="power", dtick=dtick)
        if limits is not None:
            axis(range=list(limits))
    return figure
