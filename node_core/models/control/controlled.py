"""The closed loop as a vector field, with its running cost as one more coordinate.

    d/dt (x, J) = (f(x, pi(t, x)), l(x, pi(t, x)))

So the cost of a trial is the last coordinate of the solution's end, whatever the gradient mode: nothing has to restart
at output times. Its adjoint a(t) = dJ_total/dx(t) is Pontryagin's costate p(t) of the closed loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node_core.fields.linearization import Time
from node_core.fields.mlp.compiled import VJP
from node_core.fields.own import HandWritten, is_autonomous, own_method
from node_core.models.control.cost import Cost
from node_core.models.control.plant import PlantField
from node_core.models.control.policies import Policy


class Controlled(nn.Module, HandWritten):
    """The field f(t, y) of a steered plant, y = (x, J) of shape (..., dim + 1); without a cost y = x.

    Works with every method and gradient mode of `odeint`. Explicit methods use `compiled()`: the solve runs on NumPy
    rows, and the way back linearises all of its stages at once.

    Args:
        plant: at fixed parameters.
        policy: (t, x) -> u; a module's weights are trained.
        cost: what is integrated in the last coordinate; None for the plant alone.
    """

    accepts_float_time = True

    def __init__(self, plant: PlantField, policy: Policy, cost: Cost | None = None) -> None:
        super().__init__()
        self.plant, self.policy, self.cost = plant, policy, cost
        self.dim = plant.plant.dim + (cost is not None)

    @property
    def autonomous(self) -> bool:
        """Whether nothing here depends on t: policies may say so (`time_dependent = False`)."""
        return is_autonomous(self.policy)

    def forward(self, t: Time, y: Tensor) -> Tensor:
        """d/dt (x, J) at (t, y), shaped like y."""
        states = y.unbind(-1)
        x = y if self.cost is None else y[..., :-1]
        controls = self.policy(t, x).unbind(-1)
        return torch.stack(self.components(states, controls, torch), -1)

    def components(self, states: Sequence[Any], controls: Sequence[Any], xp: Any) -> list[Any]:
        """The components of d/dt (x, J), from those of y = (x, J) and of u."""
        x = states[: self.plant.plant.dim]
        found = list(self.plant.plant.rates(x, controls, self.plant.params, xp))
        if self.cost is not None:
            found.append(self.cost.of_state(x, xp) + self.cost.of_control(controls))
        return [row if hasattr(row, "shape") else xp.full_like(x[0], row) for row in found]

    def start(self, x: Tensor) -> Tensor:
        """The state (x, 0) before anything has been paid: (..., plant's dim) -> (..., dim)."""
        return x if self.cost is None else nn.functional.pad(x, (0, 1))

    def total_cost(self, end: Tensor, horizon: float) -> Tensor:
        """J = (1/T) integral l dt + phi(x(T)) of trials that end in (..., dim), shape (...,).

        Raises:
            ValueError: the field has no cost.
        """
        if self.cost is None:
            raise ValueError("this field carries no cost: give Controlled a Cost.")
        return end[..., -1] / horizon + self.cost.at_end(end[..., :-1])

    def compiled(self) -> CompiledLoop:
        """The field at its present weights, for one solve outside of autograd."""
        return CompiledLoop(self)


class CompiledLoop:
    """A `Controlled` at fixed weights; y (n, dim), on the CPU evaluated by NumPy.

    Args:
        field: the closed loop.
    """

    def __init__(self, field: Controlled) -> None:
        self.field = field
        rows = own_method(field.policy, "rows")
        self._rows = None if rows is None else rows()
        self._states = field.plant.plant.dim

    def __call__(self, t: Time, y: Tensor) -> Tensor:
        """The value (n, dim), feature-major in memory."""
        out = torch.empty_like(y.T, memory_format=torch.contiguous_format)
        self.write(t, y.T, out)
        return out.T

    def write(self, t: Time, y: Tensor, out: Tensor) -> None:
        """Write the value at (t, y) into `out`, both (dim, n)."""
        if self._rows is None or y.device.type != "cpu":
            with torch.no_grad():
                out.copy_(self.field(t, y.T).T)
            return
        rows, values = list(y.detach().numpy()), out.numpy()
        controls = self._rows(t, rows[: self._states])
        for value, found in zip(values, self.field.components(rows, controls, np), strict=True):
            value[...] = found

    def vjp(self, t: Time, y: Tensor, g: Tensor) -> VJP:
        """The value (n, dim) and its products with g (n, dim), by autograd."""
        with torch.enable_grad():
            point = y.detach().requires_grad_()
            value = self.field(t, point)
            parameters = trained_of(self.field)
            gy, *found = torch.autograd.grad(
                value, (point, *parameters), g, allow_unused=True, materialize_grads=True
            )
        return VJP(value.detach(), gy, tuple(found), y.new_zeros(()))

    def linearize(self, ts: Sequence[Time] | Tensor, ys: Tensor) -> LoopLinearization:
        """Linearise at the stages (t_i, ys[i]), ys of shape (stages, n, dim)."""
        return LoopLinearization(self.field, ts, ys)


class LoopLinearization:
    """The closed loop linearised at many stages together (`node_core.fields.linearization.Linearization`).

    With A = df/dx, B = df/du of plant and cost, and U = du/dx of the policy, the loop's Jacobian is A + B U. All three
    come from autograd, one pass a component for all stages and samples. Weights get theirs in one pass at the end,
    from the cotangents B^T g of the controls.
    """

    def __init__(self, field: Controlled, ts: Sequence[Time] | Tensor, ys: Tensor) -> None:
        stages, n, dim = ys.shape
        self._shape, self._field = (stages, n, dim), field
        self._parameters = trained_of(field)
        plant = field.plant.plant
        with torch.enable_grad():
            columns = ys.detach().permute(2, 0, 1).reshape(dim, stages * n)
            x = columns[: plant.dim].clone().requires_grad_()
            self._u = field.policy(self._times(ts, columns), x.T).T
            u = self._u.detach().clone().requires_grad_()
            y = x.detach().clone().requires_grad_()
            rows = field.components(y.unbind(0), u.unbind(0), torch)
            by_state, by_control = _jacobian(rows, (y, u))
            through = _jacobian(list(self._u.unbind(0)), (x,), retain=True)[0]
        a, b, c = (part.cpu().numpy() for part in (by_state, by_control, through))
        loop = a + np.einsum("kmn,mjn->kjn", b, c)  # (dim, plant's dim, stages * n)
        self._loop = np.zeros((stages, dim, dim, n), dtype=loop.dtype)
        self._loop[:, :, : plant.dim] = loop.reshape(dim, plant.dim, stages, n).transpose(2, 0, 1, 3)
        self._by_control = b
        self._cotangents: NDArray[Any] = np.zeros((dim, stages, n), dtype=loop.dtype)

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T df/dy at stage i, both (n, dim)."""
        columns = g.T.cpu().numpy()
        self._cotangents[:, i] = columns
        return torch.from_numpy(np.einsum("kn,kjn->jn", columns, self._loop[i])).to(g.device).T

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta over the stages visited, in the parameters' order."""
        if not self._parameters or not self._u.requires_grad:
            return tuple(torch.zeros_like(p) for p in self._parameters)
        dim, stages, n = self._cotangents.shape
        on_u = np.einsum("kmn,kn->mn", self._by_control, self._cotangents.reshape(dim, stages * n))
        found = torch.autograd.grad(
            self._u,
            self._parameters,
            torch.from_numpy(on_u).to(self._u.device),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return tuple(found)

    def _times(self, ts: Sequence[Time] | Tensor, columns: Tensor) -> Tensor:
        """A time for each column, (stages * n, 1)."""
        stages, n, _ = self._shape
        times = columns.new_tensor([float(t) for t in ts])
        return times.repeat_interleave(n)[:, None] if stages else times[:, None]


def trained_of(field: nn.Module) -> tuple[nn.Parameter, ...]:
    """The weights that want a gradient; of a frozen policy none."""
    return tuple(p for p in field.parameters() if p.requires_grad)


def _jacobian(rows: Sequence[Tensor], by: tuple[Tensor, ...], retain: bool = False) -> list[Tensor]:
    """d rows_k / d by_j for independent columns: rows (n,) each, by (m, n) each -> (rows, m, n) each."""
    found: list[list[Tensor]] = [[] for _ in by]
    for k, row in enumerate(rows):
        keep = retain or k + 1 < len(rows)
        gradients = (
            torch.autograd.grad(row.sum(), by, retain_graph=keep, allow_unused=True, materialize_grads=True)
            if row.requires_grad
            else [torch.zeros_like(entry) for entry in by]
        )
        for one, gradient in zip(found, gradients, strict=True):
            one.append(gradient)
    return [torch.stack(one) for one in found]
