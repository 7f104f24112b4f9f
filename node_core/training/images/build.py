"""From a configuration to net, solver and what is fed to it; and how a net is asked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node_core.data.images import image_set
from node_core.models.depth import Continuous, Layered
from node_core.models.images.classifiers import ConvODENet, ConvResNet, ConvRKNet
from node_core.models.mlp import MLP
from node_core.models.odenet import ODENet, RKNet
from node_core.models.resnet import ResNet
from node_core.runs.state import TrainState
from node_core.settings import SolverSettings
from node_core.solution import Solution
from node_core.training.images.config import ImagesConfig, counts_of
from node_core.training.trainer import trained

MAX_STEPS = 500
TIME_LIMIT = 30.0  # s for one solve
SCALE = 2.0
"""Brightness 0 to 1 becomes 0 to 2: with less, tanh hardly bends, and dense nets learn slower and a little worse."""
PART = 500  # images asked at a time, so that memory does not grow with the test set


class Answer(NamedTuple):
    """Logits (n, n_classes), and the solve behind them, if there was one."""

    logits: Tensor
    solution: Solution | None


def build_model(config: ImagesConfig) -> nn.Module:
    """The net of a configuration with its initial weights (float32, on the processor).

    Raises:
        ValueError: the images can't be had, or the net is too large.
    """
    counts_of(config)  # refuses one that is too large before it is made
    data = image_set(config.data)
    side, classes, seed = data.side, data.n_classes, config.seed
    if config.model == "mlp":
        return MLP(side**2, classes, (config.hidden,), seed=seed)
    if config.kind == "dense":
        dim, hidden = side**2, (config.hidden,)
        if config.model == "resnet":
            return ResNet(dim, classes, hidden, config.layers, seed=seed)
        if config.model == "rknet":
            return RKNet(dim, classes, hidden, config.steps, seed=seed)
        return ODENet(dim, classes, hidden, solver=solver_of(config), seed=seed)
    if config.model == "resnet":
        return ConvResNet(side, classes, config.channels, config.layers, seed)
    if config.model == "rknet":
        return ConvRKNet(side, classes, config.channels, config.steps, seed=seed)
    return ConvODENet(side, classes, config.channels, solver=solver_of(config), seed=seed)


def trained_model(config: ImagesConfig, state: TrainState) -> nn.Module:
    """The net of a configuration with the weights of a state, on the processor."""
    return trained(build_model(config), state)


def solver_of(config: ImagesConfig) -> SolverSettings:
    """How the configuration solves its flow: the RK-Net's fixed steps, or the ODE-Net's solver."""
    if config.model == "rknet":
        return SolverSettings("rk4", dt=1.0 / config.steps, max_steps=MAX_STEPS)
    return SolverSettings(
        config.method,
        config.rtol,
        config.atol,
        None if config.is_adaptive else config.dt,
        config.gradient,
        max_steps=MAX_STEPS,
        time_limit=TIME_LIMIT,
    )


def device_of(config: ImagesConfig) -> str:
    """Where the configuration computes.

    Raises:
        ValueError: it asks for a GPU that is not there.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda': there is no GPU that torch can use here, take device = 'cpu'.")
    return config.device


def inputs(config: ImagesConfig, x: NDArray[np.float32]) -> Tensor:
    """Images of brightness 0 to 1, (n, side, side), as the net takes them: rows of pixels, but for convolutions."""
    flat = config.model == "mlp" or config.kind == "dense"
    scaled = torch.from_numpy(SCALE * x).to(device_of(config))
    return scaled.flatten(1) if flat else scaled


def ask(model: nn.Module, x: Tensor, solver: SolverSettings | None = None) -> Answer:
    """A net's logits, and the solve behind them; `solver` takes the place of a continuous net's own.

    Raises:
        SolveError: the solver gave up.
    """
    if isinstance(model, Continuous):
        return Answer(*model.classify(x, solver))
    return Answer(model(x), None)


@torch.no_grad()
def wrong(model: nn.Module, x: Tensor, labels: Tensor, solver: SolverSettings | None = None) -> int:
    """How many images are put into the wrong class, asked for part by part.

    Raises:
        SolveError: the solver gave up.
    """
    parts = zip(x.split(PART), labels.split(PART), strict=True)
    return sum(int((ask(model, images, solver).logits.argmax(1) != right).sum()) for images, right in parts)


def states_of(
    model: nn.Module, x: Tensor, times: int, solver: SolverSettings | None = None
) -> tuple[list[float], Tensor, Solution | None]:
    """The hidden state on its way: times (time,), states (time, n, dim), and the solve of a continuous net.

    A net in layers has a state a layer; an MLP only its hidden layer, one of no layers only its input: shown twice.

    Raises:
        SolveError: the solver gave up.
    """
    if isinstance(model, Continuous):
        grid = torch.linspace(0.0, model.t1, times, dtype=torch.float64)
        solution = model.solve(x, grid, solver)
        return grid.tolist(), solution.ys.flatten(2), solution
    if isinstance(model, Layered):
        states = model.trajectory(x).flatten(2)
    else:
        assert isinstance(model, MLP)
        states = model.body(x)[None]
    if len(states) == 1:
        states = states.expand(2, -1, -1)
    n = len(states)
    return [k / (n - 1) for k in range(n)], states, None


def read(model: nn.Module, final: Tensor) -> Tensor:
    """Logits of final states (n, dim) as `states_of` gives them."""
    if isinstance(model, MLP):
        return model.head(final)
    if isinstance(model, ConvODENet | ConvResNet):
        side = round((final.shape[1] / model.channels) ** 0.5)
        final = final.unflatten(1, (model.channels, side, side))
    assert isinstance(model, Continuous | Layered)
    return model.read(final)
