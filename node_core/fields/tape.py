"""The evaluations that a solve made, kept for its way back: which value came from which of them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


class Tape:
    """The evaluations of one solve, numbered in the order they were made, until there is no more room.

    A value f(t, y) is recognised by its place in memory. So only values that were never freed may be asked for: those
    of the steps that the solve kept.

    Args:
        room: how many evaluations may be kept.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._count = 0
        self._places: dict[int, int] = {}

    def write(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out`, and keep what it took if there is room."""
        count, place = self._count, out.data_ptr()
        if count >= self._room:
            self._places.pop(place, None)
            self.evaluate(t, y, out)
            return
        self.keep(count, t, y, out)
        self._places[place] = count
        self._count = count + 1

    def find(self, values: Sequence[Tensor | None]) -> list[int] | None:
        """The numbers of the evaluations that made these values; None if one was not kept."""
        places = self._places
        found = [-1 if value is None else places.get(value.data_ptr(), -1) for value in values]
        return None if -1 in found else found

    def evaluate(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out` and keep nothing."""
        raise NotImplementedError

    def keep(self, i: int, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out` and keep it as evaluation i."""
        raise NotImplementedError
