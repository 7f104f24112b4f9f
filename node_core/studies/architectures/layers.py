"""A ResNet without one of its layers, or with one twice, computed: see `LayersConfig`.

Veit, Wilber and Belongie, "Residual networks behave like ensembles of relatively shallow networks" (NIPS 2016), remove
layers so; a net whose layers are small steps of one flow should hardly notice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from node_core.models.depth import Layered
from node_core.studies.architectures.net import trained_net
from node_core.studies.architectures.questions_config import LayersConfig, LayersResult
from node_core.training.images.build import PART


def run(config: LayersConfig) -> LayersResult:
    """Judge the net and its maimed versions on all test images.

    Raises:
        ValueError: the net can't be had.
    """
    net = trained_net(config.net)
    model = net.model
    assert isinstance(model, Layered)
    order = list(range(model.layers))
    removed = [[*order[:k], *order[k + 1 :]] for k in order]
    repeated = [[*order[: k + 1], *order[k:]] for k in order]
    wrong = np.zeros(1 + 2 * len(order))
    moved = np.zeros(len(order))
    with torch.no_grad():
        for x, labels in zip(net.x.split(PART), net.labels.split(PART), strict=True):
            lifted = model.lift(x)
            for k, layers in enumerate([order, *removed, *repeated]):
                logits = model.read(passed(model, lifted, layers))
                wrong[k] += int((logits.argmax(1) != labels).sum())
            states = list(model.states(x))
            for k in order:
                step = (states[k + 1] - states[k]).flatten(1).norm(dim=1)
                moved[k] += float((step / states[k].flatten(1).norm(dim=1)).sum())
    errors, n = wrong / len(net.x), len(order)
    return LayersResult(float(errors[0]), errors[1 : 1 + n], errors[1 + n :], moved / len(net.x), len(net.x))


def passed(model: Layered, y: Tensor, layers: Sequence[int]) -> Tensor:
    """The state after passing these layers, each as long a step as in the whole net and at its own depth."""
    for layer in layers:
        y = y + model.step * model.fields[0 if model.shared else layer](layer * model.step, y)
    return y
