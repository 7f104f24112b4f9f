"""From ResNets to ODEs: which trained net is refined, and what the comparison says. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_choice, check_whole

NETS = {
    "moons": "Two moons",
    "circles_augmented": "Two circles, one more dimension",
    "annulus_augmented": "Annulus, one more dimension",
    "two_spirals": "Two spirals, one more dimension",
    "sign_flip_augmented": "Sign flip, one more dimension",
}
"""Pre-trained checkpoints (`node_core.training.classifier.checkpoint.pretrained`) and what they are called."""

FIRST_DEPTH = 4
"""Layers that the page shows first."""

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
        check_choice("trained net", self.net, NETS)


@dataclass(frozen=True)
class DepthConfig:
    """One picture: the net's data through a ResNet of `layers` layers, or through the ODE-Net itself (0).

    Raises:
        ValueError: there is no such net, or layers is outside 0 to 200.
    """

    net: str = "moons"
    layers: int = 0

    def __post_init__(self) -> None:
        check_choice("trained net", self.net, NETS)
        check_whole("layers", self.layers, 0, DEPTHS[-1])


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
