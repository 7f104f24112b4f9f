"""What a solve computed, kept for its way back, and the memory for it.

The gradient of a solve asks for the field's derivatives at the very stages that the solve evaluated. Keeping their
activations saves the reverse sweep every forward product. Their memory comes from a pool that outlives the solve:
fresh memory costs as much in page faults as the products that fill it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

from torch import Tensor

from node_core.fields.linearization import Linearization
from node_core.fields.tape import Tape

TAPE_BYTES = 128_000_000
# Stages of small batches lie side by side, about so many columns of them: the reverse sweep sums over them in one go.
GROUP_COLUMNS = 512
_LARGEST_GROUP = 8
_POOLED_KINDS = 6
Kind = tuple[Any, ...]  # what tells blocks of memory apart: a name first


class Frame(Protocol):
    """Memory of some stages side by side."""

    bytes: int
    stages: list[Any]


F = TypeVar("F", bound=Frame)


class Pool:
    """Frames, or other blocks of memory, that no solve uses at present; at most `TAPE_BYTES` of a few kinds each."""

    def __init__(self) -> None:
        self._free: dict[Kind, list[Any]] = {}

    def __reduce__(self) -> tuple[type[Pool], tuple[()]]:
        """Copies and pickles leave the memory behind."""
        return Pool, ()

    def take(self, kind: Kind, make: Callable[[], Any]) -> Any:
        """A block of this kind, with whatever was left in it."""
        free = self._free.get(kind)
        return free.pop() if free else make()

    def give(self, kind: Kind, blocks: Sequence[Any]) -> None:
        """Take blocks back."""
        if kind not in self._free and len(self._free) >= _POOLED_KINDS:
            self._free.clear()
        free = self._free.setdefault(kind, [])
        if blocks:
            free += blocks[: max(0, TAPE_BYTES // blocks[0].bytes - len(free))]

    def blocks(self, name: str) -> list[Any]:
        """The free blocks whose kind begins with this name."""
        return [block for kind, free in self._free.items() for block in free if kind[0] == name]


class TapedFlow(Protocol[F]):
    """A compiled flow whose evaluations can be kept."""

    pool: Pool

    def kind(self, stages: int, n: int) -> Kind:
        """What tells frames for `stages` evaluations of n columns apart from others."""
        ...

    def make_frame(self, stages: int, n: int) -> F:
        """A new frame."""
        ...

    def write(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write the value at (t, y) into `out`, both (dim + 1, n)."""
        ...

    def evaluate(self, stage: Any, t: float, y: Tensor, out: Tensor) -> None:
        """The same, leaving the activations in a frame's stage."""
        ...

    def sweep(self, frames: Callable[[int], F], size: int, n: int) -> Linearization:
        """The way back through the stages of these frames, `size` stages of n columns each."""
        ...


class FlowTape(Tape, Generic[F]):
    """The evaluations of one solve on states (dim + 1, n), until they fill their memory.

    The memory goes back to the pool with the tape itself, which lives as long as the graph of the solve: until then the
    gradient may be asked for again.

    Args:
        flow: the field.
        n: columns of a state.
        size: how many evaluations share a frame.
        limit: most bytes to keep; `TAPE_BYTES` if None, and 0 keeps nothing.
    """

    def __init__(self, flow: TapedFlow[F], n: int, size: int, limit: int | None = None) -> None:
        self._flow, self._n, self._size = flow, n, size
        self._kind = flow.kind(self._size, n)
        self._frames: list[F] = [self._frame()]
        super().__init__((TAPE_BYTES if limit is None else limit) // self._frames[0].bytes * size)

    def evaluate(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write the value at (t, y) into `out`, both (dim + 1, n)."""
        self._flow.write(t, y, out)

    def keep(self, i: int, t: float, y: Tensor, out: Tensor) -> None:
        """The same, leaving the activations in a frame."""
        k, member = divmod(i, self._size)
        if k == len(self._frames):
            self._frames.append(self._frame())
        self._flow.evaluate(self._frames[k].stages[member], float(t), y, out)

    def sweep(self) -> Linearization:
        """A new way back, on columns (dim + 1, n)."""
        return self._flow.sweep(self._frames.__getitem__, self._size, self._n)

    def _frame(self) -> F:
        return cast(F, self._flow.pool.take(self._kind, lambda: self._flow.make_frame(self._size, self._n)))

    def __del__(self) -> None:
        """Give the memory back."""
        self._flow.pool.give(self._kind, self._frames)


class Rows:
    """A `Linearization` on columns (dim + 1, n) as one on rows (n, dim + 1)."""

    def __init__(self, inner: Linearization) -> None:
        self._inner = inner

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T df/dy at stage i, in `out` if given."""
        found = self._inner.vjp(i, g.T).T
        return found if out is None else out.copy_(found)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta."""
        return self._inner.parameter_gradients()


def stages_together(n: int) -> int:
    """How many stages of n columns share a frame."""
    return min(_LARGEST_GROUP, max(1, GROUP_COLUMNS // max(1, n)))
