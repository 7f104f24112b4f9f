"""Measured memory and time of one training step, against depth and against evaluations. Loads no torch.

The paper says O(L) of a ResNet, O(L~) of backpropagation through a solver, O(1) of the adjoint: these are lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from node_core.gradients.names import GRADIENTS
from node_core.training.images.config import ImagesConfig

LAYERS = (1, 2, 4, 8, 16)
STEPS = (1, 2, 4, 8, 16)
MAX_MEASURED = 60
DENSE_BATCH = 1024
"""Images of a dense net's step: the states of fewer are smaller than what an allocator rounds up."""


@dataclass(frozen=True)
class MemoryConfig:
    """Whose step is measured; what is random in it is the batch, which has the size of the training's.

    Args:
        trains: 1 to 60 trainings (`depth_trains` and `nfe_trains` make series of them).

    Raises:
        ValueError: none, or too many.
    """

    trains: tuple[ImagesConfig, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.trains) <= MAX_MEASURED:
            raise ValueError(f"{len(self.trains)} trainings to measure: give 1 to {MAX_MEASURED}.")


@dataclass(frozen=True)
class MemoryResult:
    """In the order of `config.trains`, each (n,).

    Attributes:
        config: what was asked.
        mib: how much a process grew at most in its first training step (MiB): states, graph, gradients.
        seconds: processor time of a step.
        nfe: evaluations of the block, forward and backward.
    """

    config: MemoryConfig
    mib: NDArray[np.float64]
    seconds: NDArray[np.float64]
    nfe: NDArray[np.float64]


def depth_trains(train: ImagesConfig, layers: Sequence[int] = LAYERS) -> tuple[ImagesConfig, ...]:
    """ResNets of growing depth."""
    return tuple(replace(train, model="resnet", layers=count) for count in layers)


def nfe_trains(train: ImagesConfig, gradient: str, steps: Sequence[int] = STEPS) -> tuple[ImagesConfig, ...]:
    """ODE-Nets of one gradient mode that take more and more steps of Runge-Kutta 4, so that NFE = 4 steps is exact."""
    return tuple(
        replace(train, model="odenet", method="rk4", dt=1.0 / count, gradient=gradient) for count in steps
    )


def all_trains(train: ImagesConfig) -> dict[str, tuple[ImagesConfig, ...]]:
    """A series for the ResNet ("resnet") and one for every gradient mode, by its name."""
    return {"resnet": depth_trains(train)} | {mode: nfe_trains(train, mode) for mode in GRADIENTS}


def every_mode(train: ImagesConfig | None = None) -> MemoryConfig:
    """All series of `all_trains` in one question; by default of dense nets, on `DENSE_BATCH` images."""
    series = all_trains(ImagesConfig(batch=DENSE_BATCH) if train is None else train)
    return MemoryConfig(tuple(each for trains in series.values() for each in trains))
