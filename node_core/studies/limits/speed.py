"""What it takes to learn: time and evaluations of several nets on one task. See `SpeedConfig`."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from node_core.data.images import image_set
from node_core.models.classifier import count_parameters
from node_core.models.mlp import MLP
from node_core.runs.snapshot import Row
from node_core.studies.limits.speed_config import SpeedConfig, SpeedLane, SpeedResult
from node_core.training.classifier.build import accuracy_of, dataset
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer
from node_core.training.images.build import inputs, solver_of, wrong
from node_core.training.images.train import ImageTrainer
from node_core.training.trainer import DivergedError

EVERY = 11  # iterations between two looks at the test images: an epoch


def run(config: SpeedConfig) -> SpeedResult:
    """Train every lane on the same points or images.

    A training that explodes ends there, and its lane says so.
    """
    if config.task == "digits":
        lanes = tuple(_images(config, lane) for lane in config.lanes)
        return SpeedResult(config, lanes, len(image_set(config.images("mlp").data).test))
    lanes = tuple(_mlp(config) if lane == "mlp" else _points(config, lane) for lane in config.lanes)
    return SpeedResult(config, lanes, len(dataset(config.points("mlp").data).train))


def _points(config: SpeedConfig, lane: str) -> SpeedLane:
    trainer = Trainer(config.points(lane))
    return _followed(lane, count_parameters([trainer.model]), config.iterations, trainer.iterate)


def _mlp(config: SpeedConfig) -> SpeedLane:
    """The rings' points through two hidden layers as wide as those of the other nets' blocks, with their optimiser."""
    train: TrainConfig = config.points("mlp")
    data = dataset(train.data)
    x, labels = torch.from_numpy(data.x[data.train]), torch.from_numpy(data.labels[data.train])
    net = MLP(2, data.n_classes, train.hidden, train.activation, config.seed)
    adam = torch.optim.Adam(net.parameters(), lr=train.lr)

    def iterate() -> Row:
        outputs = net(x)
        loss = functional.cross_entropy(outputs, labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return {"accuracy": accuracy_of(outputs, labels, None), "nfe_forward": 0.0}

    return _followed("mlp", count_parameters([net]), config.iterations, iterate)


def _images(config: SpeedConfig, lane: str) -> SpeedLane:
    """The accuracy is that of all test images, looked at now and then; the look is not timed."""
    train = config.images(lane)
    trainer = ImageTrainer(train)
    x = inputs(train, trainer.data.x[trainer.data.test])
    labels = torch.from_numpy(trainer.data.labels[trainer.data.test])
    solver = solver_of(train) if train.model == "odenet" else None

    def judged() -> float:
        with torch.no_grad():
            return 1.0 - wrong(trainer.model, x, labels, solver) / len(x)

    return _followed(
        lane, count_parameters([trainer.model]), config.iterations, trainer.iterate, judged, EVERY
    )


def _followed(
    lane: str,
    parameters: int,
    iterations: int,
    iterate: Callable[[], Row],
    judged: Callable[[], float] | None = None,
    every: int = 1,
) -> SpeedLane:
    """Iterate and note what it took; accuracies are `judged`, or those of the iteration's own batch."""
    rows, nfe, spent, message = [], [], 0.0, ""
    for k in range(1, iterations + 1):
        started = time.process_time()
        try:
            row = iterate()
        except DivergedError as error:
            message = str(error)
            break
        spent += time.process_time() - started
        nfe.append(row["nfe_forward"])
        if k % every == 0 or k == iterations:
            rows.append((k, spent, row["accuracy"] if judged is None else judged()))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    seconds, accuracy = table[:, 1].copy(), table[:, 2].copy()
    return SpeedLane(
        lane, parameters, table[:, 0].astype(np.int64), seconds, accuracy, np.array(nfe, dtype=float), message
    )
