"""What a training run carries from one chunk to the next: plain arrays, small, and picklable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class TrainState:
    """A run after `iteration` iterations.

    No generator is among it: what is random at iteration i is drawn from the pair (seed, i), so that a run is the
    same however it was cut into chunks, and a repeated chunk repeats.

    Args:
        iteration: iterations done.
        parameters: all weights, flat, in the order of `parameter_shapes` (float32).
        moment_1: Adam's mean of gradients, flat.
        moment_2: Adam's mean of squared gradients, flat.
        structure: `config.structure` of the run it belongs to.
        row: the last iteration's history row; empty before the first.
        logs: the last iteration's step logs, forward and backward (name -> array, float32).
        grid: the last boundary picture (64, 64[, classes]), or None; it is not drawn anew in each chunk.
        grid_time: when the last picture was finished (s).
        grid_cost: what it took (s).
        frame: (xmin, xmax, ymin, ymax) of the last boundary picture, or None.
    """

    iteration: int
    parameters: Floats32
    moment_1: Floats32
    moment_2: Floats32
    structure: str
    row: Mapping[str, float] = field(default_factory=dict)
    logs: Mapping[str, Floats32] = field(default_factory=dict)
    grid: NDArray[np.uint8] | None = None
    grid_time: float = 0.0
    grid_cost: float = 0.0
    frame: tuple[float, float, float, float] | None = None
