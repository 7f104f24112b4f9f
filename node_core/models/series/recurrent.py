"""Recurrent nets that foresee a series step by step: a GRU that reads the gaps, and an ODE-RNN that lives in them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.models.series.layers import GRU, Between, decoder
from node_core.models.series.observed import Observed, Packed, pack

MAX_ROLLED = 500


class Foreseen(NamedTuple):
    """What was expected of each observation from those before it.

    values   (B, N, D), in the order of `packed`
    packed   the observations, earliest first
    """

    values: Tensor
    packed: Packed


class RecurrentPredictor(nn.Module):
    """h_i = GRU([x_i, mask_i, gap_i], h_{i-1}),  x(t) = decoder(h(t)) for t after the i-th observation.

    With `continuous` (ODE-RNN) h follows dh/dt = f(h) until the next observation. Without, h stands still, and the
    decoder is told how long ago the last observation was. A value is foreseen from what came before it, never from
    what came later: between two observations that is a handicap against models that read the whole series.

    Args:
        dim: values at a time.
        hidden: size of the recurrent state.
        continuous: whether the state moves between observations.
        field_hidden: width of the field's hidden layer.
        decoder_hidden: width of the decoder's hidden layer.
        activation: of the field.
        max_step: of the Euler steps in the gaps, in the unit of time.
        seed: of the weights.
    """

    def __init__(
        self,
        dim: int,
        hidden: int = 25,
        continuous: bool = False,
        field_hidden: int = 25,
        decoder_hidden: int = 20,
        activation: str = "tanh",
        max_step: float = 0.25,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.dim = dim
        self.gru = GRU(2 * dim + 1, hidden, generator)
        self.between: Between | None = None
        if continuous:
            self.between = Between(
                MLPField(hidden, (field_hidden,), activation, seed=seed + 1), max_step=max_step
            )
        self.decoder = decoder(hidden if continuous else hidden + 1, decoder_hidden, dim, generator)

    def forward(self, observed: Observed, t0: float) -> Foreseen:
        """What is expected of every observation, from those before it; t0 is where the state is zero."""
        packed, lags = self._read(observed, t0)
        _, before = self._states(packed, lags)
        return Foreseen(self._values(before, lags), packed)

    @torch.no_grad()
    def predict(self, observed: Observed, t0: float, ts: Tensor, rolled: float) -> tuple[Tensor, Tensor]:
        """What is expected at any times from the observations before each of them.

        Past a series' last observation a GRU reads its own predictions, one every `rolled`; an ODE-RNN just goes on.

        Args:
            observed: the batch, B series.
            t0: as in `forward`.
            ts: (T,) float64, increasing.
            rolled: positive; at most `MAX_ROLLED` of them are rolled.

        Returns:
            Values (B, T, D), and the states behind them (B, T, hidden).
        """
        if self.between is None:
            observed = self._rolled_on(observed, t0, float(ts[-1]), rolled)
        packed, lags = self._read(observed, t0)
        states, _ = self._states(packed, lags)
        zero = torch.zeros_like(states[:, :1])
        states = torch.cat((zero, states), 1)
        # how many observations of each series come before each time, and since when the last of them is over
        ends = torch.where(packed.valid, packed.times, float("inf"))
        index = torch.searchsorted(ends, ts.expand(len(ends), -1).contiguous(), right=False)
        starts = torch.cat((ends.new_full((len(ends), 1), t0), ends), 1)
        since = (ts - starts.gather(1, index)).to(states.dtype)
        chosen = states.gather(1, index.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
        if self.between is not None:
            flat = self.between(chosen.flatten(0, 1), since.flatten())
            chosen = flat.view_as(chosen)
        return self._values(chosen, since), chosen

    def _read(self, observed: Observed, t0: float) -> tuple[Packed, Tensor]:
        """Earliest first, and the time since the observation before each."""
        packed = pack(observed, float(observed.times[-1]))
        before = torch.cat((packed.times.new_full((len(packed.times), 1), t0), packed.times[:, :-1]), 1)
        return packed, (packed.times - before).clamp(min=0.0).to(packed.values.dtype)

    def _states(self, packed: Packed, lags: Tensor) -> tuple[Tensor, Tensor]:
        """The state after each observation, and before it, (B, N, hidden)."""
        inputs = torch.cat((packed.values, packed.mask, lags.unsqueeze(-1)), -1)
        if self.between is None:
            after = self.gru.states(inputs)
            return after, torch.cat((torch.zeros_like(after[:, :1]), after[:, :-1]), 1)
        state = inputs.new_zeros(len(inputs), self.gru.hidden)
        afters, befores = [], []
        for x, lag in zip(inputs.unbind(1), lags.unbind(1), strict=True):
            before = self.between(state, lag)
            state = self.gru.step(x, before)
            befores.append(before)
            afters.append(state)
        return torch.stack(afters, 1), torch.stack(befores, 1)

    def _values(self, states: Tensor, lags: Tensor) -> Tensor:
        if self.between is None:
            states = torch.cat((states, lags.unsqueeze(-1)), -1)
        return self.decoder(states)

    def _rolled_on(self, observed: Observed, t0: float, end: float, rolled: float) -> Observed:
        """The series with the net's own predictions appended, at common times after the last observation of all."""
        last = float(observed.times[-1])
        count = min(MAX_ROLLED, max(0, int((end - last) / rolled)))
        if count == 0:
            return observed
        packed, lags = self._read(observed, t0)
        states, _ = self._states(packed, lags)
        rows = torch.arange(len(states))
        state = states[rows, (packed.counts - 1).clamp(min=0)]
        seen_until = packed.times[rows, (packed.counts - 1).clamp(min=0)]
        lag = (last + rolled - seen_until).to(state.dtype)
        full = state.new_ones(len(state), self.dim)
        values = []
        for _ in range(count):
            value = self._values(state, lag)
            values.append(value)
            state = self.gru.step(torch.cat((value, full, lag.unsqueeze(-1)), -1), state)
            lag = torch.full_like(lag, rolled)
        more = torch.stack(values, 1)
        times = last + rolled * torch.arange(1, count + 1, dtype=observed.times.dtype)
        return Observed(
            torch.cat((observed.times, times)),
            torch.cat((observed.values, more), 1),
            torch.cat((observed.mask, torch.ones_like(more, dtype=torch.bool)), 1),
        )
