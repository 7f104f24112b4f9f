"""A policy on a real machine: it measures with noise, decides now and then, and what it decides comes late.

Every `dt` it reads the state as it was `delay` ago, with noise of so many of each state's scales, and its control is
held until the next reading. Between them the plant goes on by the classical Runge-Kutta method.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from node_core.checks import check_number
from node_core.models.control.plant import PlantField
from node_core.models.control.policies import Policy
from node_core.models.control.trials import Trials

DT = 0.02
MAX_STEPS = 5000
Floats = NDArray[np.float64]


@torch.no_grad()
def run_sampled(
    field: PlantField,
    policy: Policy,
    x0: Floats,
    seconds: float,
    *,
    delay: float = 0.0,
    noise: float = 0.0,
    dt: float = DT,
    seed: int = 0,
) -> Trials:
    """Let a policy steer from the starts x0 (n, dim).

    Args:
        field: the plant.
        policy: in double precision.
        x0: starts.
        seconds: how long.
        delay: age of what it reads (s), rounded to whole `dt`.
        noise: standard deviation of what it reads, over each state's scale.
        dt: seconds from one reading to the next.
        seed: of the noise.

    Raises:
        ValueError: a value is out of range, or there are more than 5000 readings.
    """
    check_number("delay", delay, 0, 10)
    check_number("noise", noise, 0, 10)
    if not (dt > 0 and 0 < seconds / dt <= MAX_STEPS):
        raise ValueError(f"seconds = {seconds}, dt = {dt}: choose 1 to {MAX_STEPS} readings.")
    steps, late = max(1, round(seconds / dt)), round(delay / dt)
    rng, plant = np.random.default_rng(seed), field.plant
    scale = noise * np.array([state.scale for state in plant.states])
    x = np.asarray(x0, dtype=np.float64)
    path = [x]
    for k in range(steps):
        read = path[max(0, k - late)] + scale * rng.standard_normal(x.shape)
        u = policy(k * dt, torch.from_numpy(read)).numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            k1 = field(0.0, x, u)
            k2 = field(0.0, x + dt / 2 * k1, u)
            k3 = field(0.0, x + dt / 2 * k2, u)
            x = x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + field(0.0, x + dt * k3, u))
        path.append(x)
    paths, ts = np.stack(path), np.linspace(0.0, seconds, steps + 1)
    return Trials(ts, paths, np.full(len(x0), np.nan), np.asarray(plant.arrived(paths)), 4 * steps)
