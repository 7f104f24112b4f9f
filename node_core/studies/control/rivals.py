"""Let net, LQR and iLQR start at growing distances from the target. Runs in a worker."""

from __future__ import annotations

import copy

import numpy as np
import torch

from node_core.models.control.ilqr import Floats, Plans, best_of, ilqr, rehearsed
from node_core.models.control.lqr import lqr_policy
from node_core.models.control.policies import NetPolicy, Policy
from node_core.models.control.trials import HELD, run_trials
from node_core.studies.control.rivals_config import Rival, RivalsConfig, RivalsResult
from node_core.studies.control.state import state_for
from node_core.training.control.build import judge_of, loop_of, plant_of, trained_policy
from node_core.training.control.config import ControlConfig


def run(config: RivalsConfig, state: bytes | None = None) -> RivalsResult:
    """Let all of them start, on both sides of the target.

    Args:
        config: where they start.
        state: a live run's state, as its worker pickled it; None for the run's beginning.

    Raises:
        ValueError: the state belongs to a run of another structure.
    """
    found = state_for(config.run, state)
    plant, task = config.run.of_plant(), config.run.of_task()
    target, offset = np.array(plant.target), np.array(task.start) - np.array(plant.target)
    shares = config.far * np.arange(1, config.points + 1) / config.points
    sides = np.concatenate((shares, -shares))[:, None]
    least = np.array([s.least for s in plant.states])
    x0 = np.maximum(target + sides * offset, least)
    policies = policies_of(config.run, trained_policy(config.run, found))
    rivals = [_judged(config.run, name, policy, x0) for name, policy in policies.items()]
    plans = planned(config.run, policies, x0, config.iterations)
    late = plans.ts >= config.run.judged - HELD - 1e-9
    rivals.append(Rival("ilqr", _both(plant.arrived(plans.x[late]).all(0)), _both(plans.cost)))
    return RivalsResult(config, found.iteration, shares * float(np.linalg.norm(offset)), tuple(rivals))


def planned(run: ControlConfig, policies: dict[str, Policy], x0: Floats, iterations: int) -> Plans:
    """ILQR's plans, from nothing and from what the policies would do: the best one for each start."""
    field, seconds = plant_of(run), run.judged
    guesses: list[Floats | None] = [None]
    for policy in policies.values():
        exact = copy.deepcopy(policy).double() if isinstance(policy, NetPolicy) else policy
        guesses.append(rehearsed(field, run.cost, x0, seconds, exact))
    return best_of([ilqr(field, run.cost, x0, seconds, guess, iterations=iterations) for guess in guesses])


def policies_of(run: ControlConfig, net: Policy) -> dict[str, Policy]:
    """The net, and the LQR where the plant has one."""
    found = {"net": net}
    if run.of_plant().linear and run.effort > 0:
        found["lqr"] = lqr_policy(plant_of(run), run.cost)
    return found


def _judged(run: ControlConfig, name: str, policy: Policy, x0: Floats) -> Rival:
    trials = run_trials(loop_of(run, policy), torch.from_numpy(x0).float(), run.judged, judge_of(run))
    return Rival(name, _both(trials.succeeded), _both(np.nan_to_num(trials.cost, nan=np.inf)))


def _both(values: np.ndarray) -> Floats:
    """The mean of both sides of the target."""
    return values.astype(float).reshape(2, -1).mean(0)
