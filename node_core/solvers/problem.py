"""What is to be solved and how: the checked form of odeint's arguments, which every gradient mode gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from node_core.fields.own import is_autonomous, own_method
from node_core.solvers.controllers import Controller
from node_core.solvers.field_clock import FieldClock
from node_core.solvers.loop import Limits
from node_core.solvers.methods import Method
from node_core.solvers.results import evaluate, kind_of
from node_core.solvers.steppers.step import Field


@dataclass(frozen=True)
class Settings:
    """How to solve: method, tolerances, step sizes, limits, and the relative spacing of the times that f can tell."""

    method: Method
    rtol: float = 1e-6
    atol: float = 1e-6
    controller: Controller | None = None
    dt: float | None = None
    dt0: float | None = None
    max_step: float = math.inf
    limits: Limits = field(default_factory=Limits)
    jacobian: Callable[..., Any] | None = None
    time_epsilon: float = 2.220446049250313e-16


@dataclass(frozen=True)
class Problem:
    """dy/dt = f(t, y), y(ts[0]) = y0, with the parameters that f is differentiated by.

    Attributes:
        f: the user's field.
        y0: initial state, any shape.
        ts: output times, strictly monotone.
        params: tensors that f depends on and that want a gradient.
        settings: how to solve it.
        clock: what f is asked by, where f jumps; f knows it (see `TimedField`).
    """

    f: Field
    y0: Tensor
    ts: tuple[float, ...]
    params: tuple[Tensor, ...]
    settings: Settings
    clock: FieldClock | None = None


class TensorTime:
    """A field that expects t as a tensor, as one that takes a float.

    The library's own fields take floats as they are (`accepts_float_time`): a 0-d tensor costs as much as a small f.

    Args:
        dtype: the type of that tensor; the state's if None.

    Attributes:
        field: the field itself, for whoever has the time as a tensor.
    """

    accepts_float_time = True

    def __init__(self, f: Field, like: Tensor, dtype: torch.dtype | None = None) -> None:
        self.field, self.dtype, self._device = f, dtype or like.dtype, like.device
        self.autonomous = is_autonomous(f)
        own = own_method(f, "jacobian")
        if own is not None:
            self.jacobian = lambda t, y: own(self._tensor(t), y)

    def __call__(self, t: Any, y: Tensor) -> Any:
        """Return f(t, y)."""
        return self.field(self._tensor(t), y)

    def _tensor(self, t: Any) -> Tensor:
        return t if isinstance(t, Tensor) else torch.tensor(t, dtype=self.dtype, device=self._device)


def field_clock(jumps: Sequence[float], dtype: torch.dtype) -> FieldClock:
    """The clock of a field that jumps at these increasing times and is asked at times of this type.

    Raises:
        ValueError: two jumps that the type cannot tell apart.
    """
    below, above = ([_neighbour(t, dtype, end) for t in jumps] for end in (-math.inf, math.inf))
    for i, (after, before) in enumerate(zip(above, below[1:], strict=False)):
        if after > before:
            raise ValueError(
                f"jumps holds {jumps[i]!r} and {jumps[i + 1]!r}, which {dtype} cannot tell apart: give y0 more digits "
                "with y0.double(), count time from nearer by, or join the two"
            )
    return FieldClock(jumps, below, above)


def _neighbour(t: float, dtype: torch.dtype, end: float) -> float:
    """The number next to t towards `end` that a time of this type can hold, apart from t itself in that type."""
    return float(torch.nextafter(torch.tensor(t, dtype=dtype), torch.tensor(end, dtype=dtype)))


class CountedField:
    """Calls a field, counts the calls exactly, checks every result, and owns what it returns.

    A field may return the same tensor again and again, or y itself: what a solver keeps of it must not change with the
    next call. So every result is a copy, but for the library's compiled fields, which make a new tensor each time.

    Raises:
        ValueError: f returned no tensor, or one of another shape, type or device than the state, or wrote into y.
    """

    def __init__(self, f: Field, like: Tensor) -> None:
        self._f = f
        self._write = getattr(f, "write", None)
        self._checked = False
        self.nfe = 0
        self.expect(like)

    def write(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out`, outside of autograd; without a copy where the field can."""
        if self._checked and self._write is not None:
            self.nfe += 1
            self._write(t, y, out)
        else:
            out.copy_(self.lend(t, y))

    def __call__(self, t: float | Tensor, y: Tensor) -> Tensor:
        """Return f(t, y), in memory of its own."""
        dy = self.lend(t, y)
        return dy if self._write is not None else dy.clone()

    def lend(self, t: float | Tensor, y: Tensor) -> Tensor:
        """Return f(t, y), which may change with the next call: for who has done with it before that."""
        self.nfe += 1
        dy = evaluate(self._f, t, y, self._kind)
        self._checked = True
        return dy

    def expect(self, like: Tensor) -> None:
        """Check the next results against another state: fewer rows of a batch."""
        self._kind = kind_of(like)
