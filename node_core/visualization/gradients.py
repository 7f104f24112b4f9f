"""The colours of the gradient modes, and what is measured of them: errors, costs, memory, the paper's Figure 3."""

from __future__ import annotations

from typing import Literal

import numpy as np

from node_core.studies.gradients.config import ErrorCurve, ErrorsResult, Floats, MemoryResult, PaperResult
from node_core.visualization.loglog import Guide, LogInfo, Series, series_of
from node_core.visualization.style import LANE_SYMBOLS, REFERENCE_COLOUR, lane_colour

Cost = Literal["nfe", "seconds"]
Panel = Literal["a", "b", "c"]

COST_TITLES: dict[Cost, str] = {"nfe": "evaluations, forward + backward", "seconds": "processor time (s)"}


# Middle tones, so that one colour reads on white and on black; the equations use the same.
Z_COLOUR = "#2f8fe0"
A_COLOUR = "#e8543f"
BACK_COLOUR = "#b46be0"
LOSS_COLOUR = "#d98a00"
THETA_COLOURS = ("#12a57c", "#6aa52f", "#0e8f9e", "#3f7d5f")
TRUTH_COLOUR = REFERENCE_COLOUR

MODE_INDEX = {
    "adjoint": 0,
    "adjoint_seminorm": 4,
    "interpolated": 1,
    "checkpointed": 2,
    "backprop": 3,
    "differences": 6,
}


def mode_colour(mode: str) -> str:
    """The colour of a gradient mode, the same in every figure."""
    return lane_colour(MODE_INDEX[mode])


def _series(mode: str, label: str, x: Floats, y: Floats, hover: Floats) -> Series:
    symbol = LANE_SYMBOLS[MODE_INDEX[mode] % len(LANE_SYMBOLS)]
    # backprop and checkpointed agree to the last digits: dots let the line below be seen
    dash = "dot" if mode == "backprop" else "solid"
    return series_of(label, mode_colour(mode), symbol, x, y, hover, dash)


def error_info(result: ErrorsResult) -> LogInfo:
    """Gradient error against tolerance; looser to the left."""
    series = tuple(_series(c.mode, c.label, c.x, c.error, c.nfe_backward) for c in result.curves)
    return LogInfo("tolerance", "gradient error", "evaluations back", series, flip_x=True)


def cost_info(result: ErrorsResult, cost: Cost) -> LogInfo:
    """Gradient error against what it cost: the lower left wins."""
    series = tuple(_series(c.mode, c.label, _cost(c, cost), c.error, c.x) for c in result.curves)
    return LogInfo(COST_TITLES[cost], "gradient error", "tolerance", series)


def _cost(curve: ErrorCurve, cost: Cost) -> Floats:
    if cost == "seconds":
        return curve.seconds
    # finite differences have no way back: their curve holds nan there
    return curve.nfe_forward + np.nan_to_num(curve.nfe_backward)


def horizon_info(result: ErrorsResult) -> LogInfo:
    """Gradient error against the horizon T, with the line above which not a digit is right."""
    series = tuple(_series(c.mode, c.label, c.x, c.error, c.nfe_backward) for c in result.curves)
    x = result.curves[0].x
    guide = Guide("no digit is right", (float(x[0]), float(x[-1])), (1.0, 1.0))
    return LogInfo("horizon T", "gradient error", "evaluations back", series, (guide,), log_x=False)


def seminorm_info(result: ErrorsResult) -> LogInfo:
    """Steps of the way back against tolerance, with dL/dtheta in the error norm and without."""
    pair = [c for c in result.curves if c.mode in ("adjoint", "adjoint_seminorm")]
    series = tuple(_series(c.mode, c.label, c.x, c.steps_backward, c.error) for c in pair)
    return LogInfo("tolerance", "steps back", "gradient error", series, flip_x=True)


def seminorm_saving(result: ErrorsResult) -> float | None:
    """Share of the steps back that the seminorm saves over all tolerances; None unless both modes ran."""
    found = {c.mode: c.steps_backward for c in result.curves if c.mode in ("adjoint", "adjoint_seminorm")}
    if len(found) < 2:
        return None
    both = np.isfinite(found["adjoint"]) & np.isfinite(found["adjoint_seminorm"])
    if not both.any():
        return None
    return float(1 - found["adjoint_seminorm"][both].sum() / found["adjoint"][both].sum())


def memory_info(result: MemoryResult) -> LogInfo:
    """Peak memory against the number of steps, beside O(1) and O(L)."""
    series = tuple(_series(c.mode, c.label, c.steps, c.mib, c.mib) for c in result.curves)
    guides = []
    by_mode = {c.mode: c for c in result.curves}
    for mode, order, name in (("adjoint", 0, "O(1)"), ("backprop", 1, "O(L)")):
        curve = by_mode.get(mode)
        if curve is not None and curve.mib[-1] > 0:
            first, last = float(curve.steps[0]), float(curve.steps[-1])
            end = float(curve.mib[-1])
            guides.append(Guide(name, (first, last), (end * (first / last) ** order, end)))
    return LogInfo("steps L", "peak memory (MiB)", "MiB", series, tuple(guides))


def paper_info(result: PaperResult, panel: Panel) -> LogInfo:
    """Panel (a) error, (b) time or (c) evaluations backward, against evaluations forward."""
    forward = result.nfe_forward
    values, title = {
        "a": (result.error, "error of z"),
        "b": (result.seconds, "processor time (s)"),
        "c": (result.nfe_backward, "evaluations backward"),
    }[panel]
    series = series_of("measured", Z_COLOUR, "circle", forward, values, result.rtol)
    guides: tuple[Guide, ...] = ()
    if panel == "c" and series.x.size:
        low, high = float(series.x.min()), float(series.x.max())
        guides = (
            Guide("as many", (low, high), (low, high)),
            Guide("half (the paper)", (low, high), (low / 2, high / 2)),
        )
    return LogInfo("evaluations forward", title, "tolerance", (series,), guides)


def backward_share(result: PaperResult) -> float | None:
    """Evaluations backward for each one forward, over all tolerances; None where no way back was found."""
    both = np.isfinite(result.nfe_forward) & np.isfinite(result.nfe_backward)
    if not both.any():
        return None
    return float(result.nfe_backward[both].sum() / result.nfe_forward[both].sum())
