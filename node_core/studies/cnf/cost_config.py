"""Trace against determinant: the question and its answer as plain values (no torch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_whole

MAX_DIM = 128
MAX_BATCH = 4096
WAYS = ("jacobian and determinant", "trace, closed form", "trace, autograd", "trace, Hutchinson")


@dataclass(frozen=True)
class CNFCostConfig:
    """What to measure: log |det J| and tr J of one MLP field as the dimension grows.

    Args:
        dims: increasing dimensions, each 2 to 128.
        batch: points at once, 1 to 4096.
        width: of the field's two hidden layers, 1 to 256.
        repeats: measurements a number, of which the least counts, 1 to 50.
        seed: of weights and points.

    Raises:
        ValueError: a value out of range.
    """

    dims: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    batch: int = 128
    width: int = 64
    repeats: int = 9
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.dims or any(not 2 <= dim <= MAX_DIM for dim in self.dims):
            raise ValueError(f"dims = {self.dims}: choose dimensions from 2 to {MAX_DIM}.")
        if list(self.dims) != sorted(set(self.dims)):
            raise ValueError(f"dims = {self.dims}: give them in increasing order, each once.")
        check_whole("batch", self.batch, 1, MAX_BATCH)
        check_whole("width", self.width, 1, 256)
        check_whole("repeats", self.repeats, 1, 50)


@dataclass(frozen=True)
class CNFCostResult:
    """What was measured.

    Attributes:
        dims: (k,) dimensions.
        seconds: for each of `WAYS` the processor time of a batch (s), the least of the repeats, (k,).
        slopes: for each the fitted exponent p of seconds ~ dim^p over the upper half of the dimensions.
        worst: the largest difference between the exact ways' traces, relative: they agree.
    """

    config: CNFCostConfig
    dims: NDArray[np.int64]
    seconds: dict[str, NDArray[np.float64]]
    slopes: dict[str, float]
    worst: float
