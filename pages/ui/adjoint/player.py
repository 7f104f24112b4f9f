"""Forward and backward on one time axis, and in the phase plane: the paper's Figure 2, replayed on the client."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from node_core.assets import ASSETS
from node_core.studies.gradients.config import AdjointResult, Floats, Path, Truth, Way
from node_core.visualization.adjoint.way_back import GAP_FLOOR, magnification, verdict
from node_core.visualization.gradients import (
    A_COLOUR,
    BACK_COLOUR,
    LOSS_COLOUR,
    THETA_COLOURS,
    TRUTH_COLOUR,
    Z_COLOUR,
)
from node_core.visualization.style import drawable, framed, log_limits, thinned
from pages.ui.canvas import rounded, with_player

MAX_POINTS = 500

_FILES = ASSETS / "adjoint"


HTML, CSS = ((_FILES / f"player.{kind}").read_text(encoding="utf-8") for kind in ("html", "css"))
SCRIPT = with_player((_FILES / "player.js").read_text(encoding="utf-8"))
_player = st.components.v2.component(
    "adjoint_player",
    html=HTML,
    css=CSS,
    js=SCRIPT,
)


def adjoint_player(result: AdjointResult, *, key: str) -> None:
    """Mount the player."""
    _player(data=player_data(result), key=key)


def player_data(result: AdjointResult) -> dict[str, Any]:
    """What the player draws, as JSON: short lists, rounded to what a screen can show.

    Times of the way back are given as T - t, which grows.
    """
    path, task, end = result.path, result.config.task, float(result.path.t[-1])
    curve, truth = thinned(path.t.size, MAX_POINTS), result.truth
    target = np.array(task.spec.target)
    x_range, y_range = (
        framed(np.append(path.z[:, i], target[i]), [w.z[:, i] for w in result.ways], margin=0.12)
        for i in (0, 1)
    )
    at = np.searchsorted(path.t, task.observations).clip(max=path.t.size - 1)
    rows = thinned(truth.t.size, MAX_POINTS)
    return {
        "T": end,
        "x": list(x_range),
        "y": list(y_range),
        "names": list(task.spec.state_names),
        "target": list(task.spec.target),
        "observed": [[float(t), *map(float, path.z[i])] for t, i in zip(task.observations, at, strict=True)],
        "largest": float(np.linalg.norm(truth.a, axis=1).max()) or 1.0,
        "f": {"t": rounded(path.t[curve], 7), "x": rounded(path.z[curve, 0]), "y": rounded(path.z[curve, 1])},
        "r": {
            "b": rounded(end - truth.t[rows], 7),
            "u": rounded(truth.a[rows, 0]),
            "v": rounded(truth.a[rows, 1]),
        },
        # what every way back is drawn over
        "under": {
            "z": _lines("f", path.t, path.z, _forward_colour(path)),
            "a": _lines("r", end - truth.t, truth.a, TRUTH_COLOUR, alpha=0.5, w=5),
            "theta": _lines("r", end - truth.t, truth.theta, TRUTH_COLOUR, alpha=0.4, w=4),
        },
        "ways": [_way(way, result, end, (x_range, y_range)) for way in result.ways],
        "colours": {
            "z": _forward_colour(path),
            "back": BACK_COLOUR,
            "a": A_COLOUR,
            "loss": LOSS_COLOUR,
            "truth": TRUTH_COLOUR,
        },
        "legend": [
            ["z(t) forward" if not path.failure else "the true z(t)", _forward_colour(path)],
            ["z(t) on the way back", BACK_COLOUR],
            ["a(t) = dL/dz(t)", A_COLOUR],
            ["dL/dθ so far", THETA_COLOURS[0]],
            ["observation, z*", LOSS_COLOUR],
            ["the truth", TRUTH_COLOUR],
        ],
    }


def _forward_colour(path: Path) -> str:
    return TRUTH_COLOUR if path.failure else Z_COLOUR


def _way(way: Way, result: AdjointResult, end: float, limits: tuple[Any, Any]) -> dict[str, Any]:
    rows, steps = thinned(way.t.size, MAX_POINTS), thinned(way.step_t.size, MAX_POINTS)
    a_rows = thinned(way.a_t.size, MAX_POINTS)
    times = magnification(way, max(high - low for low, high in limits))
    drawn = way.z + (times - 1.0) * way.apart
    b, step_b = end - way.t, end - way.step_t[steps]
    x, y = (drawable(drawn[:, i], limits[i]) for i in (0, 1))
    dots = [np.interp(step_b, b, values) for values in (x, y)] if way.t.size else [x, y]
    return {
        "label": way.label,
        "verdict": verdict(way),
        "failure": way.failure,
        "note": f"gap drawn {times:,.0f} times larger" if times > 1.0 else "",
        "b": rounded(b[rows], 7),
        "x": rounded(x[rows]),
        "y": rounded(y[rows]),
        "ab": rounded(end - way.a_t[a_rows], 7),
        "u": rounded(way.a[a_rows, 0]),
        "v": rounded(way.a[a_rows, 1]),
        "sb": rounded(step_b, 7),
        "sx": rounded(dots[0]),
        "sy": rounded(dots[1]),
        "strips": [
            _states(way, result.path, end),
            _adjoint(way, result.truth, end),
            _theta(way, result, end),
            _steps(way, result.path, end),
            _gap(way, end),
        ],
    }


def _series(kind: str, x: Floats, y: Floats, colour: str, **more: Any) -> dict[str, Any]:
    shown = thinned(x.size, MAX_POINTS)
    return {"k": kind, "x": rounded(x[shown], 7), "y": rounded(y[shown]), "c": colour, "w": 2.4, **more}


def _lines(kind: str, x: Floats, ys: Floats, colour: str, **more: Any) -> list[Any]:
    """One line a column; the second and later components thinner, so that they can be told apart."""
    widths = [2.8, 1.5, 1.2, 1.0]
    return [
        _series(kind, x, ys[:, i], colour, **({"w": widths[min(i, 3)]} | more)) for i in range(ys.shape[1])
    ]


def _states(way: Way, path: Path, end: float) -> dict[str, Any]:
    limits = framed(path.z.ravel(), [way.z.ravel()])
    series = _lines("b", end - way.t, drawable(way.z, limits), BACK_COLOUR, dash=[6, 4])
    return {
        "title": "state z₁ (thick), z₂",
        "log": False,
        "y": list(limits),
        "under": "z",
        "series": series,
    }


def _adjoint(way: Way, truth: Truth, end: float) -> dict[str, Any]:
    norm, true_norm = np.linalg.norm(way.a, axis=1), np.linalg.norm(truth.a, axis=1)
    limits = framed(np.concatenate([truth.a.ravel(), true_norm]), [way.a.ravel(), norm])
    series = _lines("b", end - way.a_t, drawable(way.a, limits), A_COLOUR)
    series.append(_series("b", end - way.a_t, drawable(norm, limits), A_COLOUR, w=1.6, dash=[2, 4]))
    return {
        "title": "adjoint a₁ (thick), a₂, |a| (dotted)",
        "log": False,
        "y": list(limits),
        "under": "a",
        "series": series,
    }


def _theta(way: Way, result: AdjointResult, end: float) -> dict[str, Any]:
    limits = framed(result.truth.theta.ravel(), [way.theta.ravel()])
    series = []
    for i in range(way.theta.shape[1]):
        colour = THETA_COLOURS[i % len(THETA_COLOURS)]
        series.append(_series("b", end - way.step_t, drawable(way.theta[:, i], limits), colour))
    note = "" if way.theta.shape[1] or way.failure else "autograd sums it without telling when"
    some = (
        ""
        if len(result.theta_names) == result.n_theta
        else f", {len(result.theta_names)} of {result.n_theta}"
    )
    return {
        "title": f"dL/dθ so far{some}",
        "log": False,
        "y": list(limits),
        "under": "theta",
        "series": series,
        "note": note,
    }


def _steps(way: Way, path: Path, end: float) -> dict[str, Any]:
    limits = log_limits(np.abs(np.concatenate([path.attempt_dt, way.attempt_dt]))) or (-2.0, 0.0)
    series = [
        _series("f", path.attempt_t, np.abs(path.attempt_dt), Z_COLOUR, dots=True)
        | {"bad": _rejected(path.attempt_accepted)},
        _series("b", end - way.attempt_t, np.abs(way.attempt_dt), A_COLOUR, dots=True)
        | {"bad": _rejected(way.attempt_accepted)},
    ]
    return {
        "title": "step sizes forward, backward (× rejected)",
        "log": True,
        "y": list(limits),
        "series": series,
    }


def _rejected(accepted: Any) -> list[bool]:
    return [not bool(accepted[i]) for i in thinned(accepted.size, MAX_POINTS)]


def _gap(way: Way, end: float) -> dict[str, Any]:
    seen = way.gap > GAP_FLOOR
    title = "gap |z back − z forward|"
    if not seen.any():
        note = "" if way.failure else "none: this mode keeps the forward states"
        return {"title": title, "log": True, "y": [-4.0, 0.0], "series": [], "note": note}
    low, high = log_limits(way.gap[seen]) or (-4.0, 0.0)
    series = [_series("b", (end - way.t)[seen], way.gap[seen], BACK_COLOUR)]
    return {"title": title, "log": True, "y": [low, high], "series": series}
