"""Follow net, LQR and iLQR from the task's typical start. Runs in a worker."""

from __future__ import annotations

import numpy as np
import torch

from node_core.models.control.ilqr import Plans
from node_core.models.control.policies import Policy
from node_core.models.control.trials import Trials, run_trials
from node_core.studies.control.energy_config import EnergyConfig, EnergyResult, Floats, Way
from node_core.studies.control.rivals import planned, policies_of
from node_core.studies.control.state import state_for
from node_core.training.control.build import judge_of, loop_of, plant_of, trained_policy
from node_core.training.control.config import ControlConfig


def run(config: EnergyConfig, state: bytes | None = None) -> EnergyResult:
    """Follow all of them.

    Args:
        config: whose paths.
        state: a live run's state, as its worker pickled it; None for the run's beginning.

    Raises:
        ValueError: the state belongs to a run of another structure.
    """
    run, plant, field = config.run, config.run.of_plant(), plant_of(config.run)
    found = state_for(run, state)
    x0 = np.array([run.of_task().start])
    policies = policies_of(run, trained_policy(run, found).double())
    ways = [_steered(run, name, policy, x0) for name, policy in policies.items()]
    ways.append(_planned(run, planned(run, policies, x0, config.iterations)))
    level = None if plant.energy is None else float(field.energy(np.array(plant.target)))
    return EnergyResult(config, found.iteration, level, tuple(ways))


def _steered(run: ControlConfig, name: str, policy: Policy, x0: Floats) -> Way:
    trials = run_trials(loop_of(run, policy), torch.from_numpy(x0), run.judged, judge_of(run))
    with torch.no_grad():
        u = policy(0.0, torch.from_numpy(trials.x[:, 0])).numpy()
    return _way(run, name, trials, u)


def _planned(run: ControlConfig, plans: Plans) -> Way:
    arrived = np.asarray(run.of_plant().arrived(plans.x))
    trials = Trials(plans.ts, plans.x, plans.cost, arrived, 0)
    return _way(run, "ilqr", trials, np.concatenate((plans.u[:, 0], plans.u[-1:, 0])))


def _way(run: ControlConfig, name: str, trials: Trials, u: Floats) -> Way:
    plant, x, ts = run.of_plant(), trials.x[:, 0].astype(np.float64), trials.ts.astype(np.float64)
    energy = None if plant.energy is None else np.asarray(plant_of(run).energy(x), dtype=float)
    squares = ((u / np.array(run.limits)) ** 2).sum(-1)
    effort = float(np.trapezoid(squares, ts))
    return Way(name, ts, x, u, energy, effort, float(trials.times[0]), float(trials.cost[0]))
