"""The latent ODE (Chen et al. 2018, section 5; Rubanova et al. 2019): a variational autoencoder of whole series."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.models.series.layers import GRU, Between, decoder, linear
from node_core.models.series.likelihood import Normal
from node_core.models.series.observed import Observed, pack
from node_core.settings import SolverSettings
from node_core.solution import Solution

Encoder = Literal["gru", "ode_rnn"]
LOOSE = SolverSettings(rtol=1e-3, atol=1e-3)
"""As accurate as noisy series need it."""


class Decoded(NamedTuple):
    """What follows from z(t0).

    values     (T, ..., D): means, or log rates of events
    z          (T, ..., latent)
    solution   of the solve
    """

    values: Tensor
    z: Tensor
    solution: Solution


class LatentODE(nn.Module):
    """q(z0 | observations) = N(mean, std^2),  dz/dt = f(z), z(t0) = z0,  x(t) ~ p(x | decoder(z(t)))

    A recurrent net reads the observations from the last to the first, each with its mask and the gap to the next one,
    and ends at t0 with the posterior of z0. One solve then carries a whole batch over the union of its times.

    Args:
        dim: values at a time.
        latent: coordinates of z.
        hidden: widths of the field's 1 to 3 hidden layers.
        encoder: "gru" (the gaps are inputs), or "ode_rnn" (its state follows an ODE over the gaps).
        encoder_hidden: size of the recurrent state.
        decoder_hidden: width of the decoder's hidden layer.
        activation: of the field, "tanh", "softplus" or "elu".
        max_step: of the ODE-RNN's Euler steps, in the unit of time.
        seed: of the weights.
    """

    def __init__(
        self,
        dim: int,
        latent: int = 4,
        hidden: tuple[int, ...] = (32, 32),
        encoder: Encoder = "gru",
        encoder_hidden: int = 25,
        decoder_hidden: int = 20,
        activation: str = "tanh",
        max_step: float = 0.25,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if encoder not in ("gru", "ode_rnn"):
            raise ValueError(f"encoder = {encoder!r}: choose 'gru' or 'ode_rnn'.")
        generator = torch.Generator().manual_seed(seed)
        self.dim, self.latent = dim, latent
        self.gru = GRU(2 * dim + 1, encoder_hidden, generator)
        self.between: Between | None = None
        if encoder == "ode_rnn":
            self.between = Between(
                MLPField(encoder_hidden, (encoder_hidden,), seed=seed + 1), max_step=max_step
            )
        self.posterior = linear(encoder_hidden, 2 * latent, generator)
        self.field = MLPField(latent, hidden, activation, seed=seed)
        self.decoder = decoder(latent, decoder_hidden, dim, generator)

    def encode(self, observed: Observed, t0: float) -> Normal:
        """The posterior of z(t0), mean and log std (B, latent); t0 is before every observation."""
        packed = pack(observed, t0, backward=True)
        inputs = packed.inputs
        if self.between is None:
            state = self.gru.last(inputs, packed.counts)
        else:
            state = inputs.new_zeros(len(inputs), self.gru.hidden)
            rows = zip(inputs.unbind(1), packed.gaps.unbind(1), packed.valid.unbind(1), strict=True)
            for x, gap, valid in rows:
                state = torch.where(valid.unsqueeze(1), self.gru.step(x, state), state)
                state = self.between(state, -gap)
        mean, log_std = self.posterior(state).chunk(2, -1)
        return Normal(mean, log_std.clamp(-10.0, 5.0))

    def decode(
        self, z0: Tensor, ts: Tensor, solver: SolverSettings = LOOSE, on_error: str = "raise"
    ) -> Decoded:
        """Follow z(ts[0]) = z0 (..., latent) to all of ts (T,), increasing or decreasing.

        Raises:
            SolveError: the solver gave up (unless on_error="return": then fewer times come back).
        """
        solution = solver.solve(self.field, z0, ts, on_error=on_error)
        return Decoded(self.decoder(solution.ys), solution.ys, solution)
