"""The densities a flow can learn: samples, exact log density where it exists, energy where not.

Torch-free. Shapes follow the toy sets of FFJORD (Grathwohl et al. 2019), with Gaussian noise everywhere, so
that almost all of them have an exact density to compare with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_core.cnf import energies
from node_core.cnf.densities import (
    Cells,
    Density,
    Floats,
    GaussianMixture,
    NoisyCurve,
    Pinwheel,
    sample_by_rejection,
)

MAX_SAMPLES = 1_000_000
_CHUNK = 4_000_000  # distances held at once by log_density: 32 MB

Extent = tuple[tuple[float, float], tuple[float, float]]
Energy = Callable[..., Any]
SQUARE: Extent = ((-4.0, 4.0), (-4.0, 4.0))


@dataclass(frozen=True, eq=False)
class Target:
    """A density on the plane.

    Args:
        name: key in `TARGETS`, or "drawn" or "image".
        label: what people call it.
        density: sampler with exact log density, or None if only an energy is known.
        energy: U(x, xp=numpy) with p proportional to exp(-U) on `extent`; x (m, 2) -> (m,); or None.
        peak: an upper bound of exp(-U), for sampling an energy.
        extent: ((x_low, x_high), (y_low, y_high)) that holds all but a negligible part of the mass.
        smooth: whether log density has a useful gradient (not so for constant cells).
    """

    name: str
    label: str
    density: Density | None = None
    energy: Energy | None = None
    peak: float = 1.0
    extent: Extent = SQUARE
    smooth: bool = True

    def sample(self, n: int, seed: int) -> NDArray[np.float32]:
        """N independent samples, (n, 2) float32, the same for the same seed.

        An energy is sampled by rejection, exactly, restricted to `extent`.

        Raises:
            ValueError: n is not 1 to 1,000,000, or seed is negative.
        """
        if not 1 <= n <= MAX_SAMPLES:
            raise ValueError(f"n = {n} samples: choose 1 to {MAX_SAMPLES:,}.")
        if seed < 0:
            raise ValueError(f"seed = {seed}: choose a whole number from 0.")
        rng = np.random.default_rng(seed)
        if self.density is not None:
            return self.density.sample(n, rng).astype(np.float32)
        assert self.energy is not None  # a target is made with one of the two
        return sample_by_rejection(self.energy, energies.WINDOW, self.peak, n, rng).astype(np.float32)

    @property
    def log_density(self) -> Callable[..., Any] | None:
        """Log p(x, xp=numpy), normalised, (m, 2) -> (m,); None if only the energy is known."""
        return None if self.density is None else self._log_density

    def _log_density(self, x: Any, xp: Any = np) -> Any:
        assert self.density is not None
        if xp is not np:
            return self.density.log_density(x, xp)
        points = np.asarray(x, dtype=float)
        # A quadrature holds hundreds of distances a point: go through large grids in pieces.
        pieces = np.array_split(points, max(1, len(points) * 512 // _CHUNK))
        return np.concatenate([self.density.log_density(piece, np) for piece in pieces])

    def grid(self, cells: int = 200) -> tuple[Floats, float]:
        """Midpoints of a grid over `extent` as (cells^2, 2), x fastest, and the area of one cell."""
        (x0, x1), (y0, y1) = self.extent
        middle = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(x0 + middle * (x1 - x0), y0 + middle * (y1 - y0))
        return np.stack([x.ravel(), y.ravel()], 1), (x1 - x0) * (y1 - y0) / cells**2

    def normalised_on_grid(self, cells: int = 200) -> Floats:
        """Density at the grid's midpoints, (cells, cells), row 0 at the bottom; energies normalised on it."""
        points, area = self.grid(cells)
        if self.log_density is not None:
            values = np.exp(self.log_density(points))
        else:
            assert self.energy is not None
            values = np.exp(-self.energy(points))
            values = values / (values.sum() * area)
        return np.asarray(values).reshape(cells, cells)


