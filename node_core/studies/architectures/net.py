"""A trained net for a study: from its weights, from a checkpoint, or trained here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from node_core.data.images import ImageSet, image_set
from node_core.studies.architectures.questions_config import Net
from node_core.training.images.build import build_model, inputs
from node_core.training.images.config import counts_of
from node_core.training.images.train import ImageTrainer, initial_state
from node_core.training.trainer import adopt


class Trained(NamedTuple):
    """A net, its images, and the test part of them as the net takes it, with its labels."""

    model: nn.Module
    data: ImageSet
    x: Tensor
    labels: Tensor


def trained_net(net: Net) -> Trained:
    """The net with its weights, on the processor.

    Raises:
        ValueError: the weights are of another net or not finite, the images can't be had, or the training exploded.
    """
    config, data = net.train, image_set(net.train.data)
    flat = np.frombuffer(net.weights, dtype="<f4").astype(np.float32)
    if not net.weights:
        if config.start:
            flat = initial_state(config).parameters
        else:
            trainer = ImageTrainer(config)
            while trainer.iteration < config.iterations:
                trainer.iterate()
            flat = trainer.export().parameters
    count = counts_of(config).total
    if len(flat) != count or not np.isfinite(flat).all():
        raise ValueError(
            f"{len(flat):,} weights were given, the net has {count:,} finite ones: give its own."
        )
    model = build_model(config)
    adopt(model, torch.tensor(flat))
    model.requires_grad_(False)
    test = data.test
    return Trained(model, data, inputs(config, data.x[test]), torch.from_numpy(data.labels[test]))
