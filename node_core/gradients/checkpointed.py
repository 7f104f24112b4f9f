"""The exact discrete gradient from the accepted steps alone: each step's derivatives are made anew going backward.

Memory grows with the number of steps, not with the size of the graph of a step: O(steps) states.

A field that draws random numbers (dropout) has to draw the same ones again. Its evaluations are checkpointed one by one
instead of the steps, by torch's own means, which keep and restore the random state: O(stages) states.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from node_core.gradients import backprop
from node_core.gradients.discrete import DiscreteRun
from node_core.gradients.mode import Request, run_through
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved
from node_core.solvers.steppers.step import Field


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve and keep the accepted steps; `.backward()` goes back through them one at a time."""
    solved = run_through(DiscreteRun(problem, request, steps_at_once=1), problem)
    if request.generators is None or not request.generators.moved():
        return solved
    request.generators.rewind()
    explicit = problem.settings.method.family == "explicit"
    again = replace(problem, f=Checkpointed(problem.f)) if explicit else problem
    second = backprop.solve_with_gradient(again, replace(request, f0=None, probe=None))
    second.nfe += solved.nfe
    return second


class Checkpointed:
    """A field whose graph is not kept: autograd has it evaluated again, with the same random numbers."""

    accepts_float_time = True

    def __init__(self, f: Field) -> None:
        self._f = f

    def __call__(self, t: Any, y: Tensor) -> Any:
        """Return f(t, y)."""
        return checkpoint(self._f, t, y, use_reentrant=False)
