"""Whether a Jacobian that somebody wrote is that of f: compared by a product, for a solve can't tell by itself.

With a wrong matrix Newton's iteration still ends where it should, or nowhere, but the gradient of an implicit step is
wrong, and a Rosenbrock method loses its order. Where gradients are recorded, a Rosenbrock step also needs the
derivative of the Jacobian itself, which a matrix of mere numbers does not carry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from node_core.solvers.graph import leaves_of
from node_core.solvers.results import evaluate, kind_of
from node_core.solvers.steppers.step import Array, Field
from node_core.solvers.tableaus.algebra import algebra_of

# As much as two formulas of one derivative may differ by rounding, and an approximation from the truth.
EXACT, DIFFERENCED = 0.3, 0.2


def differs(f: Field, time: Any, y: Array, matrix: Array) -> bool:
    """Whether a product with `matrix` differs from the same with f's Jacobian.

    Compared is g^T J by autograd, or J g by central differences where autograd cannot see through f.
    """
    algebra = algebra_of(y)
    probe = algebra.probe(y)
    product, power = _autograd_product(f, time, y, probe), EXACT
    if product is None:
        product, power = _difference_product(f, time, y, probe, algebra.epsilon), DIFFERENCED
    else:
        matrix = matrix.swapaxes(-1, -2)
    gap, scale = abs(algebra.apply(matrix, probe) - product), algebra.apply(abs(matrix), abs(probe))
    return bool((gap > algebra.epsilon**power * (scale + 1e-4 * scale.max())).any())


def carries_its_derivative(f: Field, time: Any, y: Tensor, known: Callable[[Tensor], Tensor]) -> bool:
    """Whether g^T known(y) v has the derivatives of g^T df/dy v by y and by all tensors that f holds."""
    algebra = algebra_of(y)
    g = algebra.probe(y)
    v = g.flatten().flip(0).view(g.shape)
    with torch.enable_grad():
        point = y.detach().requires_grad_()
        value = evaluate(f, time, point, kind_of(point))
        if not value.requires_grad:
            return True
        try:
            (own,) = torch.autograd.grad(value, point, g, create_graph=True, materialize_grads=True)
        except (
            RuntimeError
        ):  # f can be differentiated but once: there is nothing to compare with, or to derive
            return True
        declared = algebra.apply(known(point).swapaxes(-1, -2), g)
        inputs = (point, *(leaf for leaf in leaves_of(value) if leaf is not point))
        derivatives = [_derivatives((product * v).sum(), inputs) for product in (own, declared)]
    for a, b in zip(*derivatives, strict=True):
        scale = a.abs() + b.abs()
        if bool(((a - b).abs() > algebra.epsilon**EXACT * (scale + 1e-4 * scale.max())).any()):
            return False
    return True


def _derivatives(value: Tensor, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    if not value.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    return list(torch.autograd.grad(value, inputs, materialize_grads=True))


def _autograd_product(f: Field, time: Any, y: Array, g: Array) -> Array | None:
    """g^T df/dy; None for numpy arrays, and where autograd has nothing to go back through."""
    if not isinstance(y, Tensor):
        return None
    with torch.enable_grad():
        point = y.detach().requires_grad_()
        try:
            value = evaluate(f, time, point, kind_of(point))
        except RuntimeError:  # f leaves torch on its way
            return None
    if not value.requires_grad:
        return None
    return torch.autograd.grad(value, point, g, materialize_grads=True)[0]


def _difference_product(f: Field, time: Any, y: Array, v: Array, epsilon: float) -> Array:
    """df/dy v."""
    increment = epsilon ** (1.0 / 3.0) * max(1e-3, float(abs(y).max()))
    scaled = 0.5 / increment
    ahead = scaled * f(time, y + increment * v)  # f may return the same array twice
    return ahead - scaled * f(time, y - increment * v)
