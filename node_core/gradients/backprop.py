"""Backpropagation through the solver: autograd spans the accepted steps, error estimates and rejections stay outside.

A field with closed-form derivatives needs no graph: its activations are kept, or its stages linearised again, all at
once (see `discrete`).
"""

from __future__ import annotations

import time
from functools import partial

import torch
from torch import Tensor

from node_core.gradients.discrete import DiscreteRun
from node_core.gradients.mode import Request, Trace, replayed_rows, run_through, write_record
from node_core.gradients.vjp import has_closed_form
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved, solve


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve so that `ys.backward()` gives the exact gradient of what was computed."""
    if has_closed_form(problem):
        return run_through(DiscreteRun(problem, request, 1 if request.record_adjoint else None), problem)
    solved = solve(problem, keep_steps=True, event=request.event, f0=request.f0)
    if solved.ys.requires_grad:
        _Watch(problem, request, solved)
    return solved


class _Watch:
    """Hooks on the graph that fill in the record while autograd goes back."""

    def __init__(self, problem: Problem, request: Request, solved: Solved) -> None:
        self._request, self._trace = request, Trace(request.record_adjoint)
        self._rows = replayed_rows(solved.steps)
        stages = sum(len(step.result.stages) for step in solved.steps if isinstance(step.result.stages, list))
        self._nfe = stages or solved.nfe
        self._started = 0.0
        solved.ys.register_hook(self._start)
        ends = [step.t for step in solved.steps] + [solved.t_end]
        states = [step.y0 for step in solved.steps] + [solved.steps[-1].result.y1] if solved.steps else []
        watched = [(t, y) for t, y in zip(ends, states, strict=True) if y.requires_grad]
        for t, y in watched if request.record_adjoint else []:
            y.register_hook(partial(self._add, t, y.detach()))
        # Autograd reaches the earliest state last, so that its hook sees the whole backward pass but a step at most.
        if watched:
            watched[0][1].register_hook(self._finish)

    def _start(self, _: Tensor) -> None:
        self._started = time.perf_counter()
        for rows in (self._trace.t, self._trace.a, self._trace.z, self._trace.parameter_gradient):
            rows.clear()

    def _add(self, t: float, y: Tensor, a: Tensor) -> None:
        self._trace.add(t, a, y, None)

    def _finish(self, _: Tensor) -> None:
        wall_time = time.perf_counter() - self._started
        with torch.no_grad():
            write_record(self._request, self._rows, self._nfe, wall_time, self._trace)
