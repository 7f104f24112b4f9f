"""Derivatives by the times, alike in all modes: those of the solution itself.

    dy(t)/dt = f(t, y(t)),     dy(t)/dt0 = -(dy(t)/dy0) f(t0, y0)

With s the difference of a time and its own value, zero but for autograd, an output is y + s f(t, y), and the start is
y0 - s f(t0, y0). That has the first derivatives. For second ones the derivative by s must move along with s itself:

    d/ds = +-f(t + s, y +- s f(t, y)),

evaluated only where autograd asks for a graph of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from node_core.solvers.dual import in_dual_level
from node_core.solvers.graph import nodes_of

Field = Callable[[Any, Tensor], Tensor]


def moved_start(f: Field, y0: Tensor, ts: Tensor, t0: float, kind: torch.dtype) -> Tensor:
    """y0 as a function of the start time ts[0]; its value is y0.

    Args:
        t0: the time to ask f at: ts[0], or beside a jump there.
        kind: the number type in which f is told the time.
    """
    shift = ts[0] - ts[0].detach()
    return _moved(f, torch.tensor(t0, dtype=kind, device=y0.device), y0, shift, -1.0)


def moved_outputs(f: Field, ys: Tensor, ts: Tensor, times: Sequence[float], kind: torch.dtype) -> Tensor:
    """ys as a function of their own times ts[: len(ys)]; their values are unchanged.

    Args:
        times: the times to ask f at.
        kind: the number type in which f is told them.
    """
    shifts = (ts - ts.detach())[: len(ys)]
    at = torch.tensor(times[: len(ys)], dtype=kind, device=ys.device)
    return torch.stack([_moved(f, t, y, s, 1.0) for t, y, s in zip(at, ys, shifts, strict=True)])


def _moved(f: Field, t: Tensor, y: Tensor, shift: Tensor, sign: float) -> Tensor:
    """y, moved along the solution by sign * shift; the shift is zero."""
    if in_dual_level():
        # Tangents go through plain operations; the midpoint rule has the second derivatives, too.
        half = 0.5 * shift
        ahead = f(t + half.to(t.dtype), y + sign * half.to(y.dtype) * f(t.item(), y))
        return y + sign * shift.to(y.dtype) * ahead
    moved: Tensor = _Move.apply(f, t, sign, y, shift, f(t.item(), y))
    return moved


class _Move(torch.autograd.Function):
    """(y, s, slope) -> y + sign s slope at s = 0, where slope = f(t, y)."""

    @staticmethod
    def forward(ctx: Any, f: Field, t: Tensor, sign: float, y: Tensor, s: Tensor, slope: Tensor) -> Tensor:
        """y itself."""
        ctx.f, ctx.t, ctx.sign = f, t, sign
        ctx.save_for_backward(y, s, slope)
        return y.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """What y, s and the slope get; the last is zero, which only a second derivative needs to know."""
        y, s, slope = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return None, None, None, g, (ctx.sign * (g * slope).sum()).to(s.dtype), None
        once = _Limited.apply(s, 1)
        step = ctx.sign * once.to(y.dtype)
        ahead = _differentiable_by_time(ctx.f, ctx.t + once.to(ctx.t.dtype), y + step * slope)
        return None, None, None, g, (ctx.sign * (g * ahead).sum()).to(s.dtype), step * g


def _differentiable_by_time(f: Field, t: Tensor, y: Tensor) -> Tensor:
    """f(t, y) with its graph.

    Raises:
        RuntimeError: f depends on t, but made a mere number of it.
    """
    value = f(t, y)
    if t.grad_fn not in nodes_of(value):
        with torch.no_grad():
            near = t + 1e-3 * (1.0 + abs(t))
            if bool((f(near, y) != f(t, y)).any()):
                raise RuntimeError(
                    "f makes a number of its time (float(t), t.item()), so that a second derivative by ts cannot see "
                    "how f changes with it: calculate with t as a tensor, or go back without create_graph"
                )
    return value


class _Limited(torch.autograd.Function):
    """The identity, which can be differentiated `times` times."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, times: int) -> Tensor:
        """The value."""
        ctx.times = times
        return value.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """Autograd's grad mode is on here exactly when somebody asked for a graph of what comes out."""
        if ctx.times == 0:
            raise RuntimeError("there is no third derivative by the times ts: use ts.detach() for the others")
        return (_Limited.apply(g, ctx.times - 1) if torch.is_grad_enabled() else g), None
