"""The exact gradient of the discrete solve, step by step from the last to the first.

An accepted step maps y_n to y_{n+1} and to the outputs inside of it. With lambda = dL/dy_{n+1}, and g_m the cotangents
of the outputs y_n + dt sum_i b_i(theta_m) k_i, the stages are visited in reverse:

    kappa_i = dt (b_i lambda + sum_m b_i(theta_m) g_m + sum_{j>i} a_ji v_j),     v_i = kappa_i^T df/dy(t_i, y_i)
    dL/dy_n = lambda + sum_m g_m + sum_i v_i,                                    dL/dtheta += sum_i kappa_i^T df/dtheta

(Hager, "Runge-Kutta methods in optimal control and the transformed adjoint system", Numer. Math. 87, 2000). It is the
derivative of what was computed, whatever the tolerance; the step sizes are held constant.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from node_core.fields.linearization import WritingLinearization
from node_core.gradients.mode import Request, Trace, flatten, replayed_rows, write_record
from node_core.gradients.vjp import linearize
from node_core.solvers.field_clock import inside
from node_core.solvers.held import Held
from node_core.solvers.problem import CountedField, Problem
from node_core.solvers.solve import Solved, solve
from node_core.solvers.steppers.explicit import ExplicitStepper
from node_core.solvers.steppers.implicit import retrace
from node_core.solvers.steppers.step import with_end_slope


@dataclass(frozen=True)
class Outputs:
    """Which rows of ys an accepted step hands out: those inside of it (with their theta), and those at its end.

    `cut` says that the solve ended at an event inside, so that nothing depends on the step's own end.
    """

    inside: tuple[int, ...]
    thetas: tuple[float, ...]
    at_end: tuple[int, ...]
    cut: bool = False


def outputs_of(solved: Solved) -> list[Outputs]:
    """Assign the rows of ys, but for the first, to the steps that produced them."""
    steps, ts, crossing = solved.steps, solved.times, solved.crossing
    found: list[Outputs] = []
    i = 1
    for n, step in enumerate(steps):
        last = n + 1 == len(steps)
        t1 = solved.t_end if last else steps[n + 1].t
        cut = last and crossing is not None and crossing.theta < 1.0
        forward = 1.0 if step.dt > 0 else -1.0
        first = i
        while i < len(ts) and ((ts[i] - t1) * forward < 0 or (cut and ts[i] == t1)):
            i += 1
        inside = tuple(range(first, i))
        thetas = [(ts[j] - step.t) / step.dt for j in inside]
        if cut and crossing is not None:
            thetas[-1] = crossing.theta
        first = i
        while i < len(ts) and ts[i] == t1:
            i += 1
        found.append(Outputs(inside, tuple(thetas), tuple(range(first, i)), cut))
    return found


class DiscreteRun:
    """A `Run` whose backward pass is the exact discrete gradient.

    Args:
        steps_at_once: how many steps are linearised together where the field has a closed form; one needs the least
            memory. None is fastest: all at once, or not at all where the forward solve can keep what it computed.
            Other fields are linearised a stage at a time.
    """

    keeps_graph = False

    def __init__(self, problem: Problem, request: Request, steps_at_once: int | None) -> None:
        self.problem, self.request, self._steps_at_once = problem, request, steps_at_once
        self.solved: Solved

    def forward(self) -> Tensor:
        """Solve and keep the accepted steps, and what their stages computed if all are to be linearised together."""
        keep = getattr(self.problem.f, "keep_evaluations", None)
        if keep is not None and self._steps_at_once is None:
            keep(self.problem.y0.shape[-1])
        with torch.no_grad():
            self.solved = solve(self.problem, keep_steps=True, event=self.request.event, f0=self.request.f0)
        return self.solved.ys

    def backward(self, grad_ys: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Sweep back through the accepted steps."""
        started = time.perf_counter()
        solved, problem = self.solved, self.problem
        trace = Trace(self.request.record_adjoint)
        sweep_type = StageSweep if isinstance(solved.stepper, ExplicitStepper) else GraphSweep
        sweep = sweep_type(problem, solved, self._steps_at_once or max(1, len(solved.steps)))
        outputs = outputs_of(solved)
        adjoint = sweep.run(grad_ys, outputs, trace)
        wall_time = time.perf_counter() - started
        write_record(self.request, replayed_rows(solved.steps), sweep.nfe, wall_time, trace)
        return adjoint, sweep.parameter_gradients()

    def backward_in_graph(self, y0: Tensor, params: Sequence[Tensor], grad_ys: Tensor) -> Sequence[Tensor]:
        """Replay the accepted steps under autograd, and let it differentiate the sweep."""
        ys = self._replay(y0)
        (grad_y0,), gradients = Held(params).derivatives(ys, (y0,), grad_ys, create_graph=True)
        return grad_y0, *gradients

    def _replay(self, y0: Tensor) -> Tensor:
        solved, problem = self.solved, self.problem
        stepper = solved.stepper
        assert stepper is not None
        f = CountedField(problem.f, problem.y0)
        rows, y = [y0[None]], y0
        for step, out in zip(solved.steps, outputs_of(solved), strict=True):
            with inside(problem.clock, step.t, step.dt):
                result = retrace(stepper, f, step, y)
                if out.inside:
                    again = step._replace(y0=y, f0=None, result=result)
                    again = with_end_slope(stepper, f, again, step.t + step.dt)
                    rows.append(stepper.interpolate(f, again, out.thetas))
            rows += [result.y1[None]] * len(out.at_end)
            y = result.y1
        return torch.cat(rows)


