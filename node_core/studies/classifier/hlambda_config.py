"""The cloud of h lambda: where the learned field's eigenvalues, times the steps, lie on a stability region."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_whole
from node_core.studies.classifier.solver_swap_config import check_iterations, check_odenet
from node_core.training.classifier.config import TrainConfig


@dataclass(frozen=True)
class HLambdaConfig:
    """A learned field, and the points whose paths are followed.

    Args:
        train: the training, of an ODE-Net that classifies.
        iterations: of the training, 1 to 2000; ignored with a checkpoint.
        points: how many paths, 1 to 200.
        checkpoint: bytes of a trained run, which takes the place of `train`.

    Raises:
        ValueError: another model, or a number out of range.
    """

    train: TrainConfig = field(default_factory=TrainConfig)
    iterations: int = 100
    points: int = 60
    checkpoint: bytes | None = None

    def __post_init__(self) -> None:
        check_odenet(self.train)
        check_iterations(self.iterations)
        check_whole("points", self.points, 1, 200)


@dataclass(frozen=True)
class HLambdaResult:
    """The cloud: one number a step, point and eigenvalue.

    Attributes:
        method: the training's solver, on whose stability region the cloud lies.
        t: start of each accepted step, (steps,).
        dt: its length, (steps,).
        h_lambda: dt times the eigenvalues of df/dy at (t, y(t)), (steps, points, dim) complex.
        labels: classes of the points, (points,).
        largest: the largest |h lambda|.
    """

    method: str
    t: NDArray[np.float64]
    dt: NDArray[np.float64]
    h_lambda: NDArray[np.complex128]
    labels: NDArray[np.int64]
    largest: float
