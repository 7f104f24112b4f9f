"""Every row of a batch with its own steps: a stiff or fast sample must not drag the others along.

The rows that are still under way are stepped together, each with its own t and dt, so that a call of f serves them all;
rows that have arrived are no longer evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from node_core.solution import Status
from node_core.solvers.clock import Deadline
from node_core.solvers.controllers import ControllerState
from node_core.solvers.problem import CountedField, Problem
from node_core.solvers.reasons import noise
from node_core.solvers.solve import Solved
from node_core.solvers.step_size import smallest_step
from node_core.solvers.steppers.explicit import combine
from node_core.solvers.tableaus.tableau import ButcherTableau

SampleRow = tuple[float, float, float, bool, int]


def solve_per_sample(problem: Problem) -> Solved:
    """Solve each row y0[i] with steps of its own, by an adaptive explicit method; differentiable by backpropagation.

    f gets t of shape (rows, 1, ..., 1) and y of shape (rows, \\*y0.shape[1:]), where rows are the samples still under
    way: it must treat the rows of a batch independently.
    """
    return _Batch(problem).run()


class _Batch:
    """The state of one solve: clocks and step lengths as lists of floats, states as one tensor."""

    def __init__(self, problem: Problem) -> None:
        tableau, controller = problem.settings.method.tableau, problem.settings.controller
        assert tableau is not None and controller is not None, "the front door checks the method"
        self._problem, self._tableau, self._controller = problem, tableau, controller
        self._dense = tableau.dense_output()
        self._f = CountedField(problem.f, problem.y0)
        self._ts = problem.ts
        self._direction = 1.0 if self._ts[-1] >= self._ts[0] else -1.0
        rows = len(problem.y0)
        self._y = problem.y0
        self._t = [self._ts[0]] * rows
        self._next_output = [1] * rows
        self._attempts = [0] * rows
        self._span = abs(self._ts[-1] - self._ts[0])
        # Each row meets the jumps of f at its own pace.
        clock = problem.clock
        self._clocks = None if clock is None else [clock.copy() for _ in range(rows)]
        self._stops = [*(clock.stops(self._ts[0], self._ts[-1]) if clock else ()), self._ts[-1]]
        self._piece = [0] * rows
        self._dt, self._state = [0.0] * rows, [ControllerState()] * rows
        self._f0 = self._begin_piece(list(range(rows)), self._y)
        self._log: list[SampleRow] = []
        self._ys = torch.zeros((len(self._ts), *problem.y0.shape), dtype=self._y.dtype, device=self._y.device)
        self._ys = self._ys.index_put((torch.tensor(0),), self._y)
        self._status, self._message = Status.SUCCESS, "every sample reached the end of the time span"
        finite = self._finite_rows(self._f0)
        if not all(finite):
            self._stop(
                Status.NON_FINITE,
                f"f(t, y) is not finite at t = {self._ts[0]:.6g} for sample {finite.index(False)}: check the field and "
                "y0 there",
            )

    def run(self) -> Solved:
        """Step the rows under way until all have arrived or one cannot go on."""
        limit = self._problem.settings.limits.time_limit
        deadline = Deadline(limit)
        active = list(range(len(self._y)))
        while active and self._status is Status.SUCCESS:
            if deadline.is_over():
                self._stop(
                    Status.TIME_LIMIT, f"time_limit = {limit:g} s is over: raise it, or loosen the tolerance"
                )
                break
            self._attempt(active)
            active = [i for i in active if self._t[i] != self._ts[-1]]
        reached = min(self._next_output, default=1)
        return Solved(
            ys=self._ys[:reached],
            times=self._ts[:reached],
            t_end=min(self._t, key=lambda t: t * self._direction, default=self._ts[0]),
            rows=self._log,  # type: ignore[arg-type]
            nfe=self._f.nfe,
            status=self._status,
            message=self._message,
        )

    def _stop(self, status: Status, message: str) -> None:
        if status is not Status.NON_FINITE:
            rows = list(range(len(self._y)))
            message = (
                noise(lambda _, y: self._call(rows, 0.0, [0.0] * len(rows), y), None, self._y) or message
            )
        self._status, self._message = status, message

    def _column(self, values: Sequence[float], like: Tensor) -> Tensor:
        """Per-row numbers, shaped to broadcast against states of these rows."""
        return like.new_tensor(values).view(-1, *[1] * (like.ndim - 1))

    def _call(self, rows: Sequence[int], c: float, h: Sequence[float], y: Tensor) -> Tensor:
        """f at t + c h of each row."""
        at = [self._t[i] + c * step for i, step in zip(rows, h, strict=True)]
        if self._clocks is not None:
            at = [self._clocks[i](t) for i, t in zip(rows, at, strict=True)]
        times = self._column(at, y)
        # The shape check of the counted field is for the whole batch; a subset of rows has fewer.
        self._f.expect(y)
        return self._f(times, y)

    def _stop_of(self, i: int) -> float:
        """Where row i must end a step: at the next jump of f, or at the end."""
        return self._stops[self._piece[i]]

    def _begin_piece(self, rows: list[int], y: Tensor) -> Tensor:
        """Let rows begin a piece in which f is smooth, at their states y; returns f there."""
        if self._clocks is not None:
            for i in rows:
                self._clocks[i].enter(self._t[i], self._stop_of(i) - self._t[i])
        f0 = self._call(rows, 0.0, [0.0] * len(rows), y)
        for i, dt in zip(rows, self._first_steps(rows, y, f0), strict=True):
            self._dt[i], self._state[i] = dt, ControllerState()
        return f0

    def _first_steps(self, rows: list[int], y: Tensor, f0: Tensor) -> list[float]:
        """Hairer's first step of each row, without its second evaluation: a fraction of |y| / |f|."""
        settings, span = self._problem.settings, self._span
        if settings.dt0 is not None:
            return [min(settings.dt0, span)] * len(rows)
        with torch.no_grad():
            sizes, slopes = self._norms(y, y, y), self._norms(f0, y, y)
        return [
            min(
                span,
                max(
                    2 * smallest_step(self._t[i], span),
                    1e-6 if not (size > 1e-5 and slope > 1e-5) else 0.01 * size / slope,
                ),
            )
            for i, size, slope in zip(rows, sizes, slopes, strict=True)
        ]

    def _norms(self, x: Tensor, a: Tensor, b: Tensor) -> list[float]:
        """The error norm of each row."""
        settings = self._problem.settings
        scale = torch.maximum(a.abs(), b.abs()) * settings.rtol + settings.atol
        return (x / scale).flatten(1).square().mean(1).sqrt().tolist()

    @staticmethod
    def _finite_rows(y: Tensor) -> list[bool]:
        return torch.isfinite(y.detach()).flatten(1).all(1).tolist()

    def _attempt(self, active: list[int]) -> None:
        """One attempted step of every active row."""
        tableau, longest = self._tableau, self._problem.settings.max_step
        h = []
        for i in active:
            remaining = self._stop_of(i) - self._t[i]
            length = min(self._dt[i], longest)
            # as long as the row's clock moves, see the loop
            moved = (self._t[i] + self._direction * length) - self._t[i]
            h.append(remaining if length >= abs(remaining) else moved)
        index = torch.tensor(active, device=self._y.device)
        y = self._y[index]
        dt = self._column(h, y)
        k = self._stages(tableau, active, y, self._f0[index], h, dt)
        y1 = combine_rows(y, dt, tableau.b, k)
        assert tableau.b_error is not None
        with torch.no_grad():
            error = combine_rows(torch.zeros_like(y), dt, tableau.b_error, k)
            # A state that overflowed would make its own tolerance infinite, and be accepted.
            finite = self._finite_rows(y1)
            ratios = [
                ratio if ok else math.inf for ratio, ok in zip(self._norms(error, y, y1), finite, strict=True)
            ]
        accepted = self._judge(active, h, ratios)
        if accepted:
            self._move(active, accepted, h, y, y1, k)

    def _stages(
        self, tableau: ButcherTableau, rows: list[int], y: Tensor, f0: Tensor, h: list[float], dt: Tensor
    ) -> list[Tensor]:
        k = [f0]
        for row, c in zip(tableau.a[1:], tableau.c[1:], strict=True):
            k.append(self._call(rows, c, h, combine_rows(y, dt, row, k)))
        return k

    def _judge(self, active: list[int], h: list[float], ratios: list[float]) -> list[int]:
        """Log every row's attempt, set its next step, and return the positions of the accepted ones."""
        good = []
        limit = self._problem.settings.limits.max_steps
        for position, (i, step, ratio) in enumerate(zip(active, h, ratios, strict=True)):
            ok, factor, self._state[i] = self._controller.apply(
                self._state[i], ratio, self._tableau.error_order
            )
            self._log.append((self._t[i], step, ratio, ok, i))
            self._dt[i] = abs(step) * factor
            self._attempts[i] += 1
            if ok:
                good.append(position)
            elif self._dt[i] < smallest_step(self._t[i], self._span):
                status = Status.STEP_UNDERFLOW if math.isfinite(ratio) else Status.NON_FINITE
                self._stop(
                    status,
                    f"sample {i} cannot move on at t = {self._t[i]:.6g}: its solution blows up there, or it is too "
                    "stiff for an explicit method",
                )
            arrived = ok and self._ts[-1] - self._t[i] == step
            if self._attempts[i] >= limit and not arrived:
                self._stop(
                    Status.MAX_STEPS,
                    f"sample {i} took max_steps = {limit} steps and reached only t = {self._t[i]:.6g}: raise "
                    "max_steps, or loosen the tolerance",
                )
        return good

    def _move(
        self, active: list[int], accepted: list[int], h: list[float], y: Tensor, y1: Tensor, k: list[Tensor]
    ) -> None:
        """Move the accepted rows on, handing out the outputs that they passed."""
        rows = [active[p] for p in accepted]
        where = torch.tensor(accepted, device=y.device)
        steps = [h[p] for p in accepted]
        y, y1, k = y[where], y1[where], [stage[where] for stage in k]
        starts = [self._t[i] for i in rows]
        stops = [self._stop_of(i) for i in rows]
        ends = [
            stop if stop - t == step else t + step for stop, t, step in zip(stops, starts, steps, strict=True)
        ]
        f1 = k[-1] if self._tableau.fsal else self._call(rows, 1.0, steps, y1)
        self._hand_out(rows, starts, ends, steps, y, y1, k, f1)
        index = torch.tensor(rows, device=y.device)
        self._y = self._y.index_copy(0, index, y1)
        self._f0 = self._f0.index_copy(0, index, f1)
        for i, t1 in zip(rows, ends, strict=True):
            self._t[i] = t1
        self._cross([i for i in rows if self._t[i] == self._stop_of(i) != self._ts[-1]])

    def _cross(self, rows: list[int]) -> None:
        """Let rows that stand at a jump of f begin anew behind it."""
        if rows:
            for i in rows:
                self._piece[i] += 1
            index = torch.tensor(rows, device=self._y.device)
            self._f0 = self._f0.index_copy(0, index, self._begin_piece(rows, self._y[index]))

    def _hand_out(
        self,
        rows: list[int],
        starts: list[float],
        ends: list[float],
        steps: list[float],
        y: Tensor,
        y1: Tensor,
        k: list[Tensor],
        f1: Tensor,
    ) -> None:
        """Write the outputs in (start, end] of each row into ys."""
        ts, direction = self._ts, self._direction
        inside: list[tuple[int, int, float]] = []
        for p, i in enumerate(rows):
            j = self._next_output[i]
            while j < len(ts) and (ts[j] - ends[p]) * direction <= 0:
                inside.append((j, p, 1.0 if ts[j] == ends[p] else (ts[j] - starts[p]) / steps[p]))
                j += 1
            self._next_output[i] = j
        if not inside:
            return
        outputs, positions, thetas = zip(*inside, strict=True)
        where = torch.tensor(positions, device=y.device)
        if all(theta == 1.0 for theta in thetas):
            values = y1[where]
        else:
            dt = self._column(steps, y)
            stages = self._dense_stages(rows, steps, dt, y, k, f1)
            weights = y.new_tensor([self._dense.weights(theta) for theta in thetas])
            values = y[where]
            for s, stage in enumerate(stages):
                values = values + dt[where] * weights[:, s].view(-1, *[1] * (y.ndim - 1)) * stage[where]
            exact = self._column([float(theta == 1.0) for theta in thetas], y).bool()
            values = torch.where(exact, y1[where], values)
        samples = torch.tensor([rows[p] for p in positions], device=y.device)
        self._ys = self._ys.index_put((torch.tensor(outputs, device=y.device), samples), values)

    def _dense_stages(
        self, rows: list[int], steps: list[float], dt: Tensor, y: Tensor, k: list[Tensor], f1: Tensor
    ) -> list[Tensor]:
        """The stages that the dense output weighs."""
        stages = list(k)
        for j, (row, c) in enumerate(zip(self._dense.extra_a, self._dense.extra_c, strict=True)):
            known = j == 0 and self._tableau.dense_needs_f1
            stages.append(f1 if known else self._call(rows, c, steps, combine_rows(y, dt, row, stages)))
        return stages


def combine_rows(y: Tensor, dt: Tensor, weights: Sequence[float], stages: Sequence[Tensor]) -> Tensor:
    """Return y + dt sum_j weights_j k_j with a dt for each row."""
    return y + dt * combine(torch.zeros_like(y), 1.0, weights, stages)
