"""From a flow's configuration to its target, base, flow and loss."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.cnf import energies
from node_core.cnf.bases import Base, MixtureBase, StandardNormal, UniformDisc
from node_core.cnf.continuous import CNF
from node_core.cnf.divergence import Divergence
from node_core.cnf.flow import Flow
from node_core.cnf.hypernetwork import HypernetworkField
from node_core.cnf.painted import TargetConfig, make_target
from node_core.cnf.planar import PlanarFlow
from node_core.cnf.realnvp import RealNVP
from node_core.cnf.targets import Target, entropy
from node_core.fields.mlp.mlp import MLPField
from node_core.settings import SolverSettings
from node_core.solvers.methods import METHODS
from node_core.training.flow.config import MATCHING, CNFConfig

MAX_STEPS = 1000
TIME_LIMIT = 5.0  # s for one solve
WALL = 10.0  # how steeply the energies' window ends


@functools.lru_cache(maxsize=4)
def target_of(config: TargetConfig) -> Target:
    """The density of a config, kept for the next chunk in this worker."""
    return make_target(config)


@functools.lru_cache(maxsize=8)
def entropy_of(config: TargetConfig) -> float | None:
    """The least mean -log q that any flow can reach (nats); None if the density is known only up to a factor."""
    target = target_of(config)
    return None if target.log_density is None else entropy(target)


@functools.lru_cache(maxsize=8)
def map_of(config: TargetConfig, cells: int = 64) -> NDArray[np.uint8]:
    """The target's density over its own maximum, (cells, cells) u1, row 0 at the bottom."""
    density = target_of(config).normalised_on_grid(cells)
    return np.round(255 * density / max(float(density.max()), 1e-30)).astype(np.uint8)


def base_of(config: CNFConfig) -> Base:
    """The density at t0."""
    if config.base == "mixture":
        return MixtureBase([(x, y) for x in (-1.5, 1.5) for y in (-1.5, 1.5)], 0.6)
    return UniformDisc(2.0, 0.1) if config.base == "disc" else StandardNormal(2)


def build_flow(config: CNFConfig) -> Flow:
    """The flow of a configuration with its initial weights (float32)."""
    base = base_of(config)
    if config.flow == "planar":
        explicit_inverse = config.objective == "likelihood"
        return PlanarFlow(config.depth, base, data_to_noise=explicit_inverse, seed=config.seed)
    if config.flow == "realnvp":
        return RealNVP(config.depth, config.hyper_hidden, base, seed=config.seed)
    field: MLPField | HypernetworkField
    if config.field == "mlp":
        field = MLPField(2, config.hidden, config.activation, config.time_dependent, config.seed)
    else:
        field = HypernetworkField(2, config.width, config.hyper_hidden, config.seed)
    vectors = 3 if config.divergence == "hutch++" else 1
    # Flow matching needs no trace but to be judged by it.
    rule = "exact" if config.objective in MATCHING else config.divergence
    return CNF(
        field,
        base,
        t1=config.t1,
        divergence=Divergence(rule, config.noise, vectors),
        solver=solver_of(config),
        penalties=config.penalties,
        noise_seed=config.seed,
    )


def solver_of(config: CNFConfig) -> SolverSettings:
    """How the configuration solves its flow."""
    return SolverSettings(
        config.method,
        config.rtol,
        config.atol,
        None if METHODS[config.method].adaptive else min(config.dt, config.t1),
        config.gradient,
        max_steps=MAX_STEPS,
        time_limit=TIME_LIMIT,
    )


def log_target(target: Target, x: Tensor) -> Tensor:
    """Log p(x) up to a constant, differentiable: x (n, 2) -> (n,).

    The paper's energies do not grow along the first coordinate: outside of their window a quadratic wall is added.
    """
    if target.energy is None:
        assert target.log_density is not None
        return target.log_density(x, torch)
    outside = (x.abs() - energies.WINDOW).clamp(min=0.0)
    return -target.energy(x, torch) - WALL * outside.square().sum(-1)


def reverse_kl(target: Target, x: Tensor, log_q: Tensor) -> Tensor:
    """KL(q || p) up to log Z: the mean of log q - log p over samples x of the flow, with their log q."""
    return (log_q - log_target(target, x)).mean()


def forward_cross_entropy(target: Target, x: Tensor, log_q: Tensor) -> tuple[Tensor, float]:
    """KL(p || q) + H(p): the mean of -log q under p, by self-normalised importance weights p / q.

    Args:
        target: p, known up to a factor.
        x: samples of the flow, without gradient (n, 2).
        log_q: their log densities, differentiable (n,).

    Returns:
        The loss, and the share of the samples that count (the effective sample size over n): near 0 the flow hardly
        reaches the target yet, and the loss is not to be trusted.
    """
    with torch.no_grad():
        weights = torch.softmax(log_target(target, x) - log_q, 0)
        share = float(1.0 / weights.square().sum()) / len(x)
    return -(weights * log_q).sum(), share
