"""Pictures of a normalizing flow: its likelihood, Theorem 1 along a path, its audit, and what a trace costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from node_core.studies.cnf.audit_config import CNFAuditResult
from node_core.studies.cnf.cost_config import WAYS, CNFCostResult
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
from node_core.visualization.training_curves import Curve, CurvesInfo, Run, loss_info

RISES, FALLS, LOG_P = lane_colour(0), lane_colour(1), lane_colour(3)


def likelihood_info(run: Run, best: float | None, objective: str, revision: str = "") -> CurvesInfo:
    """The mean log-likelihood of the batch (nats) against the iteration, and the most that any flow can reach.

    Args:
        run: the history; its "loss" is -mean log q unless the objective is "reverse_kl", whose loss is drawn as it is,
            or the row has "matching": then "nll" says it, where it is known.
        best: minus the target's entropy; None where it is not known.
        objective: of the training.
        revision: see `CurvesInfo`.
    """
    found = loss_info([run._replace(rows=[_by_likelihood(row) for row in run.rows])], revision)
    if objective == "reverse_kl" or not found.curves:
        title = "log-likelihood (nats)" if not found.curves else "E[log q − log p] (nats)"
        return found._replace(y_title=title, log_y=False)
    curve = found.curves[0]
    curves = [curve._replace(label="mean log q(x)", y=-curve.y)]
    if best is not None:
        ends = np.array([curve.x[0], max(curve.x[-1], curve.x[0] + 1)])
        curves.append(Curve("best possible", REFERENCE_COLOUR, True, ends, np.full(2, best)))
    return CurvesInfo("iteration", "log-likelihood (nats)", False, tuple(curves), revision)


def _by_likelihood(row: Mapping[str, float]) -> Mapping[str, float]:
    """The row with its -mean log q as the loss: what flow matching minimises is another thing."""
    return {**row, "loss": row.get("nll", np.nan)} if "matching" in row else row


class TheoremInfo(NamedTuple):
    """Theorem 1 along one path: minus the trace at each time, and log p, which is its integral."""

    ts: Floats
    rate: Floats
    log_prob: Floats
    particle: int
    revision: str


def theorem_info(arrays: Mapping[str, np.ndarray], particle: int, revision: str = "") -> TheoremInfo | None:
    """What a live snapshot knows of a particle; None if it has no paths in time.

    Raises:
        ValueError: there is no such particle.
    """
    if "divergence" not in arrays:
        return None
    divergence = arrays["divergence"].astype(float)
    if not 0 <= particle < divergence.shape[1]:
        raise ValueError(f"particle {particle}: choose 0 to {divergence.shape[1] - 1}.")
    return TheoremInfo(
        arrays["trajectory_ts"].astype(float),
        -divergence[:, particle],
        arrays["log_prob"].astype(float)[:, particle],
        particle,
        revision,
    )


def theorem_figure(info: TheoremInfo) -> go.Figure:
    """Above: the rate, its area shaded (warm where the density rises); below: log p, which changes by that area."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12)
    ts, rate = _with_zeros(info.ts, info.rate)
    for sign, colour, label in ((1, RISES, "the density rises"), (-1, FALLS, "the density falls")):
        figure.add_scatter(
            x=ts,
            y=sign * np.maximum(0.0, sign * rate),
            fill="tozeroy",
            fillcolor=faded(colour, 0.4),
            line={"width": 0},
            name=label,
            hoverinfo="skip",
            row=1,
            col=1,
        )
    hover = "%{y:.3f} at t = %{x:.2f}<extra>%{fullData.name}</extra>"
    figure.add_scatter(
        x=info.ts,
        y=info.rate,
        name="−tr ∂f/∂z",
        line={"color": REFERENCE_COLOUR, "width": 2.5},
        hovertemplate=hover,
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=info.ts,
        y=info.log_prob,
        name="log p(z(t))",
        line={"color": LOG_P, "width": 3},
        hovertemplate=hover,
        row=2,
        col=1,
    )
    start, end = float(info.log_prob[0]), float(info.log_prob[-1])
    # From the value at t0 to that at t1: the same length as the area above.
    figure.add_scatter(
        x=[info.ts[-1]] * 2,
        y=[start, end],
        mode="lines+markers",
        name="the area",
        showlegend=False,
        line={"color": REFERENCE_COLOUR, "width": 2, "dash": "dot"},
        hovertemplate=f"from {start:.3f} to {end:.3f}<extra>the area above</extra>",
        row=2,
        col=1,
    )
    figure.add_annotation(
        x=info.ts[-1],
        y=0.5 * (start + end),
        xref="x2",
        yref="y2",
        xanchor="right",
        showarrow=False,
        xshift=-8,
        text=f"area = {_signed(end - start)}",
        font={"size": 15},
    )
    return laid_out(
        figure,
        {
            **layout_style(430),
            "uirevision": info.revision or "same",
            "xaxis": axis_style(),
            "xaxis2": axis_style("t"),
            "yaxis": axis_style("−tr ∂f/∂z"),
            "yaxis2": axis_style("log p(z(t)), nats"),
        },
    )


