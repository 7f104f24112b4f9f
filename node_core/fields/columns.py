"""A closed-form field on feature-major states: (dim, batch) instead of (batch, dim).

Narrow matrix products are several times faster when each feature is contiguous, so a solve of an `MLPField` turns
its state over once, and back at its end; nothing in between knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from node_core.fields.mlp.compiled import VJP


class ColumnField:
    """A field with `compiled()` (see `MLPField`) on states of shape (dim, n).

    What `compiled()` returns can be called, and has `vjp` and `linearize`.

    Under autograd it calls the field itself, otherwise a snapshot of its weights: make a new one for each solve.

    Args:
        parameters: whether df/dtheta is asked for; a frozen field's is left out of what `vjp` and `linearize` return.
        graph: how the field is called under autograd; as it is if None.
    """

    accepts_float_time = True
    closed_form = True

    def __init__(
        self, field: Any, parameters: bool = True, graph: Callable[[Any, Tensor], Tensor] | None = None
    ) -> None:
        self._graph = graph or field
        self._parameters = parameters
        self._compiled = field.compiled()
        self.tape: Any = None
        self.write: Callable[[float, Tensor, Tensor], None] = getattr(self._compiled, "write", self._copy)

    def keep_evaluations(self, n: int) -> None:
        """Keep what evaluations on (dim, n) computed for the way back, if the field can (see `MLPTape`)."""
        make = getattr(self._compiled, "tape", None)
        if make is not None:
            self.tape = make(n)
            self.write = self.tape.write

    def __call__(self, t: float, y: Tensor) -> Tensor:
        """Return f(t, y), shape (dim, n)."""
        if torch.is_grad_enabled():
            return self._graph(t, y.T).T
        if self.tape is None:
            return cast(Tensor, self._compiled(t, y.T).T)
        out = torch.empty_like(y, memory_format=torch.contiguous_format)
        self.write(t, y, out)
        return out

    def _copy(self, t: float, y: Tensor, out: Tensor) -> None:
        out.copy_(self._compiled(t, y.T).T)

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

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T df/dy at stage i, in `out` if given."""
        found = cast(Tensor, self._inner.vjp(i, g.T).T)
        return found if out is None else out.copy_(found)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta; empty if not asked for."""
        return self._inner.parameter_gradients() if self._parameters else ()


def to_columns(y: Tensor) -> Tensor:
    """(..., dim) -> (dim, n) in contiguous memory, differentiable."""
    return y.reshape(-1, y.shape[-1]).T.contiguous()


def from_columns(ys: Tensor, shape: torch.Size) -> Tensor:
    """(rows, dim, n) -> (rows, \\*shape), differentiable."""
    return ys.transpose(-1, -2).reshape(*ys.shape[:-2], *shape)
