"""The densities that flows start from: a standard normal, a mixture of Gaussians, a disc."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from node_core.cnf.densities import GaussianMixture


class Base(Protocol):
    """A density with samples, on R^dim."""

    dim: int

    def sample(self, n: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """N independent points (n, dim), the same for the same seed."""
        ...

    def log_prob(self, z: Tensor) -> Tensor:
        """Normalised log density of z (..., dim): (...,), differentiable."""
        ...


class StandardNormal:
    """N(0, std^2 I).

    Raises:
        ValueError: dim below 1 or std not positive.
    """

    def __init__(self, dim: int = 2, std: float = 1.0) -> None:
        if dim < 1:
            raise ValueError(f"dim = {dim}: choose a whole number of at least 1.")
        if not (math.isfinite(std) and std > 0):
            raise ValueError(f"std = {std}: choose a positive number.")
        self.dim, self.std = dim, std

    def sample(self, n: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """N points (n, dim)."""
        return self.std * torch.randn((n, self.dim), generator=_generator(seed), dtype=torch.float64).to(
            dtype
        )

    def log_prob(self, z: Tensor) -> Tensor:
        """-|z|^2 / (2 std^2) - dim log(std sqrt(2 pi))."""
        constant = self.dim * math.log(self.std * math.sqrt(2 * math.pi))
        return z.square().sum(-1) * (-0.5 / self.std**2) - constant


class MixtureBase:
    """Equal or weighted isotropic Gaussians in the plane.

    Args:
        means: (k, 2).
        std: of each.
        weights: k positive numbers; None means equal.

    Raises:
        ValueError: shapes that do not fit, or weights or std that are not positive.
    """

    dim = 2

    def __init__(
        self, means: Sequence[Sequence[float]], std: float = 0.5, weights: Sequence[float] | None = None
    ) -> None:
        centres = np.asarray(means, dtype=float)
        if centres.ndim != 2 or centres.shape[1] != 2 or not len(centres):
            raise ValueError(f"means has shape {centres.shape}: give one (x, y) pair for each Gaussian.")
        if not (math.isfinite(std) and std > 0):
            raise ValueError(f"std = {std}: choose a positive number.")
        shares = None
        if weights is not None:
            shares = np.asarray(weights, dtype=float)
            if shares.shape != (len(centres),) or not (shares > 0).all():
                raise ValueError(f"weights = {weights}: give {len(centres)} positive numbers.")
            shares = shares / shares.sum()
        self._mixture = GaussianMixture(centres, std, shares)

    def sample(self, n: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """N points (n, 2)."""
        return torch.from_numpy(self._mixture.sample(n, np.random.default_rng(seed))).to(dtype)

    def log_prob(self, z: Tensor) -> Tensor:
        """Exact."""
        return self._mixture.log_density(z.reshape(-1, 2), torch).reshape(z.shape[:-1])


class UniformDisc:
    """Uniform on a disc in the plane, its rim softened so that the likelihood has a gradient everywhere.

    p(z) = 1 / (Z (1 + exp((|z| - radius) / edge)))
    Z = pi radius^2 + pi^3 edge^2 / 3 + 2 pi edge^2 Li2(-e^{-radius/edge})

    (Z is a Fermi-Dirac integral). As edge tends to 0 this is the disc itself.

    Args:
        radius: of the disc.
        edge: width of the rim.

    Raises:
        ValueError: a length that is not positive, or a rim wider than a quarter of the radius.
    """

    dim = 2

    def __init__(self, radius: float = 2.0, edge: float = 0.05) -> None:
        if not (math.isfinite(radius) and radius > 0):
            raise ValueError(f"radius = {radius}: choose a positive number.")
        if not 0 < edge <= radius / 4:
            raise ValueError(f"edge = {edge}: choose more than 0 and at most a quarter of the radius.")
        self.radius, self.edge = radius, edge
        small = -math.exp(-radius / edge)
        dilogarithm = sum(small**k / k**2 for k in range(1, 20))
        self._log_z = math.log(
            math.pi * radius**2 + math.pi**3 * edge**2 / 3 + 2 * math.pi * edge**2 * dilogarithm
        )

    def sample(self, n: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """N points (n, 2), by rejection from a disc that holds all but e^-30 of the mass."""
        generator = _generator(seed)
        reach = self.radius + 30 * self.edge
        found: list[Tensor] = []
        while sum(map(len, found)) < n:
            u = torch.rand((3, 2 * n + 16), generator=generator, dtype=torch.float64)
            r = reach * u[0].sqrt()
            angle = 2 * math.pi * u[1]
            kept = u[2] < torch.sigmoid((self.radius - r) / self.edge)
            found.append(torch.stack((r * angle.cos(), r * angle.sin()), 1)[kept])
        return torch.cat(found)[:n].to(dtype)

    def log_prob(self, z: Tensor) -> Tensor:
        """Exact."""
        r = (z.square().sum(-1) + 1e-24).sqrt()
        return torch.nn.functional.logsigmoid((self.radius - r) / self.edge) - self._log_z


def fresh_seed() -> int:
    """A seed that was not used before, from torch's global generator: `torch.manual_seed` fixes what follows."""
    return int(torch.randint(2**63 - 1, ()))


def _generator(seed: int) -> torch.Generator:
    if seed < 0:
        raise ValueError(f"seed = {seed}: choose a whole number from 0.")
    return torch.Generator().manual_seed(seed)
