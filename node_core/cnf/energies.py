"""The energies of Rezende and Mohamed (2015), "Variational Inference with Normalizing Flows", Table 1.

Each is U(z) with p(z) proportional to exp(-U(z)). U2, U3 and U4 do not grow along z1, so, as in that paper's
figures, they are meant on the window [-4, 4]^2. Arrays (..., 2) of numpy or of torch: pass the library as
`xp`, so that a flow can be fitted to them by differentiating through U.
"""

from __future__ import annotations

from typing import Any

import numpy as np

WINDOW = 4.0


def _wave(z1: Any, xp: Any) -> Any:
    """w1(z) = sin(2 pi z1 / 4)."""
    return xp.sin(np.pi * z1 / 2)


def _bump(z1: Any, xp: Any) -> Any:
    """w2(z) = 3 exp(-((z1 - 1) / 0.6)^2 / 2)."""
    return 3 * xp.exp(-0.5 * ((z1 - 1) / 0.6) ** 2)


def _ramp(z1: Any, xp: Any) -> Any:
    """w3(z) = 3 sigmoid((z1 - 1) / 0.3), written with tanh, which cannot overflow."""
    return 1.5 * (1 + xp.tanh((z1 - 1) / 0.6))


def two_sides_of_a_ring(z: Any, xp: Any = np) -> Any:
    """U1: a ring of radius 2, cut into two sides.

    U1 = ((|z| - 2) / 0.4)^2 / 2 - log(exp(-((z1 - 2) / 0.6)^2 / 2) + exp(-((z1 + 2) / 0.6)^2 / 2))

    Args:
        z: (..., 2).
        xp: numpy or torch, whichever z belongs to.

    Returns:
        (...,) energies.
    """
    z1, z2 = z[..., 0], z[..., 1]
    radius = xp.sqrt(z1**2 + z2**2 + 1e-12)  # the 1e-12 keeps the gradient finite at the origin
    sides = xp.logaddexp(-0.5 * ((z1 - 2) / 0.6) ** 2, -0.5 * ((z1 + 2) / 0.6) ** 2)
    return 0.5 * ((radius - 2) / 0.4) ** 2 - sides


def wave(z: Any, xp: Any = np) -> Any:
    """U2 = ((z2 - w1(z)) / 0.4)^2 / 2: one sine wave; z (..., 2), returns (...,)."""
    return 0.5 * ((z[..., 1] - _wave(z[..., 0], xp)) / 0.4) ** 2


def split_wave(z: Any, xp: Any = np) -> Any:
    """U3: a wave that parts around a bump and joins again; z (..., 2), returns (...,).

    U3 = -log(exp(-((z2 - w1) / 0.35)^2 / 2) + exp(-((z2 - w1 + w2) / 0.35)^2 / 2))
    """
    z1, z2 = z[..., 0], z[..., 1]
    height = z2 - _wave(z1, xp)
    return -xp.logaddexp(-0.5 * (height / 0.35) ** 2, -0.5 * ((height + _bump(z1, xp)) / 0.35) ** 2)


def forked_wave(z: Any, xp: Any = np) -> Any:
    """U4: a wave that forks in two; z (..., 2), returns (...,).

    U4 = -log(exp(-((z2 - w1) / 0.4)^2 / 2) + exp(-((z2 - w1 + w3) / 0.35)^2 / 2))
    """
    z1, z2 = z[..., 0], z[..., 1]
    height = z2 - _wave(z1, xp)
    return -xp.logaddexp(-0.5 * (height / 0.4) ** 2, -0.5 * ((height + _ramp(z1, xp)) / 0.35) ** 2)
