"""Regulariser race, computed: see `node_core.studies.classifier.regularizer_race_config`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from node_core.models.odenet import ODENet
from node_core.studies.classifier.regularizer_race_config import (
    LaneName,
    RaceLane,
    RegularizerRaceConfig,
    RegularizerRaceResult,
)
from node_core.training.classifier import regularizers
from node_core.training.classifier.build import accuracy_of, loss_of, solver_of
from node_core.training.classifier.train import Trainer
from node_core.training.trainer import DivergedError

SHOWN = 40  # paths
TIMES = 49


def run(config: RegularizerRaceConfig) -> RegularizerRaceResult:
    """Train every lane from the same weights on the same batches, then compare the flows.

    Raises:
        SolveError: a trained flow can't be solved at the common tolerance.
    """
    return RegularizerRaceResult(tuple(_lane(config, name) for name in config.lanes))


def straightness(paths: Tensor) -> float:
    """Mean over the points of displacement / length of their paths (time, n, dim); 1 for straight lines."""
    length = paths.diff(dim=0).norm(dim=-1).sum(0)
    moved = (paths[-1] - paths[0]).norm(dim=-1)
    return float((moved / length.clamp_min(1e-12)).mean())


def _lane(config: RegularizerRaceConfig, name: LaneName) -> RaceLane:
    trainer = Trainer(config.training(name))
    rows, message = [], ""
    for _ in range(config.iterations):
        try:
            rows.append(trainer.iterate())
        except DivergedError as error:
            message = str(error)
            break
    model, data, end = trainer.model, trainer.data, config.train.t1
    assert isinstance(model, ODENet)
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    nodes, weights = regularizers.nodes_and_weights(end)
    times = torch.linspace(0.0, end, TIMES, dtype=torch.float64)
    every = torch.unique(torch.cat((times, times.new_tensor(nodes))))
    settings = replace(solver_of(config.train), method="dopri5", dt=None, rtol=config.rtol, atol=config.rtol)
    with torch.no_grad():
        solution = model.solve(x, every, settings)
        outputs = model.read(solution.ys[-1])
        at_nodes = solution.ys[torch.isin(every, times.new_tensor(nodes))]
        kinetic = regularizers.kinetic_energy(model.field, nodes, at_nodes, weights).item()
        jacobian = regularizers.jacobian_norm(model.field, nodes, at_nodes, weights).item()
        paths = solution.ys[torch.isin(every, times)]
    return RaceLane(
        name=name,
        iteration=np.array([row["iteration"] for row in rows], dtype=np.int64),
        loss=np.array([row["loss"] for row in rows]),
        accuracy=np.array([row["accuracy"] for row in rows]),
        nfe=np.array([row["nfe_forward"] for row in rows]),
        final_loss=loss_of(outputs, labels, None).item(),
        final_accuracy=accuracy_of(outputs, labels, None),
        final_nfe=solution.stats.nfe,
        kinetic_energy=kinetic,
        jacobian_norm=jacobian,
        straightness=straightness(paths),
        ts=times.numpy(),
        paths=paths[:, :SHOWN].numpy(),
        labels=data.labels[:SHOWN],
        message=message,
    )
