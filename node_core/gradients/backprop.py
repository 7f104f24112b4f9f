"""Backpropagation through the solver: autograd spans the accepted steps, error estimates and rejections stay outside.

A field with closed-form derivatives needs no graph: its activations are kept, or its stages linearised again, all at
once (see `discrete`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from node_core.gradients.discrete import DiscreteRun
from node_core.gradients.generators import Generators
from node_core.gradients.mode import Request, Trace, replayed_rows, run_through, write_record
from node_core.gradients.vjp import has_closed_form
from node_core.solvers.held import Held
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved, solve


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve so that `ys.backward()` gives the exact gradient of what was computed."""
    if has_closed_form(problem):
        return run_through(DiscreteRun(problem, request, 1 if request.record_adjoint else None), problem)
    solver = partial(_solve, request)
    return run_through(GraphRun(problem, request, solver), problem) if request.named else solver(problem)


def _solve(request: Request, problem: Problem) -> Solved:
    solved = solve(problem, keep_steps=True, event=request.event, f0=request.f0)
    if solved.ys.requires_grad:
        _Watch(problem, request, solved)
    return solved


class GraphRun:
    """A `Run` that keeps a graph of its own, so that what f holds beside the named parameters gets no gradient.

    Args:
        solver: solves a problem under autograd.
    """

    keeps_graph = True

    def __init__(self, problem: Problem, request: Request, solver: Callable[[Problem], Solved]) -> None:
        self.problem, self.request, self._solver = problem, request, solver
        self.solved: Solved
        self._generators = Generators(problem.y0.device)

    def forward(self) -> Tensor:
        """Solve under autograd."""
        with torch.enable_grad():
            self._start = self.problem.y0.detach().requires_grad_()
            self.solved = self._solver(replace(self.problem, y0=self._start))
        return self.solved.ys.detach()

    def backward(self, grad_ys: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Let autograd go back through the graph."""
        held = Held(self.problem.params)
        (grad_y0,), gradients = held.derivatives(self.solved.ys, (self._start,), grad_ys)
        return grad_y0, gradients

    def backward_in_graph(self, y0: Tensor, params: Sequence[Tensor], grad_ys: Tensor) -> Sequence[Tensor]:
        """Solve again from y0 itself, with the same random numbers, and let autograd differentiate the way back."""
        with torch.random.fork_rng(devices=self._generators.devices):
            self._generators.rewind()
            again = self._solver(replace(self.problem, y0=y0))
            later = again.times != self.solved.times and again.dense is not None
            ys = again.dense(self.solved.times) if later and again.dense is not None else again.ys
        (grad_y0,), gradients = Held(params).derivatives(ys, (y0,), grad_ys, create_graph=True)
        return grad_y0, *gradients


class _Watch:
    """Hooks on the graph that fill in the record while autograd goes back."""

    def __init__(self, problem: Problem, request: Request, solved: Solved) -> None:
        self._request, self._trace = request, Trace(request.record_adjoint)
        self._rows = replayed_rows(solved.steps)
        stages = sum(len(step.result.stages) for step in solved.steps if isinstance(step.result.stages, list))
        self._nfe = stages or solved.nfe
        self._started = 0.0
        solved.ys.register_hook(self._start)
        states = [(step.t, step.y0) for step in solved.steps]
        if solved.steps:
            end = solved.steps[-1].result.y1 if solved.crossing is None else solved.crossing.y
            states.append((solved.t_end, end))
        watched = [(t, y) for t, y in states if y.requires_grad]
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
