"""Steps of an explicit method made again on a way back: each evaluation serves the step's end and its derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from node_core.fields.linearization import WritingLinearization
from node_core.gradients.discrete import ParameterGradients, Part
from node_core.gradients.vjp import has_closed_form, linearize
from node_core.solvers.held import Held
from node_core.solvers.problem import CountedField, Problem
from node_core.solvers.steppers.explicit import ExplicitStepper
from node_core.solvers.steppers.step import Step


class Replayed(NamedTuple):
    """A step that was made again.

    Attributes:
        end: y1.
        vjp: from dL by the end, and by the outputs inside, (1 + outputs, \\*y.shape), to dL by the start.
    """

    end: Tensor
    vjp: Callable[[Tensor], Tensor]


class ClosedFormReplay:
    """Steps and their derivatives by the closed form of the field.

    What an evaluation computes is kept for its derivative where the field can, so that none is made twice.
    """

    def __init__(self, problem: Problem, base: ExplicitStepper) -> None:
        self._problem, self._base = problem, base
        keep = getattr(problem.f, "keep_evaluations", None)
        if keep is not None:
            keep(problem.y0.shape[-1])
        self._tape = getattr(problem.f, "tape", None)
        self.f = CountedField(problem.f, problem.y0)
        self._linears: list[WritingLinearization] = []
        self._begin()

    def step(self, t: float, y: Tensor, dt: float, thetas: Sequence[float]) -> Replayed:
        """A step from (t, y), and how to go back through it and its outputs at thetas."""
        base, first = self._base, 0 if self._tape is None else self._tape.count
        result = base.step(self.f, t, y, dt, None) if thetas else base.advance(self.f, t, y, dt)
        weights, later, count = base.end.weights, base.end.later, len(base.end.c)
        known = self._tape is not None and not thetas and self._tape.count == first + count
        stages = range(first, first + count)
        if not known:
            table = base.stage_table(self.f, Step(t, dt, y, None, result), thetas)
            weights, later, stages = table.weights, table.later, range(len(table.times))
            self._linears.append(linearize(self._problem, table.times, table.states))
        linear = self._linears[0 if known else -1]
        return Replayed(
            result.y1, lambda cotangents: Part(stages, weights, later, linear).back(cotangents, dt)
        )

    def collect(self) -> Sequence[Tensor]:
        """dL/dtheta of the steps since the last call."""
        found = ParameterGradients(self._problem.params)
        for linear in self._linears if self._problem.params else ():
            found.add(linear.parameter_gradients())
        self._begin()
        return found.totals()

    def _begin(self) -> None:
        self._linears.clear()
        if self._tape is not None:
            self._tape.restart()
            self._linears.append(self._tape.sweep())


class GraphReplay:
    """The same by autograd: a graph of one step at a time."""

    def __init__(self, problem: Problem, base: ExplicitStepper) -> None:
        self._problem, self._base = problem, base
        self._held = Held(problem.params)
        self.f = CountedField(problem.f, problem.y0)
        self._gradients = ParameterGradients(problem.params)

    def step(self, t: float, y: Tensor, dt: float, thetas: Sequence[float]) -> Replayed:
        """A step from (t, y), and how to go back through it and its outputs at thetas."""
        base = self._base
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            result = base.step(self.f, t, y, dt, None) if thetas else base.advance(self.f, t, y, dt)
            ends = [result.y1]
            if thetas:
                ends.append(base.interpolate(self.f, Step(t, dt, y, None, result), thetas))

        def vjp(cotangents: Tensor) -> Tensor:
            known = [cotangents[0], cotangents[1:]][: len(ends)]
            (found,), gradients = self._held.derivatives(ends, (y,), known)
            self._gradients.add(gradients)
            return found

        return Replayed(result.y1.detach(), vjp)

    def collect(self) -> Sequence[Tensor]:
        """dL/dtheta of the steps since the last call."""
        found = self._gradients.totals()
        self._gradients = ParameterGradients(self._problem.params)
        return found


def replay_of(problem: Problem, base: ExplicitStepper) -> ClosedFormReplay | GraphReplay:
    """The cheapest that the field offers."""
    return (ClosedFormReplay if has_closed_form(problem) else GraphReplay)(problem, base)
