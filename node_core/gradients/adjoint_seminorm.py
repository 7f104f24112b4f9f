"""The continuous adjoint with the parameter gradient outside of the error norm (Kidger, Chen, Lyons 2021)."""

from __future__ import annotations

from node_core.gradients.adjoint import AdjointRun
from node_core.gradients.mode import Request, run_through
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve; `.backward()` runs Algorithm 1 with the seminorm."""
    return run_through(AdjointRun(problem, request, seminorm=True), problem)
