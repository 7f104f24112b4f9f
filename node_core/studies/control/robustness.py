"""Let controllers steer plants that are heavier, longer, read late or with noise. Runs in a worker."""

from __future__ import annotations

import numpy as np

from node_core.models.control.plant import PlantField
from node_core.models.control.sampled import run_sampled
from node_core.studies.control.rivals import policies_of
from node_core.studies.control.robustness_config import DELAY, NOISE, RobustnessConfig, RobustnessResult
from node_core.studies.control.state import state_for
from node_core.training.control.build import held_out, plant_of, trained_policy


def run(config: RobustnessConfig, state: bytes | None = None) -> RobustnessResult:
    """Judge net and LQR at each value, on the same held-out starts.

    Args:
        config: what is changed.
        state: a live run's state, as its worker pickled it; None for the run's beginning.

    Raises:
        ValueError: the state belongs to a run of another structure.
    """
    run, plant = config.run, config.run.of_plant()
    found = state_for(run, state)
    policies = policies_of(run, trained_policy(run, found).double())
    x0 = held_out(run, config.starts).double().numpy()
    usual = plant.check(run.parameters).get(config.what, 0.0)
    values = [_value(config, usual, value) for value in config.asked]
    success = np.zeros((len(policies), len(values)))
    for j, value in enumerate(values):
        field = plant_of(run)
        if config.factors:
            field = PlantField(plant, {**field.params, config.what: value})
        delay, noise = (value if config.what == name else 0.0 for name in (DELAY, NOISE))
        for i, policy in enumerate(policies.values()):
            success[i, j] = run_sampled(field, policy, x0, run.judged, delay=delay, noise=noise).success
    return RobustnessResult(config, found.iteration, np.array(values), usual, tuple(policies), success)


def _value(config: RobustnessConfig, usual: float, value: float) -> float:
    """A delay or a noise as it is; of a parameter the factor times its usual value, within its range."""
    if not config.factors:
        return value
    parameter = next(p for p in config.run.of_plant().parameters if p.name == config.what)
    return min(max(value * usual, parameter.minimum), parameter.maximum)
