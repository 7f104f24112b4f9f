"""The interpolated adjoint: z(t) from the forward solve's dense output, only a(t) and dL/dtheta solved backward.

The trajectory cannot drift, whatever the horizon; the memory is that of the accepted steps, and the gradient is the
continuous one up to the tolerance (Daulbaev et al. 2020, "Interpolation technique to speed up gradients propagation in
neural ODEs"; SciMLSensitivity calls it InterpolatingAdjoint).
"""

from __future__ import annotations

from node_core.gradients.adjoint import AdjointRun
from node_core.gradients.mode import Request, run_through
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve and keep the dense output; `.backward()` solves a(t) along it."""
    return run_through(AdjointRun(problem, request, keep_forward=True), problem)
