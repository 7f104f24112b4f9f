"""What a live picture of a controller shows: its weights, trials, the phase plane, the basin, and one path closely.

Names (see also `node_core.runs.snapshot`); dim: of the plant's state x, m: of its control u; angles as in
`node_core.models.control.plant` (an upright pole has 0):

    W1 (hidden, features), b1 (hidden,), W2 (m, hidden), b2 (m,)     u = limits * tanh(W2 tanh(W1 s + b1) + b2), where s
                                is, state by state, sin and cos of an angle, else (x_i - target_i) / scale_i
    trajectories (T, n, dim), trajectory_ts (T,)    some of the held-out trials
    trajectory_labels (n,) u1   1 where such a trial succeeded
    field (h, w, 2)             d/dt of the plane's two states under the policy, all others at their target; row 0 at
                                the bottom, its samples on `extent`, ends included
    grid (h, w) u1              the basin: 0 where a start in that plane does not come to the target and stay, else
                                255 (1 - t / judged), t the time to it, and at least 1; samples as those of `field`
    path (T, dim), path_ts (T,), path_control (T, m)     from the task's typical start
    path_to_go (T,)             what is still to be paid from there on
    costate (k, dim), costate_ts (k,)       a(t) = d to_go / dx along that path: Pontryagin's costate
    gain (m, dim)               K of the LQR for the same cost, u = clip(-K (x - target)); left out where there is none
    {forward,backward}_{t,dt,error_ratio,accepted} (k,)  the solver's steps in the last training iteration

and scalars: plant, task, limits, parameters, target, scale, angles (1 for an angle), plane, extent, grid_kind "basin",
judged (s), horizon (of this iteration, s), success (share of 100 held-out starts at their target for the whole last
second), cost (mean over them), path_cost, iteration, loss, nfe_forward, nfe_backward.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.models.control.controlled import Controlled
from node_core.models.control.lqr import lqr
from node_core.models.control.plant import Plant
from node_core.models.control.policies import NetPolicy
from node_core.models.control.trials import Trials, run_trials
from node_core.runs.snapshot import Scalar
from node_core.training.control.build import held_out, horizon_at, judge_of, loop_of
from node_core.training.control.config import ControlConfig
from node_core.training.trainer import Drawn

SHOWN = 24  # trials whose paths are drawn
FIELD = 21
GRID = 41
LARGEST = 1e6  # a cost past it is told as that: single precision ends soon after


def draw(policy: NetPolicy, config: ControlConfig, iteration: int) -> Drawn:
    """Weights, held-out trials and the phase plane."""
    plant, loop = config.of_plant(), loop_of(config, policy)
    trials = run_trials(loop, held_out(config), config.judged, judge_of(config))
    arrays: dict[str, NDArray[Any]] = {
        **weights_of(policy),
        "trajectories": trials.x[:, :SHOWN],
        "trajectory_ts": trials.ts.astype(np.float32),
        "trajectory_labels": trials.succeeded[:SHOWN].astype(np.uint8),
        "field": plane_field(loop),
        **gain_of(loop),
    }
    cost = cost_of(trials)
    scalars: dict[str, Scalar] = {
        **facts_of(plant),
        "task": config.task,
        "limits": list(config.limits),
        "parameters": list(plant.check(config.parameters).values()),
        "judged": config.judged,
        "horizon": horizon_at(config, iteration),
        "success": trials.success,
        "cost": cost,
        "status": "ok",
    }
    return Drawn(arrays, scalars, cost, float(trials.nfe), {"success": trials.success, "cost": cost})


def gain_of(loop: Controlled) -> dict[str, NDArray[Any]]:
    """The LQR's gain, for who drives by it instead of the net; nothing where there is none."""
    if loop.cost is None or not loop.plant.plant.linear:
        return {}
    try:
        return {"gain": lqr(loop.plant, loop.cost).gain.astype(np.float32)}
    except ValueError:  # control is free, or can't reach the target
        return {}


