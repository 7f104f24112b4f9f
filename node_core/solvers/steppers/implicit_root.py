"""The root of an implicit step as a function of what it depends on, to be differentiated any number of times.

y1 = known + scaled f(t1, y1) defines y1. By the implicit function theorem a cotangent g of y1 becomes

    lambda = M^-T g,   M = I - scaled df/dy(t1, y1),      then lambda for `known`, scaled lambda^T df/dtheta for theta.

For a first derivative M is a matrix of numbers, and df/dtheta is the graph of one evaluation. Only where autograd asks
for a graph of the gradient itself, M and the products are made anew as functions of y1, which is again that root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from node_core.solvers.dual import in_dual_level
from node_core.solvers.field_clock import FieldClock, inside
from node_core.solvers.follow import follow
from node_core.solvers.graph import leaves_of
from node_core.solvers.held import Held
from node_core.solvers.steppers.jacobian import Jacobian
from node_core.solvers.steppers.step import Array, Field
from node_core.solvers.tableaus.algebra import Algebra


class Equation(NamedTuple):
    """y1 = known + scaled f(t1, y1), of a step of length dt that ends at t1."""

    f: Field
    t1: float
    dt: float
    scaled: float
    jacobian: Jacobian
    algebra: Algebra
    clock: FieldClock | None

    def inverse(self, y1: Array, *, check: bool = True) -> Array:
        """(I - scaled df/dy)^-1 at y1; `check` as in `Jacobian`."""
        matrix = self.jacobian(self.t1, y1, check=check)
        return self.algebra.inverse(self.algebra.shifted(1.0, -self.scaled, matrix))


def attach(equation: Equation, y1: Tensor, slope: Tensor, known: Tensor, held: tuple[Tensor, ...]) -> Tensor:
    """y1, found outside of autograd, as a function of `known` and of what f depends on.

    Args:
        slope: f(t1, y1) with its graph.
        held: the tensors that f depends on.
    """
    with torch.no_grad():
        inverse = equation.inverse(y1)
    if in_dual_level():
        # Tangents go through plain operations; those of a graph beside them are refused beforehand (`has_tangents`).
        return y1 - equation.algebra.apply(inverse, y1 - known - equation.scaled * slope)
    root: Tensor = _Root.apply(equation, inverse, y1, known + equation.scaled * slope, known, *held)
    return root


class _Root(torch.autograd.Function):
    """(end, known, *held) -> y1, where end = known + scaled f(t1, y1) at the number y1."""

    @staticmethod
    def forward(
        ctx: Any, equation: Equation, inverse: Tensor, y1: Tensor, end: Tensor, known: Tensor, *held: Tensor
    ) -> Tensor:
        """One more Newton step, which moves nothing but the last digits."""
        root = y1 - equation.algebra.apply(inverse, y1 - end)
        ctx.equation, ctx.inverse = equation, inverse
        ctx.save_for_backward(root, *held)
        return root

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """lambda to `end`; where a graph is asked for, `known` and the tensors that f holds get their parts of it."""
        equation, apply = ctx.equation, ctx.equation.algebra.apply
        y1, *held = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return None, None, None, apply(ctx.inverse.mT, g), None, *[None] * len(held)
        with inside(equation.clock, equation.t1 - equation.dt, equation.dt):
            cotangent = apply(equation.inverse(y1).mT, g)
            leaf = y1.detach().requires_grad_()
            value = equation.f(equation.t1, leaf)
            _refuse_new(equation, value, leaf, held)
        if not held or not value.requires_grad:
            return None, None, None, None, cotangent, *[None] * len(held)
        at = cotangent.detach().requires_grad_()
        _, found = Held(held).derivatives(value, (), equation.scaled * at, create_graph=True)
        return None, None, None, None, cotangent, *follow(found, (leaf, at), (y1, cotangent), held)


def _refuse_new(equation: Equation, value: Tensor, y: Tensor, held: Sequence[Tensor]) -> None:
    """Refuse a second derivative by what the first evaluation of f did not depend on: it would get no part of it.

    Leaves that f makes for itself, to differentiate by them, are others at every call, and do not count.

    Raises:
        RuntimeError: f depends on tensors that are none of those.
    """
    known = {id(p) for p in (y, *held)}
    new = [leaf for leaf in leaves_of(value, held) if id(leaf) not in known]
    lasting = {id(leaf) for leaf in leaves_of(equation.f(equation.t1, y), held)} if new else set()
    for leaf in new:
        if id(leaf) in lasting:
            raise RuntimeError(
                f"f depends on a tensor of shape {tuple(leaf.shape)} on which it did not depend in the first step: a "
                "second derivative through an implicit step needs it named, in params="
            )
