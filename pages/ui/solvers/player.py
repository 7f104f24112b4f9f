"""The race on a canvas: replays it on the client (no server round trip a frame), and a click picks its start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from node_core.assets import ASSETS
from node_core.studies.solvers.race_config import Lane, RaceResult
from node_core.visualization.solvers.phase_plane import PhaseInfo, PhaseLane, phase_info
from node_core.visualization.style import thinned
from pages.ui.canvas import rounded, with_player

MAX_CURVE = 900
MAX_DOTS = 1200
MAX_CROSSES = 300

_FILES = ASSETS / "solvers"
HTML, CSS = ((_FILES / f"player.{kind}").read_text(encoding="utf-8") for kind in ("html", "css"))
SCRIPT = with_player((_FILES / "player.js").read_text(encoding="utf-8"))
_player = st.components.v2.component(
    "race_player",
    html=HTML,
    css=CSS,
    js=SCRIPT,
)


def race_player(
    result: RaceResult,
    axes: tuple[int, int],
    *,
    key: str,
    log_time: bool = False,
    on_pick: Callable[[float, float], None] | None = None,
) -> None:
    """Mount the player. `on_pick(x, y)` is called, before the next run, with the clicked point of the plane."""

    def picked() -> None:
        point = (st.session_state.get(key) or {}).get("picked")
        if on_pick is not None and point:
            on_pick(float(point["x"]), float(point["y"]))

    _player(
        data=player_data(result, axes, log_time=log_time, pick=on_pick is not None),
        key=key,
        on_picked_change=picked,
    )


def player_data(result: RaceResult, axes: tuple[int, int], *, log_time: bool, pick: bool) -> dict[str, Any]:
    """What the player draws, as JSON: short lists, rounded to what a screen can show."""
    info = phase_info(result, axes)
    start, end = result.config.problem.t_span
    if log_time:
        first = [
            float(lane.step_t[1]) for lane in result.lanes if lane.step_t.size > 1 and lane.step_t[1] > 0
        ]
        start = max(min(first, default=end * 1e-6), end * 1e-9)
    lanes = [_lane(lane, drawn, info) for lane, drawn in zip(result.lanes, info.lanes, strict=True)]
    field = result.field if axes == (0, 1) or result.dim == 1 else None
    shown = thinned(info.reference_x.size, MAX_CURVE)
    y0 = result.config.problem.y0
    return {
        "t0": start,
        "t1": end,
        "log": log_time,
        "pick": pick,
        "x": list(info.x_range),
        "y": list(info.y_range),
        "equal": info.equal,
        "line": result.dim == 1,
        "xTitle": info.x_title,
        "yTitle": info.y_title,
        "start": [result.config.problem.t_span[0], y0[0]] if result.dim == 1 else [y0[axes[0]], y0[axes[1]]],
        "rx": rounded(info.reference_x[shown]),
        "ry": rounded(info.reference_y[shown]),
        "field": {
            "x": [] if field is None else rounded(field.x),
            "y": [] if field is None else rounded(field.y),
            "u": [] if field is None else rounded(field.u, 3),
            "v": [] if field is None else rounded(field.v, 3),
            "nx": 22,
            "ny": 15,
        },
        "lanes": lanes,
    }


def _lane(lane: Lane, drawn: PhaseLane, info: PhaseInfo) -> dict[str, Any]:
    curve = thinned(drawn.t.size, MAX_CURVE)
    dots = thinned(drawn.dot_t.size, MAX_DOTS)
    # the work done until each dot: attempts cost alike, so the attempt's place in the log is its share of the NFE
    attempts = np.searchsorted(lane.attempt_t, drawn.dot_t[dots], side="left")
    share = lane.nfe * attempts / max(lane.attempt_t.size, 1)
    crosses = slice(0, MAX_CROSSES)
    steps = lane.n_accepted
    return {
        "label": lane.label,
        "colour": drawn.colour,
        "t": rounded(drawn.t[curve], 7),
        "x": rounded(drawn.x[curve]),
        "y": rounded(drawn.y[curve]),
        "st": rounded(drawn.dot_t[dots], 7),
        "sx": rounded(drawn.dot_x[dots]),
        "sy": rounded(drawn.dot_y[dots]),
        "sn": rounded(share, 7),
        "thin": bool(drawn.dot_t.size < lane.step_t.size or dots.size < drawn.dot_t.size),
        "jt": rounded(drawn.rejected_t[crosses], 7),
        "jx": rounded(drawn.rejected_x[crosses]),
        "jy": rounded(drawn.rejected_y[crosses]),
        "steps": steps,
        "rejected": lane.n_rejected,
        "nfe": lane.nfe,
        "end": "" if lane.status == "done" else lane.status,
        "failed": lane.failed,
        "endT": float(lane.step_t[-1]),
    }
