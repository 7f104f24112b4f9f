"""The densities that targets are made of: each draws samples and gives its exact normalised log density.

All work on numpy arrays and, given `xp=torch`, on torch tensors too (differentiably, where the density is
smooth).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Density(Protocol):
    """Something to draw from whose log density is known."""

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """N points, (n, 2)."""
        ...

    def log_density(self, x: Any, xp: Any) -> Any:
        """Normalised log density of x (m, 2), as (m,); `xp` is numpy or torch, whichever x belongs to."""
        ...


def _like(values: Floats, x: Any, xp: Any) -> Any:
    """Constants in the library, precision and place of x."""
    return values if xp is np else xp.as_tensor(values, dtype=x.dtype, device=x.device)


def _log_sum_exp(a: Any, xp: Any) -> Any:
    top = xp.amax(a, 1)
    return top + xp.log(xp.sum(xp.exp(a - top[:, None]), 1))


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """Isotropic Gaussians: p(x) = sum_k w_k N(x; m_k, std^2 I).

    Args:
        means: (k, 2).
        std: standard deviation of each.
        weights: (k,) positive, sum 1; None means equal.
    """

    means: Floats
    std: float
    weights: Floats | None = None

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """N points, (n, 2)."""
        which = rng.choice(len(self.means), size=n, p=self.weights)
        return self.means[which] + self.std * rng.standard_normal((n, 2))

    def log_density(self, x: Any, xp: Any) -> Any:
        """Exact; (m, 2) -> (m,)."""
        count = len(self.means)
        weights = np.full(count, 1 / count) if self.weights is None else self.weights
        means, log_weights = _like(self.means, x, xp), _like(np.log(weights), x, xp)
        # |x - m|^2 expanded, so that no (m, k, 2) array is made.
        centred = x - means.mean(0)
        shifted = means - means.mean(0)
        squared = xp.sum(centred**2, 1)[:, None] - 2 * centred @ shifted.T + xp.sum(shifted**2, 1)
        constant = math.log(2 * math.pi * self.std**2)
        return _log_sum_exp(log_weights - 0.5 * squared / self.std**2, xp) - constant


@dataclass(frozen=True, eq=False)
class NoisyCurve:
    """A random point of one of several curves, plus Gaussian noise.

    x = c_k(s) + std * noise with k and s in [0, 1] drawn at random, so p(x) = mean over k of the integral
    over s of q(s) N(x; c_k(s), std^2 I). Quadrature (Gauss-Legendre; the trapezoidal rule on closed curves)
    makes that integral a mixture of Gaussians, which with nodes no farther apart than std is exact to eight
    digits.

    Args:
        curve: (k, s (m,)) -> points (m, 2), smooth in s.
        curves: number of curves, equally likely.
        std: standard deviation of the noise.
        nodes: quadrature nodes a curve.
        by_area: draw s with density 2 s instead of 1 (spreads points evenly along a spiral).
        closed: the curve returns to its start, smoothly.
    """

    curve: Callable[[int, Floats], Floats]
    curves: int
    std: float
    nodes: int
    by_area: bool = False
    closed: bool = False

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """N points, (n, 2)."""
        which = rng.integers(self.curves, size=n)
        s = rng.random(n)
        s = np.sqrt(s) if self.by_area else s
        x = np.empty((n, 2))
        for k in range(self.curves):
            x[which == k] = self.curve(k, s[which == k])
        return x + self.std * rng.standard_normal((n, 2))

    def mixture(self) -> GaussianMixture:
        """The quadrature: one Gaussian a node and curve."""
        if self.closed:
            s, weights = np.arange(self.nodes) / self.nodes, np.full(self.nodes, 1 / self.nodes)
        else:
            roots, weights = np.polynomial.legendre.leggauss(self.nodes)
            s, weights = (roots + 1) / 2, weights / 2
        if self.by_area:
            weights = weights * 2 * s
        means = np.concatenate([self.curve(k, s) for k in range(self.curves)])
        return GaussianMixture(means, self.std, np.tile(weights, self.curves) / self.curves)

    def log_density(self, x: Any, xp: Any) -> Any:
        """(m, 2) -> (m,)."""
        return self.mixture().log_density(x, xp)


@dataclass(frozen=True)
class Pinwheel:
    """Gaussian blobs swept into blades by a rotation that grows with the radius.

    x = R(alpha_k + rate e^r) g with g ~ N((1, 0), diag(radial^2, tangential^2)), r = |g|,
    alpha_k = 2 pi k / blades, then scaled. The usual pinwheel turns by the blob's first coordinate instead of
    r; turning by r preserves area and radius, which makes the density exact:
    log p(x) = log mean_k N(R(-alpha_k - rate e^r) x) - 2 log scale.
    """

    blades: int = 5
    radial: float = 0.3
    tangential: float = 0.1
    rate: float = 0.25
    scale: float = 2.0

    def _angles(self) -> Floats:
        return 2 * np.pi * np.arange(self.blades) / self.blades

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """N points, (n, 2)."""
        g = rng.standard_normal((n, 2)) * [self.radial, self.tangential] + [1.0, 0.0]
        radius = np.linalg.norm(g, axis=1)
        angle = np.arctan2(g[:, 1], g[:, 0]) + self._angles()[rng.integers(self.blades, size=n)]
        angle = angle + self.rate * np.exp(radius)
        return self.scale * np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)

    def log_density(self, x: Any, xp: Any) -> Any:
        """Exact; (m, 2) -> (m,)."""
        x = x / self.scale
        radius = xp.sqrt(xp.sum(x**2, 1) + 1e-24)
        turn = self.rate * xp.exp(radius)[:, None] + _like(self._angles(), x, xp)
        g1 = xp.cos(turn) * x[:, :1] + xp.sin(turn) * x[:, 1:]
        g2 = xp.cos(turn) * x[:, 1:] - xp.sin(turn) * x[:, :1]
        exponent = -0.5 * (((g1 - 1) / self.radial) ** 2 + (g2 / self.tangential) ** 2)
        area = 2 * math.pi * self.radial * self.tangential * self.scale**2
        return _log_sum_exp(exponent, xp) - math.log(self.blades * area)


@dataclass(frozen=True, eq=False)
class Cells:
    """Constant on each cell of a grid, zero outside: exact for checkerboards, pictures and painted grids.

    Args:
        mass: (rows, columns), not negative, sum 1; row 0 is the *bottom* row.
        extent: ((x_low, x_high), (y_low, y_high)) of the whole grid.
    """

    mass: Floats
    extent: tuple[tuple[float, float], tuple[float, float]]

    def _low_and_size(self) -> tuple[Floats, Floats]:
        rows, columns = self.mass.shape
        low = np.array([self.extent[0][0], self.extent[1][0]])
        high = np.array([self.extent[0][1], self.extent[1][1]])
        return low, (high - low) / [columns, rows]

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """N points, (n, 2): a cell by its mass, then uniform inside it."""
        low, size = self._low_and_size()
        row, column = np.divmod(rng.choice(self.mass.size, size=n, p=self.mass.ravel()), self.mass.shape[1])
        return low + (np.stack([column, row], 1) + rng.random((n, 2))) * size

    def log_density(self, x: Any, xp: Any) -> Any:
        """Exact; (m, 2) -> (m,); minus infinity where the mass is zero; has no gradient."""
        points = x if xp is np else x.detach().cpu().numpy()
        low, size = self._low_and_size()
        index = np.floor((points - low) / size)
        rows, columns = self.mass.shape
        inside = ((index >= 0) & (index < [columns, rows])).all(axis=1)
        column, row = np.where(inside[:, None], index, 0).astype(int).T
        with np.errstate(divide="ignore"):
            values = np.log(np.where(inside, self.mass[row, column], 0.0) / size.prod())
        return _like(values, x, xp)


def sample_by_rejection(
    energy: Callable[[Any, Any], Any], window: float, peak: float, n: int, rng: np.random.Generator
) -> Floats:
    """N exact samples of exp(-energy) restricted to [-window, window]^2.

    Args:
        energy: U(x, xp).
        window: half the side of the square.
        peak: an upper bound of exp(-U); checked.
        n: number of samples.
        rng: source of randomness.

    Raises:
        ValueError: exp(-U) exceeds the bound, or almost nothing was accepted.
    """
    accepted: list[Floats] = []
    found = 0
    for _ in range(1000):
        proposals = rng.uniform(-window, window, (max(4 * n, 1024), 2))
        ratio = np.exp(-energy(proposals, np)) / peak
        if not ratio.max() <= 1:
            raise ValueError(
                f"exp(-U) reaches {ratio.max() * peak:.3g}, more than peak = {peak}: raise peak."
            )
        accepted.append(proposals[rng.random(len(proposals)) < ratio])
        found += len(accepted[-1])
        if found >= n:
            return np.concatenate(accepted)[:n]
    raise ValueError(f"only {found} of {n} samples were accepted: choose a smaller window than {window}.")
