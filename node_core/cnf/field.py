"""What a continuous normalizing flow integrates: positions, the change of log density, and penalties.

    d/dt [z, delta, kinetic, jacobian] = [f, -tr df/dz, |f|^2, |df/dz|^2]

(Chen et al. 2018, Theorem 1; the penalties: Finlay et al. 2020, "How to train your neural ODE", on FFJORD.)
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from node_core.cnf.divergence import Divergence, Field
from node_core.cnf.mlp_flow import DeepMLPFlow
from node_core.cnf.mlp_flow_sweep import SweepableMLPFlow
from node_core.cnf.tape import Pool
from node_core.fields.mlp.compiled import VJP
from node_core.fields.mlp.mlp import MLPField
from node_core.fields.own import HandWritten, has_closed_form, own_word


class CompiledFlow(Protocol):
    """[f, -tr df/dz] in closed form at fixed weights, outside of autograd: what `ColumnField` works with."""

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """The value (n, dim + 1)."""
        ...

    def vjp(self, t: Any, y: Tensor, g: Tensor) -> VJP:
        """The value and its products with g."""
        ...

    def linearize(self, ts: Any, ys: Tensor) -> Any:
        """A `Linearization` at the stages (t_i, ys[i])."""
        ...


class AugmentedField(nn.Module):
    """[f, -tr df/dz] and, with penalties, [|f|^2, |df/dz|^2] on states (n, dim + 1) or (n, dim + 3).

    Args:
        field: f(t, z), z of shape (n, dim); rows do not influence each other.
        divergence: how the trace is found.
        noise: the solve's noise from `divergence.draw`; None if exact.
        penalties: also integrate the kinetic energy and the squared Jacobian.
        pool: memory that a closed form may work in; it outlives the solve.
    """

    def __init__(
        self,
        field: Field,
        divergence: Divergence,
        noise: Tensor | None = None,
        penalties: bool = False,
        pool: Pool | None = None,
    ) -> None:
        super().__init__()
        self.field = field
        self._pool = pool
        self.divergence, self.noise, self.penalties = divergence, noise, penalties
        self.accepts_float_time = bool(own_word(field, "accepts_float_time"))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """The value, shape of y; differentiable."""
        dim = y.shape[-1] - (3 if self.penalties else 1)
        z = y[..., :dim]
        found = self.divergence.measure(self.field, t, z, self.noise, jacobian=self.penalties)
        parts = [found.value, -found.divergence.unsqueeze(-1)]
        if found.jacobian_squared is not None:
            parts += [found.value.square().sum(-1, keepdim=True), found.jacobian_squared.unsqueeze(-1)]
        return torch.cat(parts, -1)


class ClosedFormField(AugmentedField, HandWritten):
    """The same for a field whose trace and products are written by hand: gradients need no graph (see `odeint`).

    Made for one solve: `linearize` answers at the weights that the solve saw.
    """

    _compiled: CompiledFlow | None = None

    def compiled(self) -> CompiledFlow:
        """The closed form at the present weights, for one solve."""
        if isinstance(self.field, MLPField):
            mlp = self.field.compiled()
            short = len(self.field.hidden) < 3
            self._compiled = SweepableMLPFlow(mlp, self._pool) if short else DeepMLPFlow(mlp)
        else:
            self._compiled = cast(CompiledFlow, self.field.compiled_flow(self._pool))  # type: ignore[attr-defined]
        return self._compiled

    def linearize(self, ts: Any, ys: Tensor) -> Any:
        """A `Linearization` at the stages (t_i, ys[i]), ys of shape (stages, n, dim + 1)."""
        return (self._compiled or self.compiled()).linearize(ts, ys)


def augmented(
    field: Field,
    divergence: Divergence,
    noise: Tensor | None = None,
    penalties: bool = False,
    pool: Pool | None = None,
) -> AugmentedField:
    """The augmented field, in closed form where there is one: an exact trace without penalties."""
    closed = has_closed_form(field, "compiled") or has_closed_form(field, "compiled_flow")
    chosen = ClosedFormField if closed and divergence.exact and not penalties else AugmentedField
    return chosen(field, divergence, noise, penalties, pool)
