"""Explicit Runge-Kutta steps: one stepper for every tableau.

    k_i = f(t + c_i dt, y + dt sum_j a_ij k_j),    y1 = y + dt sum_i b_i k_i

(Hairer, Norsett, Wanner, "Solving ODEs I", II.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from node_core.solvers.dual import is_recorded
from node_core.solvers.steppers.step import Field, Step, StepResult
from node_core.solvers.tableaus.tableau import ButcherTableau


@cache
def explicit_stepper(tableau: ButcherTableau, dtype: torch.dtype, device: torch.device) -> ExplicitStepper:
    """The stepper of a tableau; it has no state, so that all solves share one."""
    return ExplicitStepper(tableau, dtype, device)


class StageTable(NamedTuple):
    """The stages of one accepted step, as its reverse sweep sees them.

    Attributes:
        times, states: where they were evaluated; states has shape (stages, \\*y.shape).
        weights: b_i in column 0, then b_i(theta) for each output inside the step.
        later: for each stage i, the weights a_ji of the stages j that build on it (zero for j <= i).
    """

    times: list[float]
    states: Tensor
    weights: Tensor
    later: list[Tensor]


class Coefficients(NamedTuple):
    """The rows of a tableau, as tensors: a_ij, c_i, b_i in a column, and for each stage i the a_ji that build on it."""

    a: Tensor
    c: tuple[float, ...]
    weights: Tensor
    later: list[Tensor]

    @classmethod
    def of(
        cls,
        a: Sequence[Sequence[float]],
        b: Sequence[float],
        c: tuple[float, ...],
        row: Callable[[Sequence[float]], Tensor],
    ) -> Coefficients:
        """Of the coefficients a, b and c, by `row`, which makes a tensor."""
        n = len(a)
        square = torch.stack([row([*weights, *[0.0] * (n - len(weights))]) for weights in a])
        return cls(square, c, row([*b, *[0.0] * (n - len(b))]).unsqueeze(1), [*square.T.contiguous()])


class ExplicitStepper:
    """Steps of one explicit tableau, on tensors of any shape.

    Without autograd the stages live in one buffer K (stages, n), so that every linear combination of them is a single
    matrix-vector product. Under autograd they are separate tensors, and the error estimate stays outside of the graph.
    """

    def __init__(self, tableau: ButcherTableau, dtype: torch.dtype, device: torch.device) -> None:
        self.tableau = tableau
        self.order = tableau.order
        self.error_order = tableau.error_order
        self.adaptive = tableau.adaptive
        self.dense_order = tableau.dense_order
        self.dense_needs_f1 = tableau.dense_needs_f1

        def row(weights: Sequence[float]) -> Tensor:
            return torch.tensor(weights, dtype=dtype, device=device)

        self._c = tableau.c[1:]
        self._rows = [row([*weights, *[0.0] * (tableau.stages - len(weights))]) for weights in tableau.a[1:]]
        self._b = row(tableau.b)
        self._b_error = row(tableau.b_error) if tableau.b_error is not None else None
        self._dense = tableau.dense_output()
        used = max(i for i, weight in enumerate(tableau.b) if weight != 0.0) + 1
        self.end = Coefficients.of(tableau.a[:used], tableau.b[:used], tableau.c[:used], row)
        self._dense_coefficients = Coefficients.of(
            tableau.a + self._dense.extra_a, tableau.b, tableau.c + self._dense.extra_c, row
        )

    def step(self, f: Field, t: float, y: Tensor, dt: float, f0: Tensor | None) -> StepResult:
        """Attempt one step of signed length dt from (t, y)."""
        if f0 is None:
            f0 = f(t, y)
        return self._step_in_graph(f, t, y, dt, f0) if is_recorded() else self._step(f, t, y, dt, f0)

    def _step(self, f: Field, t: float, y: Tensor, dt: float, f0: Tensor) -> StepResult:
        tableau, shape = self.tableau, y.shape
        flat = y.reshape(-1)
        # Zeros, not empty memory: every combination spans all of K, with weight 0 on the stages still to come.
        k = flat.new_zeros((tableau.stages, flat.numel()))
        stages = k.view(tableau.stages, *shape)
        slots, kt = stages.unbind(), k.T
        slots[0].copy_(f0)
        # The states of the stages share one piece of memory, and are done with when the step is.
        states = torch.empty_like(k)
        flats, shaped = states.unbind(), states.view(stages.shape).unbind()
        write = getattr(f, "write", None) or (lambda t, y, out: out.copy_(f(t, y)))
        for i, (c, row) in enumerate(zip(self._c, self._rows, strict=True), 1):
            torch.addmv(flat, kt, row, alpha=dt, out=flats[i])
            write(t + c * dt, shaped[i], slots[i])
        # With FSAL the last stage state is y1 itself, and its slope is f1.
        y1 = shaped[-1].clone() if tableau.fsal else torch.addmv(flat, kt, self._b, alpha=dt).view(shape)
        error = None if self._b_error is None else torch.mv(kt, self._b_error).mul_(dt).view(shape)
        return StepResult(y1, error, slots[-1] if tableau.fsal else None, stages)

    def _step_in_graph(self, f: Field, t: float, y: Tensor, dt: float, f0: Tensor) -> StepResult:
        tableau = self.tableau
        k = [f0]
        stage = y
        for i in range(1, tableau.stages):
            stage = combine(y, dt, tableau.a[i], k)
            k.append(f(t + tableau.c[i] * dt, stage))
        y1 = stage if tableau.fsal else combine(y, dt, tableau.b, k)
        error = None
        if tableau.b_error is not None:
            with torch.no_grad():
                error = combine(torch.zeros_like(y), dt, tableau.b_error, k)
        return StepResult(y1, error, k[-1] if tableau.fsal else None, k)

    def stage_table(self, f: Field, step: Step, thetas: Sequence[float]) -> StageTable:
        """What a reverse sweep through an accepted step needs: the stages that its end, and outputs at thetas, use."""
        coefficients = self._dense_coefficients if thetas else self.end
        count = len(coefficients.c)
        k = self.dense_stages(f, step) if thetas else step.result.stages[:count]
        weights = coefficients.weights
        if thetas:
            rows = [self._dense.weights(theta) for theta in thetas]
            weights = torch.cat((weights, weights.new_tensor(rows).T), dim=1)
        flat = torch.addmm(step.y0.reshape(1, -1), coefficients.a, k.reshape(count, -1), alpha=step.dt)
        times = [step.t + c * step.dt for c in coefficients.c]
        return StageTable(times, flat.view(count, *step.y0.shape), weights, coefficients.later)

    def complete(self, f: Field, step: Step) -> Step:
        """The step with the stages of its dense output."""
        return step._replace(result=step.result._replace(stages=self.dense_stages(f, step)))

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Tensor:
        """Return y(t + theta dt) for each theta, shape (thetas, \\*y.shape), by the tableau's continuous extension."""
        stages = self.dense_stages(f, step)
        weights = step.y0.new_tensor([self._dense.weights(theta) for theta in thetas])
        values = weights @ (stages.reshape(len(stages), -1) * step.dt)
        return step.y0 + values.view(len(thetas), *step.y0.shape)

    def dense_stages(self, f: Field, step: Step) -> Tensor:
        """All stages that the dense output weighs, shape (stages, \\*y.shape); evaluates the missing ones."""
        stages = step.result.stages
        if len(stages) == len(self._dense.coefficients):
            return stages if isinstance(stages, Tensor) else torch.stack(stages)
        k = list(stages)
        for j, (row, c) in enumerate(zip(self._dense.extra_a, self._dense.extra_c, strict=True)):
            if j == 0 and self.dense_needs_f1 and step.result.f1 is not None:
                k.append(step.result.f1)
            else:
                k.append(f(step.t + c * step.dt, combine(step.y0, step.dt, row, k)))
        return torch.stack(k)


def combine(y: Tensor, dt: float, weights: Sequence[float], stages: Sequence[Tensor]) -> Tensor:
    """Return y + dt sum_j weights_j k_j, one differentiable addition for each weight that is not zero."""
    for weight, k in zip(weights, stages, strict=True):
        if weight != 0.0:
            y = torch.add(y, k, alpha=dt * weight)
    return y
