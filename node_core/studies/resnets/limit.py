"""A ResNet whose layers share one block is Euler's method: refined, it becomes the ODE-Net with the same weights.

    h_{l+1} = h_l + (T/L) f(t_l, h_l),  t_l = l T / L   ->   dh/dt = f(t, h)      (Chen et al. 2018, eqs. 1 and 2)

The distance between the two ends falls like 1/L, the order of Euler's method.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import torch

from node_core.models.odenet import ODENet
from node_core.models.resnet import ResNet
from node_core.runs.snapshot import Snapshot
from node_core.settings import SolverSettings
from node_core.studies.resnets.limit_config import DEPTHS, DepthConfig, LimitConfig, LimitResult
from node_core.training.classifier import picture
from node_core.training.classifier.build import accuracy_of, dataset, trained_model
from node_core.training.classifier.checkpoint import Checkpoint, pretrained

WIDEST = 2.4
"""Most that a picture's frame is wider than the data: a flow carries some points very far."""
TIGHT = 1e-8
"""Tolerance of the ODE that the ResNets are compared with."""


@torch.no_grad()
def run(config: LimitConfig) -> LimitResult:
    """Compare ResNets of all `DEPTHS` with the ODE they approach, in float64."""
    saved = pretrained(config.net)
    data = dataset(saved.config.data)
    x = torch.from_numpy(data.x).double()
    labels = torch.from_numpy(data.labels)
    targets = None if data.targets is None else torch.from_numpy(data.targets).double()
    targets = targets if saved.config.loss == "flow_map" else None
    net = trained_model(saved.config, saved.state).double()
    assert isinstance(net, ODENet)
    truth = net.solve(x, solver=SolverSettings("dopri5", TIGHT, TIGHT)).ys[-1]
    loose = SolverSettings("dopri5", saved.config.rtol, saved.config.atol)
    block = _resnet(saved, 1).double()
    errors, worst, accuracy = [], [], []
    for layers in DEPTHS:
        end = block.with_layers(layers).trajectory(x)[-1]
        gap = (end - truth).norm(dim=1)
        errors.append(gap.mean().item())
        worst.append(gap.max().item())
        accuracy.append(accuracy_of(block.read(end), labels, targets))
    counts = net.parameter_counts()
    return LimitResult(
        config,
        np.array(DEPTHS),
        np.array(errors),
        np.array(worst),
        np.array(accuracy),
        _slope(np.array(errors)),
        accuracy_of(net.read(truth), labels, targets),
        net.solve(x, solver=loose).stats.nfe,
        counts.block,
        counts.head,
    )


def advance(config: DepthConfig, state: None, budget: float) -> tuple[Snapshot, None]:
    """The picture of one depth, for the live view; there is nothing to train, so it is finished at once."""
    saved = pretrained(config.net)
    settings = saved.config
    if config.layers:
        settings = replace(settings, model="resnet", shared=True, layers=config.layers)
    model = trained_model(settings, saved.state)
    data = dataset(settings.data)
    drawn = picture.draw(model, settings, data)
    extent = _frame_of(config.net)
    boundary = picture.boundary(model, settings, data, extent)
    if boundary is None:  # it has a time limit, and there is no later snapshot that would bring it
        boundary = picture.boundary(model, settings, data, extent)
    arrays = drawn.arrays if boundary is None else drawn.arrays | {"grid": boundary}
    scalars = drawn.scalars | {"loss": drawn.loss, "nfe_forward": drawn.nfe, "extent": list(extent)}
    return Snapshot(arrays, scalars, finished=True), None


def _resnet(saved: Checkpoint, layers: int) -> ResNet:
    """The trained block, shared by `layers` layers."""
    shared = replace(saved.config, model="resnet", shared=True, layers=layers)
    model = trained_model(shared, saved.state)
    assert isinstance(model, ResNet)
    return model


@functools.lru_cache(maxsize=8)
def _frame_of(net: str) -> tuple[float, float, float, float]:
    """The same frame for all depths: the data and most of the ODE's ends, at most `WIDEST` times the data."""
    saved = pretrained(net)
    data = dataset(saved.config.data)
    model = trained_model(saved.config, saved.state)
    with torch.no_grad():
        ends = picture.follow(model, saved.config, torch.from_numpy(data.x), 2).ys[-1].numpy()
    ranges = picture.extent_of(data)
    frame: list[float] = []
    for axis, (low, high) in enumerate((ranges[:2], ranges[2:])):
        reach = 0.5 * (WIDEST - 1) * (high - low)
        seen = np.quantile(ends[:, min(axis, ends.shape[1] - 1)], (0.02, 0.98))
        frame += [float(max(low - reach, min(low, seen[0]))), float(min(high + reach, max(high, seen[1])))]
    return frame[0], frame[1], frame[2], frame[3]


def _slope(errors: np.ndarray) -> float:
    """Fitted order of the deeper half, where the expansion in h holds."""
    half = len(DEPTHS) // 2
    h = 1.0 / np.array(DEPTHS[half:])
    return float(np.polyfit(np.log(h), np.log(errors[half:]), 1)[0])
