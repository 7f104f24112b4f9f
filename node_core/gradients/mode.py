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

from node_core.fields.recalled import without_autocast
from node_core.gradients.generators import Generators
from node_core.gradients.probe import Probe
from node_core.solution import AdjointCurve, AdjointRecord, BackwardRecord, SolveStats, StepLog
from node_core.solvers.events import Event
from node_core.solvers.follow import follow
from node_core.solvers.loop import Row
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved


@dataclass(frozen=True)
class Request:
    """What a mode gets besides the problem.

    Attributes:
        record, record_adjoint: where the backward pass leaves its steps, and whether also a(t).
        keep_dense: whether dense output is wanted.
        event: where to stop.
        f0: f(ts[0], y0) where it is known.
        restore: states in the user's layout.
        named: whether the parameters were named, so that nothing else gets a gradient.
        probe, generators: the field at the start, and the random state before it, of a solve that calls f again.
    """

    record: BackwardRecord
    record_adjoint: bool = False
    keep_dense: bool = False
    event: Event | None = None
    f0: Tensor | None = None
    restore: Callable[[Tensor], Tensor] = lambda y: y
    named: bool = False
    probe: Probe | None = None
    generators: Generators | None = None


class Run(Protocol):
    """One solve with its own backward pass; `keeps_graph` says that it is a graph of its own."""

    request: Request
    solved: Solved
    keeps_graph: bool

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
        # A copy: what is returned is the user's to change, and the way back may begin from it. What is returned will
        # know the run, too: did the run know it, both would live until a garbage collection.
        return run.forward().clone()

    @staticmethod
    def backward(ctx: Any, grad_ys: Tensor) -> Any:
        """Go back; autograd's grad mode is on here exactly when somebody asked for create_graph."""
        y0, *params = ctx.saved_tensors
        run: Run = ctx.run
        with without_autocast(y0.device.type):
            if run.request.probe is not None:
                run.request.probe.check()
            if torch.is_grad_enabled():
                # A leaf, or what y0 is made of would get its part here and once more where autograd goes on from y0.
                leaves = y0.detach().requires_grad_(), grad_ys.detach().requires_grad_()
                gradients = run.backward_in_graph(leaves[0], params, leaves[1])
                return (None, *follow(gradients, leaves, (y0, grad_ys), params))
            grad_y0, grad_params = run.backward(grad_ys)
        return (None, grad_y0, *grad_params)


def run_through(run: Run, problem: Problem) -> Solved:
    """Run a `Run` under autograd: its `Solved` with ys that know their way back."""
    ys = SolveFunction.apply(run, problem.y0, *problem.params)
    return replace(run.solved, ys=ys, run=run)


@dataclass
class Trace:
    """Collects the rows of an `AdjointRecord` while a backward pass runs."""

    wanted: bool
    t: list[float] = field(default_factory=list)
    a: list[Tensor] = field(default_factory=list)
    z: list[Tensor] = field(default_factory=list)
    parameter_gradient: list[Tensor] = field(default_factory=list)
    curve: list[tuple[Sequence[float], Tensor, Tensor]] = field(default_factory=list)

    def add(self, t: float, a: Tensor, z: Tensor, parameter_gradient: Tensor | None) -> None:
        """Add the adjoint state at time t."""
        if self.wanted:
            self.t.append(t)
            self.a.append(a.detach().clone())
            self.z.append(z.detach().clone())
            self.parameter_gradient.append(
                a.new_zeros(0) if parameter_gradient is None else parameter_gradient.detach().clone()
            )

    def add_curve(self, t: Sequence[float], a: Tensor, z: Tensor) -> None:
        """Add the adjoint and the state between the steps, both (points, \\*y0.shape)."""
        if self.wanted:
            self.curve.append((t, a.detach(), z.detach()))

    def finish(self, restore: Callable[[Tensor], Tensor]) -> AdjointRecord | None:
        """The record in the user's layout; None if none was wanted."""
        if not self.wanted or not self.t:
            return None
        return AdjointRecord(
            t=np.array(self.t),
            a=restore(torch.stack(self.a)).cpu().numpy(),
            z=restore(torch.stack(self.z)).cpu().numpy(),
            parameter_gradient=torch.stack(self.parameter_gradient).cpu().numpy(),
            curve=self._finished_curve(restore),
        )

    def _finished_curve(self, restore: Callable[[Tensor], Tensor]) -> AdjointCurve | None:
        if not self.curve:
            return None
        times, a, z = zip(*self.curve, strict=True)
        return AdjointCurve(
            t=np.concatenate(times),
            a=restore(torch.cat(a)).cpu().numpy(),
            z=restore(torch.cat(z)).cpu().numpy(),
        )


def write_record(
    request: Request, rows: Sequence[Row], nfe: int, wall_time: float, trace: Trace, n_jacobians: int = 0
) -> None:
    """Fill in what `Solution.backward_steps`, `backward_stats` and `adjoint` show."""
    record = request.record
    nfe += request.probe is not None  # which is looked at again
    record.steps = StepLog.from_rows(rows)
    record.stats = SolveStats(nfe, record.steps.n_accepted, record.steps.n_rejected, wall_time, n_jacobians)
    record.adjoint = trace.finish(request.restore)


def replayed_rows(steps: Sequence[Any]) -> list[Row]:
    """The accepted steps in reverse: what a discrete gradient walks through."""
    return [(step.t + step.dt, -step.dt, math.nan, True) for step in reversed(steps)]


def flatten(tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    """One flat vector of several tensors."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors]) if tensors else like.new_zeros(0)
