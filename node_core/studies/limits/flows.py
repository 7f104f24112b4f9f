"""Not every function is a flow: what trained nets do to a sign flip and to a ball in a shell. See `FlowsConfig`.

Two paths of one field can't cross. On a line a flow therefore keeps the order of all points, and in the plane it can't
free a ball from the shell around it (Dupont, Doucet and Teh, "Augmented Neural ODEs", NeurIPS 2019).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node_core.models.classifier import count_parameters
from node_core.models.odenet import ODENet
from node_core.models.resnet import ResNet
from node_core.studies.limits.flows_config import FLOW_NETS, Floats, FlowNet, FlowsConfig, FlowsResult
from node_core.training.classifier.build import accuracy_of, dataset, loss_of, trained_model
from node_core.training.classifier.checkpoint import pretrained

TIMES = 41


def run(config: FlowsConfig) -> FlowsResult:
    """Judge the three nets on all points."""
    nets = tuple(_net(config, name) for name in FLOW_NETS)
    return FlowsResult(config, nets, len(dataset(pretrained(config.data).config.data).x))


def swapped(start: NDArray[Any], end: NDArray[Any], labels: NDArray[Any]) -> float:
    """Share of the pairs of two classes, starts and ends (n,) on a line, whose ends stand in the other order."""
    before, after = np.subtract.outer(start, start), np.subtract.outer(end, end)
    pairs = (before > 0) & (labels[:, None] != labels)
    return float((after[pairs] < 0).mean()) if pairs.any() else 0.0


def _net(config: FlowsConfig, name: str) -> FlowNet:
    saved = pretrained(config.data if name == "plain" else f"{config.data}_{name}")
    data, model = dataset(saved.config.data), trained_model(saved.config, saved.state)
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    targets = None if data.targets is None else torch.from_numpy(data.targets)
    with torch.no_grad():
        ts, paths, nfe = _followed(model, x)
        outputs = model.read(paths[-1])
    on_a_line = saved.config.dim == 1
    return FlowNet(
        name,
        count_parameters([model]),
        saved.state.iteration,
        nfe,
        accuracy_of(outputs, labels, targets),
        loss_of(outputs, labels, targets).item(),
        swapped(data.x[:, 0], outputs[:, 0].numpy(), data.labels) if on_a_line else math.nan,
        ts,
        paths[:, : config.shown].numpy(),
        data.labels[: config.shown],
    )


def _followed(model: nn.Module, x: Tensor) -> tuple[Floats, Tensor, int]:
    """Times (time,), states (time, n, dim), and evaluations of f."""
    if isinstance(model, ResNet):
        return np.linspace(0.0, model.t1, model.layers + 1), model.trajectory(x), model.layers
    assert isinstance(model, ODENet)
    nfe = model.solve(x).stats.nfe
    return np.linspace(0.0, model.t1, TIMES), model.trajectory(x, TIMES), nfe
