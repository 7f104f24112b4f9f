"""What a gradient mode is: a forward solve, and how to go back through it.

Every mode but `backprop` on a generic field hides its solve from autograd behind `SolveFunction`, and is a `Run`: the
forward pass returns ys, the backward pass turns dL/dys into dL/dy0 and dL/dtheta. Gradients with respect to the
times are the same in all modes and live in `odeint`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from node_core.solution import AdjointRecord, BackwardRecord, SolveStats, StepLog
from node_core.solvers.events import Event
from node_core.solvers.loop import Row
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved


@dataclass(frozen=True)
class Request:
    """What a mode gets besides the problem: where to record the backward pass, and what to keep."""

    record: BackwardRecord
    record_adjoint: bool = False
    keep_dense: bool = False
    event: Event | None = None
    f0: Tensor | None = None
    restore: Callable[[Tensor], Tensor] = lambda y: y


class Run(Protocol):
    """One solve with its own backward pass."""

    solved: Solved

    def forward(self) -> Tensor:
        """Solve, without autograd, and return ys."""
        ...

    def backward(self, grad_ys: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Return dL/dy0 and dL/dtheta for dL/dys."""
        ...

    def backward_in_graph(self, y0: Tensor, params: Sequence[Tensor], grad_ys: Tensor) -> Sequence[Tensor]:
        """The same as differentiable functions of y0, params and grad_ys, for double backward."""
        ...


class SolveFunction(torch.autograd.Function):
    """Autograd's view of a `Run`: (y0, *params) -> ys."""

    @staticmethod
    def forward(ctx: Any, run: Run, y0: Tensor, *params: Tensor) -> Tensor:
        """Solve."""
        ctx.run = run
        ctx.save_for_backward(y0, *params)
        ys = run.forward()
        # What is returned will know the run: did the run know it too, both would live until a garbage collection.
        run.solved.ys = ys.detach()
        return ys

    @staticmethod
    def backward(ctx: Any, grad_ys: Tensor) -> Any:
        """Go back; autograd's grad mode is on here exactly when somebody asked for create_graph."""
        y0, *params = ctx.saved_tensors
        if torch.is_grad_enabled():
            gradients = ctx.run.backward_in_graph(y0, params, grad_ys)
            return (None, *gradients)
        grad_y0, grad_params = ctx.run.backward(grad_ys)
        return (None, grad_y0, *grad_params)


def run_through(run: Run, problem: Problem) -> Solved:
    """Run a `Run` under autograd: its `Solved` with ys that know their way back."""
    ys = SolveFunction.apply(run, problem.y0, *problem.params)
    return replace(run.solved, ys=ys)


@dataclass
class Trace:
    """Collects the rows of an `AdjointRecord` while a backward pass runs."""

    wanted: bool
    t: list[float] = field(default_factory=list)
    a: list[Tensor] = field(default_factory=list)
    z: list[Tensor] = field(default_factory=list)
    parameter_gradient: list[Tensor] = field(default_factory=list)

    def add(self, t: float, a: Tensor, z: Tensor, parameter_gradient: Tensor | None) -> None:
        """Add the adjoint state at time t."""
        if self.wanted:
            self.t.append(t)
            self.a.append(a.detach().clone())
            self.z.append(z.detach().clone())
            self.parameter_gradient.append(
                a.new_zeros(0) if parameter_gradient is None else parameter_gradient.detach().clone()
            )

    def finish(self, restore: Callable[[Tensor], Tensor]) -> AdjointRecord | None:
        """The record in the user's layout; None if none was wanted."""
        if not self.wanted or not self.t:
            return None
        return AdjointRecord(
            t=np.array(self.t),
            a=restore(torch.stack(self.a)).cpu().numpy(),
            z=restore(torch.stack(self.z)).cpu().numpy(),
            parameter_gradient=torch.stack(self.parameter_gradient).cpu().numpy(),
        )


def write_record(
    request: Request, rows: Sequence[Row], nfe: int, wall_time: float, trace: Trace, n_jacobians: int = 0
) -> None:
    """Fill in what `Solution.backward_steps`, `backward_stats` and `adjoint` show."""
    record = request.record
    record.steps = StepLog.from_rows(rows)
    record.stats = SolveStats(nfe, record.steps.n_accepted, record.steps.n_rejected, wall_time, n_jacobians)
    record.adjoint = trace.finish(request.restore)


def replayed_rows(steps: Sequence[Any]) -> list[Row]:
    """The accepted steps in reverse: what a discrete gradient walks through."""
    return [(step.t + step.dt, -step.dt, math.nan, True) for step in reversed(steps)]


def flatten(tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    """One flat vector of several tensors."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors]) if tensors else like.new_zeros(0)
