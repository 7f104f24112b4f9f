"""What a live picture of a classifier shows: points on their paths, the boundary, the field's weights, the numbers.

The names are those of `node_core.runs.snapshot`, plus the step logs of the last training iteration
(`node_core.training.picture.log_arrays`, "forward" and "backward").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.data.dataset import DataSet
from node_core.models.classifier import BlockClassifier
from node_core.models.odenet import ODENet
from node_core.models.resnet import ResNet
from node_core.runs.snapshot import Scalar
from node_core.solution import SolveError
from node_core.solvers.methods import METHODS
from node_core.training.classifier.build import accuracy_of, loss_of, solver_of
from node_core.training.classifier.config import TrainConfig
from node_core.training.picture import ends_of
from node_core.training.trainer import Drawn

GRID = 64
TIMES = 33
PATHS = 48
POINTS = 1000  # drawn and judged, of the training points; half as many of the test points
_GRID_TIME_LIMIT = 0.5  # s
# How much wider than the data's the frame may become: few sizes, so that it rests.
_WIDER = (1.0, 1.2, 1.4)
_CHORDS = 2  # order up to which fixed steps are drawn straight
_INSIDE = 0.9  # share of the paths' ends that should be seen


Frame = tuple[float, float, float, float]
"""(xmin, xmax, ymin, ymax)."""


@dataclass(frozen=True)
class Paths:
    """States on the way: times (time,), states (time, n, dim), function evaluations, ends of accepted steps."""

    ts: list[float]
    ys: Tensor
    nfe: int
    steps: np.ndarray


@torch.no_grad()
def draw(model: BlockClassifier, config: TrainConfig, data: DataSet) -> Drawn:
    """Everything but the boundary.

    Raises:
        SolveError: the solver gave up.
    """
    train, test = data.train[:POINTS], data.test[: POINTS // 2]
    rows = np.concatenate((train, test))
    x, labels = torch.from_numpy(data.x[rows]), torch.from_numpy(data.labels[rows])
    targets = None
    if config.loss == "flow_map" and data.targets is not None:
        targets = torch.from_numpy(data.targets[rows])
    paths = follow(model, config, x)
    outputs = model.read(paths.ys[-1])
    n = len(train)
    fit = None if targets is None else targets[:n]
    held = None if targets is None else targets[n:]
    loss = loss_of(outputs[:n], labels[:n], fit).item()
    accuracy = accuracy_of(outputs[:n], labels[:n], fit)
    test_accuracy = accuracy_of(outputs[n:], labels[n:], held) if len(test) else float("nan")
    shown = min(n, PATHS)  # the same ones whatever the model: pictures stand side by side
    followed = paths
    if config.per_sample and isinstance(model, ODENet):
        followed = _per_sample(model, config, x[:shown])
    arrays: dict[str, np.ndarray] = {
        "points": data.x[rows],
        "labels": data.labels[rows],
        "trajectories": followed.ys[:, :shown].numpy(),
        "trajectory_ts": np.array(paths.ts, dtype=np.float32),
        "trajectory_labels": data.labels[rows[:shown]],
        "steps": followed.steps,
        **(layers_of(model) if isinstance(model, ODENet) else {}),
    }
    scalars: dict[str, Scalar] = {
        "t0": 0.0,
        "t1": config.t1,
        "dim": model.field.dim,
        "activation": config.activation,
        "time_dependent": config.time_dependent,
        "path": "jumps" if isinstance(model, ResNet) else "curve",
        "extent": list(extent_of(data)),
        "grid_kind": "classes",
        "accuracy": accuracy,
        "test_accuracy": test_accuracy,
        "full_loss": loss,
        "n_classes": data.n_classes,
        "n_train": len(data.train),
        "parameters": model.parameter_counts().total,
        "status": "ok",
    }
    row = {"train_accuracy": accuracy, "test_accuracy": test_accuracy}
    return Drawn(arrays, scalars, loss, float(paths.nfe), row)


@torch.no_grad()
def follow(model: BlockClassifier, config: TrainConfig, x: Tensor, times: int = TIMES) -> Paths:
    """The points' paths: dense output of the ODE-Net, or the ResNet's states after each layer.

    Fixed steps of a low order are shown as they are, from end to end: between them a smooth path would be made up.

    Raises:
        SolveError: the solver gave up.
    """
    if isinstance(model, ResNet):
        ts = [layer * model.step for layer in range(model.layers + 1)]
        return Paths(ts, model.trajectory(x), model.layers, np.array(ts[1:], dtype=np.float32))
    assert isinstance(model, ODENet)
    solver = solver_of(config)
    grid = torch.linspace(0.0, config.t1, times, dtype=torch.float64)
    if solver.dt is not None and METHODS[solver.method].order <= _CHORDS:
        ends = [k * solver.dt for k in range(math.ceil(config.t1 / solver.dt - 1e-9))]
        grid = torch.tensor([*ends, config.t1], dtype=torch.float64)
    solution = model.solve(x, grid, solver)
    return Paths(grid.tolist(), solution.ys, solution.stats.nfe, ends_of(solution.steps))


def boundary(
    model: BlockClassifier,
    config: TrainConfig,
    data: DataSet,
    extent: Frame | None = None,
    time_limit: float = _GRID_TIME_LIMIT,
    size: int = GRID,
) -> NDArray[np.uint8] | None:
    """Class probabilities on a grid over the extent, by the training's own solver and tolerance.

    Args:
        model: the classifier.
        config: its training.
        data: gives the extent (`extent_of`) where none is given.
        extent: (xmin, xmax, ymin, ymax).
        time_limit: seconds of processor time after which the solver gives up.
        size: samples along each side; 64 in a live run.

    Returns:
        255 p(class 1), (size, size), row 0 at the bottom; (size, size, classes) for more than two; None where the data
        are not two-dimensional, there is no head, or the solver gave up.
    """
    if data.dim != 2 or model.head is None:
        return None
    x0, x1, y0, y1 = extent or extent_of(data)
    columns, rows = torch.linspace(x0, x1, size), torch.linspace(y0, y1, size)
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
    with torch.no_grad():
        try:
            probabilities = model.read(_arrive(model, config, points, time_limit)).softmax(1)
        except SolveError:
            return None  # far points are harder than the data; their picture may wait
        values = probabilities.mul_(255).round_().to(torch.uint8).numpy().reshape(size, size, -1)
    return values[..., 1].copy() if data.n_classes == 2 else values


def layers_of(model: BlockClassifier) -> dict[str, np.ndarray]:
    """W1, b1, W2 ... of the (first) field, copied."""
    arrays = {}
    for name, parameter in model.field.named_parameters():
        kind, number = name.split("_")
        arrays[f"{'W' if kind == 'weight' else 'b'}{number}"] = parameter.detach().numpy().copy()
    return arrays


def extent_of(data: DataSet) -> Frame:
    """(xmin, xmax, ymin, ymax): the data with a margin, because the flow carries points past their start."""
    ranges = data.extent[:2] if data.dim > 1 else (data.extent[0], data.extent[0])
    (x0, x1), (y0, y1) = ((low - 0.15 * (high - low), high + 0.15 * (high - low)) for low, high in ranges)
    return x0, x1, y0, y1


def frame_of(data: DataSet, paths: np.ndarray, before: Sequence[float] | None = None) -> Frame:
    """The frame of the picture: the data's, widened until most paths end inside; it only grows while a run goes on.

    Args:
        data: the points.
        paths: (time, n, dim).
        before: the frame that was shown last.
    """
    x0, x1, y0, y1 = extent_of(data)
    ends = paths[-1][:, [0, min(1, paths.shape[2] - 1)]]
    middle, reach = np.array([x0 + x1, y0 + y1]) / 2, np.array([x1 - x0, y1 - y0]) / 2
    # An end that is not a number is in no frame, and no reason for a larger one.
    away = np.nan_to_num(np.abs(ends - middle) / reach, nan=0.0, posinf=0.0).max(axis=1)
    factor = next((wide for wide in _WIDER if (away <= wide).mean() >= _INSIDE), _WIDER[-1])
    if before is not None:
        factor = max(factor, (before[1] - before[0]) / (x1 - x0))
    (left, bottom), (right, top) = middle - factor * reach, middle + factor * reach
    return float(left), float(right), float(bottom), float(top)


def _arrive(model: BlockClassifier, config: TrainConfig, x: Tensor, time_limit: float) -> Tensor:
    if isinstance(model, ResNet):
        return model.trajectory(x)[-1]
    assert isinstance(model, ODENet)
    return model.solve(x, solver=replace(solver_of(config), time_limit=time_limit)).ys[-1]


def _per_sample(model: ODENet, config: TrainConfig, x: Tensor) -> Paths:
    """Paths with steps of their own: the steps' ends are (n, most steps), NaN after each one's last."""
    grid = torch.linspace(0.0, config.t1, TIMES, dtype=torch.float64)
    solution = model.solve(x, grid, replace(solver_of(config), batch="per_sample"))
    ends = [ends_of(solution.steps.of(i)) for i in range(len(x))]
    table = np.full((len(x), max(map(len, ends))), np.nan, dtype=np.float32)
    for i, own in enumerate(ends):
        table[i, : len(own)] = own
    return Paths(grid.tolist(), solution.ys, solution.stats.nfe, table)
