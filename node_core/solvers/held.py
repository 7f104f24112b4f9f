"""Derivatives by the tensors that a field holds, for a function that hands them over to autograd.

Such a function goes back to a tensor by a pass of its own, and then autograd goes on from there. What belongs to the
whole way back must not happen in both:

- To autograd a derivative by w goes through v = 2 w, too, and what it is handed for v goes on into w once more. So each
  derivative is that with the others held fixed, df/dw (v fixed) = df/dw - (dv/dw)^T df/dv.
- Hooks on a tensor (`register_hook`, to clip a gradient) and `retain_grad` are for its whole gradient, not for a part
  of it from one of many passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge

Edge = tuple[Node | None, int]


class Held:
    """Tensors that require gradients, and which of them are made of which."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tuple(tensors)
        behind = {j: _behind(p.grad_fn) for j, p in enumerate(self._tensors) if p.grad_fn is not None}
        edges = [_edge(p) for p in self._tensors] if behind else []
        made = [(i, [j for j in behind if edge in behind[j]]) for i, edge in enumerate(edges)]
        # More is made of a tensor than of anything made of it: so a derivative is corrected by correct ones.
        self._made = sorted(((i, js) for i, js in made if js), key=lambda pair: len(pair[1]))

    def derivatives(
        self,
        values: Tensor | Sequence[Tensor],
        inputs: Sequence[Tensor],
        cotangents: Tensor | Sequence[Tensor],
        *,
        create_graph: bool = False,
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Products of the cotangents with the derivatives of the values by `inputs`, and by each tensor alone.

        The graph is kept: tensors may be made of others outside of f, in a part of it that is gone through again.
        """
        with _quiet(self._tensors):
            found = torch.autograd.grad(
                values,
                (*inputs, *self._tensors),
                cotangents,
                retain_graph=True,
                create_graph=create_graph,
                materialize_grads=True,
            )
            alone = list(found[len(inputs) :])
            for i, js in self._made:
                outputs = [self._tensors[j] for j in js]
                (through,) = torch.autograd.grad(
                    outputs,
                    self._tensors[i],
                    [alone[j] for j in js],
                    retain_graph=True,
                    create_graph=create_graph,
                )
                alone[i] = alone[i] - through
        return found[: len(inputs)], alone


@contextmanager
def _quiet(tensors: Sequence[Tensor]) -> Iterator[None]:
    """No hooks of these tensors are called, and nothing is added to a gradient that they retain."""
    hooks = [(p._backward_hooks, dict(p._backward_hooks)) for p in tensors if p._backward_hooks]
    retained = [(p, p.grad) for p in tensors if p.retains_grad]
    for known, _ in hooks:
        known.clear()
    try:
        yield
    finally:
        for known, those in hooks:
            known.update(those)
        for p, grad in retained:
            p.grad = grad


def _edge(tensor: Tensor) -> Edge:
    edge = get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def _behind(node: Node) -> set[Edge]:
    """All that the outputs of an operation are made of."""
    found: set[Edge] = set()
    waiting: list[Edge] = [*node.next_functions]
    while waiting:
        edge = waiting.pop()
        if edge[0] is not None and edge not in found:
            found.add(edge)
            waiting += edge[0].next_functions
    return found
