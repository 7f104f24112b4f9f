"""Why a solve could not go on, in sentences: what happened, where, and what to do.

What a method runs into is rarely what is wrong. So where one gives up f is asked again: a field that answers otherwise
at the same (t, y), or that has no value there, would look like a stiff problem or a step that is too long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from node_core.solvers.results import is_the_same
from node_core.solvers.steppers.step import Array, Field

# A field that is not a number for a larger state than this has overflowed on the way: the state had exploded before.
LARGE = 1e6


def exploded(t: float, dt: float) -> str:
    """What to say of a state that stopped being finite in a fixed step to t."""
    return (
        f"the state exploded (it is no longer finite) at t = {t:.6g}: take a smaller dt than {dt:.4g}, or an adaptive "
        "method"
    )


def not_finite(t: float) -> str:
    """What to say of a field without a value where a solve begins."""
    return f"f(t, y) is not finite at t = {t:.6g}: check the field and y0 there"


def out_of_time(time_limit: float | None, t: float, end: float) -> str:
    """What to say when the time is over at t."""
    return (
        f"time_limit = {time_limit:g} s is over at t = {t:.6g} of {end:.6g}: raise time_limit, or loosen the "
        "tolerance"
    )


def noise(f: Field, t: Any, y: Array) -> str | None:
    """What to say if f answers differently for the same (t, y); None if it does not."""
    with torch.no_grad():
        first = f(t, y)
        if is_the_same(first, f(t, y)):
            return None
    return (
        "f(t, y) answers differently at each call for the same (t, y): there is noise in it (dropout, torch.randn), "
        "and no step is small enough for that. Call .eval() on its module, or draw once before the solve"
    )


def undefined(f: Field, t: float, t1: float, y: Array) -> str | None:
    """What to say if f is NaN at y, or ahead of it within a step to t1; None if it is not, or if y has exploded."""
    with torch.no_grad():
        slope = f(t, y)
        for at, state in (
            (t, y),
            (t1, y),
            *((t + c * (t1 - t), y + (c * (t1 - t)) * slope) for c in (0.5, 1.0)),
        ):
            where = np.argwhere(np.isnan(_numbers(f(at, state))))
            numbers = _numbers(state)
            if len(where) and np.abs(numbers).max() < LARGE:
                row = tuple(where[0][:-1])
                sample = f" in row {', '.join(map(str, row))}" if row else ""
                return (
                    f"f(t, y) is NaN at t = {at:.6g}, y = {shown(numbers[row])}{sample}: the field has no value there. "
                    "Correct it, or end the time span before"
                )
    return None


def no_derivative(stepper: Any, t: float, y: Array) -> str | None:
    """What to say if a method needs df/dy, and that is not finite at a finite y; None if it is."""
    if not hasattr(stepper, "jacobian") or not np.abs(_numbers(y)).max() < LARGE:
        return None
    with torch.no_grad():
        if np.isfinite(_numbers(stepper.jacobian(t, y))).all():
            return None
    return (
        f"df/dy is not finite at t = {t:.6g}, y = {shown(y)}, though f(t, y) may be: the field has no slope there (a "
        "root of zero, torch.where over a branch that is NaN). Smooth it, pass jacobian=, or take an explicit method "
        "such as 'dopri5'"
    )


def shown(y: Array) -> str:
    """The first numbers of a row."""
    numbers = [f"{x:.6g}" for x in _numbers(y).reshape(-1)[:5].tolist()]
    return f"[{', '.join(numbers[:4])}{', ...' if len(numbers) > 4 else ''}]"


def _numbers(y: Array) -> Any:
    return y.detach().double().cpu().numpy() if isinstance(y, Tensor) else np.asarray(y)
