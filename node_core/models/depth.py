"""How a classifier goes through its depth: continuously, as an ODE is solved, or in layers; whatever its blocks are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_core.settings import SolverSettings
from node_core.solution import Solution


class Classified(NamedTuple):
    """Logits (n, n_classes), and the solve behind them: steps, NFE, and after backward the backward ones."""

    logits: Tensor
    solution: Solution


class Frame(nn.Module):
    """x -> lift -> block(s) -> read: what every classifier here is made of.

    Attributes:
        fields: the blocks, each a vector field f(t, y).
        t1: where the depth ends.
    """

    fields: nn.ModuleList
    t1: float

    @property
    def field(self) -> nn.Module:
        """The (first) block.

        Raises:
            ValueError: the net has none.
        """
        if not len(self.fields):
            raise ValueError("this net has no block: take layers = 1 or more.")
        return self.fields[0]

    def lift(self, x: Tensor) -> Tensor:
        """Inputs (n, ...) to states at depth 0."""
        raise NotImplementedError

    def read(self, y: Tensor) -> Tensor:
        """Final states to logits (n, n_classes)."""
        raise NotImplementedError


class Continuous(Frame):
    """logits = read(y(t1)) with dy/dt = f(t, y), y(0) = lift(x).

    Attributes:
        solver: how the ODE is solved.
    """

    solver: SolverSettings

    def solve(self, x: Tensor, ts: Tensor | None = None, solver: SolverSettings | None = None) -> Solution:
        """Flow the inputs x (n, ...) through the field.

        Args:
            x: inputs, such as points (n, dim).
            ts: output times (time,), increasing; None means [0, t1].
            solver: settings for this solve alone, e.g. to evaluate with a finer method than was trained with.

        Returns:
            The Solution, ys (time, n, ...), for points (time, n, dim + augment).

        Raises:
            ValueError: x has the wrong shape or a setting is refused.
            SolveError: the solver gave up.
        """
        times = torch.tensor([0.0, self.t1], dtype=torch.float64) if ts is None else ts
        return (solver or self.solver).solve(self.field, self.lift(x), times)

    def classify(self, x: Tensor, solver: SolverSettings | None = None) -> Classified:
        """Logits of x (n, dim) together with the solve behind them; raises as `solve` does."""
        solution = self.solve(x, solver=solver)
        return Classified(self.read(solution.ys[-1]), solution)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_classes) of inputs x (n, ...)."""
        return self.classify(x).logits

    def trajectory(self, x: Tensor, times: int = 33, solver: SolverSettings | None = None) -> Tensor:
        """Paths (times, n, ...) at evenly spaced times from 0 to t1.

        Raises:
            ValueError: times < 2.
        """
        if times < 2:
            raise ValueError(f"times = {times}: a path needs at least its start and its end.")
        return self.solve(x, torch.linspace(0.0, self.t1, times, dtype=torch.float64), solver).ys


class Layered(Frame):
    """y_{l+1} = y_l + h f_l(t_l, y_l) with h = t1 / L and t_l = l h; of no layers, y is lift(x) alone.

    Attributes:
        layers: L.
        shared: whether all layers have the first block's weights.
    """

    layers: int
    shared: bool

    @property
    def step(self) -> float:
        """H = t1 / L."""
        return self.t1 / max(1, self.layers)

    def states(self, x: Tensor) -> Iterator[Tensor]:
        """The lifted input, and the state after every layer."""
        y = self.lift(x)
        yield y
        for layer in range(self.layers):
            y = y + self.step * self.fields[0 if self.shared else layer](layer * self.step, y)
            yield y

    def trajectory(self, x: Tensor) -> Tensor:
        """States after every layer, (L + 1, n, ...); the first is the lifted input.

        Raises:
            ValueError: x has another shape than `lift` takes.
        """
        return torch.stack(list(self.states(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_classes) of inputs x (n, ...)."""
        for y in self.states(x):
            final = y  # no state before it is kept
        return self.read(final)
