"""An MLPField at one moment, as plain data."""

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor


class Snapshot(NamedTuple):
    """The shape of an MLPField, and a copy of its parameters, flat and in their order."""

    dim: int
    hidden: tuple[int, ...]
    activation: str
    time_dependent: bool
    flat: Tensor

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """The weight (out, in) and the bias of every layer, as views."""
        sizes, found, first = (self.dim + int(self.time_dependent), *self.hidden, self.dim), [], 0
        for fan_in, fan_out in pairwise(sizes):
            middle, last = first + fan_in * fan_out, first + fan_in * fan_out + fan_out
            found.append((self.flat[first:middle].view(fan_out, fan_in), self.flat[middle:last]))
            first = last
        return found