class Sweep:
    """A reverse sweep over all steps; subclasses know how to go back through some of them."""

    def __init__(self, problem: Problem, solved: Solved, steps_at_once: int) -> None:
        self.problem, self.solved, self.steps_at_once = problem, solved, steps_at_once
        self.nfe = 0
        self._gradients: list[Tensor] | None = None

    def run(self, grad_ys: Tensor, outputs: Sequence[Outputs], trace: Trace) -> Tensor:
        """Return dL/dy0."""
        steps = self.solved.steps
        adjoint = torch.zeros_like(self.problem.y0)
        for end in range(len(steps), 0, -self.steps_at_once):
            start = max(0, end - self.steps_at_once)
            adjoint = self.back_through(range(start, end), adjoint, grad_ys, outputs, trace)
        adjoint = adjoint + grad_ys[0]
        t0 = self.problem.ts[0]
        trace.add(
            t0,
            adjoint,
            self.problem.y0,
            flatten(self.parameter_gradients(), adjoint) if trace.wanted else None,
        )
        return adjoint

    def back_through(
        self, indices: range, adjoint: Tensor, grad_ys: Tensor, outputs: Sequence[Outputs], trace: Trace
    ) -> Tensor:
        """Return dL/dy at the start of these steps, given it at their end."""
        raise NotImplementedError

    def parameter_gradients(self) -> Sequence[Tensor]:
        """dL/dtheta over the steps visited so far."""
        return self._gradients or [torch.zeros_like(p) for p in self.problem.params]

    def add_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Add what some steps contribute to dL/dtheta."""
        if self._gradients is None:
            self._gradients = list(gradients)
        else:
            self._gradients = [total + new for total, new in zip(self._gradients, gradients, strict=True)]

    def arrive(self, n: int, adjoint: Tensor, grad_ys: Tensor, out: Outputs, trace: Trace) -> Tensor:
        """dL/dy at the end of step n, with the jumps of the outputs there."""
        if trace.wanted and not out.cut:
            step, gradient = self.solved.steps[n], flatten(self.parameter_gradients(), adjoint)
            trace.add(step.t + step.dt, adjoint, step.result.y1, gradient)
        for row in out.at_end:
            adjoint = adjoint + grad_ys[row]
            if trace.wanted:
                trace.add(step.t + step.dt, adjoint, step.result.y1, gradient)
        return adjoint


class GraphSweep(Sweep):
    """Implicit methods: rebuild one step's graph, differentiate it, drop it."""

    def back_through(
        self, indices: range, adjoint: Tensor, grad_ys: Tensor, outputs: Sequence[Outputs], trace: Trace
    ) -> Tensor:
        """Go back through the steps one at a time."""
        stepper, problem = self.solved.stepper, self.problem
        assert stepper is not None
        f, held = CountedField(problem.f, problem.y0), Held(problem.params)
        for n in reversed(indices):
            step, out = self.solved.steps[n], outputs[n]
            adjoint = self.arrive(n, adjoint, grad_ys, out, trace)
            with torch.enable_grad(), inside(problem.clock, step.t, step.dt):
                y = step.y0.detach().requires_grad_()
                result = retrace(stepper, f, step, y)
                ends, cotangents = [result.y1], [adjoint]
                if out.inside:
                    again = step._replace(y0=y, f0=None, result=result)
                    again = with_end_slope(stepper, f, again, step.t + step.dt)
                    ends.append(stepper.interpolate(f, again, out.thetas))
                    cotangents.append(grad_ys[list(out.inside)])
                (adjoint,), gradients = held.derivatives(ends, (y,), cotangents)
            self.add_gradients(gradients)
        self.nfe += f.nfe
        return adjoint


