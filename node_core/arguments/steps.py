"""Tolerances and step sizes: what each method takes of them."""

from __future__ import annotations

import math

from node_core.arguments.values import check_positive
from node_core.solvers.loop import Limits
from node_core.solvers.methods import Method


def check_steps(
    method: Method,
    dt: float | None,
    dt0: float | None,
    max_step: float | None,
    rtol: float,
    atol: float,
    ts: tuple[float, ...],
    limits: Limits,
) -> None:
    """Check tolerances and step sizes, and that they do not ask for more steps than allowed."""
    if limits.time_limit is not None:
        check_positive("time_limit", limits.time_limit, "it is in seconds; None means no limit")
    if method.adaptive:
        if dt is not None:
            raise ValueError(
                f"method={method.name!r} chooses its own steps: pass rtol and atol, or dt0, instead of dt"
            )
        check_positive("rtol", rtol, "an error of zero cannot be had; 1e-6 is a good start")
        check_positive("atol", atol, "an error of zero cannot be had; 1e-6 is a good start")
        if dt0 is not None:
            check_positive("dt0", dt0, "the sign follows from ts; None lets the solver choose")
        if max_step is not None:
            check_positive("max_step", max_step, "the sign follows from ts; None means no limit")
            _check_count("max_step", max_step, ts, limits)
        return
    for name, value in (("dt0", dt0), ("max_step", max_step)):
        if value is not None:
            raise ValueError(f"method={method.name!r} takes equal steps: pass dt instead of {name}")
    if dt is None:
        length = abs(ts[-1] - ts[0])
        nice = float(f"{length / 100:.1g}") if math.isfinite(length) else 0.01
        raise ValueError(f"method={method.name!r} needs a step size: pass dt, for example dt={nice:g}")
    check_positive("dt", dt, "the sign follows from ts")
    _check_count("dt", dt, ts, limits)


def _check_count(name: str, step: float, ts: tuple[float, ...], limits: Limits) -> None:
    """Refuse steps so short that there would be more than allowed."""
    count = abs(ts[-1] - ts[0]) / step
    if math.isfinite(count) and count > limits.max_steps * (1 + 1e-9):
        smallest = abs(ts[-1] - ts[0]) / limits.max_steps
        raise ValueError(
            f"{name}={step:g} would take {count:.3g} steps, more than max_steps={limits.max_steps}: take {name} of at "
            f"least {smallest:.3g}, or raise max_steps"
        )
