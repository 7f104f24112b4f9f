"""How a solve ended, in sentences: what happened, and where. Why it did is for `node_core.solvers.diagnosis`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor


def exploded(t: float) -> str:
    """What to say of a state that stopped being finite in a fixed step to t."""
    return f"the state exploded (it is no longer finite) at t = {t:.6g}"


def past_finite(t: float) -> str:
    """What to say where no step is small enough for a finite state at its end."""
    return f"the state stops being finite just after t = {t:.6g}"


def not_finite(t: float) -> str:
    """What to say of a field without a value where a solve begins."""
    return f"f(t, y) is not finite at t = {t:.6g}"


def out_of_steps(max_steps: int, t: float, end: float) -> str:
    """What to say when no step is left at t."""
    if math.isinf(end):
        return f"no event stopped the solve within max_steps = {max_steps} steps, which reached t = {t:.6g}"
    return f"took max_steps = {max_steps} steps and reached only t = {t:.6g} of {end:.6g}"


def out_of_time(time_limit: float | None, t: float, end: float) -> str:
    """What to say when the time is over at t."""
    return f"time_limit = {time_limit:g} s is over at t = {t:.6g} of {end:.6g}"


def below_min_step(t: float, dt: float, min_step: float) -> str:
    """What to say of a step that would have to be shorter than is allowed."""
    return f"the tolerance asks for a step of {dt:.3g} at t = {t:.6g}, shorter than min_step = {min_step:g}"


def no_event(t: float) -> str:
    """What to say of a solve without an end time that met no event until t, where all times end."""
    return f"no event stopped the solve, and beyond t = {t:.6g} there are no more times"


def shown(y: Any) -> str:
    """The first numbers of a row."""
    values = y.detach().double().cpu().numpy() if isinstance(y, Tensor) else np.asarray(y)
    numbers = [f"{x:.6g}" for x in values.reshape(-1)[:5].tolist()]
    return f"[{', '.join(numbers[:4])}{', ...' if len(numbers) > 4 else ''}]"
