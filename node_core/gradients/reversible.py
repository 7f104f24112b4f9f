"""The exact gradient of an algebraically reversible solve, in O(1) states: the way back takes the steps back.

The solver moves two copies of the state in turn and forgets where they were (see `steppers.reversible`); of a step only
its time and its length are kept. Going backward each step is undone, and with b = dL/dy1, c = dL/dz1

    z1 = z - (Phi_-h(y1) - y1):         b <- b + c - (dPhi_-h/dy1)^T c
    y1 = Phi_h(z) + l (y - z):          dL/dz = c + (dPhi_h/dz)^T b - l b,     dL/dy = l b

where Phi is evaluated for the undoing and for its derivative at once (McCallum and Foster 2024, arXiv 2410.11648). It
is the derivative of what was computed, whatever the tolerance; the step sizes are held constant.

What was forgotten is reconstructed up to rounding, which may grow. So a number for each step is kept as well, by which
the reconstruction is compared with the solve: what it lost is told, and a warning is given where that is much.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from node_core.gradients.discrete import Outputs, ParameterGradients, outputs_of
from node_core.gradients.generators import refuse_random
from node_core.gradients.mode import Request, Trace, flatten, run_through, write_record
from node_core.gradients.replayed import replay_of
from node_core.gradients.vjp import has_closed_form
from node_core.solution import SolveError, Status
from node_core.solvers.events import adapted
from node_core.solvers.field_clock import inside
from node_core.solvers.held import Held
from node_core.solvers.loop import Row
from node_core.solvers.norms import TorchNorm
from node_core.solvers.problem import CountedField, Problem
from node_core.solvers.solve import Solved, solve
from node_core.solvers.steppers.explicit import explicit_stepper
from node_core.solvers.steppers.reversible import PARTED, PairField, ReversibleStepper, damping_rate
from node_core.solvers.steppers.step import Step

# How far the copies may be apart: in units of the tolerance, and for fixed steps as a share of the state.
MOST_APART, MOST_APART_FIXED = 100.0, 0.1


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve by reversible steps; `.backward()` undoes them."""
    return run_through(ReversibleRun(problem, request), problem)


