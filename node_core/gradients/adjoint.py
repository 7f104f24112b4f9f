"""The continuous adjoint: Algorithm 1 of Chen et al. 2018 (arXiv 1806.07366).

    s(t) = [z, a, g],   ds/dt = [f(t, z), -a^T df/dz, -a^T df/dtheta],   a(t1) = dL/dz(t1), g(t1) = 0

solved backward from t1 to t0; a jumps by dL/dz(t_i) at every observation time. Then dL/dy0 = a(t0), dL/dtheta = g(t0).
The state is reconstructed on the way, so that nothing of the forward solve is kept but its outputs: O(1) memory in the
number of steps. The price: z(t) drifts from the forward solution where the field contracts, and the gradient with it.

The cotangent is scaled to O(1) first. The adjoint equation is linear in [a, g], so this changes no exact value, but it
keeps the error test from comparing the tiny gradient of a mean loss with an absolute tolerance made for states.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from node_core.gradients.mode import Request, Trace, flatten, run_through, write_record
from node_core.gradients.vjp import vjp_of
from node_core.solution import SolveError
from node_core.solvers.loop import Row
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved, solve

LARGEST_IMPLICIT_STATE = 200
CURVE_PARTS = 8


def solve_with_gradient(problem: Problem, request: Request) -> Solved:
    """Solve; `.backward()` runs Algorithm 1."""
    return run_through(AdjointRun(problem, request), problem)


class AdjointRun:
    """A `Run` whose backward pass solves the augmented ODE.

    Args:
        seminorm: leave the parameter gradient out of the error norm; nothing feeds back from it, so that steps need not
            be shortened for it (Kidger, Chen, Lyons 2021, "Hey, that's not an ODE").
        keep_forward: take z(t) from the forward solve's dense output instead of solving for it again.
    """

    keeps_graph = False

    def __init__(
        self, problem: Problem, request: Request, *, seminorm: bool = False, keep_forward: bool = False
    ) -> None:
        self.problem, self.request = problem, request
        self._seminorm, self._keep_forward = seminorm, keep_forward
        self.solved: Solved

    def forward(self) -> Tensor:
        """Solve; keep the outputs, and the dense output only if it was asked for."""
        keep = self._keep_forward or self.request.keep_dense
        with torch.no_grad():
            self.solved = solve(self.problem, keep_steps=keep, event=self.request.event, f0=self.request.f0)
        generators = self.request.generators
        if generators is not None and generators.moved():
            raise ValueError(
                "f draws random numbers at every call (dropout, torch.randn), so that it is another function in the "
                "backward solve of a continuous adjoint: take gradient='backprop' or 'checkpointed', draw once before "
                "the solve, or call f.eval()"
            )
        return self.solved.ys

    def backward(self, grad_ys: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Solve the augmented ODE from the last observation with a gradient back to t0."""
        started = time.perf_counter()
        back = _BackwardSolve(self.problem, self.solved, self._seminorm, self._keep_forward, self.request)
        with torch.no_grad():
            adjoint, gradient = back.run(grad_ys)
        wall_time = time.perf_counter() - started
        write_record(self.request, back.rows, back.nfe, wall_time, back.trace, back.n_jacobians)
        return adjoint, _split(gradient, self.problem.params)

    def backward_in_graph(self, y0: Tensor, params: Sequence[Tensor], grad_ys: Tensor) -> Sequence[Tensor]:
        """Refused: the backward solve is not part of any graph."""
        raise RuntimeError(
            "the continuous adjoint has no second derivative: take gradient='backprop' or 'checkpointed' "
            "for create_graph=True"
        )


