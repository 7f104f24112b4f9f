"""Work-precision: the error a method reached against what it cost, in evaluations of f or in processor time."""

from __future__ import annotations

from typing import Literal

import numpy as np

from node_core.studies.solvers.race_config import WorkResult
from node_core.visualization.loglog import LogInfo, Series
from node_core.visualization.style import LANE_SYMBOLS, lane_colour

Work = Literal["nfe", "seconds"]
TITLES: dict[Work, str] = {"nfe": "function evaluations", "seconds": "processor time (s)"}


def work_info(result: WorkResult, work: Work = "nfe") -> LogInfo:
    """What the picture of `result` shows: further down is more accurate, further left is cheaper.

    A line a method, sorted by work; failed solves and useless errors are left out.
    """
    lines = []
    for index, curve in enumerate(result.curves):
        spent = curve.nfe if work == "nfe" else curve.seconds
        seen = np.isfinite(curve.error) & (curve.error > 0) & (curve.error < 1e3) & (spent > 0)
        order = np.argsort(spent[seen], kind="stable")
        lines.append(
            Series(
                curve.label,
                lane_colour(index),
                LANE_SYMBOLS[index % len(LANE_SYMBOLS)],
                spent[seen][order],
                curve.error[seen][order],
                curve.setting[seen][order],
            )
        )
    return LogInfo(TITLES[work], "error", "tolerance or step", tuple(lines))