def facts_of(plant: Plant) -> dict[str, Scalar]:
    """What the canvas needs to know of a plant."""
    (x0, x1), (y0, y1) = plant.view
    return {
        "plant": plant.key,
        "target": list(plant.target),
        "scale": [state.scale for state in plant.states],
        "angles": [float(state.angle) for state in plant.states],
        "plane": [float(i) for i in plant.plane],
        "extent": [x0, x1, y0, y1],
        "grid_kind": "basin",
    }


def cost_of(trials: Trials) -> float:
    """The mean cost; a start that was flung away costs `LARGEST`."""
    return float(np.nan_to_num(trials.cost, nan=LARGEST, posinf=LARGEST).clip(max=LARGEST).mean())


def weights_of(policy: NetPolicy) -> dict[str, NDArray[Any]]:
    """W1, b1, W2, b2, copied."""
    return {
        name: parameter.detach().numpy().copy()
        for name, parameter in zip(("W1", "b1", "W2", "b2"), policy.parameters(), strict=True)
    }


def plane_states(plant: Plant, size: int) -> Tensor:
    """States of the phase plane, all others at their target: (size * size, dim), the lowest row first."""
    (x0, x1), (y0, y1) = plant.view
    states = torch.tensor(plant.target).repeat(size * size, 1)
    across, up = torch.meshgrid(torch.linspace(x0, x1, size), torch.linspace(y0, y1, size), indexing="xy")
    states[:, plant.plane[0]], states[:, plant.plane[1]] = across.reshape(-1), up.reshape(-1)
    return states


@torch.no_grad()
def plane_field(loop: Controlled, size: int = FIELD) -> NDArray[np.float32]:
    """The closed loop's field in the phase plane, (size, size, 2)."""
    plant = loop.plant.plant
    rates = loop(0.0, loop.start(plane_states(plant, size)))
    return rates[:, list(plant.plane)].view(size, size, 2).numpy()


def basin(policy: NetPolicy, config: ControlConfig, size: int = GRID) -> NDArray[np.uint8]:
    """Starts of the phase plane by their time to the target, (size, size) as `grid` above."""
    plant = config.of_plant()
    loop = Controlled(loop_of(config, policy).plant, policy)
    times = run_trials(loop, plane_states(plant, size), config.judged, judge_of(config)).times
    late = np.where(np.isfinite(times), times, math.inf) / config.judged
    shade = np.where(np.isfinite(late), np.maximum(np.round(255 * (1 - late)), 1), 0)
    return shade.astype(np.uint8).reshape(size, size)


def closely(policy: NetPolicy, config: ControlConfig) -> tuple[dict[str, NDArray[Any]], float]:
    """The path from the task's typical start, what it costs, and its costate.

    In double precision and at a small tolerance: a costate is as wrong as its path, and a pole that tumbles magnifies.

    Raises:
        SolveError: the solver gave up.
    """
    policy = copy.deepcopy(policy).double()
    loop, task, seconds = loop_of(config, policy), config.of_task(), config.judged
    dim = loop.plant.plant.dim
    y0 = loop.start(torch.tensor([task.start], dtype=torch.float64)).requires_grad_()
    ts = torch.linspace(0.0, seconds, 121, dtype=torch.float64)
    with torch.enable_grad():
        solution = replace(judge_of(config), rtol=1e-6, atol=1e-6).solve(loop, y0, ts, record_adjoint=True)
        total = loop.total_cost(solution.ys[-1], seconds).sum()
        total.backward(inputs=[y0])
    assert solution.adjoint is not None
    ys = solution.ys.detach()[:, 0]
    with torch.no_grad():
        control = policy(0.0, ys[:, :dim])
    # the way back comes from the end; an output time has a row before and one after its jump, which is 0 here
    t, first = np.unique(solution.adjoint.t, return_index=True)
    costate = np.asarray(solution.adjoint.a)[first].reshape(len(t), -1)[:, :dim]
    return {
        "path": ys[:, :dim].numpy(),
        "path_ts": ts.float().numpy(),
        "path_control": control.numpy(),
        "path_to_go": (total.detach() - ys[:, dim] / seconds).numpy(),
        "costate": costate,
        "costate_ts": t.astype(np.float32),
    }, float(total.detach())