class _BackwardSolve:
    """The segments between observation times, from the last to the first."""

    def __init__(
        self, problem: Problem, solved: Solved, seminorm: bool, keep_forward: bool, request: Request
    ) -> None:
        self._problem, self._solved = problem, solved
        self._seminorm = seminorm
        self._z_of_t: Callable[[Sequence[float]], Tensor] | None = solved.dense if keep_forward else None
        self.trace = Trace(request.record_adjoint)
        self.rows: list[Row] = []
        self.nfe = 0
        self.n_jacobians = 0
        self._vjp = vjp_of(problem)
        self._shape, self._n = problem.y0.shape, problem.y0.numel()
        self._scale = 1.0

    def run(self, grad_ys: Tensor) -> tuple[Tensor, Tensor]:
        """Return dL/dy0 and the flat dL/dtheta."""
        problem, ys, ts = self._problem, self._solved.ys, self._solved.times
        size = float(grad_ys.abs().max()) if grad_ys.numel() else 0.0
        self._scale = size if size > 0 else 1.0
        jumps = grad_ys / self._scale
        parameters = sum(p.numel() for p in problem.params)
        a, gradient = torch.zeros_like(problem.y0), problem.y0.new_zeros(parameters)
        # Observations without a gradient are not stopped at.
        times = [i for i in range(len(ys)) if i == 0 or bool(jumps[i].any())]
        dt0 = problem.settings.dt0
        for k in range(len(times) - 1, -1, -1):
            i = times[k]
            self._record(ts[i], a, ys[i], gradient)
            a = a + jumps[i]
            if k == 0:
                self._record(ts[0], a, ys[0], gradient)
                break
            self._record(ts[i], a, ys[i], gradient)
            segment = (ts[i], ts[times[k - 1]])
            a, gradient, dt0 = self._solve_segment(segment, ys[i], a, gradient, dt0)
        return a * self._scale, gradient * self._scale

    def _solve_segment(
        self, ts: tuple[float, float], z: Tensor, a: Tensor, gradient: Tensor, dt0: float | None
    ) -> tuple[Tensor, Tensor, float | None]:
        parts = [a, gradient] if self._z_of_t is not None else [z, a, gradient]
        state = flatten(parts, a)
        settings = self._problem.settings
        if settings.method.family == "implicit" and state.numel() > LARGEST_IMPLICIT_STATE:
            raise SolveError(
                f"the augmented state has {state.numel()} entries, too many for the Jacobian that "
                f"method={settings.method.name!r} needs in the backward solve (at most {LARGEST_IMPLICIT_STATE}): "
                "take gradient='checkpointed'"
            )
        augmented = self._augmented_from_dense if self._z_of_t is not None else self._augmented
        problem = replace(
            self._problem,
            f=augmented,
            y0=state,
            ts=ts,
            params=(),
            settings=replace(settings, dt0=dt0, jacobian=None),
        )
        measured = self._n * (len(parts) - 1) if self._seminorm or self._z_of_t is not None else None
        before = self._vjp.nfe
        solved = solve(problem, observe=self._observe, measured=measured, keep_steps=self.trace.wanted)
        self.rows += solved.rows
        self.n_jacobians += solved.n_jacobians
        self.nfe += self._vjp.nfe - before
        if not solved.status.ok:
            raise SolveError(
                f"the backward solve of the adjoint failed: {solved.message}; or take gradient='checkpointed', "
                "which solves nothing backward"
            )
        if self.trace.wanted and solved.rows:
            self._trace_curve(solved)
        _, a, gradient = self._parts(solved.ys[-1])
        # The last step is cut to end on time: the one before it tells the natural length.
        lengths = [abs(row[1]) for row in solved.rows if row[3]]
        natural = max(lengths[-2:]) if lengths else None
        chosen = settings.method.adaptive and settings.method.family != "scipy"
        return a.view(self._shape), gradient, natural if chosen else settings.dt0

    def _parts(self, state: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        n = self._n
        if self._z_of_t is not None:
            return None, state[:n], state[n:]
        return state[:n], state[n : 2 * n], state[2 * n :]

    def _augmented(self, t: Tensor, state: Tensor) -> Tensor:
        n = self._n
        value, ga, gp = self._vjp(float(t), state[:n].view(self._shape), state[n : 2 * n].view(self._shape))
        return torch.cat([value.reshape(-1), -ga.reshape(-1), *(-g.reshape(-1) for g in gp)])

    def _augmented_from_dense(self, t: Tensor, state: Tensor) -> Tensor:
        assert self._z_of_t is not None
        time_ = float(t)
        # The first state is y0 itself: a Jacobian of the augmented state must not go on into what that is made of.
        z = self._z_of_t([self._clamped(time_)])[0].detach()
        _, ga, gp = self._vjp(time_, z, state[: self._n].view(self._shape))
        return torch.cat([-ga.reshape(-1), *(-g.reshape(-1) for g in gp)])

    def _clamped(self, t: float) -> float:
        """A backward step may end a rounding error outside of the forward solve."""
        low, high = sorted((self._problem.ts[0], self._solved.t_end))
        return min(max(t, low), high)

    def _observe(self, t: float, state: Tensor) -> None:
        if self.trace.wanted:
            z, a, gradient = self._parts(state)
            if z is None:
                assert self._z_of_t is not None
                z = self._z_of_t([self._clamped(t)])[0]
            self._record(t, a.view(self._shape), z.view(self._shape), gradient)

    def _trace_curve(self, solved: Solved) -> None:
        """Record the segment between its steps, too, as the method's own interpolant has it."""
        assert solved.dense is not None
        edges = np.array([*(row[0] for row in solved.rows if row[3]), solved.t_end])
        inner = edges[:-1, None] + np.diff(edges)[:, None] * np.arange(CURVE_PARTS) / CURVE_PARTS
        times = [*inner.ravel().tolist(), solved.t_end]
        states, n = solved.dense(times), self._n
        if self._z_of_t is not None:
            z, a = self._z_of_t([self._clamped(t) for t in times]), states[:, :n]
        else:
            z, a = states[:, :n], states[:, n : 2 * n]
        shape = (len(times), *self._shape)
        self.trace.add_curve(times, a.reshape(shape) * self._scale, z.reshape(shape))

    def _record(self, t: float, a: Tensor, z: Tensor, gradient: Tensor) -> None:
        if self.trace.wanted:
            self.trace.add(t, a * self._scale, z, gradient * self._scale)


def _split(flat: Tensor, params: Sequence[Tensor]) -> list[Tensor]:
    """The pieces of a flat vector, shaped as the parameters."""
    pieces = flat.split([p.numel() for p in params]) if params else ()
    return [piece.view_as(p) for piece, p in zip(pieces, params, strict=True)]
