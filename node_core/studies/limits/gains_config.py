"""What continuous depth buys, asked and answered. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GainsConfig:
    """What continuous depth buys, measured on a net that was trained beforehand.

    Args:
        net: a checkpoint of the lesson ODE-Net.
        rtol: of the solves, 1e-6 to 0.1.
        times: between the steps at which the state is asked for, 10 to 1000.

    Raises:
        ValueError: a number out of range; there is no such net (when it is run).
    """

    net: str = "circles"
    rtol: float = 1e-3
    times: int = 200

    def __post_init__(self) -> None:
        check_number("rtol", self.rtol, 1e-6, 0.1)
        check_whole("times", self.times, 10, 1000)


@dataclass(frozen=True)
class GainsResult:
    """Measured on all points of the net's data.

    Attributes:
        error, error_end: largest error of the state at `config.times` times between the steps, and at the end, over the
            points and relative to the farthest state.
        nfe: evaluations of the solve; nfe_asked: of the same solve when all those times are asked for.
        least, most: steps of the cheapest and the dearest point, each with steps of its own.
        rtols, nfes, accuracies: the dial: the same weights, solved at other tolerances, (k,).
    """

    config: GainsConfig
    error: float
    error_end: float
    nfe: int
    nfe_asked: int
    least: int
    most: int
    rtols: Floats
    nfes: NDArray[np.int64]
    accuracies: Floats
