"""What an MLPField computed in a solve, kept for the way back: no evaluation is made twice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from node_core.fields.mlp_stages import StageGroup, gradients_of, stages_together

if TYPE_CHECKING:
    from node_core.fields.mlp_compiled import CompiledMLP

TAPE_BYTES = 64_000_000


class MLPTape:
    """The evaluations of one solve on states (dim, n), in the order they were made, until they outgrow `TAPE_BYTES`.

    A value f(t, y) is recognised by its place in memory. So only values that were never freed may be asked for: those
    of the steps that the solve kept.
    """

    def __init__(self, field: "CompiledMLP", n: int) -> None:
        self.field = field
        self.size = stages_together(n)
        self.groups: list[StageGroup] = []
        self._n, self._count = n, 0
        rows = 2 * sum(w.shape[1] for w in field.affine)
        self._room = TAPE_BYTES // (rows * max(1, n) * field.affine[0].element_size())
        self._places: dict[int, int] = {}

    def write(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out`, both (dim, n)."""
        count = self._count
        place = out.data_ptr()
        if count >= self._room:
            self._places.pop(place, None)
            self.field.write(t, y, out)
            return
        if count % self.size == 0:
            self.groups.append(StageGroup(self.field, self.size, self._n))
        self.groups[-1].evaluate(count % self.size, t, y, out)
        self._places[place] = count
        self._count = count + 1

    def find(self, values: Sequence[Tensor | None]) -> list[int] | None:
        """The evaluations that made these values; None if one was not kept."""
        places = self._places
        found = [-1 if value is None else places.get(value.data_ptr(), -1) for value in values]
        return None if -1 in found else found

    def sweep(self) -> "TapeSweep":
        """A new way back; only the last one begun is good."""
        return TapeSweep(self)

    def __del__(self) -> None:
        for group in self.groups:
            group.release()


class TapeSweep:
    """A `WritingLinearization` (linearization.py) at the evaluations of a tape, on columns (dim, n)."""

    def __init__(self, tape: MLPTape) -> None:
        self._tape = tape
        for group in tape.groups:
            group.visited.clear()

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T df/dy at evaluation i, in `out` if given. Raises RuntimeError at its second cotangent."""
        tape = self._tape
        k, member = divmod(i, tape.size)
        group = tape.groups[k]
        if member in group.visited:
            raise RuntimeError(f"evaluation {i} already took its cotangent; begin another sweep.")
        return group.vjp(member, g, out)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta over the evaluations visited, in the parameters' order."""
        totals: list[Tensor] | None = None
        for group in self._tape.groups:
            totals = group.add_products(totals)
        field = self._tape.field
        return field.zero_gradients() if totals is None else tuple(gradients_of(field.activation, totals))
