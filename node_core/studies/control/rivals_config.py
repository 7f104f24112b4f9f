"""The net, LQR and iLQR side by side, the farther from the target the start is. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole
from node_core.training.control.config import ControlConfig

Floats = NDArray[np.float64]
RIVALS = ("net", "lqr", "ilqr")


@dataclass(frozen=True)
class RivalsConfig:
    """Where they start.

    Args:
        run: the training; its weights at its beginning, or those of a live run's state.
        far: the farthest start, in multiples of the task's typical start (an offset from the target), up to 4.
        points: how many distances, 2 to 40; from each it starts on both sides of the target.
        iterations: of iLQR, 1 to 200.

    Raises:
        ValueError: a value is out of range.
    """

    run: ControlConfig = field(default_factory=lambda: ControlConfig(start="pendulum_swing_up"))
    far: float = 1.0
    points: int = 12
    iterations: int = 60

    def __post_init__(self) -> None:
        check_number("far", self.far, 0.01, 4)
        check_whole("points", self.points, 2, 40)
        check_whole("iterations", self.iterations, 1, 200)


@dataclass(frozen=True, eq=False)
class Rival:
    """How one of them did.

    Attributes:
        name: "net", "lqr" or "ilqr".
        success: share of both starts at each distance that came to the target and stayed, (points,).
        cost: mean of both, (points,); infinite where the plant was flung away.
    """

    name: str
    success: Floats
    cost: Floats


@dataclass(frozen=True, eq=False)
class RivalsResult:
    """What was found.

    Attributes:
        iteration: of the training.
        distances: of the starts from the target, in the units of the state that is off (rad, m), (points,).
        rivals: in the order of `RIVALS`; no LQR where the plant has none.
    """

    config: RivalsConfig
    iteration: int
    distances: Floats
    rivals: tuple[Rival, ...]