def band_figure(result: CNFAuditResult) -> go.Figure | None:
    """Log p along a path: exact, single estimates, and the band in which their mean should hold it."""
    band = result.band
    if band is None:
        return None
    figure = go.Figure()
    for k, estimate in enumerate(band.estimates[:24]):
        figure.add_scatter(
            x=band.ts,
            y=estimate,
            name="one noise vector each",
            showlegend=k == 0,
            legendgroup="one",
            line={"color": faded(FALLS, 0.3), "width": 1},
            hoverinfo="skip",
        )
    low, high = band.mean - 2 * band.error, band.mean + 2 * band.error
    figure.add_scatter(
        x=np.concatenate([band.ts, band.ts[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=faded(FALLS, 0.35),
        line={"width": 0},
        name=f"mean of {len(band.estimates)} ± 2 standard errors",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=band.ts,
        y=band.exact,
        name="exact trace",
        line={"color": RISES, "width": 3},
        hovertemplate="%{y:.3f} at t = %{x:.2f}<extra>exact</extra>",
    )
    reach = float(max(np.abs(high - band.exact).max(), np.abs(band.exact - low).max(), 0.5))
    limits = [float(band.exact.min()) - 3 * reach, float(band.exact.max()) + 3 * reach]
    return styled(figure, height=360, x="t", y="log p(z(t)), nats", layout={"yaxis": {"range": limits}})


def round_trip_figure(result: CNFAuditResult) -> go.Figure:
    """How many samples come back from the noise within a distance, for each way of solving."""
    figure = go.Figure()
    for k, check in enumerate(result.checks):
        distance = np.maximum(check.round_trip, 1e-9)
        figure.add_scatter(
            x=distance,
            y=100 * (np.arange(len(distance)) + 1) / len(distance),
            name=check.label,
            line={"color": lane_colour(k), "width": 3, "shape": "hv"},
            hovertemplate="%{y:.0f} % within %{x:.2g}<extra>%{fullData.name}</extra>",
        )
    axis = {"xaxis": {"type": "log", "exponentformat": "power", "dtick": 1}}
    return styled(figure, height=360, x="distance from where it started", y="samples (%)", layout=axis)


def cost_figure(result: CNFCostResult) -> go.Figure:
    """Processor time (ms) of a batch against the dimension, both logarithmic: a power law is a straight line."""
    figure = go.Figure()
    for k, way in enumerate(WAYS):
        figure.add_scatter(
            x=result.dims,
            y=1e3 * result.seconds[way],
            name=f"{way} (∝ d<sup>{abs(result.slopes[way]):.1f}</sup>)",
            mode="lines+markers",
            line={"color": lane_colour(k), "width": 3},
            marker={"size": 9},
            hovertemplate="%{y:.3g} ms in %{x} dimensions<extra>%{fullData.name}</extra>",
        )
    dims = result.dims.tolist()
    axes = {
        "xaxis": {"type": "log", "tickvals": dims, "ticktext": [str(dim) for dim in dims]},
        "yaxis": {"type": "log", "exponentformat": "power", "dtick": 1},
    }
    unit = f"processor time (ms) of {result.config.batch} points"
    return styled(figure, height=420, x="dimension d", y=unit, layout=axes)


def _with_zeros(ts: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The curve with its zeros as points, so that what is above and below can be filled apart."""
    change = np.flatnonzero(values[:-1] * values[1:] < 0)
    share = values[change] / (values[change] - values[change + 1])
    at = ts[change] + share * (ts[change + 1] - ts[change])
    return np.insert(ts, change + 1, at), np.insert(values, change + 1, 0.0)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
