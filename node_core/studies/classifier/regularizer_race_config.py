"""Regulariser race: the same training with different penalties. What to compute, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_choices, check_number
from node_core.data.dataset import DataConfig
from node_core.studies.classifier.solver_swap_config import check_iterations, check_odenet
from node_core.training.classifier.config import TrainConfig

LaneName = Literal["none", "kinetic", "jacobian", "steer"]
LANES: tuple[LaneName, ...] = ("none", "kinetic", "jacobian", "steer")


def race_training() -> TrainConfig:
    """Two circles in three dimensions, which every lane can separate."""
    return TrainConfig(data=DataConfig("circles", n=250), augment=1, batch=200)


@dataclass(frozen=True)
class RegularizerRaceConfig:
    """One training, run once a lane with the same seed; its own penalties are replaced by the lane's.

    Args:
        train: the training, of an ODE-Net that classifies.
        iterations: 1 to 2000 for each lane.
        lanes: which penalties race, each at most once.
        kinetic, jacobian: weights in their lanes.
        steer: b / t1 in the lane of random end times.
        rtol: at which all trained flows are solved for the comparison.

    Raises:
        ValueError: another model, no or repeated lanes, or a weight or tolerance out of range.
    """

    train: TrainConfig = field(default_factory=race_training)
    iterations: int = 100
    lanes: tuple[LaneName, ...] = LANES
    kinetic: float = 0.05
    jacobian: float = 0.02
    steer: float = 0.5
    rtol: float = 1e-5

    def __post_init__(self) -> None:
        check_odenet(self.train)
        check_iterations(self.iterations)
        check_choices("lane", self.lanes, LANES)
        check_number("rtol", self.rtol, 1e-6, 0.1)
        for lane in self.lanes:
            self.training(lane)  # refuses weights out of range with its own sentence

    def training(self, lane: LaneName) -> TrainConfig:
        """The training of one lane."""
        return replace(
            self.train,
            kinetic=self.kinetic if lane == "kinetic" else 0.0,
            jacobian=self.jacobian if lane == "jacobian" else 0.0,
            steer=self.steer if lane == "steer" else 0.0,
        )


@dataclass(frozen=True)
class RaceLane:
    """One training.

    Attributes:
        name: its penalty.
        iteration, loss, accuracy, nfe: its history, (iterations,); the loss without the penalty.
        final_loss, final_accuracy: on all points after the training.
        final_nfe: of the trained flow at the race's common tolerance.
        kinetic_energy, jacobian_norm: of the trained flow, whatever it was trained with.
        straightness: mean of displacement over length of the paths, 1 for straight lines.
        ts, paths: (time,), (time, n, dim) of some points; labels: their classes (n,).
        message: empty, or why the training stopped early.
    """

    name: LaneName
    iteration: NDArray[np.int64]
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    nfe: NDArray[np.float64]
    final_loss: float
    final_accuracy: float
    final_nfe: int
    kinetic_energy: float
    jacobian_norm: float
    straightness: float
    ts: NDArray[np.float64]
    paths: NDArray[np.float32]
    labels: NDArray[np.int64]
    message: str


@dataclass(frozen=True)
class RegularizerRaceResult:
    """The lanes, in the order of the configuration."""

    lanes: tuple[RaceLane, ...]
