"""Policies u = pi(t, x): a small net, and a linear one. Both bounded, both to be called with NumPy arrays or tensors.

net:     u_j = limit_j tanh(W_2 tanh(W_1 s(x) + b_1) + b_2)_j,     s(x) as in `Plant.seen`
linear:  u = clip(-K (x - target)),                                angles in [-pi, pi)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node_core.fields.own import HandWritten
from node_core.models.control.plant import Plant

Rows = Callable[[Any, Sequence[NDArray[Any]]], Sequence[NDArray[Any]]]
"""(t, the state's components) -> the controls', NumPy arrays of one shape (n,)."""


class Policy(Protocol):
    """Whatever says how to steer: (t, x (..., dim)) -> u (..., controls), tensors."""

    def __call__(self, t: Any, y: Tensor, /) -> Tensor:
        """Return the controls."""
        ...


class NetPolicy(nn.Module, HandWritten):
    """A net with one hidden layer whose output is bounded.

    Args:
        plant: what it steers.
        limits: bounds of the controls; may be changed while it is trained.
        hidden: units, 1 to 256.
        seed: of the weights, uniform in +-1/sqrt(fan_in); torch's global generator is not touched.
        dtype: of the weights.

    Raises:
        ValueError: hidden is out of range.
    """

    time_dependent = False
    weight_1: nn.Parameter
    bias_1: nn.Parameter
    weight_2: nn.Parameter
    bias_2: nn.Parameter

    def __init__(
        self,
        plant: Plant,
        limits: Sequence[float],
        hidden: int = 32,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if not 1 <= hidden <= 256:
            raise ValueError(f"hidden = {hidden}: give 1 to 256 units.")
        self.plant, self.limits, self.hidden = plant, tuple(limits), hidden
        generator = torch.Generator().manual_seed(seed)
        sizes = ((plant.features, hidden), (hidden, len(plant.controls)))
        for k, (fan_in, fan_out) in enumerate(sizes, start=1):
            for name, shape in ((f"weight_{k}", (fan_out, fan_in)), (f"bias_{k}", (fan_out,))):
                draw = torch.rand(shape, generator=generator, dtype=torch.float64)
                value = fan_in**-0.5 * (2.0 * draw - 1.0)
                self.register_parameter(name, nn.Parameter(value.to(dtype)))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """The controls (..., controls) at the states (..., dim)."""
        seen = torch.stack(self.plant.seen(y.unbind(-1), torch), -1)
        inner = torch.tanh(nn.functional.linear(seen, self.weight_1, self.bias_1))
        outer = torch.tanh(nn.functional.linear(inner, self.weight_2, self.bias_2))
        return outer * outer.new_tensor(self.limits)

    def rows(self) -> Rows:
        """The same at the present weights, for NumPy arrays: the many small calls of a solve cost a third there."""
        w1, b1, w2, b2 = (p.detach().cpu().numpy().copy() for p in self.parameters())
        b1, b2 = b1[:, None], b2[:, None]
        limits = np.array(self.limits, dtype=w1.dtype)[:, None]
        plant = self.plant

        def controls(t: Any, states: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
            inner = w1 @ np.array(plant.seen(states, np))
            inner += b1
            outer = w2 @ np.tanh(inner, out=inner)
            outer += b2
            return list(np.tanh(outer, out=outer) * limits)

        return controls


class LinearPolicy(nn.Module, HandWritten):
    """u = clip(-K (x - target), -limits, limits).

    Args:
        plant: what it steers.
        gain: K, (controls, dim).
        limits: bounds of the controls.
    """

    time_dependent = False

    def __init__(self, plant: Plant, gain: NDArray[np.float64], limits: Sequence[float]) -> None:
        super().__init__()
        self.plant, self.gain, self.limits = plant, gain, tuple(limits)

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """The controls (..., controls) at the states (..., dim)."""
        gain = torch.as_tensor(self.gain, dtype=y.dtype, device=y.device)
        bound = y.new_tensor(self.limits)
        return torch.clamp(-(self.plant.deviation(y) @ gain.T), -bound, bound)

    def rows(self) -> Rows:
        """The same for NumPy arrays."""

        def controls(t: Any, states: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
            away = self.plant.deviation(np.stack(states, -1))
            wanted = -(away @ self.gain.T.astype(away.dtype))
            return [np.clip(wanted[..., j], -limit, limit) for j, limit in enumerate(self.limits)]

        return controls


class Unsteered:
    """The policy that does nothing: u = 0."""

    time_dependent = False

    def __init__(self, plant: Plant) -> None:
        self._count = len(plant.controls)

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """Zeros (..., controls)."""
        return y.new_zeros(*y.shape[:-1], self._count)
