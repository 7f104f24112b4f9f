"""Gradients that were taken at leaves, as functions of what the leaves stand for.

Autograd goes back from a value through all that it depends on: through a state into what the state was made of, too. A
derivative by parameters alone, with the state held fixed, is taken at a leaf with the state's value; `follow` then ties
the result to the state itself, so that it can be differentiated further, as often as one likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from node_core.solvers.held import Held


def follow(
    values: Sequence[Tensor], leaves: Sequence[Tensor], origins: Sequence[Tensor], held: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """`values`, computed under autograd from `leaves` and `held`, as functions of `origins` and `held`.

    Args:
        leaves: leaves with the values of the origins, one for each.
        held: the other tensors that the values depend on; of all others they are constants.
    """
    if not values:
        return ()
    followed: tuple[Tensor, ...] = _Follow.apply(tuple(values), tuple(leaves), *origins, *held)
    return followed


class _Follow(torch.autograd.Function):
    """(origins, held) -> values, differentiated at the leaves."""

    @staticmethod
    def forward(ctx: Any, values: tuple[Tensor, ...], leaves: tuple[Tensor, ...], *inputs: Tensor) -> Any:
        """The values, in memory of their own."""
        ctx.values, ctx.leaves = values, leaves
        ctx.save_for_backward(*inputs)
        return tuple(value.detach().clone() for value in values)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        """The derivatives at the leaves; where a graph is asked for, functions of the origins and cotangents again."""
        again, inputs, count = torch.is_grad_enabled(), ctx.saved_tensors, len(ctx.leaves)
        some = [(v, g) for v, g in zip(ctx.values, cotangents, strict=True) if v.requires_grad]
        if not some:
            return None, None, *[None] * len(inputs)
        values, wanted = zip(*some, strict=True)
        at = tuple(g.detach().requires_grad_(again) for g in wanted)
        # What wants no gradient cannot be differentiated by, and need not.
        leaves, held = (
            [x for x in ctx.leaves if x.requires_grad],
            [x for x in inputs[count:] if x.requires_grad],
        )
        by_leaves, by_held = Held(held).derivatives(values, leaves, at, create_graph=again)
        found = (*by_leaves, *by_held)
        if again:
            found = follow(found, (*ctx.leaves, *at), (*inputs[:count], *wanted), inputs[count:])
        given = iter(found)
        targets = (*ctx.leaves, *inputs[count:])
        return None, None, *(next(given) if target.requires_grad else None for target in targets)
