"""A walk through autograd's graph: what a value depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor


def nodes_of(value: Tensor, stops: Sequence[Tensor] = ()) -> Iterator[Any]:
    """The operations that autograd would go back through from `value`, but for those that made `stops`."""
    queue, seen = [value.grad_fn], {None, *(p.grad_fn for p in stops)}
    while queue:
        node = queue.pop()
        if node not in seen:
            seen.add(node)
            yield node
            assert node is not None
            queue.extend(following for following, _ in node.next_functions)


def leaves_of(value: Tensor, stops: Sequence[Tensor] = ()) -> Iterator[Tensor]:
    """The leaves that autograd would go back to from `value`, but for those that lie behind `stops`."""
    for node in nodes_of(value, stops):
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            yield leaf
