"""A closed-form field on feature-major states: (dim, batch) instead of (batch, dim).

Narrow matrix products are several times faster when each feature is contiguous, so a solve of an `MLPField` turns
its state over once, and back at its end; nothing in between knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from node_core.fields.mlp_compiled import VJP


class ColumnField:
    """A field with `compiled()` (see `MLPField`) on states of shape (dim, n).

    What `compiled()` returns can be called, and has `vjp` and `linearize`.

    Under autograd it calls the field itself, otherwise a snapshot of its weights: make a new one for each solve.

    Args:
        parameters: whether df/dtheta is asked for; a frozen field's is left out of what `vjp` and `linearize` return.
    """

    accepts_float_time = True
    closed_form = True

    def __init__(self, field: Any, parameters: bool = True) -> None:
        self._field = field
        self._parameters = parameters
        self._compiled = field.compiled()

    def __call__(self, t: float, y: Tensor) -> Tensor:
        """Return f(t, y), shape (dim, n)."""
        return (self._field if torch.is_grad_enabled() else self._compiled)(t, y.T).T

    def vjp(self, t: float, y: Tensor, g: Tensor) -> VJP:
        """f and its vector-Jacobian products with g, outside of autograd."""
        found = self._compiled.vjp(t, y.T, g.T)
        return VJP(found.value.T, found.y.T, found.parameters if self._parameters else (), found.t)

    def linearize(self, ts: Sequence[float], ys: Tensor) -> ColumnLinearization:
        """Linearise at the stages (t_i, ys[i]), ys of shape (stages, dim, n)."""
        return ColumnLinearization(self._compiled.linearize(ts, ys.transpose(1, 2)), self._parameters)


class ColumnLinearization:
    """A linearisation whose cotangents are (dim, n)."""

    def __init__(self, inner: Any, parameters: bool = True) -> None:
        self._inner, self._parameters = inner, parameters

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T df/dy at stage i."""
        return self._inner.vjp(i, g.T).T

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta; empty if not asked for."""
        return self._inner.parameter_gradients() if self._parameters else ()


def to_columns(y: Tensor) -> Tensor:
    """(..., dim) -> (dim, n) in contiguous memory, differentiable."""
    return y.reshape(-1, y.shape[-1]).T.contiguous()


def from_columns(ys: Tensor, shape: torch.Size) -> Tensor:
    """(rows, dim, n) -> (rows, \\*shape), differentiable."""
    return ys.transpose(-1, -2).reshape(*ys.shape[:-2], *shape)
