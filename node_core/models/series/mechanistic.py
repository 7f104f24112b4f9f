"""Known equations with unknowns in them: Lotka-Volterra, a known right-hand side plus a net, a net alone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.fields.own import is_autonomous
from node_core.models.series.latent import LOOSE
from node_core.settings import SolverSettings
from node_core.solution import Solution

Form = Literal["whole", "linear"]
MAX_LOG = 30.0


class LotkaVolterra(nn.Module):
    """Predator and prey in logarithms, u = log x and v = log y, where both stay positive whatever is learned:

        u' = alpha - beta exp(v)           x' = alpha x - beta x y
        v' = delta exp(u) - gamma          y' = delta x y - gamma y

    The four numbers are positive: what is trained is their logarithm.

    Args:
        alpha, beta, gamma, delta: to begin with.
        form: "whole", or "linear": without the interaction (beta and delta are zero, and not trained).
    """

    accepts_float_time = True
    autonomous = True
    dim = 2

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma: float = 1.0,
        delta: float = 1.0,
        form: Form = "whole",
    ) -> None:
        super().__init__()
        if min(alpha, beta, gamma, delta) <= 0:
            raise ValueError(
                f"alpha, beta, gamma, delta = {alpha}, {beta}, {gamma}, {delta}: choose positive numbers."
            )
        self.form = form
        chosen = (alpha, gamma, beta, delta) if form == "whole" else (alpha, gamma)
        self.logs = nn.Parameter(torch.tensor(chosen).log())
        self.signs: Tensor
        self.register_buffer("signs", torch.tensor((1.0, -1.0, -1.0, 1.0)[: len(chosen)]), persistent=False)

    def rates(self) -> dict[str, Tensor]:
        """The numbers by their names, differentiable; without the interaction only alpha and gamma."""
        return dict(zip(("alpha", "gamma", "beta", "delta"), self.logs.exp().unbind(), strict=False))

    def interaction(self, y: Tensor) -> Tensor:
        """(-beta exp(v), delta exp(u)), shape of y (..., 2): what each does to the other's growth."""
        if self.form == "linear":
            return torch.zeros_like(y)
        return (self.signs * self.logs.exp())[2:] * _others(y)

    def forward(self, t: float | Tensor, y: Tensor) -> Tensor:
        """Value (u', v') at y = (u, v), shape (..., 2)."""
        signed = self.signs * self.logs.exp()
        if self.form == "linear":
            return signed.expand(y.shape)
        return torch.addcmul(signed[:2], signed[2:], _others(y))


def _others(y: Tensor) -> Tensor:
    """(exp(v), exp(u)), bounded: a solver may try a step that leads anywhere."""
    return y.flip(-1).clamp(max=MAX_LOG).exp()


class UniversalODE(nn.Module):
    """dy/dt = known(t, y) + net(t, y): what is known stays an equation, what is not is learned.

    Rackauckas et al. 2020, "Universal differential equations for scientific machine learning".

    Args:
        known: the known part, any field of y (..., dim).
        net: the unknown part.
        zero: begin with the known part alone: the net's last layer is set to zero.
    """

    accepts_float_time = True

    def __init__(self, known: nn.Module, net: MLPField, zero: bool = True) -> None:
        super().__init__()
        self.known, self.net = known, net
        self.autonomous = is_autonomous(known) and is_autonomous(net)
        if zero:
            with torch.no_grad():
                for parameter in list(net.parameters())[-2:]:
                    parameter.zero_()

    def forward(self, t: float | Tensor, y: Tensor) -> Tensor:
        """Value dy/dt (..., dim)."""
        return self.known(t, y) + self.net(t, y)


class DirectFit(nn.Module):
    """A field and the state from which it starts, fitted to one series: no encoder, no latent variables.

    Args:
        field: dy/dt = f(t, y) in the series' own coordinates.
        y0: (dim,) where it starts, to begin with; it is trained too.
    """

    def __init__(self, field: nn.Module, y0: Tensor) -> None:
        super().__init__()
        self.field = field
        self.y0 = nn.Parameter(y0.clone())

    def solve(self, ts: Tensor, solver: SolverSettings = LOOSE, on_error: str = "raise") -> Solution:
        """The curve at ts (T,), of which the first is where it starts: ys (T, 1, dim).

        Raises:
            SolveError: the solver gave up (unless on_error="return": then fewer times come back).
        """
        return solver.solve(self.field, self.y0.unsqueeze(0), ts, on_error=on_error)
