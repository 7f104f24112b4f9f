"""RealNVP: affine coupling layers (Dinh, Sohl-Dickstein, Bengio 2017, "Density estimation using Real NVP").

One part of the coordinates passes unchanged and decides how the other part is scaled and shifted:

    x_a = z_a,    x_b = z_b exp(s(z_a)) + m(z_a),    log |det dx/dz| = sum s(z_a)

The Jacobian is triangular, so that the determinant costs nothing; the parts change roles from layer to layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from node_core.cnf.bases import Base, StandardNormal
from node_core.cnf.flow import Flow

LARGEST_SCALE = 2.0
"""|s| of one layer stays below this, so that no layer can overflow."""


class RealNVP(Flow):
    """`depth` coupling layers with small nets.

    Args:
        depth: number of layers; two of them change every coordinate once.
        hidden: width of the nets' two hidden layers.
        base: the density of z; a standard normal of dimension `dim` if None.
        dim: dimension, at least 2, if there is no base.
        seed: of the initial weights; the last layers begin at zero, so that the flow begins as the identity.
        dtype: of the parameters.

    Raises:
        ValueError: depth or hidden below 1, or fewer than two dimensions.
    """

    def __init__(
        self,
        depth: int = 8,
        hidden: int = 32,
        base: Base | None = None,
        *,
        dim: int = 2,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if depth < 1 or hidden < 1:
            raise ValueError(f"depth = {depth} and hidden = {hidden}: choose at least 1 of each.")
        super().__init__(base or StandardNormal(dim))
        if self.dim < 2:
            raise ValueError(f"dim = {self.dim}: a coupling needs at least two coordinates.")
        self.depth, self.hidden = depth, hidden
        generator = torch.Generator().manual_seed(seed)
        self.couplings = nn.ModuleList(
            Coupling(self.dim, hidden, first=k % 2 == 0, generator=generator, dtype=dtype)
            for k in range(depth)
        )

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Noise to data: x and log |det dx/dz|."""
        self.check_points("z", z)
        log_det = torch.zeros_like(z[:, 0])
        for coupling in self.couplings:
            z, term = coupling(z)
            log_det = log_det + term
        return z, log_det

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to noise: z and log |det dz/dx|."""
        self.check_points("x", x)
        log_det = torch.zeros_like(x[:, 0])
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, Coupling)
            x, term = coupling.inverse(x)
            log_det = log_det + term
        return x, log_det


class Coupling(nn.Module):
    """One affine coupling.

    Args:
        dim: of the points.
        hidden: width of the net's two hidden layers.
        first: whether the first half of the coordinates stays; else the second.
        generator: of the initial weights.
        dtype: of the parameters.
    """

    def __init__(
        self, dim: int, hidden: int, *, first: bool, generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        half = dim // 2
        self.keeps_first, self.split_at = first, half
        kept = half if first else dim - half
        sizes = (kept, hidden, hidden, 2 * (dim - kept))
        for k in range(1, 4):
            bound = sizes[k - 1] ** -0.5 if k < 3 else 0.0
            for name, shape in ((f"weight_{k}", (sizes[k], sizes[k - 1])), (f"bias_{k}", (sizes[k],))):
                draw = torch.rand(shape, generator=generator, dtype=torch.float64)
                self.register_parameter(name, nn.Parameter((bound * (2.0 * draw - 1.0)).to(dtype)))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The layer and its log-determinant."""
        kept, moved = self._split(z)
        scale, shift = self._scale_and_shift(kept)
        return self._join(kept, moved * scale.exp() + shift), scale.sum(1)

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The layer undone, and the log-determinant of that."""
        kept, moved = self._split(x)
        scale, shift = self._scale_and_shift(kept)
        return self._join(kept, (moved - shift) * (-scale).exp()), -scale.sum(1)

    def _scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        w1, b1, w2, b2, w3, b3 = self._parameters.values()
        assert w1 is not None and w2 is not None and w3 is not None
        linear = nn.functional.linear
        h = torch.tanh(linear(torch.tanh(linear(kept, w1, b1)), w2, b2))
        scale, shift = linear(h, w3, b3).chunk(2, 1)
        return LARGEST_SCALE * torch.tanh(scale / LARGEST_SCALE), shift

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low, high = x[:, : self.split_at], x[:, self.split_at :]
        return (low, high) if self.keeps_first else (high, low)

    def _join(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((kept, moved) if self.keeps_first else (moved, kept), 1)
