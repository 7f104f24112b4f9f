"""The adjoint's gradient over long horizons, and what modes that keep the forward states cost instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from node_core.studies.gradients.config import ErrorCurve, ErrorsResult, HorizonConfig, MemoryResult
from node_core.studies.gradients.fields import FIELDS
from node_core.visualization.gradients import horizon_info, memory_info
from node_core.visualization.loglog import LogInfo

WRONG = 0.1  # a relative error past which a gradient is called wrong


def horizons_info(result: ErrorsResult, modes: Sequence[str]) -> LogInfo:
    """Gradient error against the horizon, in these modes."""
    return horizon_info(replace(result, curves=tuple(c for c in result.curves if c.mode in modes)))


def memories_info(result: MemoryResult, modes: Sequence[str]) -> LogInfo:
    """Measured memory against the number of steps, in these modes and by backprop; the seminorm changes no memory."""
    shown = {*modes, "backprop"} - {"adjoint_seminorm"}
    lines = memory_info(replace(result, curves=tuple(c for c in result.curves if c.mode in shown)))
    return lines._replace(guides=())


def adjoint_sentence(result: ErrorsResult) -> str:
    """From which horizon on the adjoint's gradient is wrong."""
    config, curve = result.config, _of(result, "adjoint")
    assert isinstance(config, HorizonConfig)
    name = FIELDS[config.task.field].name
    right = np.flatnonzero(curve.error <= WRONG)
    first = int(right[-1]) + 1 if right.size else 0  # from which on none is right
    end = f"at T = {curve.x[-1]:g} " + (
        "there is no way back at all"
        if math.isnan(curve.error[-1])
        else f"the gradient is {_percent(float(curve.error[-1]))} off"
    )
    if first == curve.x.size:
        return (
            f"{name}: this field contracts little, so that the adjoint, which solves the state backward, goes well: "
            f"{end} (tolerance {config.rtol:g})."
        )
    return (
        f"{name}: the adjoint solves the state backward, where what contracts explodes. Its gradient is more than "
        f"{WRONG:.0%} off from T = {curve.x[first]:g} on; {end} (tolerance {config.rtol:g})."
    )


def kept_sentence(result: ErrorsResult, memory: MemoryResult | None) -> str:
    """How right the modes are that keep the forward states, and what they pay."""
    told = []
    for mode in ("interpolated", "checkpointed"):
        curve = _of(result, mode)
        error, back = _percent(float(curve.error[-1])), curve.nfe_backward[-1]
        told.append(f"{curve.label} is {error} off in {back:.0f} evaluations back")
    adjoint = _of(result, "adjoint")
    cost = adjoint.nfe_backward[np.isfinite(adjoint.nfe_backward)]
    said = f"At T = {adjoint.x[-1]:g} {told[0]} and {told[1]}"
    if cost.size and math.isfinite(adjoint.error[-1]):
        said += f" (the adjoint: {cost[-1]:.0f})"
    if memory is not None:
        found = {c.mode: float(c.mib[-1]) for c in memory.curves}
        said += (
            f". They pay in memory: at {memory.curves[0].steps[-1]:.0f} steps of a batch of {memory.config.batch:,}, "
            f"{found['checkpointed']:.2g} MiB checkpointed and {found['interpolated']:.2g} interpolated, where the "
            f"adjoint takes {found['adjoint']:.2g} and backprop {found['backprop']:.2g}"
        )
    return f"{said}."


def _of(result: ErrorsResult, mode: str) -> ErrorCurve:
    return next(c for c in result.curves if c.mode == mode)


def _percent(error: float) -> str:
    if math.isnan(error):
        return "not known"
    if error >= 100:
        return f"{error:.0e} times"
    return f"{error:.0%}" if error >= 0.1 else f"{100 * error:.2g} %"
