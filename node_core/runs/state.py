"""What a training run carries from one chunk to the next: plain arrays, small, and picklable without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_core.runs.snapshot import Scalar

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Kept:
    """The dear part of a picture, which is not drawn in each chunk, but shown again until it is due.

    Args:
        arrays: as in a snapshot; empty where there is none.
        scalars: what goes with them.
        time: when it was finished (s).
        cost: what it took (s), also where nothing came of it.
    """

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scalars: Mapping[str, Scalar] = field(default_factory=dict)
    time: float = 0.0
    cost: float = 0.0

    @property
    def untried(self) -> bool:
        """Whether nobody has tried to draw it yet."""
        return not self.arrays and self.cost == 0

    def is_due(self, now: float, share: float) -> bool:
        """Whether it may be drawn again: it may take this share of the time, so only now and then."""
        elapsed = now - self.time
        # A clock that was set back must not stop the picture for good.
        return elapsed < 0 or self.cost <= share * elapsed


@dataclass(frozen=True)
class TrainState:
    """A run after `iteration` iterations.

    No generator is among it: what is random at iteration i is drawn from the pair (seed, i), so that a run is the
    same however it was cut into chunks, and a repeated chunk repeats.

    Args:
        iteration: iterations done.
        parameters: all weights, flat (float32).
        moment_1: Adam's mean of gradients, flat.
        moment_2: Adam's mean of squared gradients, flat.
        structure: digest of what the run's weights belong to.
        row: the last iteration's history row; empty before the first.
        arrays: what the last iteration left for the pictures until the next one, such as the solver's steps.
        kept: the last dear picture.
        begun: iterations that the weights had behind them when this run began; 0 for random ones.
        best: the lowest loss of its pictures so far.
        carried: what an iteration needs besides and no picture shows, such as the weights of a net that it learns from.
    """

    iteration: int
    parameters: Floats32
    moment_1: Floats32
    moment_2: Floats32
    structure: str
    row: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    kept: Kept = field(default_factory=Kept)
    begun: int = 0
    best: float = math.inf
    carried: Mapping[str, NDArray[Any]] = field(default_factory=dict)
