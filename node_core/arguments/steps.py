"""Tolerances and step sizes: what each method takes of them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from node_core.arguments.values import check_positive
from node_core.solvers.controllers import Controller
from node_core.solvers.loop import Limits
from node_core.solvers.methods import Method
from node_core.solvers.step_size import StepEnds


def check_steps(
    method: Method,
    controller: str | Controller,
    dt: Any,
    dt0: float | None,
    max_step: float | None,
    min_step: float | None,
    ts: tuple[float, ...],
    limits: Limits,
) -> StepEnds | None:
    """Check that step sizes ask for no more steps than allowed; return the steps of a fixed-step method."""
    if limits.time_limit is not None:
        check_positive("time_limit", limits.time_limit, "it is in seconds; None means no limit")
    if isinstance(controller, Controller) and (not method.adaptive or method.family == "scipy"):
        raise ValueError(f"method={method.name!r} has no controller to be replaced: leave controller out")
    if method.adaptive:
        _check_adaptive(method, dt, dt0, max_step, min_step, ts, limits)
        return None
    for name, value in (("dt0", dt0), ("max_step", max_step), ("min_step", min_step)):
        if value is not None:
            raise ValueError(f"method={method.name!r} takes equal steps: pass dt instead of {name}")
    if dt is None:
        length = abs(ts[-1] - ts[0])
        nice = float(f"{length / 100:.1g}") if math.isfinite(length) else 0.01
        raise ValueError(f"method={method.name!r} needs a step size: pass dt, for example dt={nice:g}")
    if isinstance(dt, str) or (hasattr(dt, "__len__") and getattr(dt, "ndim", 1) > 0):
        return _check_step_ends(dt, ts, limits)
    check_positive("dt", dt, "the sign follows from ts")
    _check_count("dt", dt, ts, limits)
    return float(dt)


def _check_adaptive(
    method: Method,
    dt: Any,
    dt0: float | None,
    max_step: float | None,
    min_step: float | None,
    ts: tuple[float, ...],
    limits: Limits,
) -> None:
    if dt is not None:
        raise ValueError(
            f"method={method.name!r} chooses its own steps: pass rtol and atol, or dt0, instead of dt"
        )
    if dt0 is not None:
        check_positive("dt0", dt0, "the sign follows from ts; None lets the solver choose")
    if max_step is not None:
        check_positive("max_step", max_step, "the sign follows from ts; None means no limit")
        _check_count("max_step", max_step, ts, limits)
    if min_step is None:
        return
    check_positive("min_step", min_step, "the sign follows from ts; None means no limit")
    if method.family == "scipy":
        raise ValueError(f"method={method.name!r} is SciPy's, which has no shortest step: leave min_step out")
    for name, value in (("max_step", max_step), ("dt0", dt0)):
        if value is not None and min_step > value:
            raise ValueError(f"min_step={min_step:g} is longer than {name}={value:g}: lower it")


def _check_step_ends(dt: Any, ts: tuple[float, ...], limits: Limits) -> tuple[float, ...]:
    """The times at which steps end: those of ts, or given ones that reach from the first of ts to the last."""
    form = "give a step, times that reach from the first of ts to the last, or 'ts' for a step from output to output"
    if isinstance(dt, str):
        if dt != "ts":
            raise ValueError(f"dt={dt!r} is no step: {form}")
        if math.isinf(ts[-1]):
            raise ValueError(
                "dt='ts' ends a step at each of ts, whose last time is infinite: give a step, dt=0.01"
            )
        ends = ts
    else:
        try:
            ends = tuple(float(t) for t in dt)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"dt={dt!r} is no sequence of times: {form}") from error
    sign = 1.0 if ts[-1] > ts[0] else -1.0
    if len(ends) < 2 or not all(sign * (b - a) > 0 for a, b in pairwise(ends)):
        raise ValueError(
            f"dt={dt!r} holds times that do not run as ts does, each beyond the one before: {form}"
        )
    slack = 1e-9 * abs(ends[-1] - ends[0])
    if sign * (ends[0] - ts[0]) > slack or sign * (ts[-1] - ends[-1]) > slack:
        raise ValueError(
            f"dt holds times from {ends[0]:g} to {ends[-1]:g}, but ts goes from {ts[0]:g} to {ts[-1]:g}: {form}"
        )
    if len(ends) - 1 > limits.max_steps:
        raise ValueError(
            f"dt holds {len(ends) - 1} steps, more than max_steps={limits.max_steps}: raise max_steps"
        )
    return ends


def _check_count(name: str, step: float, ts: tuple[float, ...], limits: Limits) -> None:
    """Refuse steps so short that there would be more than allowed."""
    count = abs(ts[-1] - ts[0]) / step
    if math.isfinite(count) and count > limits.max_steps * (1 + 1e-9):
        smallest = abs(ts[-1] - ts[0]) / limits.max_steps
        raise ValueError(
            f"{name}={step:g} would take {count:.3g} steps, more than max_steps={limits.max_steps}: take {name} of at "
            f"least {smallest:.3g}, or raise max_steps"
        )
