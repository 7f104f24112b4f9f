"""ODE-Net (Chen et al. 2018): the depth of the network is the time of an ODE; and its sibling RK-Net."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from node_core.models.classifier import BlockClassifier, Head
from node_core.models.settings import SolverSettings
from node_core.odeint import odeint

if TYPE_CHECKING:
    from node_core.solution import Solution

MAX_RK_STEPS = 1000


class Classified(NamedTuple):
    """Logits (n, n_classes), and the solve behind them: steps, NFE, and after backward the backward ones."""

    logits: Tensor
    solution: Solution


class ODENet(BlockClassifier):
    """logits = head(y(t1)) with dy/dt = f(t, y), y(0) = [x, 0].

    Args:
        dim: coordinates of a point.
        n_classes: number of classes.
        hidden: widths of the field's 1 to 3 hidden layers.
        augment: extra coordinates that start at zero.
        activation: "tanh", "softplus" or "elu".
        time_dependent: whether f sees t.
        method: solver, any name that `odeint` knows.
        rtol: relative tolerance.
        atol: absolute tolerance.
        gradient: gradient mode of `odeint`.
        t1: end time.
        dt: step of fixed-step methods.
        head: "linear", or "identity" to regress the flow map itself (n_classes = dim).
        seed: of the weights.

    Raises:
        ValueError: a size or setting is out of range.
    """

    def __init__(
        self,
        dim: int,
        n_classes: int,
        hidden: tuple[int, ...] = (32, 32),
        augment: int = 0,
        activation: str = "tanh",
        time_dependent: bool = False,
        method: str = "dopri5",
        rtol: float = 1e-3,
        atol: float = 1e-3,
        gradient: str = "backprop",
        t1: float = 1.0,
        dt: float | None = None,
        head: Head = "linear",
        seed: int = 0,
    ) -> None:
        super().__init__(
            dim,
            n_classes,
            hidden,
            augment=augment,
            activation=activation,
            time_dependent=time_dependent,
            blocks=1,
            head=head,
            seed=seed,
        )
        self.solver = SolverSettings(method, rtol, atol, gradient, t1, dt)

    def solve(self, x: Tensor, ts: Tensor | None = None, solver: SolverSettings | None = None) -> Solution:
        """Flow the points x (n, dim) through the field.

        Args:
            x: points.
            ts: output times (time,), increasing; None means [0, t1].
            solver: settings for this solve alone, e.g. to evaluate with a finer method than was trained with.

        Returns:
            The Solution, ys (time, n, dim + augment).

        Raises:
            ValueError: x has the wrong shape or a setting is refused.
            SolveError: the solver gave up.
        """
        s = solver or self.solver
        times = torch.tensor([0.0, s.t1], dtype=torch.float64) if ts is None else ts
        return odeint(
            self.field,
            self.lift(x),
            times,
            method=s.method,
            rtol=s.rtol,
            atol=s.atol,
            dt=s.dt,
            max_steps=s.max_steps,
            gradient=s.gradient,
            batch=s.batch,
            controller=s.controller,
            time_limit=s.time_limit,
        )

    def classify(self, x: Tensor, solver: SolverSettings | None = None) -> Classified:
        """Logits of x (n, dim) together with the solve behind them; raises as `solve` does."""
        solution = self.solve(x, solver=solver)
        return Classified(self.read(solution.ys[-1]), solution)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_classes) of points (n, dim)."""
        return self.classify(x).logits

    def trajectory(self, x: Tensor, times: int = 33, solver: SolverSettings | None = None) -> Tensor:
        """Paths (times, n, dim + augment) at evenly spaced times from 0 to t1.

        Raises:
            ValueError: times < 2.
        """
        if times < 2:
            raise ValueError(f"times = {times}: a path needs at least its start and its end.")
        s = solver or self.solver
        return self.solve(x, torch.linspace(0.0, s.t1, times, dtype=torch.float64), s).ys


class RKNet(ODENet):
    """The ODE-Net with `steps` fixed steps of the classical Runge-Kutta method: discretise, then optimise.

    Its gradient is that of the discrete network, exact, by backpropagation (RK-Net of Chen et al. 2018).

    Args:
        dim: coordinates of a point.
        n_classes: number of classes.
        hidden: widths of the block's hidden layers.
        steps: Runge-Kutta steps over [0, t1], 1 to 1000.
        augment: extra coordinates that start at zero.
        activation: "tanh", "softplus" or "elu".
        time_dependent: whether the block sees t.
        t1: end time.
        head: as for `ODENet`.
        seed: of the weights.

    Raises:
        ValueError: a size or setting is out of range.
    """

    def __init__(
        self,
        dim: int,
        n_classes: int,
        hidden: tuple[int, ...] = (32, 32),
        steps: int = 4,
        augment: int = 0,
        activation: str = "tanh",
        time_dependent: bool = False,
        t1: float = 1.0,
        head: Head = "linear",
        seed: int = 0,
    ) -> None:
        if not 1 <= steps <= MAX_RK_STEPS:
            raise ValueError(f"steps = {steps}: choose 1 to {MAX_RK_STEPS}.")
        super().__init__(
            dim,
            n_classes,
            hidden,
            augment,
            activation,
            time_dependent,
            method="rk4",
            t1=t1,
            dt=t1 / steps,
            head=head,
            seed=seed,
        )
        self.steps = steps
