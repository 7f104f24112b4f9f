"""How wrong each gradient mode is as trials get longer: what to compute, and what comes out. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_choices, check_number, check_whole
from node_core.gradients.names import GRADIENTS
from node_core.studies.control.horizon_config import balance
from node_core.training.control.config import MAX_HORIZON, ControlConfig

Floats = NDArray[np.float64]
MODES = ("backprop", "adjoint", "interpolated")
MAX_HORIZONS = 16


@dataclass(frozen=True)
class GradientConfig:
    """Where gradients are compared.

    Args:
        run: the training; its weights at its beginning, or those of a live run's state.
        modes: gradient modes.
        horizons: lengths of the trials (s), increasing.
        batch: starts whose mean cost is differentiated, 1 to 64.

    Raises:
        ValueError: an unknown mode, horizons that do not increase or are too many, or a value out of range.
    """

    run: ControlConfig = field(default_factory=balance)
    modes: tuple[str, ...] = MODES
    horizons: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0)
    batch: int = 16

    def __post_init__(self) -> None:
        check_choices("mode", self.modes, GRADIENTS)
        check_whole("batch", self.batch, 1, 64)
        if not 2 <= len(self.horizons) <= MAX_HORIZONS or list(self.horizons) != sorted(set(self.horizons)):
            raise ValueError(f"horizons = {self.horizons}: give 2 to {MAX_HORIZONS}, increasing.")
        for horizon in self.horizons:
            check_number("horizon", horizon, 0, MAX_HORIZON, above=True)


@dataclass(frozen=True, eq=False)
class GradientResult:
    """What was found.

    Attributes:
        iteration: of the training.
        norm: of the true gradient (a solve at 1e-9 in double precision) at each horizon, (horizons,).
        error: |g - true| / |true| of each mode at the run's own tolerance, (modes, horizons); NaN where it gave up.
        nfe: evaluations forward and backward, (modes, horizons); NaN where it gave up.
    """

    config: GradientConfig
    iteration: int
    norm: Floats
    error: Floats
    nfe: Floats
