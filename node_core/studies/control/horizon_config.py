"""Why a long horizon fails at first: the same training with a fixed horizon and with one that grows. Loads no torch.

The gradient of a trial of length T carries products of Jacobians over T: where the plant is unstable and the policy
bad, it grows like exp(lambda T), points nowhere useful, and clipping keeps its direction. A short trial has a gradient
that means something; once it is steered, a longer one has, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_whole
from node_core.training.control.config import CURRICULA, ControlConfig

Floats = NDArray[np.float64]


def balance() -> ControlConfig:
    """A cart-pole that is to be balanced for 3 s."""
    return ControlConfig("cart_pole", "balance", limit=10.0, horizon=3.0)


@dataclass(frozen=True)
class HorizonConfig:
    """Which training is done twice.

    Args:
        run: the training; its curriculum is ignored, it begins with random weights.
        iterations: of both, 10 to 1000.
        looks: how often each is judged, 2 to 50.

    Raises:
        ValueError: a value is out of range.
    """

    run: ControlConfig = field(default_factory=balance)
    iterations: int = 250
    looks: int = 10

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, 10, 1000)
        check_whole("looks", self.looks, 2, 50)


@dataclass(frozen=True, eq=False)
class Course:
    """How a training went.

    Attributes:
        curriculum: "fixed" or "growing".
        iteration, horizon, loss, gradient_norm: (iterations,), the norm before clipping.
        looked, success: at which iterations it was judged, and the share of held-out starts that succeeded, (looks,).
        seconds: processor time.
        failed: why it stopped before the end; "" if it did not.
    """

    curriculum: str
    iteration: Floats
    horizon: Floats
    loss: Floats
    gradient_norm: Floats
    looked: Floats
    success: Floats
    seconds: float
    failed: str = ""


@dataclass(frozen=True, eq=False)
class HorizonResult:
    """Both courses, in the order of `CURRICULA`."""

    config: HorizonConfig
    courses: tuple[Course, ...]


__all__ = ["CURRICULA", "Course", "HorizonConfig", "HorizonResult", "balance"]
