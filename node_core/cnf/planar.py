"""Planar normalizing flows (Rezende and Mohamed 2015, "Variational Inference with Normalizing Flows").

    T(z) = z + u tanh(w . z + b),    log |det dT/dz| = log |1 + (u . w) (1 - tanh^2(w . z + b))|

T is invertible exactly if u . w >= -1; as in the paper's appendix, the part of u along w is replaced so that it holds:

    u' = u + (m(w . u) - w . u) w / |w|^2,    m(x) = -1 + log(1 + e^x)

A continuous normalizing flow is the limit of many such layers (Chen et al. 2018, section 4): there the logarithm of a
determinant becomes an integral of a trace, and many units may act at once without it costing more.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_core.cnf.bases import Base, StandardNormal
from node_core.cnf.flow import Flow

_BISECTIONS = 60


class _Layer(NamedTuple):
    """One layer, u already constrained; `slope` is u . w."""

    w: Tensor
    u: Tensor
    b: Tensor
    slope: Tensor


class PlanarFlow(Flow):
    """`depth` planar layers.

    A layer has no inverse in closed form. Along w, though, it is a monotone function of one number, which bisection
    inverts to rounding error; a Newton step on top of it carries the gradient.

    Args:
        depth: number of layers K.
        base: the density of z; a standard normal of dimension `dim` if None.
        dim: dimension, if there is no base.
        data_to_noise: let the layers' explicit direction be that of `inverse`: maximum likelihood then needs no
            bisection, only sampling does.
        seed: of the initial weights.
        dtype: of the parameters.

    Raises:
        ValueError: depth below 1.
    """

    def __init__(
        self,
        depth: int,
        base: Base | None = None,
        *,
        dim: int = 2,
        data_to_noise: bool = False,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth = {depth}: choose at least 1 layer.")
        super().__init__(base or StandardNormal(dim))
        self.depth, self.data_to_noise = depth, data_to_noise
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int, scale: float) -> nn.Parameter:
            values = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
            return nn.Parameter(values.to(dtype))

        self.w = draw(depth, self.dim, scale=1.0)
        self.u = draw(depth, self.dim, scale=0.1)
        self.b = draw(depth, scale=1.0)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Noise to data: x and log |det dx/dz|."""
        self.check_points("z", z)
        return self._backward(z) if self.data_to_noise else self._explicit(z)

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to noise: z and log |det dz/dx|."""
        self.check_points("x", x)
        return self._explicit(x) if self.data_to_noise else self._backward(x)

    def layer_outputs(self, start: Tensor) -> Tensor:
        """Positions after each layer of the explicit direction, the start first: (depth + 1, n, dim)."""
        states = [start]
        for layer in self._layers():
            start, _ = _apply(layer, start)
            states.append(start)
        return torch.stack(states)

    def _explicit(self, z: Tensor) -> tuple[Tensor, Tensor]:
        log_det = torch.zeros_like(z[:, 0])
        for layer in self._layers():
            z, term = _apply(layer, z)
            log_det = log_det + term
        return z, log_det

    def _backward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = torch.zeros_like(x[:, 0])
        for layer in reversed(self._layers()):
            x = _invert(layer, x)
            log_det = log_det - _apply(layer, x)[1]
        return x, log_det

    def _layers(self) -> list[_Layer]:
        along = (self.w * self.u).sum(1)
        wanted = nn.functional.softplus(along) - 1.0
        square = self.w.square().sum(1) + 1e-12
        u = self.u + ((wanted - along) / square).unsqueeze(1) * self.w
        return [_Layer(*parts) for parts in zip(self.w, u, self.b, wanted, strict=True)]


def _apply(layer: _Layer, z: Tensor) -> tuple[Tensor, Tensor]:
    h = torch.tanh(z @ layer.w + layer.b)
    return z + torch.outer(h, layer.u), torch.log1p(layer.slope * (1.0 - h * h))


def _invert(layer: _Layer, x: Tensor) -> Tensor:
    """Solve a + slope tanh(a + b) = w . x for a = w . z: increasing in a, because slope >= -1."""
    target = x @ layer.w
    with torch.no_grad():
        reach = layer.slope.abs() + 1e-3
        low, high = target - reach, target + reach
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            below = middle + layer.slope * torch.tanh(middle + layer.b) < target
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        a = 0.5 * (low + high)
        h = torch.tanh(a + layer.b)
        # At slope = -1 the function has a flat point; there the step would be unbounded.
        steepness = (1.0 + layer.slope * (1.0 - h * h)).clamp(min=1e-6)
    # One step of Newton's method: it changes nothing but a rounding error, and its derivative is the inverse's.
    a = a - (a + layer.slope * torch.tanh(a + layer.b) - target) / steepness
    return x - torch.outer(torch.tanh(a + layer.b), layer.u)
