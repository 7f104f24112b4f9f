"""From ResNets to ODEs: which trained net is refined, and what the comparison says. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NETS = {
    "moons": "Two moons",
    "circles_augmented": "Two circles, one more dimension",
    "annulus_augmented": "Annulus, one more dimension",
    "two_spirals": "Two spirals, one more dimension",
    "sign_flip_augmented": "Sign flip, one more dimension",
}
"""Pre-trained checkpoints (`node_core.training.checkpoint.pretrained`) and what they are called."""

DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 200)
"""Numbers of layers L that are compared."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LimitConfig:
    """A trained ODE-Net, compared with the ResNets that share its block.

    Raises:
        ValueError: there is no such net.
    """

    net: str = "moons"

    def __post_init__(self) -> None:
        _check_net(self.net)


@dataclass(frozen=True)
class DepthConfig:
    """One picture: the net's data through a ResNet of `layers` layers, or through the ODE-Net itself (0).

    Raises:
        ValueError: there is no such net, or layers is outside 0 to 200.
    """

    net: str = "moons"
    layers: int = 0

    def __post_init__(self) -> None:
        _check_net(self.net)
        if not 0 <= self.layers <= DEPTHS[-1]:
            raise ValueError(
                f"layers = {self.layers}: choose 1 to {DEPTHS[-1]}, or 0 for the ODE-Net itself."
            )


@dataclass(frozen=True)
class LimitResult:
    """How the ResNets of L layers end, compared with the ODE.

    Args:
        config: what was asked.
        layers: L, (n,).
        error: mean over the points of |y_L - y(T)|, (n,).
        worst: the largest over the points, (n,).
        accuracy: share of points in their class, (n,).
        slope: fitted d log error / d log h over the deeper half (h = T / L); 1 in theory.
        ode_accuracy: of the ODE-Net.
        ode_nfe: evaluations of f by the ODE-Net's solver at its training tolerance.
        block: trainable numbers of one block.
        head: trainable numbers of the head.
    """

    config: LimitConfig
    layers: NDArray[np.int64]
    error: Floats
    worst: Floats
    accuracy: Floats
    slope: float
    ode_accuracy: float
    ode_nfe: int
    block: int
    head: int


def _check_net(net: str) -> None:
    if net not in NETS:
        raise ValueError(f"There is no trained net {net!r}: choose one of {', '.join(NETS)}.")
