"""Compare the gradients of all modes with a true one, horizon by horizon. Runs in a worker."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from node_core.models.control.policies import NetPolicy
from node_core.settings import SolverSettings
from node_core.solution import SolveError
from node_core.studies.control.gradient_config import GradientConfig, GradientResult
from node_core.studies.control.state import state_for
from node_core.training.control.build import draw_starts, loop_of, solver_of, trained_policy

TRUE = SolverSettings("dopri5", 1e-9, 1e-9, max_steps=20_000, time_limit=10.0)
_SEED = 31


def run(config: GradientConfig, state: bytes | None = None) -> GradientResult:
    """Differentiate the mean cost of the same trials by every mode, at every horizon.

    Args:
        config: what to compare.
        state: a live run's state, as its worker pickled it; None for the run's beginning.

    Raises:
        ValueError: the state belongs to a run of another structure.
        SolveError: even the true gradient could not be had.
    """
    found = state_for(config.run, state)
    policy = trained_policy(config.run, found)
    x = draw_starts(config.run, config.batch, np.random.default_rng(_SEED))
    shape = (len(config.modes), len(config.horizons))
    error, nfe, norm = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape[1])
    for j, horizon in enumerate(config.horizons):
        true, _ = _gradient(config, copy.deepcopy(policy).double(), x.double(), horizon, TRUE)
        norm[j] = float(true.norm())
        for i, mode in enumerate(config.modes):
            solver = replace(solver_of(config.run, horizon), gradient=mode)
            try:
                gradient, count = _gradient(config, policy, x, horizon, solver)
            except SolveError:
                continue
            error[i, j] = float((gradient.double() - true).norm()) / max(norm[j], 1e-300)
            nfe[i, j] = count
    return GradientResult(config, found.iteration, norm, error, nfe)


def _gradient(
    config: GradientConfig, policy: NetPolicy, x: Tensor, horizon: float, solver: SolverSettings
) -> tuple[Tensor, int]:
    loop = loop_of(config.run, policy)
    solution = solver.solve(loop, loop.start(x), torch.tensor([0.0, horizon], dtype=torch.float64))
    cost = loop.total_cost(solution.ys[-1], horizon).mean()
    parts = torch.autograd.grad(cost, tuple(policy.parameters()))
    return torch.cat([part.reshape(-1) for part in parts]), solution.stats.nfe + solution.backward_stats.nfe