class StageSweep(Sweep):
    """Explicit methods: the formulas above, with the products of the field's closed form or of autograd."""

    def back_through(
        self, indices: range, adjoint: Tensor, grad_ys: Tensor, outputs: Sequence[Outputs], trace: Trace
    ) -> Tensor:
        """Visit the stages of these steps in reverse."""
        parts, linears = self._parts(indices, outputs)
        for n, part in zip(reversed(indices), reversed(parts), strict=True):
            step, out = self.solved.steps[n], outputs[n]
            adjoint = self.arrive(n, adjoint, grad_ys, out, trace)
            shape = adjoint.shape
            # Row 0 of `known` is lambda, the others are the cotangents of the outputs inside the step.
            known = adjoint[None]
            if out.inside:
                known = torch.cat((known, grad_ys[out.inside[0] : out.inside[-1] + 1]))
            known = known.reshape(len(out.inside) + 1, -1)
            # kappa begins as the part known beforehand. v begins as zeros, so that one product with all of it adds the
            # stages visited so far.
            kappa = torch.mm(part.weights, known).mul_(step.dt)
            v = torch.zeros_like(kappa)
            vt, vjp, dt = v.T, part.linear.vjp, step.dt
            flat, shaped, slots = kappa.unbind(), kappa.view(-1, *shape).unbind(), v.view(-1, *shape).unbind()
            with inside(self.problem.clock, step.t, step.dt):
                for i in range(len(flat) - 1, -1, -1):
                    flat[i].addmv_(vt, part.later[i], alpha=dt)
                    vjp(part.stages[i], shaped[i], slots[i])
            adjoint = (known.sum(0) + v.sum(0)).view(shape)
            self.nfe += len(flat)
        for linear in linears:
            self.add_gradients(linear.parameter_gradients() if self.problem.params else ())
        return adjoint

    def _parts(
        self, indices: range, outputs: Sequence[Outputs]
    ) -> tuple[list[Part], list[WritingLinearization]]:
        """How to go back through each of these steps, and the linearisations that share the work.

        What the forward solve kept on a tape is used as it is. All other stages are linearised in one go; so are those
        of steps with outputs inside, whose last slope may take two cotangents: its own and the next step's.
        """
        stepper, f = self.solved.stepper, CountedField(self.problem.f, self.problem.y0)
        assert isinstance(stepper, ExplicitStepper)
        tape, end = getattr(self.problem.f, "tape", None), stepper.end
        linears: list[WritingLinearization] = []
        taped: dict[int, Part] = {}
        if tape is not None:
            linears.append(tape.sweep())
            for n in indices:
                step = self.solved.steps[n]
                found = tape.find([step.f0, *step.result.stages[1 : len(end.c)].unbind()])
                if found is not None and not outputs[n].inside:
                    taped[n] = Part(found, end.weights, end.later, linears[0])
        tables = {}
        for n in indices:
            if n not in taped:
                step = self.solved.steps[n]
                with inside(self.problem.clock, step.t, step.dt):
                    tables[n] = stepper.stage_table(f, step, outputs[n].thetas)
        if tables:
            times = [t for table in tables.values() for t in table.times]
            linear = linearize(self.problem, times, torch.cat([table.states for table in tables.values()]))
            linears.append(linear)
        parts, first = [], 0
        for n in indices:
            part = taped.get(n)
            if part is None:
                last = first + len(tables[n].times)
                part = Part(range(first, last), tables[n].weights, tables[n].later, linear)
                first = last
            parts.append(part)
        return parts, linears


class Part(NamedTuple):
    """One step for the reverse sweep: its stages' numbers in a linearisation, and the weights of `StageTable`."""

    stages: Sequence[int]
    weights: Tensor
    later: list[Tensor]
    linear: WritingLinearization
