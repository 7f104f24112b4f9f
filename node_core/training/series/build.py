"""From a configuration of series to its model, its solver and its loss."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.models.series.latent import LatentODE
from node_core.models.series.likelihood import counts_log_likelihood, normal_log_likelihood
from node_core.models.series.mechanistic import DirectFit, LotkaVolterra, UniversalODE
from node_core.models.series.observed import Observed
from node_core.models.series.recurrent import RecurrentPredictor
from node_core.settings import SolverSettings
from node_core.solution import Solution
from node_core.solvers.methods import METHODS
from node_core.training.series.config import SeriesConfig
from node_core.training.series.data import Prepared

MAX_STEPS = 1000
TIME_LIMIT = 5.0  # s for one solve
FIRST_HORIZON = 0.2  # share of the learned part with which a direct fit begins

SeriesModel = LatentODE | RecurrentPredictor | DirectFit


class Judged(NamedTuple):
    """What an iteration minimises, in nats per observed value, and what its history row tells.

    loss       to differentiate
    row        "log_likelihood" and, of a latent ODE, "kl", both per observed value
    solution   of the solve, None for recurrent nets
    """

    loss: Tensor
    row: dict[str, float]
    solution: Solution | None = None


def build_model(config: SeriesConfig, data: Prepared) -> SeriesModel:
    """The model of a configuration with its initial weights (float32)."""
    dim = data.series.dim
    if config.model == "latent_ode":
        return LatentODE(
            dim,
            config.latent,
            config.hidden,
            config.encoder,
            config.encoder_hidden,
            config.decoder_hidden,
            config.activation,
            seed=config.seed,
        )
    if not config.direct:
        return RecurrentPredictor(
            dim,
            config.encoder_hidden,
            config.model == "ode_rnn",
            config.hidden[0],
            config.decoder_hidden,
            config.activation,
            seed=config.seed,
        )
    if config.model != "neural_ode" and dim != 2:
        raise ValueError(
            f"model = {config.model!r} needs two values, prey and predator, not {dim}: take model = 'neural_ode'."
        )
    return DirectFit(_field(config, data), _first_value(config, data))


def solver_of(config: SeriesConfig) -> SolverSettings:
    """How the configuration solves its ODE."""
    dt = None if METHODS[config.method].adaptive else config.dt
    return SolverSettings(
        config.method,
        config.rtol,
        config.atol,
        dt,
        config.gradient,
        max_steps=MAX_STEPS,
        time_limit=TIME_LIMIT,
    )


def judge_latent(
    model: LatentODE, config: SeriesConfig, given: Observed, noise: Tensor, width: float
) -> Judged:
    """The negative evidence lower bound, its divergence by `kl_weight`, from one sample of z0 a series.

    Args:
        model: of the configuration.
        config: of the run.
        given: the batch (B, T, dim).
        noise: standard normal (B, latent).
        width: of the intervals in which events are counted.
    """
    posterior = model.encode(given, 0.0)
    decoded = model.decode(posterior.sample(noise), from_start(given.times), solver_of(config))
    values = decoded.values[-len(given.times) :].transpose(0, 1)
    if config.likelihood == "poisson":
        likelihood = counts_log_likelihood(values, given.values, given.mask, width)
    else:
        likelihood = normal_log_likelihood(values, given.values, given.mask, config.noise)
    kl = posterior.divergence()
    count = max(1, given.n_values)
    loss = (config.kl_weight * kl - likelihood).sum() / count
    row = {"log_likelihood": float(likelihood.detach().sum()) / count, "kl": float(kl.detach().sum()) / count}
    return Judged(loss, row, decoded.solution)


def judge_recurrent(model: RecurrentPredictor, config: SeriesConfig, given: Observed) -> Judged:
    """The negative log likelihood of every observation, given those before it."""
    values, packed = model(given, 0.0)
    likelihood = normal_log_likelihood(values, packed.values, packed.mask > 0, config.noise)
    loss = -likelihood.sum() / max(1, given.n_values)
    return Judged(loss, {"log_likelihood": -loss.item()})


def judge_direct(model: DirectFit, config: SeriesConfig, given: Observed, horizon: float) -> Judged:
    """The negative log likelihood of the one series, up to the horizon."""
    inside = given.times <= horizon
    inside[:2] = True
    seen = Observed(given.times[inside], given.values[:, inside], given.mask[:, inside])
    solution = model.solve(from_start(seen.times), solver_of(config))
    values = solution.ys[-len(seen.times) :].transpose(0, 1)
    likelihood = normal_log_likelihood(values, seen.values, seen.mask, config.noise)
    loss = -likelihood.sum() / max(1, seen.n_values)
    return Judged(loss, {"log_likelihood": -loss.item(), "horizon": float(seen.times[-1])}, solution)


def horizon_of(config: SeriesConfig, data: Prepared, iteration: int) -> float:
    """How far a direct fit looks at an iteration, in the models' time.

    A curve that is fitted whole from random weights gets stuck in a flat line, one that grows from its beginning does
    not.
    """
    share = FIRST_HORIZON + (1.0 - FIRST_HORIZON) * min(1.0, iteration / config.grow)
    return share * data.split if share < 1.0 else data.end


def from_start(ts: Tensor) -> Tensor:
    """The times, with 0 before them where they begin later, and something after it where there is nothing else."""
    if float(ts[0]) > 0.0:
        return torch.cat((ts.new_zeros(1), ts))
    return ts if len(ts) > 1 else torch.cat((ts - 1e-3, ts))


def _field(config: SeriesConfig, data: Prepared) -> nn.Module:
    dim = data.series.dim
    if config.model == "lotka_volterra":
        return LotkaVolterra()
    net = MLPField(dim, config.hidden, config.activation, seed=config.seed)
    if config.model == "neural_ode":
        return net
    return UniversalODE(LotkaVolterra(form="linear"), net)


def _first_value(config: SeriesConfig, data: Prepared) -> Tensor:
    """The first observation of each value, where a fit begins."""
    shown = data.observed.rows(torch.from_numpy(data.shown[[config.shown % len(data.shown)]]))
    first = shown.mask[0].int().argmax(0)
    return shown.values[0].gather(0, first.unsqueeze(0))[0]
