"""What an MLPField computed in a solve, kept for the way back: no evaluation is made twice."""

from torch import Tensor

from node_core.fields.mlp.compiled import CompiledMLP
from node_core.fields.mlp.stages import StageGroup, gradients_of, stages_together
from node_core.fields.tape import Tape

TAPE_BYTES = 64_000_000


class MLPTape(Tape):
    """The evaluations of one solve on states (dim, n), until they outgrow `TAPE_BYTES`."""

    def __init__(self, field: CompiledMLP, n: int) -> None:
        rows = 2 * sum(w.shape[1] for w in field.affine)
        super().__init__(TAPE_BYTES // (rows * max(1, n) * field.affine[0].element_size()))
        self.field = field
        self.size = stages_together(n)
        self.groups: list[StageGroup] = []
        self._n = n

    def evaluate(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out`, both (dim, n)."""
        self.field.write(t, y, out)

    def keep(self, i: int, t: float, y: Tensor, out: Tensor) -> None:
        """The same, leaving the activations in a group."""
        k, member = divmod(i, self.size)
        if k == len(self.groups):
            self.groups.append(StageGroup(self.field, self.size, self._n))
        self.groups[k].evaluate(member, t, y, out)

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
