"""What a live picture of a flow shows: particles on their paths, bent grid lines, densities over time, an audit.

Names (see also `node_core.runs.snapshot`), T = times, all times from t0 = 0 (noise) to t1 (data):

    points (n, 2)               samples of the target
    target (h, w) u1            its density, over its own maximum, for comparison
    trajectories (T, n, 2), trajectory_ts (T,)      particles, noise to data
    log_prob, divergence (T, n) log p(z(t)) and tr df/dz along them (a CNF's)
    data_trajectories, data_log_prob, data_divergence   the same for samples of the target, carried back to noise
    {forward,backward}_{t,dt,error_ratio,accepted} (k,)     the solver's steps: noise to data, data to noise
    lattice (T, lines, k, 2)    grid lines of the noise, bent by the flow
    movie (frames, h, w) u1     the density at equal times, each over its own maximum; grid is the last
    steps (k,)                  ends of the solver's accepted steps

A planar flow's times are its layers.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.cnf.continuous import CNF
from node_core.cnf.flow import Flow, grid_points
from node_core.cnf.planar import PlanarFlow
from node_core.cnf.targets import Target
from node_core.runs.snapshot import Scalar
from node_core.training.flow.build import entropy_of, log_target, map_of
from node_core.training.flow.config import PARTICLES, CNFConfig
from node_core.training.picture import ends_of, log_arrays
from node_core.training.trainer import Drawn

TIMES = 25
SAMPLES = 600
RETURNED = 100  # of them are sent there and back
FRAMES = 7
CELLS = 48
LINES, LINE_POINTS, LATTICE_REACH = 9, 33, 2.4


@torch.no_grad()
def draw(flow: Flow, config: CNFConfig, target: Target, *, lattice: bool = True) -> Drawn:
    """Everything but the densities; without `lattice` also not the grid lines, three quarters of the moving points.

    Raises:
        SolveError: the solver gave up.
    """
    x = torch.from_numpy(target.sample(SAMPLES, config.seed))
    back = flow.inverse(x)
    likelihood = float((flow.base.log_prob(back[0]) + back[1]).mean())
    loss = -likelihood
    if config.objective == "reverse_kl":
        y, log_q = flow.sample_with_log_prob(SAMPLES, config.seed)
        loss = float((log_q - log_target(target, y)).mean())
    there = flow.forward(back[0][:RETURNED])
    arrays: dict[str, np.ndarray] = {"points": x.numpy(), "target": map_of(config.target)}
    arrays |= _paths(flow, config, lattice)
    if isinstance(flow, CNF):
        arrays |= _data_paths(flow, x[:PARTICLES])
    best = entropy_of(config.target)
    (x0, x1), (y0, y1) = target.extent
    scalars: dict[str, Scalar] = {
        "t0": 0.0,
        "t1": config.t1,
        "dim": 2,
        "path": "curve" if isinstance(flow, CNF) else "jumps",
        "extent": [x0, x1, y0, y1],
        "grid_kind": "density",
        "log_likelihood": likelihood,
        "entropy": best,
        "gap": None if best is None else -likelihood - best,
        "round_trip": float((there[0] - x[:RETURNED]).abs().max()),
        "parameters": sum(p.numel() for p in flow.parameters()),
        "status": "ok",
    }
    return Drawn(arrays, scalars, loss)


@torch.no_grad()
def movie(flow: Flow, target: Target) -> NDArray[np.uint8]:
    """The density at equal times from noise to data, each over its own maximum: (frames, CELLS, CELLS) u1.

    A discrete flow has no times between: its base and its own density are all there is.

    Raises:
        SolveError: the solver gave up.
    """
    if isinstance(flow, CNF):
        ts = [flow.t0 + (flow.t1 - flow.t0) * k / (FRAMES - 1) for k in range(FRAMES)]
        frames = flow.density_movie(target.extent, CELLS, [*ts[:-1], flow.t1])
    else:
        points, _ = grid_points(target.extent, CELLS)
        base = flow.base.log_prob(points).exp().view(CELLS, CELLS)
        frames = torch.stack((base, flow.density_grid(target.extent, CELLS)))
    largest = frames.amax((1, 2), keepdim=True).clamp(min=1e-30)
    return (255 * frames / largest).round_().clamp_(0, 255).nan_to_num_(0.0).to(torch.uint8).numpy()


@torch.no_grad()
def integral(flow: Flow, target: Target, cells: int = 128) -> float:
    """The integral of the density over the target's extent, half as wide again: 1 if nothing is wrong."""
    (x0, x1), (y0, y1) = target.extent
    dx, dy = 0.25 * (x1 - x0), 0.25 * (y1 - y0)
    extent = ((x0 - dx, x1 + dx), (y0 - dy, y1 + dy))
    _, area = grid_points(extent, cells)
    return float(flow.density_grid(extent, cells).sum()) * area


def _paths(flow: Flow, config: CNFConfig, with_lattice: bool) -> dict[str, np.ndarray]:
    start = flow.base.sample(PARTICLES, config.seed)
    lattice = _lattice()
    if with_lattice:
        start = torch.cat((start, lattice.view(-1, 2)))
    arrays: dict[str, np.ndarray] = {}
    if isinstance(flow, CNF):
        paths = flow.trajectory(start, TIMES)
        ts, z = paths.ts.float().numpy(), paths.z
        arrays["log_prob"] = paths.log_prob[:, :PARTICLES].numpy()
        arrays["divergence"] = paths.divergence[:, :PARTICLES].numpy()
        steps = paths.solution.steps
        arrays |= log_arrays("forward", steps)
        arrays["steps"] = ends_of(steps)
    else:
        if isinstance(flow, PlanarFlow) and not flow.data_to_noise:
            z = flow.layer_outputs(start)
        else:
            z = torch.stack((start, flow.forward(start)[0]))
        ts = np.linspace(0.0, config.t1, len(z), dtype=np.float32)
    arrays["trajectories"] = z[:, :PARTICLES].numpy()
    arrays["trajectory_ts"] = ts
    if with_lattice:
        arrays["lattice"] = z[:, PARTICLES:].reshape(len(z), *lattice.shape).numpy()
    return arrays


def _data_paths(flow: CNF, x: Tensor) -> dict[str, np.ndarray]:
    """Samples of the target on their way to the noise, in the order of the times from t0 to t1."""
    back = flow.trajectory(x, TIMES, backward=True)
    return {
        "data_trajectories": back.z.flip(0).numpy(),
        "data_log_prob": back.log_prob.flip(0).numpy(),
        "data_divergence": back.divergence.flip(0).numpy(),
        **log_arrays("backward", back.solution.steps),
    }


def _lattice() -> Tensor:
    """Lines of the noise's plane, (2 LINES, LINE_POINTS, 2): upright ones, then level ones."""
    at = torch.linspace(-LATTICE_REACH, LATTICE_REACH, LINES)
    along = torch.linspace(-LATTICE_REACH, LATTICE_REACH, LINE_POINTS)
    upright = torch.stack(torch.meshgrid(at, along, indexing="ij"), -1)
    return torch.cat((upright, upright.flip(-1)))
