"""What a live picture of a classifier of images shows: test images on their way through the depth, seen in a plane.

The plane is that of the two largest principal components of all states on the way, turned so that it lies as the one
before did. Arrays for the canvas (`node_core.runs.snapshot`): `trajectories` (time, paths, 2), `trajectory_ts`,
`trajectory_labels`, `points` (n, 2) and `labels`, `steps`; and beside them `predicted` (n,), `plane` (2, dim) and
`centre` (dim,), with which any other state is seen in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from node_core.data.images import ImageSet
from node_core.models.depth import Layered
from node_core.models.mlp import MLP
from node_core.runs.snapshot import Scalar
from node_core.settings import SolverSettings
from node_core.solution import Solution
from node_core.solvers.methods import METHODS
from node_core.training.images.build import inputs, read, solver_of, states_of
from node_core.training.images.config import ImagesConfig
from node_core.training.picture import ends_of
from node_core.training.trainer import Drawn

SHOWN = 360  # test images
PATHS = 120  # of them are drawn: several nets move side by side on a page
TIMES = 17
ENOUGH = 1500  # states, from which a plane is told
SUBSPACE, ROUNDS = 8, 12  # what is lost of the second direction is (variance 9 / variance 2)^12

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Plane:
    """Where states are looked at: their `centre` (dim,), and two orthonormal `axes` (2, dim)."""

    centre: Floats
    axes: Floats

    def of(self, states: Floats) -> Floats:
        """States (..., dim) in the plane, (..., 2)."""
        return np.asarray((states - self.centre) @ self.axes.T, dtype=np.float32)


def plane_of(states: Floats, before: Floats | None = None) -> Plane:
    """The plane of the two largest principal components.

    Args:
        states: (..., dim); in one dimension, the second axis is zero.
        before: axes (2, dim) that the new ones are turned towards within their plane, so that pictures rest.
    """
    rows = states.reshape(-1, states.shape[-1])
    centre = rows.mean(0)
    axes = _principal(torch.from_numpy(rows[:: max(1, len(rows) // ENOUGH)] - centre).double()).numpy()
    if len(axes) < 2:  # an MLP of one hidden unit
        axes = np.concatenate((axes, np.zeros_like(axes)))
    if before is not None and before.shape == axes.shape:
        left, _, right = np.linalg.svd(before @ axes.T)
        axes = left @ right @ axes
    else:  # an eigenvector's sign is nobody's choice: let its largest entry be positive
        largest = np.abs(axes).argmax(1)
        axes = axes * np.sign(axes[[0, 1], largest])[:, None]
    return Plane(centre, axes.astype(np.float32))


def _principal(rows: Tensor) -> Tensor:
    """Two directions (2, dim) of the largest variance of centred rows (n, dim), by subspace iteration.

    An eigenvalue problem of a 28 x 28 net's 3,136 dimensions would take longer than all else in a picture.
    """
    size = min(SUBSPACE, rows.shape[1])
    start = torch.randn(rows.shape[1], size, dtype=rows.dtype, generator=torch.Generator().manual_seed(0))
    basis = torch.linalg.qr(start).Q
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(rows.T @ (rows @ basis)).Q
    seen = rows @ basis
    return (basis @ torch.linalg.eigh(seen.T @ seen).eigenvectors[:, -2:]).T.flip(0)


@torch.no_grad()
def draw(
    model: nn.Module, config: ImagesConfig, data: ImageSet, plane: Plane | None, before: Floats | None
) -> tuple[Drawn, Plane]:
    """Test images on their way, and what is told of them.

    Args:
        model: the net.
        config: its training.
        data: the images; the first `SHOWN` of the test part are shown and judged.
        plane: to look at them in; None for a new one.
        before: axes that a new plane is turned towards.

    Raises:
        SolveError: the solver gave up.
    """
    chosen = data.test[:SHOWN]
    labels = data.labels[chosen]
    solver = solver_of(config) if config.model in ("odenet", "rknet") else None
    ts, states, solution = states_of(model, inputs(config, data.x[chosen]), TIMES, solver)
    logits = read(model, states[-1]).cpu()
    loss = functional.cross_entropy(logits, torch.from_numpy(labels)).item()
    predicted = logits.argmax(1).numpy()
    right = float((predicted == labels).mean())
    seen = states.cpu().numpy()
    plane = plane_of(seen, before) if plane is None else plane
    paths = plane.of(seen[:, :PATHS])
    layered = isinstance(model, Layered)
    steps = ends_of(solution.steps) if solution is not None else np.array(ts[1:], dtype=np.float32)
    arrays: dict[str, np.ndarray] = {
        "points": plane.of(seen[0]),
        "labels": labels,
        "predicted": predicted,
        "trajectories": paths,
        "trajectory_ts": np.array(ts, dtype=np.float32),
        "trajectory_labels": labels[:PATHS],
        "steps": steps,
    }
    scalars: dict[str, Scalar] = {
        "t0": 0.0,
        "t1": 1.0,
        "dim": 2,
        "marks": "digits",
        "path": "jumps" if layered or isinstance(model, MLP) else "curve",
        "accuracy": right,
        "test_accuracy": right,
        "full_loss": loss,
        "n_classes": data.n_classes,
        "n_train": len(data.train),
        "n_test": len(data.test),
        "parameters": sum(p.numel() for p in model.parameters()),
        "status": "ok",
    }
    nfe = float(config.layers) if layered else _evaluations(solver, solution)
    return Drawn(arrays, scalars, loss, nfe, {"test_accuracy": right}), plane


def _evaluations(solver: SolverSettings | None, solution: Solution | None) -> float:
    """What a pass costs when nothing is drawn: of fixed steps, states in between take an evaluation more."""
    if solver is None or solution is None:
        return 0.0
    tableau = METHODS[solver.method].tableau
    if solver.dt is None or tableau is None:
        return float(solution.stats.nfe)
    return float(len(tableau.b) * solution.stats.n_accepted)


def frame_of(paths: Floats, before: list[float] | None) -> list[float]:
    """[xmin, xmax, ymin, ymax], a square that holds all paths; it only grows while a run goes on, by quarters."""
    reach = float(np.nan_to_num(np.abs(paths), nan=0.0, posinf=0.0).max(initial=1e-3))
    size = 1.25 ** np.ceil(np.log(1.1 * reach) / np.log(1.25))
    size = float(size) if before is None else max(float(size), before[1])
    return [-size, size, -size, size]
