"""The exact discrete gradient from the accepted steps alone: each step's derivatives are made anew going backward.

Memory grows with the number of steps, not with the size of the graph of a step: O(steps) states.
"""

from __future__ import annotations

from node_core.gradients.discrete import DiscreteRun
from node_core.gradients.mode import Request, run_through
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve and keep the accepted steps; `.backward()` goes back through them one at a time."""
    return run_through(DiscreteRun(problem, request, steps_at_once=1), problem)
