"""From a configuration to data, model, solver and loss."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional

from node_core.data.dataset import DataConfig, DataSet
from node_core.data.toy import make_dataset
from node_core.models.classifier import BlockClassifier
from node_core.models.odenet import ODENet
from node_core.models.resnet import ResNet
from node_core.runs.state import TrainState
from node_core.settings import SolverSettings
from node_core.training.classifier.config import TrainConfig, is_adaptive
from node_core.training.trainer import trained

MAX_STEPS = 500
TIME_LIMIT = 2.0  # s for one solve


@functools.lru_cache(maxsize=4)
def dataset(config: DataConfig) -> DataSet:
    """The data of a config, kept for the next chunk in this worker."""
    return make_dataset(config)


def build_model(config: TrainConfig) -> BlockClassifier:
    """The model of a configuration with its initial weights (float32)."""
    n_outputs = config.dim if config.loss == "flow_map" else config.n_classes
    if config.model == "resnet":
        return ResNet(
            config.dim,
            n_outputs,
            config.hidden,
            config.layers,
            config.shared,
            config.augment,
            config.activation,
            config.time_dependent,
            config.t1,
            "identity" if config.loss == "flow_map" else "linear",
            config.seed,
        )
    return ODENet(
        config.dim,
        n_outputs,
        config.hidden,
        config.augment,
        config.activation,
        config.time_dependent,
        config.t1,
        solver_of(config),
        "identity" if config.loss == "flow_map" else "linear",
        config.seed,
    )


def trained_model(config: TrainConfig, state: TrainState) -> BlockClassifier:
    """The model of a configuration with the weights of a state."""
    return trained(build_model(config), state)


def solver_of(config: TrainConfig, end: float | None = None) -> SolverSettings:
    """How the configuration solves its flow up to `end` (t1 if None)."""
    end = config.t1 if end is None else end
    if config.model == "rknet":
        return SolverSettings("rk4", dt=end / config.layers, max_steps=MAX_STEPS)
    return SolverSettings(
        config.method,
        config.rtol,
        config.atol,
        None if is_adaptive(config) else min(config.dt, end),
        config.gradient,
        max_steps=MAX_STEPS,
        time_limit=TIME_LIMIT,
    )


def loss_of(outputs: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """Cross entropy of logits (n, classes); or, with targets (n, dim), the mean squared error of the flow map."""
    if targets is not None:
        return (outputs - targets).square().mean()
    return functional.cross_entropy(outputs, labels)


def accuracy_of(outputs: Tensor, labels: Tensor, targets: Tensor | None) -> float:
    """Share of points in the right class; with targets, of those that ended on the target's side of the origin."""
    with torch.no_grad():
        right = outputs.argmax(1) == labels if targets is None else (outputs * targets).sum(1) > 0
        return right.sum().item() / max(1, len(right))
