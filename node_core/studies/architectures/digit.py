"""What trained nets make of a drawn digit, computed: see `DigitConfig`."""

from __future__ import annotations

import numpy as np
import torch

from node_core.data.images import image_set
from node_core.data.strokes import rasterise
from node_core.models.depth import Continuous
from node_core.studies.architectures.net import Trained, trained_net
from node_core.studies.architectures.questions_config import DigitAnswer, DigitConfig, DigitResult
from node_core.training.images.build import ask, inputs, read, solver_of, states_of
from node_core.training.images.config import ImagesConfig
from node_core.training.images.picture import TIMES, plane_of

MNIST_FILL = 20 / 28  # MNIST's digits fit into a box of 20 pixels, scikit-learn's fill their image


def run(config: DigitConfig) -> DigitResult:
    """Put the drawing to every net.

    Raises:
        ValueError: a net can't be had.
        SolveError: the solver gave up.
    """
    data = config.nets[0].train.data
    fill = 1.0 if data.name == "digits" else MNIST_FILL
    image = rasterise(config.strokes, image_set(data).side, fill=fill)
    return DigitResult(
        image, tuple(_answer(net.train, trained_net(net), image, config.others) for net in config.nets)
    )


@torch.no_grad()
def _answer(train: ImagesConfig, net: Trained, image: np.ndarray, others: int) -> DigitAnswer:
    solver = solver_of(train) if isinstance(net.model, Continuous) else None
    drawn = inputs(train, image[None])
    alone = ask(net.model, drawn, solver)
    nfe = train.layers if train.model == "resnet" else 0
    if alone.solution is not None:
        nfe = alone.solution.stats.nfe
    ts, beside, _ = states_of(net.model, net.x[:others] if others else drawn, TIMES, solver)
    _, own, _ = states_of(net.model, drawn, TIMES, solver)
    plane = plane_of(beside.numpy())
    probabilities = read(net.model, own[-1]).softmax(1)[0].double().numpy()
    return DigitAnswer(
        probabilities,
        int(probabilities.argmax()),
        nfe,
        np.array(ts),
        plane.of(own[:, 0].numpy()),
        plane.of(beside.numpy()) if others else np.empty((len(ts), 0, 2), np.float32),
        net.labels[:others].numpy(),
        not isinstance(net.model, Continuous),
    )
