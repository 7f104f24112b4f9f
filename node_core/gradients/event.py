"""The derivatives of an event: when a solution reaches a zero of g(t, y), and in which state.

By the implicit function theorem, from g(t_e, y(t_e)) = 0:

    dt_e = -dg / (dg/dt + dg/dy f),    dy_e = dy + f dt_e

where dy and dg = dg/dy dy + (what else g depends on) are differentials at the fixed time t_e. Here dy comes from the
gradient mode that made the solve, and all else is evaluated at (t_e, y_e). Where the solution only touches the zero of
g the denominator is zero, and t_e has no derivative.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from node_core.solvers.steppers.step import Field

EventFunction = Callable[[Any, Tensor], Any]


def with_derivatives(
    event: EventFunction, f: Field, t: float, inner: float, y: Tensor, t_event: Tensor, told: Tensor
) -> tuple[Tensor, Tensor]:
    """t_event and y_event, differentiable where something that they depend on is.

    Nothing is refused here: what has no derivative says so when somebody goes back through it.

    Args:
        event: the user's g(t, y).
        f: the user's field; evaluated once if there is something to differentiate.
        t: when the event happened.
        inner: the same for f, but for a jump of f there, which is left to the side on which the solve came.
        y: the state there, as a function of y0, the parameters and ts[0] at this fixed time.
        t_event: the same as a tensor of the type of the output times.
        told: the same as the event function is told it.
    """
    y_event = y.clone()
    if not torch.is_grad_enabled() or not (y.requires_grad or _has_own_tensors(event, told, y)):
        return t_event, y_event
    at, point = told.clone().requires_grad_(), y.detach().requires_grad_()
    value, trouble = _differentiable(event, at, point)
    if value is None:
        return _Refuse.apply(t_event, y, trouble), _Refuse.apply(y_event, y, trouble)
    by_t, by_y = torch.autograd.grad(value, (at, point), retain_graph=True, materialize_grads=True)
    with torch.no_grad():
        slope = f(inner, y.detach())
        rate = float(by_t + (by_y * slope).sum())
    if not abs(rate) > 0.0:
        trouble = (
            f"the event at t = {t:.6g} has no derivative: the event function does not move through zero there, it only "
            f"touches it (its rate along the solution is {rate:g})"
        )
        return _Refuse.apply(t_event, value, trouble), _Refuse.apply(y_event, value, trouble)
    # Both differences are zero; their gradients are those of -dg.
    shift = _Once.apply(((value.detach() - value) + (by_y * (y.detach() - y)).sum()) / rate)
    return t_event + shift.to(t_event.dtype), y_event + shift * slope


def _has_own_tensors(event: EventFunction, t: Tensor, y: Tensor) -> bool:
    """Whether the event function depends on tensors that require gradients, such as a threshold to be learned."""
    found = event(t, y)
    return isinstance(found, Tensor) and found.requires_grad


def _differentiable(event: EventFunction, t: Tensor, y: Tensor) -> tuple[Tensor | None, str]:
    """The event function at leaves t and y, with its graph; None if it has none, and why."""
    try:
        with warnings.catch_warnings():
            # An event of numbers is all right for stopping: torch need not warn of it.
            warnings.simplefilter("ignore")
            found = event(t, y)
        if isinstance(found, Tensor) and found.requires_grad:
            return found.reshape(()), ""
        why = (
            f"event(t, y) returned {'a tensor without a graph' if isinstance(found, Tensor) else repr(found)}"
        )
    except RuntimeError as error:
        why = f"event(t, y) cannot be differentiated ({error})"
    return (
        None,
        f"t_event and y_event have no gradient: {why}; compute it from t and y with torch's functions",
    )


class _Refuse(torch.autograd.Function):
    """A value that has no derivative, and says so in backward."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, anchor: Tensor, trouble: str) -> Tensor:
        """The value; the anchor is anything with a graph."""
        ctx.trouble = trouble
        return value.detach().clone()

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> Any:
        """Refuse."""
        raise RuntimeError(ctx.trouble)


class _Once(torch.autograd.Function):
    """The identity, whose derivative cannot be differentiated again: the rate above is held constant."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """The value."""
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Autograd's grad mode is on here exactly when somebody asked for create_graph."""
        if torch.is_grad_enabled():
            raise RuntimeError("t_event and y_event have no second derivative: go back without create_graph")
        return gradient