def entropy(target: Target, cells: int = 300) -> float:
    """Differential entropy -integral p log p in nats, by the midpoint rule over the target's extent.

    The best mean log likelihood any model can reach on the target is minus this number.

    Raises:
        ValueError: cells is not 10 to 2000.
    """
    if not 10 <= cells <= 2000:
        raise ValueError(f"cells = {cells}: choose 10 to 2000.")
    p = target.normalised_on_grid(cells)
    _, area = target.grid(cells)
    return float(-(p * np.log(np.where(p > 0, p, 1.0))).sum() * area)


def _circle(radius: float, s: Floats) -> Floats:
    return radius * np.stack([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)], 1)


def _moon(k: int, s: Floats) -> Floats:
    arc = 2.0 * (np.stack([np.cos(np.pi * s), np.sin(np.pi * s)], 1) - [0.5, 0.25])
    return arc if k == 0 else -arc


def _two_circles(k: int, s: Floats) -> Floats:
    return _circle((1.5, 3.0)[k], s)


def _rings(k: int, s: Floats) -> Floats:
    return _circle(0.75 * (k + 1), s)


def _spiral(k: int, s: Floats) -> Floats:
    angle = 3 * np.pi * s
    arm = angle[:, None] / 3 * np.stack([-np.cos(angle), np.sin(angle)], 1)
    return arm if k == 0 else -arm


def _swiss_roll(_: int, s: Floats) -> Floats:
    angle = 1.5 * np.pi * (1 + 2 * s)
    return angle[:, None] / 5 * np.stack([np.cos(angle), np.sin(angle)], 1)


def _s_curve(k: int, s: Floats) -> Floats:
    # Two mirrored halves, because the curvature jumps in the middle: each half alone is smooth.
    angle = 1.5 * np.pi * s
    half = 1.5 * np.stack([np.sin(angle), np.cos(angle) - 1], 1)
    return half if k == 0 else -half


def _checkerboard() -> Cells:
    row, column = np.divmod(np.arange(16), 4)
    return Cells((((row + column) % 2) / 8.0).reshape(4, 4), SQUARE)


def _square(half: float) -> Extent:
    return ((-half, half), (-half, half))


_EIGHT = GaussianMixture(_circle(2 * np.sqrt(2), np.arange(8) / 8), 0.5 / np.sqrt(2))

_TARGETS = (
    Target("two_moons", "Two moons", NoisyCurve(_moon, 2, 0.2, 64)),
    Target("two_circles", "Two circles", NoisyCurve(_two_circles, 2, 0.15, 128, closed=True)),
    Target("pinwheel", "Pinwheel", Pinwheel(), extent=_square(5.0)),
    Target("eight_gaussians", "Eight Gaussians", _EIGHT, extent=_square(5.0)),
    Target("two_spirals", "Two spirals", NoisyCurve(_spiral, 2, 0.12, 400, by_area=True)),
    Target("checkerboard", "Checkerboard", _checkerboard(), smooth=False),
    Target("rings", "Four rings", NoisyCurve(_rings, 4, 0.15, 128, closed=True)),
    Target("swiss_roll", "Swiss roll", NoisyCurve(_swiss_roll, 1, 0.2, 400)),
    Target("s_curve", "S", NoisyCurve(_s_curve, 2, 0.15, 128)),
    Target("blobs", "Three blobs", GaussianMixture(_circle(1.8, np.arange(3) / 3 + 0.25), 0.5)),
    Target("energy_1", "U1: two sides of a ring", energy=energies.two_sides_of_a_ring, peak=1.01),
    Target("energy_2", "U2: a wave", energy=energies.wave, peak=1.01),
    Target("energy_3", "U3: a wave that parts", energy=energies.split_wave, peak=2.01),
    Target("energy_4", "U4: a wave that forks", energy=energies.forked_wave, peak=2.01),
)  # fmt: skip

TARGETS: dict[str, Target] = {target.name: target for target in _TARGETS}
