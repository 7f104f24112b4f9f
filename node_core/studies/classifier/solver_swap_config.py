"""Solver swap: train with one solver, judge the same weights with others. What to compute, and what comes out.

A net trained with coarse Euler steps learns a map that only this coarse solver gives: with a finer one its accuracy
falls, so what was learned was never the flow of an ODE (Ott, Katiyar, Hennig and Tiemann, "ResNet after all: neural
ODEs and their numerical solution", ICLR 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from node_core.checks import check_number, check_whole
from node_core.data.dataset import DataConfig
from node_core.solvers.methods import METHODS
from node_core.training.classifier.config import TrainConfig
from node_core.training.limits import MAX_FIXED_STEPS

Verdict = Literal["ode", "not an ode"]

MAX_ENTRIES = 40
SWAPPED = ("euler", "midpoint", "rk4")


def coarse_training() -> TrainConfig:
    """Two circles, trained with two Euler steps: too coarse to be the flow of anything."""
    return TrainConfig(data=DataConfig("circles", n=300), method="euler", dt=0.5, t1=1.0)


@dataclass(frozen=True)
class SolverSwapConfig:
    """Which training, and with which solvers to judge it.

    Args:
        train: the training, of an ODE-Net that classifies; its `method` and `dt` are those under test.
        iterations: of the training, 1 to 2000; ignored with a checkpoint.
        methods: fixed-step explicit methods to judge with.
        dts: their steps, each at most t1.
        checkpoint: bytes of a trained run (see `node_core.training.classifier.checkpoint`) to judge instead; its own
            configuration takes the place of `train`.

    Raises:
        ValueError: another model, an unknown or adaptive method, a step out of range, or too many combinations.
    """

    train: TrainConfig = field(default_factory=coarse_training)
    iterations: int = 200
    methods: tuple[str, ...] = SWAPPED
    dts: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
    checkpoint: bytes | None = None

    def __post_init__(self) -> None:
        check_odenet(self.train)
        check_iterations(self.iterations)
        for name in self.methods:
            if name not in METHODS or METHODS[name].adaptive or METHODS[name].family != "explicit":
                raise ValueError(
                    f"method {name!r}: compare fixed-step explicit methods such as {', '.join(SWAPPED)}."
                )
        for dt in self.dts:
            check_number("dt", dt, self.train.t1 / MAX_FIXED_STEPS, self.train.t1)
        if not 1 <= len(self.methods) * len(self.dts) <= MAX_ENTRIES:
            raise ValueError(
                f"{len(self.methods)} methods times {len(self.dts)} steps: choose 1 to {MAX_ENTRIES} combinations."
            )


@dataclass(frozen=True)
class SwapEntry:
    """How the weights do with one solver.

    Attributes:
        method: its name.
        dt: its step; None for the reference, which chooses its own.
        accuracy, loss: on training and test points together.
        nfe: function evaluations.
        error: root mean square difference of the final states from the reference's.
    """

    method: str
    dt: float | None
    accuracy: float
    loss: float
    nfe: int
    error: float


@dataclass(frozen=True)
class SolverSwapResult:
    """The table.

    Attributes:
        trained: the solver of the training, judged.
        reference: dopri5 with tolerance 1e-5: the ODE's own answer.
        entries: one a method and step.
        verdict: "ode" if the accuracy with the training's solver and step is that of the reference (within 2 points, up
            or down), else "not an ode". That every solver agrees as h falls says nothing: it holds for any smooth f.
        sentence: the verdict for people.
    """

    trained: SwapEntry
    reference: SwapEntry
    entries: tuple[SwapEntry, ...]
    verdict: Verdict
    sentence: str


def check_odenet(config: TrainConfig) -> None:
    """Refuse what is no classifying ODE-Net.

    Raises:
        ValueError: another model or loss.
    """
    if config.model != "odenet" or config.loss != "cross_entropy":
        raise ValueError(
            f"a {config.model} with loss {config.loss!r}: this study needs an ODE-Net that classifies."
        )


def check_iterations(iterations: int) -> None:
    """Refuse a training that is too long to wait for.

    Raises:
        ValueError: outside 1 to 2000.
    """
    check_whole("iterations", iterations, 1, 2000)
