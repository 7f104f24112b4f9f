"""How much energy and time it takes: one start, steered by net, LQR and iLQR. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_whole
from node_core.training.control.config import ControlConfig

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EnergyConfig:
    """Whose paths are compared.

    Args:
        run: the training; its weights at its beginning, or those of a live run's state.
        iterations: of iLQR, 1 to 200.

    Raises:
        ValueError: a value is out of range.
    """

    run: ControlConfig = field(default_factory=lambda: ControlConfig(start="pendulum_swing_up"))
    iterations: int = 80

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, 1, 200)


@dataclass(frozen=True, eq=False)
class Way:
    """One way from the task's typical start.

    Attributes:
        name: "net", "lqr" or "ilqr".
        ts: (time,); x: (time, dim); u: (time, controls), iLQR's last one repeated.
        energy: of the plant along the way, (time,); None where it conserves none.
        effort: integral of sum_j (u_j / limit_j)^2 (s): how long the full control would have to be on.
        arrival: when it came to the target to stay (s); infinite if it did not.
        cost: J.
    """

    name: str
    ts: Floats
    x: Floats
    u: Floats
    energy: Floats | None
    effort: float
    arrival: float
    cost: float


@dataclass(frozen=True, eq=False)
class EnergyResult:
    """What was found.

    Attributes:
        iteration: of the training.
        level: the plant's energy at its target; None where it conserves none.
        ways: net, LQR where there is one, iLQR.
    """

    config: EnergyConfig
    iteration: int
    level: float | None
    ways: tuple[Way, ...]
