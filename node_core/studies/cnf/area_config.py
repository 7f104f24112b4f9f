"""Why a trace is enough: what becomes of a small square that the flow carries for a moment. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole
from node_core.training.flow.config import PARTICLES, CNFConfig


@dataclass(frozen=True)
class AreaConfig:
    """Where the field is looked at.

    Args:
        run: the training of a continuous flow.
        particle: of those that a live picture shows, 0 to PARTICLES - 1.
        t: the time, 0 to run.t1.

    Raises:
        ValueError: a flow of layers, or a value out of range.
    """

    run: CNFConfig = field(default_factory=CNFConfig)
    particle: int = 0
    t: float = 0.5

    def __post_init__(self) -> None:
        if self.run.flow != "cnf":
            raise ValueError(f"flow = {self.run.flow!r} has no field in time: take flow = 'cnf'.")
        check_whole("particle", self.particle, 0, PARTICLES - 1)
        check_number("t", self.t, 0, self.run.t1)


@dataclass(frozen=True, eq=False)
class AreaResult:
    """What was found there.

    Attributes:
        iteration: of the training.
        z: where the particle is at that time, (2,).
        jacobian: J = df/dz at (t, z), (2, 2).
    """

    config: AreaConfig
    iteration: int
    z: NDArray[np.float64]
    jacobian: NDArray[np.float64]
