"""From a controller's configuration to its policy, closed loop, starts, solver and learning rate."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from node_core.models.control.controlled import Controlled
from node_core.models.control.plant import PlantField
from node_core.models.control.policies import NetPolicy, Policy
from node_core.runs.state import TrainState
from node_core.settings import SolverSettings
from node_core.solvers.methods import METHODS
from node_core.training.control.config import ControlConfig
from node_core.training.trainer import trained

MAX_STEPS = 1000
TIME_LIMIT = 4.0  # s for one solve
HELD_OUT = 100  # starts by which a controller is judged


def build_policy(config: ControlConfig) -> NetPolicy:
    """The policy of a configuration with its initial weights (float32)."""
    return NetPolicy(config.of_plant(), config.limits, config.hidden, config.seed)


def plant_of(config: ControlConfig) -> PlantField:
    """The plant with its parameters."""
    plant = config.of_plant()
    return plant.field(**plant.check(config.parameters))


def loop_of(config: ControlConfig, policy: Policy) -> Controlled:
    """The plant, steered by a policy, with its cost."""
    return Controlled(plant_of(config), policy, config.cost)


def solver_of(config: ControlConfig, seconds: float | None = None) -> SolverSettings:
    """How the configuration solves trials of some length (its horizon if None)."""
    seconds = config.horizon if seconds is None else seconds
    return SolverSettings(
        config.method,
        config.rtol,
        config.atol,
        None if METHODS[config.method].adaptive else min(config.dt, seconds),
        config.gradient,
        max_steps=MAX_STEPS,
        time_limit=TIME_LIMIT,
    )


def judge_of(config: ControlConfig) -> SolverSettings:
    """How trials are solved by which controllers are judged: whatever the training does, accurately enough."""
    return SolverSettings("dopri5", 1e-4, 1e-4, max_steps=MAX_STEPS, time_limit=TIME_LIMIT)


def draw_starts(config: ControlConfig, n: int, rng: np.random.Generator) -> Tensor:
    """Random states from the box in which the task starts, `spread` times as wide, (n, dim) float32."""
    task = config.of_task()
    low, high = np.array(task.low), np.array(task.high)
    middle, reach = (low + high) / 2, config.spread * (high - low) / 2
    least = [state.least for state in config.of_plant().states]
    return torch.from_numpy(
        np.maximum(rng.uniform(middle - reach, middle + reach, (n, len(low))), least)
    ).float()


def held_out(config: ControlConfig, n: int = HELD_OUT) -> Tensor:
    """Starts that are never trained on, the same for every seed, (n, dim)."""
    return draw_starts(config, n, np.random.default_rng(20_261_127))


def horizon_at(config: ControlConfig, iteration: int) -> float:
    """How long the trials of an iteration are (s)."""
    if config.curriculum == "fixed" or iteration >= config.grow:
        return config.horizon
    begin = min(config.shortest, config.horizon)
    return begin + (config.horizon - begin) * iteration / config.grow


def trained_policy(config: ControlConfig, state: TrainState) -> NetPolicy:
    """The policy of a configuration with the weights of a state."""
    return trained(build_policy(config), state)
