"""What may be ts, and the times at which f jumps."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor


def check_times(ts: Any, y0: Tensor, *, stops: bool = False) -> tuple[Tensor, tuple[float, ...]]:
    """Return ts as a tensor on y0's device and as floats; float64 unless given as a tensor.

    Tensors within a list keep their gradients: `[0.0, T]` can be differentiated by T.

    Args:
        stops: whether an event may stop the solve, so that it needs no end time: the last may be infinite.
    """
    try:
        tensor = ts if isinstance(ts, Tensor) else _joined(ts, y0.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"ts={ts!r} is no sequence of times: give at least two, such as [0.0, 1.0]"
        ) from error
    if tensor.is_complex() or tensor.is_meta:
        raise ValueError(f"ts is a tensor of {tensor.dtype} on {tensor.device}: give real numbers")
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.float64)
    tensor = tensor.to(y0.device)
    if tensor.ndim != 1 or len(tensor) < 2:
        rows = "" if tensor.ndim < 2 else ", in one row for the whole batch (ts.flatten() makes one of them)"
        raise ValueError(
            f"ts has shape {tuple(tensor.shape)}: give at least two times, such as [0.0, 1.0]{rows}"
        )
    times = tuple(float(t) for t in tensor.detach().tolist())
    if math.isinf(times[-1]) and not stops:
        raise ValueError(
            "ts has no end, and no event stops the solve: give a finite end time, or event= with a function of (t, y) "
            "that crosses zero where to stop"
        )
    if not all(map(math.isfinite, times[:-1])) or math.isnan(times[-1]):
        raise ValueError(
            "ts contains NaN or infinity: give finite times (the last may be infinite, with an event)"
        )
    forward = times[-1] > times[0]
    for before, after in pairwise(times):
        if not (after > before if forward else after < before):
            raise ValueError(
                f"ts goes from {before:g} to {after:g}: times must be strictly increasing, or strictly decreasing"
            )
    return tensor, times


def _joined(ts: Any, device: torch.device) -> Tensor:
    """A sequence of times as one tensor, in which those that are tensors themselves keep their graph."""
    if isinstance(ts, (list, tuple)) and any(isinstance(t, Tensor) for t in ts):
        return torch.stack([torch.as_tensor(t, dtype=torch.float64, device=device).reshape(()) for t in ts])
    return torch.as_tensor(ts, dtype=torch.float64)


def check_jumps(jumps: Any, times: tuple[float, ...]) -> tuple[float, ...]:
    """Return the jumps that lie within the times, increasing."""
    if isinstance(jumps, Tensor) and jumps.requires_grad:
        raise ValueError(
            "jumps requires gradients, but when f jumps is a constant to odeint: pass jumps.detach(). For the gradient "
            "by such a time T, end one solve there and begin the next: ts=[t0, T], then ts=[T, t1]"
        )
    form = "give the times at which f jumps, such as [1.0, 2.5]"
    try:
        moments = torch.as_tensor(() if jumps is None else jumps, dtype=torch.float64).tolist()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"jumps={jumps!r} is no sequence of times: {form}") from error
    if not isinstance(moments, list) or not all(isinstance(t, float) for t in moments):
        raise ValueError(f"jumps={jumps!r} is no sequence of times: {form}")
    if not all(map(math.isfinite, moments)):
        raise ValueError(f"jumps={jumps!r} contains NaN or infinity: {form}")
    low, high = sorted((times[0], times[-1]))
    return tuple(sorted({t for t in moments if low <= t <= high}))
