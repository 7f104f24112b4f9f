"""What is to be solved and how: the checked form of odeint's arguments, which every gradient mode gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from node_core.solvers.controllers import Controller
from node_core.solvers.loop import Limits
from node_core.solvers.methods import Method
from node_core.solvers.step import Field


@dataclass(frozen=True)
class Settings:
    """How to solve: method, tolerances, step sizes and limits."""

    method: Method
    rtol: float = 1e-6
    atol: float = 1e-6
    controller: Controller | None = None
    dt: float | None = None
    dt0: float | None = None
    limits: Limits = field(default_factory=Limits)
    jacobian: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Problem:
    """dy/dt = f(t, y), y(ts[0]) = y0, with the parameters that f is differentiated by.

    Attributes:
        f: the user's field.
        y0: initial state, any shape.
        ts: output times, strictly monotone.
        params: tensors that f depends on and that want a gradient.
        settings: how to solve it.
    """

    f: Field
    y0: Tensor
    ts: tuple[float, ...]
    params: tuple[Tensor, ...]
    settings: Settings


class TensorTime:
    """A field that expects t as a tensor, as one that takes a float.

    The library's own fields take floats as they are (`accepts_float_time`): a 0-d tensor costs as much as a small f.
    """

    accepts_float_time = True

    def __init__(self, f: Field, like: Tensor) -> None:
        self._f, self._like = f, like
        self.autonomous = bool(getattr(f, "autonomous", False))
        own = getattr(f, "jacobian", None)
        if callable(own):
            self.jacobian = lambda t, y: own(self._tensor(t), y)

    def __call__(self, t: Any, y: Tensor) -> Any:
        """Return f(t, y)."""
        return self._f(self._tensor(t), y)

    def _tensor(self, t: Any) -> Tensor:
        return (
            t if isinstance(t, Tensor) else torch.tensor(t, dtype=self._like.dtype, device=self._like.device)
        )


class CountedField:
    """Calls a field, counts the calls exactly, and checks the first result.

    Raises:
        ValueError: f returned no tensor, or one of another shape, type or device than the state.
    """

    def __init__(self, f: Field, like: Tensor) -> None:
        self._f, self._like = f, like
        self._write = getattr(f, "write", None)
        self._checked = False
        self.nfe = 0

    def write(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out`, outside of autograd; without a copy where the field can."""
        if self._checked and self._write is not None:
            self.nfe += 1
            self._write(t, y, out)
        else:
            out.copy_(self(t, y))

    def __call__(self, t: float, y: Tensor) -> Tensor:
        """Return f(t, y)."""
        self.nfe += 1
        if self._checked:
            return cast(Tensor, self._f(t, y))
        try:
            dy = self._f(t, y)
        except RuntimeError as error:
            # torch names neither of the two types in the words of whoever called.
            if "dtype" not in str(error):
                raise
            raise ValueError(
                f"f(t, y) cannot take a state of {y.dtype} ({error}): give both one type, for example with "
                "f.double() or y0.float()"
            ) from error
        self._check(dy)
        self._checked = True
        return cast(Tensor, dy)

    def expect(self, like: Tensor) -> None:
        """Check the next result against another state: fewer rows of a batch."""
        self._like = like

    def _check(self, dy: object) -> None:
        like = self._like
        if not isinstance(dy, Tensor):
            raise ValueError(
                f"f(t, y) returned {type(dy).__name__}, not a tensor: return dy/dt as a tensor like y"
            )
        if dy.shape != like.shape:
            raise ValueError(
                f"f(t, y) returned shape {tuple(dy.shape)} for a state of shape {tuple(like.shape)}: "
                "dy/dt must have the shape of y"
            )
        if dy.device != like.device:
            raise ValueError(
                f"f(t, y) returned a tensor on {dy.device} for a state on {like.device}: move the field's "
                f"parameters with f.to({str(like.device)!r})"
            )
        if dy.dtype != like.dtype:
            raise ValueError(
                f"f(t, y) returned {dy.dtype} for a state of {like.dtype}: give both one type, for example with "
                "f.double() or y0.float()"
            )
