"""Whether the rows of a batch influence each other, found out by products instead of assumed.

With c_b a random cotangent of row b, the product sum_b c_b^T df_b/dy has at row b nothing but c_b^T df_b/dy_b where the
rows are independent. So one backward pass beside those that make the blocks df_b/dy_b tells a coupling from none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from node_core.solvers.tableaus.algebra import algebra_of


def block_counts(shape: Sequence[int]) -> list[int]:
    """Into how many equal blocks a state may fall, finest first: its rows (..., dim), what holds rows, ..., the whole.

    Where the whole needs no more products than blocks and their check do, there is nothing to gain from blocks.
    """
    n = math.prod(shape)
    counts = {math.prod(shape[:k]): None for k in range(len(shape) - 1, -1, -1)}
    return [count for count in counts if count == 1 or n // count + 1 < n]


def are_independent(out: Tensor, point: Tensor, blocks: Tensor) -> bool:
    """Whether out = f(point) has no derivatives but `blocks`, shape (count, m, m); keeps the graph of `out`.

    A product that differs by more than some rounding is not believed at once: then cotangents of zero must give
    derivatives of exactly zero.
    """
    count, m, _ = blocks.shape
    blocks = blocks.detach()
    probe = algebra_of(point).probe(point).view(count, m)
    product = _products(out, point, probe)
    rounding = 1e3 * torch.finfo(point.dtype).eps
    expected = (probe.unsqueeze(1) @ blocks).squeeze(1)
    scale = (probe.abs().unsqueeze(1) @ blocks.abs()).squeeze(1)
    if not bool(((product - expected).abs() > rounding * scale).any()):
        return True
    rows = torch.arange(count, device=point.device)
    for bit in range((count - 1).bit_length()):
        chosen = (rows >> bit) % 2 == 1
        for some in (chosen, ~chosen):
            found = _products(out, point, probe * some.unsqueeze(1))
            # Zero times an infinite derivative is NaN, and tells nothing.
            if bool((found[~some].nan_to_num(0.0) != 0).any()):
                return False
    return True


def _products(out: Tensor, point: Tensor, cotangents: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(
        out, point, cotangents.view(out.shape), retain_graph=True, materialize_grads=True
    )
    return found.reshape(cotangents.shape)
