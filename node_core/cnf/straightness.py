"""How straight the paths of a continuous flow are, and what that buys: samples in a few Euler steps.

Along a straight path of even speed one Euler step leads to the end exactly (Liu et al. 2023, "Flow Straight and Fast",
section 2).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from node_core.checks import check_whole
from node_core.cnf.continuous import CNF, Trajectory

MAX_EULER_STEPS = 1000
MAX_COMPARED = 10_000  # points of a cloud whose distances are taken: 10^8 of them


@torch.no_grad()
def unevenness(flow: CNF, paths: Trajectory) -> Tensor:
    """For each path, the integral over s from 0 to 1 of |dz/ds - (z(1) - z(0))|^2, s = (t - t0) / (t1 - t0): (n,).

    Zero for a straight path of even speed. The mean over the base's points is the straightness S of Liu et al. (2023).
    dz/ds comes from the field itself, the integral by the trapezoidal rule over the paths' times.
    """
    span = flow.t1 - flow.t0
    times, n, dim = paths.z.shape
    ts = paths.ts.to(paths.z.dtype)
    velocity = span * flow.field(ts.repeat_interleave(n)[:, None], paths.z.reshape(-1, dim)).view(
        times, n, dim
    )
    square = (velocity - (paths.z[-1] - paths.z[0])).square().sum(-1)
    return torch.trapezoid(square, (ts - flow.t0) / span, dim=0)


def straightness(flow: CNF, z: Tensor, times: int = 33) -> float:
    """The mean of `unevenness` over the paths from noise z (n, dim): 0 for straight paths of even speed.

    Raises:
        SolveError: the solver gave up.
    """
    return float(unevenness(flow, flow.trajectory(z, times)).mean())


def chord_distance(ts: Tensor, z: Tensor) -> Tensor:
    """How far each path (time, n, dim) is from where it would be on its chord, at the worst of the times: (n,).

    max over t of |z(t) - ((1 - s) z(t0) + s z(t1))|, in the units of z.
    """
    s = ((ts - ts[0]) / (ts[-1] - ts[0])).to(z.dtype)[:, None, None]
    return (z - torch.lerp(z[0], z[-1], s)).norm(dim=-1).amax(0)


@torch.no_grad()
def euler_samples(flow: CNF, z: Tensor, steps: int) -> Tensor:
    """Where noise z (n, dim) comes to in so many equal Euler steps: (n, dim).

    Raises:
        ValueError: steps is not 1 to 1,000.
    """
    check_whole("steps", steps, 1, MAX_EULER_STEPS)
    flow.check_points("z", z)
    euler = replace(flow.solver, method="euler", dt=abs(flow.t1 - flow.t0) / steps, gradient="backprop")
    # The grid is given, so that no rounding of its step adds another one.
    ts = [flow.t0 + (flow.t1 - flow.t0) * k / steps for k in range(steps)] + [flow.t1]
    return euler.solve(flow.field, z, ts, dense=False).ys[-1]


@torch.no_grad()
def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of two clouds of points (n, dim) and (m, dim), estimated without bias.

    Zero only where both are samples of one density (Szekely and Rizzo 2013, "Energy statistics"), and then, by the luck
    of the draw, a little less or more: of two clouds of 2,000 points by some 0.001 of their size.

    Raises:
        ValueError: fewer than 2 or more than 10,000 points, or clouds of different dimensions.
    """
    for name, cloud in (("x", x), ("y", y)):
        if cloud.ndim != 2 or not 2 <= len(cloud) <= MAX_COMPARED:
            raise ValueError(
                f"{name} has shape {tuple(cloud.shape)}: give 2 to {MAX_COMPARED:,} points (n, dim)."
            )
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"the points have {x.shape[1]} and {y.shape[1]} dimensions: give clouds in the same space."
        )
    return float(2.0 * torch.cdist(x, y).mean(dtype=torch.float64)) - _spread(x) - _spread(y)


def _spread(x: Tensor) -> float:
    """E|X - X'| over pairs of different points."""
    n = len(x)
    return float(torch.nn.functional.pdist(x).sum(dtype=torch.float64)) * 2.0 / (n * (n - 1))
