"""Feature-major layout: the logical shape stays (..., dim), the memory is (dim, batch)."""

import torch
from torch import Tensor


def as_feature_major(y: Tensor) -> Tensor:
    """Same values and shape as y (..., dim), each feature contiguous: strides (1, batch) for (batch, dim).

    MLPField takes any layout and answers in this one; a solver that starts from it stays in it.
    """
    return y.movedim(-1, 0).contiguous().movedim(0, -1)


def to_columns(y: Tensor) -> Tensor:
    """(..., dim) -> (dim, n), a view wherever the strides allow one."""
    return y.T if y.dim() == 2 else y.movedim(-1, 0).reshape(y.shape[-1], -1)


def from_columns(columns: Tensor, shape: torch.Size) -> Tensor:
    """(dim, n) -> `shape` = (..., dim), a view (feature-major in memory)."""
    if len(shape) == 2:
        return columns.T
    return columns.view(columns.shape[0], *shape[:-1]).movedim(0, -1)


def workspace(like: Tensor, rows: int, n: int) -> Tensor:
    """Uninitialised (rows, n) of `like`'s kind, rows apart by no multiple of 2 KiB.

    At such distances (n = 512, 1024, ... in float32) the rows of a column share a few sets of the first-level
    cache and evict each other: the first product of a 2-64 layer at n = 1024 takes 50 us instead of 13.
    """
    size = like.element_size()
    padding = 128 // size if n * size % 2048 == 0 else 0
    return like.new_empty(rows, n + padding)[:, :n]
