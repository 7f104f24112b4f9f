"""One look at a field that autograd will not see: what f(t0, y0) depends on, and whether it stays what it is.

A mode that hides its solve from autograd hands out gradients for y0 and the parameters that it was told of. Whatever
else f depends on would get none, in silence: a plain tensor of a module, the output of another net, the weights of a
net that a function closes over. So the graph of one evaluation is walked; that costs little, since the solve begins
with this very evaluation.

On the way back f is called again. If it is another function by then (`torch.func.functional_call` around the solve, a
switch between training and evaluation, random numbers), the gradient would be that of no solve at all. So f(t0, y0) is
asked for once more, and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from node_core.solvers.results import is_the_same


@dataclass(frozen=True)
class Probe:
    """An evaluation of f at the start of a solve.

    Attributes:
        f, t, y: what was evaluated, and where.
        params: the tensors that the solve is differentiated by.
        value: f(t, y), with its graph.
        reached: which of `params` it depends on.
        others: the leaves beside them, and beside y, that it depends on and did not make itself.
    """

    f: Callable[[Any, Tensor], Tensor]
    t: Any
    y: Tensor
    params: Sequence[Tensor]
    value: Tensor
    reached: frozenset[int]
    others: tuple[Tensor, ...]

    @classmethod
    def of(
        cls, f: Callable[[Any, Tensor], Tensor], t: Any, y: Tensor, params: Sequence[Tensor], tracked: bool
    ) -> Probe:
        """Evaluate f(t, y) and walk through its graph; `tracked` says whether y requires gradients in it.

        A field may differentiate by a leaf that it makes for this (a divergence, a Hamiltonian). Such a leaf is another
        one at the next call, which tells it from what was there before.
        """
        y = y.detach().requires_grad_(tracked)
        with torch.enable_grad():
            # A copy: f is told itself if it writes into y, which torch forbids on a leaf in words of its own.
            value = f(t, y.clone())
            reached, leaves = walk(value, params)
            others = tuple(leaf for leaf in leaves if leaf is not y)
            if others:
                _, again = walk(f(t, y.clone()), params)
                others = tuple(leaf for leaf in others if any(leaf is other for other in again))
        return cls(f, t, y, params, value, reached, others)

    def check(self) -> None:
        """Evaluate again.

        Raises:
            RuntimeError: f is not what it was.
        """
        again = Probe.of(self.f, self.t, self.y, self.params, self.y.requires_grad)
        if not is_the_same(self.value.detach(), again.value.detach()) or again.reached != self.reached:
            raise RuntimeError(
                "f(t, y) is no longer what it was in the solve, so that its gradient cannot be had by evaluating it "
                "again: other weights were put into it (functional_call around the solve: pass the module itself as "
                "f), it went from training to evaluation, or it draws random numbers. Undo that before .backward(), or "
                "take gradient='backprop'"
            )


def shapes_of(tensors: Sequence[Tensor]) -> str:
    """The shapes of the first of them, in words."""
    return ", ".join(str(tuple(p.shape)) for p in tensors[:3]) + ", ..." * (len(tensors) > 3)


def walk(value: Tensor, params: Sequence[Tensor]) -> tuple[frozenset[int], tuple[Tensor, ...]]:
    """Which of `params` a tensor depends on, and on which leaves beside them and what they are made of."""
    edges = [get_gradient_edge(p) for p in params]
    numbers = {(edge.node, edge.output_nr): i for i, edge in enumerate(edges)}
    reached: set[int] = set()
    others: list[Tensor] = []
    seen: set[Any] = {None}
    waiting: list[tuple[Any, int]] = [(value.grad_fn, 0)]
    while waiting:
        edge = waiting.pop()
        node = edge[0]
        if edge in numbers:
            reached.add(numbers[edge])
        elif node not in seen:
            seen.add(node)
            # What copy_ wrote over has no part in the value any more, though autograd lists it (first).
            waiting += (
                node.next_functions[1:] if node.name().endswith("CopyBackwards") else node.next_functions
            )
            if hasattr(node, "variable"):
                others.append(node.variable)
    return frozenset(reached), tuple(others)
