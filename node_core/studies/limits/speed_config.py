"""What it takes several nets to learn the same, asked and answered. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_choice, check_number, check_whole
from node_core.data.dataset import DataConfig
from node_core.training.classifier.config import TrainConfig
from node_core.training.images.config import ImagesConfig

Floats = NDArray[np.float64]
Task = Literal["rings", "digits"]
LABELS = {
    "mlp": "MLP",
    "resnet": "ResNet",
    "odenet": "ODE-Net",
    "kinetic": "ODE-Net, kinetic energy penalised",
    "jacobian": "ODE-Net, Jacobian penalised",
    "loose": "ODE-Net, loose tolerance",
}
"""The nets that learn the same, and what pictures call them."""
REMEDIES = {"rings": ("loose", "kinetic", "jacobian"), "digits": ("loose",)}
NETS = ("mlp", "resnet", "odenet")


@dataclass(frozen=True)
class SpeedConfig:
    """Several nets learn the same task; time and evaluations are counted, iteration by iteration.

    Args:
        task: "rings" (two circles in the plane) or "digits" (scikit-learn's, 8 x 8 pixels).
        target: share of points (of the training; of digits: test images) that counts as learned, 0.5 to 1.
        iterations: of every net, 1 to 1000.
        rtol: tolerance of the ODE-Net; loose: of its lane with a loose one.
        kinetic, jacobian: weights of the penalties in their lanes.
        seed: of weights, batches and points.

    Raises:
        ValueError: an unknown task, or a number out of range.
    """

    task: Task = "rings"
    target: float = 0.97
    iterations: int = 150
    rtol: float = 1e-3
    loose: float = 0.1
    kinetic: float = 0.05
    jacobian: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("task", self.task, get_args(Task))
        check_number("target", self.target, 0.5, 1.0)
        check_whole("iterations", self.iterations, 1, 1000)
        check_number("kinetic", self.kinetic, 0, 100)
        check_number("jacobian", self.jacobian, 0, 100)
        for rtol in (self.rtol, self.loose):
            check_number("rtol", rtol, 1e-6, 0.5)

    @property
    def lanes(self) -> tuple[str, ...]:
        """Keys of `LABELS`: the nets, then the remedies."""
        return (*NETS, *REMEDIES[self.task])

    def tolerance(self, lane: str) -> float:
        """At which a lane is solved."""
        return self.loose if lane == "loose" else self.rtol

    def points(self, lane: str) -> TrainConfig:
        """The training of a lane on the rings; the MLP's is without a solver and stands nowhere else."""
        rtol, data = self.tolerance(lane), DataConfig("circles", 300, 0.05, self.seed)
        train = TrainConfig(data=data, batch=300, rtol=rtol, atol=rtol, seed=self.seed)
        if lane == "resnet":
            return replace(train, model="resnet", layers=3)
        return replace(
            train,
            kinetic=self.kinetic if lane == "kinetic" else 0.0,
            jacobian=self.jacobian if lane == "jacobian" else 0.0,
        )

    def images(self, lane: str) -> ImagesConfig:
        """The training of a lane on the digits."""
        rtol = self.tolerance(lane)
        train = ImagesConfig(iterations=self.iterations, seed=self.seed, rtol=rtol, atol=rtol)
        return replace(train, model="odenet" if lane == "loose" else lane)  # type: ignore[arg-type]


def digits() -> SpeedConfig:
    """The digits, as the lesson Architectures trains them: 40 epochs."""
    return SpeedConfig("digits", iterations=440)


@dataclass(frozen=True)
class SpeedLane:
    """One net while it learns.

    Attributes:
        name: key of `LABELS`.
        parameters: trainable numbers.
        iteration: where it was judged, (n,).
        seconds: processor time of the training until there, (n,).
        accuracy: share that is right there, (n,).
        nfe: evaluations of f forward in every iteration, (iterations,); a layer counts as one.
        message: empty, or why the training stopped early.
    """

    name: str
    parameters: int
    iteration: NDArray[np.int64]
    seconds: Floats
    accuracy: Floats
    nfe: Floats
    message: str = ""

    def reached(self, target: float) -> int | None:
        """Index of the first judgement at the target or above; None if there is none."""
        there = np.flatnonzero(self.accuracy >= target)
        return int(there[0]) if there.size else None


@dataclass(frozen=True)
class SpeedResult:
    """The lanes of a `SpeedConfig`; `judged` points or images were judged each time."""

    config: SpeedConfig
    lanes: tuple[SpeedLane, ...]
    judged: int

    def lane(self, name: str) -> SpeedLane:
        """The lane of this name."""
        return next(lane for lane in self.lanes if lane.name == name)
