"""What all normalizing flows share: an invertible map from a base density, with the log of its volume change."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from node_core.cnf.bases import Base, fresh_seed

Extent = tuple[tuple[float, float], tuple[float, float]]


class Flow(nn.Module, ABC):
    """x = T(z), z from the base: log p(x) = log p_base(T^-1(x)) + log |det dT^-1/dx|.

    Args:
        base: the density of z.
    """

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.base = base
        self.dim = base.dim

    @abstractmethod
    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Noise to data: x (n, dim) and log |det dx/dz| (n,)."""

    @abstractmethod
    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to noise: z (n, dim) and log |det dz/dx| (n,)."""

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density at x (n, dim): (n,); differentiable."""
        self.check_points("x", x)
        z, log_det = self.inverse(x)
        return self.base.log_prob(z) + log_det

    def sample(self, n: int, seed: int | None = None) -> Tensor:
        """N points (n, dim), the same for the same seed; without one fresh, from torch's global generator."""
        return self.forward(self._noise(n, seed))[0]

    def sample_with_log_prob(self, n: int, seed: int | None = None) -> tuple[Tensor, Tensor]:
        """N points (n, dim), as `sample`, and their log densities (n,), differentiable: for a reverse KL."""
        z = self._noise(n, seed)
        x, log_det = self.forward(z)
        return x, self.base.log_prob(z) - log_det

    def density_grid(self, extent: Extent, cells: int = 64) -> Tensor:
        """The density at the midpoints of a grid over the extent, (cells, cells), row 0 at the bottom; no gradient."""
        with torch.no_grad():
            points, _ = grid_points(extent, cells, self._dtype())
            return self.log_prob(points).exp().view(cells, cells)

    def check_points(self, name: str, points: Tensor) -> None:
        """Refuse what is no tensor (n, dim).

        Raises:
            ValueError: another kind or shape.
        """
        if not isinstance(points, Tensor):
            raise ValueError(
                f"{name} is a {type(points).__name__}: give a tensor, such as torch.as_tensor(points, "
                f"dtype={self._dtype()})."
            )
        if points.ndim != 2 or points.shape[1] != self.dim:
            raise ValueError(
                f"{name} has shape {tuple(points.shape)}: this flow works on points of shape (n, {self.dim})."
            )

    def _noise(self, n: int, seed: int | None) -> Tensor:
        if n < 1:
            raise ValueError(f"n = {n} samples: choose a whole number of at least 1.")
        return self.base.sample(n, fresh_seed() if seed is None else seed, self._dtype())

    def _dtype(self) -> torch.dtype:
        first = next(self.parameters(), None)
        return torch.get_default_dtype() if first is None else first.dtype


def grid_points(extent: Extent, cells: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, float]:
    """Midpoints of a grid over the extent, (cells^2, 2), x fastest and y from below, and the area of one cell.

    Raises:
        ValueError: cells below 2, or an empty extent.
    """
    (x0, x1), (y0, y1) = extent
    if cells < 2:
        raise ValueError(f"cells = {cells}: choose at least 2.")
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"extent = {extent}: each upper end must be above its lower end.")
    middle = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    y, x = torch.meshgrid(y0 + middle * (y1 - y0), x0 + middle * (x1 - x0), indexing="ij")
    return torch.stack((x.reshape(-1), y.reshape(-1)), 1).to(dtype), (x1 - x0) * (y1 - y0) / cells**2
