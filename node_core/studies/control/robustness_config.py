"""What a controller still manages on a plant that is not the one it was made for. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole
from node_core.training.control.config import ControlConfig

Floats = NDArray[np.float64]
DELAY, NOISE = "delay", "noise"
VALUES: dict[str, tuple[float, ...]] = {
    DELAY: (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2),
    NOISE: (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
}
FACTORS = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5)
MAX_VALUES = 16


@dataclass(frozen=True)
class RobustnessConfig:
    """What is changed.

    Args:
        run: the training; its weights at its beginning, or those of a live run's state.
        what: "delay" (s), "noise" (over each state's scale), or the name of one of the plant's parameters.
        values: delays or noises; for a parameter factors of the run's own, values past its range are cut to it.
            () for the usual ones.
        starts: how many trials of each, 4 to 200.

    Raises:
        ValueError: an unknown name, or a value out of range.
    """

    run: ControlConfig = field(default_factory=lambda: ControlConfig(start="pendulum_swing_up"))
    what: str = "mass"
    values: tuple[float, ...] = ()
    starts: int = 50

    def __post_init__(self) -> None:
        names = choices(self.run)
        if self.what not in names:
            raise ValueError(f"what = {self.what!r}: choose one of {', '.join(names)}.")
        check_whole("starts", self.starts, 4, 200)
        if len(self.values) > MAX_VALUES:
            raise ValueError(f"{len(self.values)} values: give at most {MAX_VALUES}.")
        for value in self.values:
            check_number(self.what, value, 0, 10)

    @property
    def asked(self) -> tuple[float, ...]:
        """The values, or the usual ones."""
        return self.values or VALUES.get(self.what, FACTORS)

    @property
    def factors(self) -> bool:
        """Whether the values are factors of a parameter."""
        return self.what not in VALUES


def choices(run: ControlConfig) -> tuple[str, ...]:
    """What can be changed: the plant's parameters that are not zero by themselves, delay and noise."""
    plant = run.of_plant()
    values = plant.check(run.parameters)
    return (*(name for name, value in values.items() if value != 0), DELAY, NOISE)


@dataclass(frozen=True, eq=False)
class RobustnessResult:
    """What was found.

    Attributes:
        iteration: of the training.
        values: as they were used: delays (s), noises, or the parameter itself (values,).
        usual: the run's own value among them.
        names: "net", and "lqr" where the plant has one; both made for the plant as the run has it.
        success: share of starts that came to the target and stayed, (names, values).
    """

    config: RobustnessConfig
    iteration: int
    values: Floats
    usual: float
    names: tuple[str, ...]
    success: Floats
