"""What recurrent models of series are made of: seeded linear layers, a GRU cell, and the ODE between observations."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.fields.own import is_autonomous
from node_core.solvers.tableaus.tableaus import TABLEAUS

MAX_SUBSTEPS = 64


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """An nn.Linear whose weights come from a generator: uniform in +-1/sqrt(inputs); torch's own is not touched."""
    with torch.random.fork_rng(devices=[]):
        layer = nn.Linear(inputs, outputs)
    bound = inputs**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(bound * (2.0 * torch.rand(parameter.shape, generator=generator) - 1.0))
    return layer


def decoder(inputs: int, hidden: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    """What values a state stands for: a net with one hidden layer, (..., inputs) -> (..., outputs)."""
    return nn.Sequential(linear(inputs, hidden, generator), nn.Tanh(), linear(hidden, outputs, generator))


class GRU(nn.Module):
    """A gated recurrent unit (Cho et al. 2014): a cell, and a pass over packed sequences.

    Args:
        inputs: numbers read at a time.
        hidden: size of the state.
        generator: of the weights, uniform in +-1/sqrt(hidden).
    """

    def __init__(self, inputs: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = hidden
        with torch.random.fork_rng(devices=[]):
            self.unit = nn.GRU(inputs, hidden, batch_first=True)
        bound = hidden**-0.5
        with torch.no_grad():
            for parameter in self.unit.parameters():
                parameter.copy_(bound * (2.0 * torch.rand(parameter.shape, generator=generator) - 1.0))

    def states(self, x: Tensor) -> Tensor:
        """State after each input, (B, N, inputs) -> (B, N, hidden), from zero."""
        return self.unit(x)[0]

    def last(self, x: Tensor, counts: Tensor) -> Tensor:
        """State after the first `counts` (B,) inputs of each sequence, (B, hidden); zero where there are none."""
        states = self.states(x)
        last = states[torch.arange(len(x)), (counts - 1).clamp(min=0)]
        return torch.where((counts > 0).unsqueeze(1), last, 0.0)

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        """One update: x (B, inputs) and h (B, hidden) to h (B, hidden)."""
        return torch.gru_cell(x, h, *self._weights())

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        first, second, third, fourth = self.unit.parameters()
        return first, second, third, fourth


class Between(nn.Module):
    """The ODE dh/dt = f(h) of a recurrent state between two observations (ODE-RNN, Rubanova et al. 2019).

    The gaps of a batch are all different, and short. Each row takes steps of its own length with an explicit method,
    ceil(gap / max_step) of equal size, so that what comes out for a row depends on that row alone; a gap of zero
    leaves the state as it is. For gaps this short the checks and records of `odeint` cost more than the steps.

    Args:
        field: f, autonomous.
        method: a fixed-step or embedded explicit method, such as "euler" or "rk4".
        max_step: longest step. A gap longer than 64 of them takes 64 longer ones.

    Raises:
        ValueError: an unknown method, a step that is not positive, or a field that depends on t.
    """

    def __init__(self, field: MLPField, method: str = "euler", max_step: float = 0.25) -> None:
        super().__init__()
        if method not in TABLEAUS:
            raise ValueError(f"method = {method!r}: choose one of {', '.join(TABLEAUS)}.")
        if not 0 < max_step < math.inf:
            raise ValueError(f"max_step = {max_step}: choose a positive number.")
        if not is_autonomous(field):
            raise ValueError(
                "the field depends on t, but gaps have no common time: take time_dependent=False."
            )
        self.field, self.max_step = field, max_step
        self.tableau = TABLEAUS[method]

    def forward(self, h: Tensor, gap: Tensor) -> Tensor:
        """The state after the gaps: h (B, hidden), gap (B,) (negative: backward in time)."""
        wanted = (gap.detach().abs() / self.max_step - 1e-4).ceil().clamp(1, MAX_SUBSTEPS)
        most = int(wanted.max())
        for k in range(most):
            h = self._step(h, torch.where(wanted > k, gap / wanted, 0.0).unsqueeze(1))
        return h

    def _step(self, h: Tensor, dt: Tensor) -> Tensor:
        stages: list[Tensor] = []
        for row in self.tableau.a:
            stages.append(self.field(0.0, self._moved(h, dt, row, stages)))
        return self._moved(h, dt, self.tableau.b, stages)

    @staticmethod
    def _moved(h: Tensor, dt: Tensor, weights: tuple[float, ...], stages: list[Tensor]) -> Tensor:
        total: Tensor | None = None
        for weight, stage in zip(weights, stages, strict=False):
            if weight != 0.0:
                part = stage if weight == 1.0 else weight * stage
                total = part if total is None else total + part
        return h if total is None else torch.addcmul(h, dt, total)
