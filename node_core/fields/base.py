"""What a vector field is, and the little that lets one formula serve NumPy arrays and torch tensors alike.

Nothing here imports torch: a tensor can only be given by somebody who has imported it already.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = Any
"""A NumPy array or a torch tensor (torch-free modules cannot name the second type)."""


@runtime_checkable
class VectorField(Protocol):
    """The right-hand side of dy/dt = f(t, y).

    `t` is a time (float or 0-d tensor; per-sample solvers pass (batch, 1)), `y` a state of shape (..., dim).
    The result has the shape and dtype of `y`. Any callable qualifies; `isinstance` only checks callability.
    """

    def __call__(self, t: Any, y: Array, /) -> Array:
        """Return dy/dt at (t, y), shaped like y."""
        ...


def namespace_of(y: Any) -> ModuleType:
    """The module whose functions apply to `y`: torch for a tensor, numpy for everything else.

    Never imports torch: it is looked up among the modules that are loaded already.
    """
    if isinstance(y, np.ndarray):
        return np
    torch = sys.modules.get("torch")
    # getattr: while `import torch` runs in another thread, the module is there before its Tensor
    tensor_type = getattr(torch, "Tensor", None)
    if torch is not None and tensor_type is not None and isinstance(y, tensor_type):
        return torch
    return np


def stack_last(xp: ModuleType, components: Sequence[Any], like: Array | None = None) -> Array:
    """Stack components along a new last axis: shapes (...,) -> (..., len(components)).

    Components may be plain numbers or broadcastable arrays. `like`, an array of shape (...,), gives the
    target shape, dtype and device; without it they come from the components together.
    """
    if xp is np:
        if like is None:
            return np.stack(np.broadcast_arrays(*components), axis=-1)
        out = np.empty((*np.shape(like), len(components)), dtype=np.asarray(like).dtype)
        for i, component in enumerate(components):
            out[..., i] = component
        return out
    tensor_type = xp.Tensor
    if like is None:
        like = next(c for c in components if isinstance(c, tensor_type))
        shape = xp.broadcast_shapes(*(c.shape for c in components if isinstance(c, tensor_type)))
    else:
        shape = like.shape
    full = [
        (c if c.shape == shape else c.expand(shape))
        if isinstance(c, tensor_type)
        else like.new_full(shape, float(c))
        for c in components
    ]
    stacked = xp.stack(full, -1)
    return stacked if stacked.dtype == like.dtype else stacked.to(like.dtype)


def tanh_of(xp: ModuleType, value: Any) -> Any:
    """Hyperbolic tangent of a float or an array: torch refuses plain numbers, and times often are."""
    return math.tanh(value) if isinstance(value, (int, float)) else xp.tanh(value)
