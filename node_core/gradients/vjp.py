"""Vector-Jacobian products of a field: closed form where the field has one, autograd for all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from node_core.fields.linearization import StagewiseLinearization, WritingLinearization
from node_core.solvers.held import Held
from node_core.solvers.problem import CountedField, Problem

# (t, y, g) -> f(t, y), g^T df/dy, [g^T df/dp for each parameter]
FieldVjp = Callable[[float, Tensor, Tensor], tuple[Tensor, Tensor, Sequence[Tensor]]]


class AutogradVjp:
    """g^T df/dy and g^T df/dtheta by autograd; counts its evaluations of f.

    Under grad mode the products are differentiable themselves, so that an implicit method can have their Jacobian.
    """

    def __init__(self, problem: Problem) -> None:
        self._f = CountedField(problem.f, problem.y0)
        self._params, self._held = problem.params, Held(problem.params)

    @property
    def nfe(self) -> int:
        """Evaluations of f so far."""
        return self._f.nfe

    def __call__(self, t: float, y: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """Return f(t, y), g^T df/dy and g^T df/dtheta."""
        create_graph = torch.is_grad_enabled()
        with torch.enable_grad():
            point = y if create_graph and y.requires_grad else y.detach().requires_grad_()
            value = self._f(t, point)
            if not value.requires_grad:
                return value, torch.zeros_like(y), [torch.zeros_like(p) for p in self._params]
            (gy,), gp = self._held.derivatives(value, (point,), g, create_graph=create_graph)
        return (value if create_graph else value.detach()), gy, gp


class ClosedFormVjp:
    """The same from the field's own `vjp`."""

    def __init__(self, problem: Problem) -> None:
        self._vjp = problem.f.vjp  # type: ignore[attr-defined]
        self.nfe = 0

    def __call__(self, t: float, y: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """Return f(t, y), g^T df/dy and g^T df/dtheta."""
        self.nfe += 1
        found = self._vjp(t, y, g)
        return found.value, found.y, found.parameters


def vjp_of(problem: Problem) -> AutogradVjp | ClosedFormVjp:
    """The cheapest vector-Jacobian product that the field offers."""
    return ClosedFormVjp(problem) if has_closed_form(problem) else AutogradVjp(problem)


def linearize(problem: Problem, ts: Sequence[float], ys: Tensor) -> WritingLinearization:
    """The field linearised at the stages (t_i, ys[i]) of explicit steps."""
    if has_closed_form(problem):
        return cast(WritingLinearization, problem.f.linearize(ts, ys))  # type: ignore[attr-defined]
    products = AutogradVjp(problem)
    return StagewiseLinearization(lambda t, y, g: products(t, y, g)[1:], ts, ys)


def has_closed_form(problem: Problem) -> bool:
    """Whether the field brings its own derivatives (see `node_core.odeint`, which prepares such a field)."""
    return bool(getattr(problem.f, "closed_form", False))