class ReversibleRun:
    """A `Run` that keeps the last pair of states, and of each step its time, its length and one number."""

    keeps_graph = False

    def __init__(self, problem: Problem, request: Request) -> None:
        self.problem, self.request = problem, request
        tableau, y0 = problem.settings.method.tableau, problem.y0
        assert tableau is not None, "the front door lets explicit methods in alone"
        self.base = explicit_stepper(tableau, y0.dtype, y0.device)
        self.trail = Trail(y0)
        self.solved: Solved

    def forward(self) -> Tensor:
        """Solve by pairs; keep dense output only if it was asked for."""
        problem, f0 = self.problem, self.request.f0
        start = torch.stack((problem.y0, problem.y0)).detach()
        f = CountedField(problem.f, problem.y0)
        self.end = start
        with torch.no_grad():
            solved = solve(
                replace(problem, f=PairField(f), y0=start),
                keep_steps=self.request.keep_dense,
                events=adapted(self.request.events, lambda g: lambda t, pair: g(t, pair[0])),
                observe=self._observe,
                f0=None if f0 is None else f0.expand_as(start),
                measured=1,
                stepper=self.stepper(f),
            )
        refuse_random(self.request.generators, "when the steps are undone")
        crossing = solved.crossing
        if crossing is not None and crossing.theta == 1.0:
            self.end = crossing.y  # which the last step ended with
        self.solved = _unpaired(solved, f.nfe)
        self.solved.engine = "closed form" if has_closed_form(problem) else "torch"
        return self.solved.ys

    def _observe(self, t: float, pair: Tensor) -> None:
        self.end = pair
        self.trail.mark(pair)

    def stepper(self, f: CountedField) -> ReversibleStepper:
        """What makes the steps; f counts."""
        problem = self.problem
        return ReversibleStepper(self.base, f, damping_rate(problem.ts, problem.y0.dtype), _apart(problem))

    def steps(self) -> list[tuple[float, float]]:
        """(t, dt) of the steps that were made."""
        end, dt = self.solved.t_end, self.problem.ts[-1] - self.problem.ts[0]
        return [row[:2] for row in self.solved.rows if row[3] and (end - row[0]) * dt > 0]

    def backward(self, grad_ys: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Undo the steps from the last to the first."""
        started = time.perf_counter()
        back = _WayBack(self, grad_ys)
        with torch.no_grad():
            adjoint = back.run()
        rows: list[Row] = [(t + dt, -dt, math.nan, True) for t, dt in reversed(self.steps())]
        engine, wall_time = self.solved.engine, time.perf_counter() - started
        write_record(self.request, rows, back.nfe, wall_time, back.trace, engine=engine)
        self.request.record.lost = back.lost
        self._judge(back.lost)
        return adjoint, back.gradients.totals()

    def _judge(self, lost: float) -> None:
        """Say what the reconstruction lost, where it is more than rounding.

        Raises:
            SolveError: there is nothing left of it.
        """
        remedy = "take gradient='checkpointed', which keeps the states, a shorter span, or y0.double()"
        if not math.isfinite(lost):
            raise SolveError(f"the steps could not be undone: rounding grew without bound, {remedy}")
        if lost > torch.finfo(self.problem.y0.dtype).eps ** 0.5:
            warnings.warn(
                f"gradient='reversible' reconstructed the states {lost:.1e} of their size off the solve's, and the "
                f"gradient has lost as many digits: {remedy}",
                RuntimeWarning,
                stacklevel=2,
            )

    def backward_in_graph(self, y0: Tensor, params: Sequence[Tensor], grad_ys: Tensor) -> Sequence[Tensor]:
        """Replay the accepted steps under autograd, and let it go back: the same scheme by backpropagation."""
        (grad_y0,), gradients = Held(params).derivatives(self._replay(y0), (y0,), grad_ys, create_graph=True)
        return grad_y0, *gradients

    def _replay(self, y0: Tensor) -> Tensor:
        problem, f = self.problem, CountedField(self.problem.f, self.problem.y0)
        stepper, pairs = self.stepper(f), PairField(f)
        rows, pair, steps = [y0[None]], torch.stack((y0, y0)), self.steps()
        for (t, dt), out in zip(steps, outputs_of(self.solved, steps), strict=True):
            with inside(problem.clock, t, dt):
                result = stepper.step(pairs, t, pair, dt, None)
                if out.inside:
                    rows.append(stepper.interpolate(pairs, Step(t, dt, pair, None, result), out.thetas)[:, 0])
            pair = result.y1
            rows += [pair[:1]] * len(out.at_end)
        return torch.cat(rows)


def _apart(problem: Problem) -> Callable[[Tensor, Tensor], bool]:
    """Whether two copies of the state are too far apart to be one solution."""
    settings = problem.settings
    if settings.controller is not None:
        norm = TorchNorm(settings.rtol, settings.atol)
        return lambda y, z: MOST_APART < norm(y - z, y, z) < math.inf
    start = float(problem.y0.detach().norm())

    def apart(y: Tensor, z: Tensor) -> bool:
        y, z = y.detach(), z.detach()
        return MOST_APART_FIXED * max(start, float(y.norm())) < float((y - z).norm()) < math.inf

    return apart


def _unpaired(solved: Solved, nfe: int) -> Solved:
    """What a solve of pairs computed, as one of states."""
    crossing, dense, message, slope = solved.crossing, solved.dense, solved.message, solved.slope
    if solved.status is Status.NO_CONVERGENCE:
        message = (
            f"{PARTED} at t = {solved.t_end:.6g}: where f contracts, what is between them grows. Take "
            "gradient='checkpointed', a shorter span, or smaller steps (a tighter tolerance, a smaller dt)"
        )
    return replace(
        solved,
        ys=solved.ys[:, 0].contiguous(),
        nfe=nfe,
        message=message,
        crossing=crossing and crossing._replace(y=crossing.y[0]),
        dense=dense and (lambda times: dense(times)[:, 0]),
        slope=None if slope is None else slope[0],
        y_end=None if solved.y_end is None else solved.y_end[0],
        steps=[],
    )


class Trail:
    """One number for each pair that a solve came through, by which to know it again without having kept it.

    It is the product with a fixed vector without a pattern, which no direction is hidden from.
    """

    def __init__(self, y0: Tensor) -> None:
        generator = torch.Generator().manual_seed(0)
        direction = torch.randn(2 * y0.numel(), generator=generator, dtype=torch.float64)
        self._direction = direction.to(dtype=y0.dtype, device=y0.device) / max(1, 2 * y0.numel()) ** 0.5
        self._marks, self._size = list[float](), 0.0
        self.mark(torch.stack((y0, y0)))

    def mark(self, pair: Tensor) -> None:
        """Remember the next pair."""
        number = self._number(pair)
        self._marks.append(number)
        self._size = max(self._size, abs(number))

    def off(self, n: int, pair: Tensor) -> float:
        """How far a pair is from that after n steps, in units of the largest."""
        apart = abs(self._number(pair) - self._marks[n])
        if not math.isfinite(apart):
            return math.inf
        return apart / self._size if apart else 0.0

    def _number(self, pair: Tensor) -> float:
        return float(self._direction @ pair.detach().reshape(-1))


class _WayBack:
    """One way back: the pair where it stands, the derivatives of the loss by both copies, and by the parameters."""

    def __init__(self, run: ReversibleRun, grad_ys: Tensor) -> None:
        self._run, self._grad_ys, self._problem = run, grad_ys, run.problem
        self._maps = replay_of(run.problem, run.base)
        self._damping = run.stepper(self._maps.f).damping
        self.gradients = ParameterGradients(run.problem.params)
        self.trace = Trace(run.request.record_adjoint)
        self.lost = 0.0
        self._y, self._z = run.end.unbind()
        self._by_y = self._by_z = torch.zeros_like(self._y)

    @property
    def nfe(self) -> int:
        """Evaluations of f so far."""
        return self._maps.f.nfe

    def run(self) -> Tensor:
        """Return dL/dy0."""
        steps, t0 = self._run.steps(), self._problem.ts[0]
        for n, out in reversed(list(enumerate(outputs_of(self._run.solved, steps)))):
            t, dt = steps[n]
            self._arrive(t + dt, out)
            with inside(self._problem.clock, t, dt):
                self._undo(t, dt, out)
            self.gradients.add(self._maps.collect())
            self.lost = max(self.lost, self._run.trail.off(n, torch.stack((self._y, self._z))))
        adjoint = self._by_y + self._by_z + self._grad_ys[0]
        self._record(t0, adjoint)
        return adjoint

    def _arrive(self, t1: float, out: Outputs) -> None:
        """Take up the cotangents of the outputs at the end of a step."""
        if not out.cut:
            self._record(t1, self._by_y + self._by_z)
        for row in out.at_end:
            self._by_y = self._by_y + self._grad_ys[row]
            self._record(t1, self._by_y + self._by_z)

    def _undo(self, t: float, dt: float, out: Outputs) -> None:
        """Go to the start of a step; one that an event cut short was never finished."""
        if not out.cut:
            back = self._maps.step(t + dt, self._y, -dt, ())
            self._z = self._z - (self._y - back.end)
            # The increment from y1 backward was subtracted.
            self._by_y = self._by_y + (self._by_z + back.vjp(-self._by_z[None]))
        forth = self._maps.step(t, self._z, dt, out.thetas)
        damping = self._damping(dt)
        if not out.cut:
            self._y = self._z + (self._y - forth.end) / damping
        cotangents, by_y = self._by_y[None], damping * self._by_y
        if out.inside:
            within = self._grad_ys[list(out.inside)]
            cotangents = torch.cat((cotangents, within))
            for theta, g in zip(out.thetas, within, strict=True):
                by_y = by_y + self._damping(theta * dt) * g
        self._by_z = self._by_z + (forth.vjp(cotangents) - by_y)
        self._by_y = by_y

    def _record(self, t: float, a: Tensor) -> None:
        if self.trace.wanted:
            self.trace.add(t, a, self._y, flatten(self.gradients.totals(), a))
