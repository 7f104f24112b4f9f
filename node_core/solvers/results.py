"""The one way in which a user's field is called on tensors: what it returns is checked, every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

Kind = tuple[torch.Size, torch.dtype, torch.device]


def kind_of(y: Tensor) -> Kind:
    """Shape, type and device: what a result of f has in common with the state."""
    return y.shape, y.dtype, y.device


def evaluate(f: Callable[[Any, Tensor], Any], t: Any, y: Tensor, kind: Kind) -> Tensor:
    """Return f(t, y), if it is of this kind.

    Raises:
        ValueError: f returned no tensor, or one of another shape, type or device, or wrote into y.
    """
    before = version(y)
    try:
        dy = f(t, y)
    except RuntimeError as error:
        # torch names neither of the two types in the words of whoever called.
        if "dtype" not in str(error):
            raise
        raise ValueError(
            f"f(t, y) cannot take a state of {y.dtype} ({error}): give both one type, for example with f.double() or "
            "y0.float()"
        ) from error
    if not isinstance(dy, Tensor) or kind_of(dy) != kind:
        raise ValueError(_misfit(dy, *kind))
    if version(y) != before:
        raise ValueError(
            "f(t, y) changed y in place, but the solver goes on from that very y: make a new tensor, for example begin "
            "with y = y.clone()"
        )
    return dy


def version(y: Tensor) -> int:
    """How often y was written to, by whatever name; 0 where torch does not count (inference mode)."""
    return 0 if y.is_inference() else y._version


def is_the_same(known: Any, now: Any) -> bool:
    """Whether a result of f is that of an earlier call with the same t and y, up to the order of its sums."""
    apart, size = abs(now - known).max(), abs(known).max()
    unit = 100.0 * (torch.finfo(now.dtype).eps if isinstance(now, Tensor) else np.finfo(now.dtype).eps)
    return not bool(apart > unit * size)


def _misfit(dy: object, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> str:
    """What is wrong with a result of f for a state of this kind."""
    if not isinstance(dy, Tensor):
        return f"f(t, y) returned {type(dy).__name__}, not a tensor: return dy/dt as a tensor like y"
    if dy.shape != shape:
        return (
            f"f(t, y) returned shape {tuple(dy.shape)} for a state of shape {tuple(shape)}: dy/dt must have the shape "
            "of y"
        )
    if dy.device != device:
        return (
            f"f(t, y) returned a tensor on {dy.device} for a state on {device}: move the field's parameters with "
            f"f.to({str(device)!r})"
        )
    return (
        f"f(t, y) returned {dy.dtype} for a state of {dtype}: give both one type, for example with f.double() or "
        "y0.float()"
    )
