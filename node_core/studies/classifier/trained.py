"""A trained classifier for a study: from a checkpoint, or trained here."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from node_core.models.odenet import ODENet
from node_core.runs.state import TrainState
from node_core.studies.classifier.solver_swap_config import check_odenet
from node_core.training.classifier import checkpoint
from node_core.training.classifier.build import dataset, trained_model
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer


class Trained(NamedTuple):
    """A model with its configuration, its state, and all its points and labels."""

    config: TrainConfig
    state: TrainState
    model: ODENet
    x: Tensor
    labels: Tensor


def trained_odenet(config: TrainConfig, iterations: int, raw: bytes | None) -> Trained:
    """Load the checkpoint `raw`, or train `config` for some iterations.

    Raises:
        ValueError: the checkpoint is refused or holds another model, or the training exploded.
    """
    if raw is None:
        trainer = Trainer(config)
        for _ in range(iterations):
            trainer.iterate()
        state = trainer.export()
    else:
        found = checkpoint.load(raw)
        config, state = found.config, found.state
        check_odenet(config)
    data, model = dataset(config.data), trained_model(config, state)
    assert isinstance(model, ODENet)
    return Trained(config, state, model, torch.from_numpy(data.x), torch.from_numpy(data.labels))
