"""Figure 3 of Chen et al. 2018 (arXiv 1806.07366), (a) to (c), with a choice of solver. Runs in a worker."""

from __future__ import annotations

import time

import numpy as np
import torch

from node_core.odeint import odeint
from node_core.solution import SolveError
from node_core.solvers.methods import METHODS
from node_core.studies.adjoint_config import PaperConfig, PaperResult
from node_core.studies.adjoint_task import MAX_STEPS, gradient, module_of, start_of

TOLERANCES = tuple(10.0 ** (-k / 2) for k in range(3, 18))
REPEATS = 3
LIMIT_SECONDS = 8.0


def run(config: PaperConfig) -> PaperResult:
    """Sweep the tolerance.

    Raises:
        SolveError: the reference at 1e-12 could not be computed.
    """
    task, rtols = config.task, np.array(TOLERANCES)
    ts, field = [0.0, *task.observations], module_of(task)
    with torch.no_grad():
        exact = odeint(
            field, start_of(task), ts, method="dopri8", rtol=1e-12, atol=1e-12, max_steps=MAX_STEPS
        ).ys
    error, forward, backward, seconds = (np.full(rtols.size, np.nan) for _ in range(4))
    deadline = time.perf_counter() + LIMIT_SECONDS
    for i, rtol in enumerate(rtols.tolist()):
        if time.perf_counter() > deadline:
            break
        with torch.no_grad():
            solves = [
                odeint(
                    field, start_of(task), ts, method=config.method, rtol=rtol, atol=rtol, max_steps=MAX_STEPS
                )
                for _ in range(REPEATS)
            ]
        error[i] = float((solves[0].ys - exact).abs().max())
        forward[i] = solves[0].stats.nfe
        seconds[i] = min(solve.stats.wall_time for solve in solves)
        try:
            backward[i] = gradient(task, "adjoint", rtol, config.method).solution.backward_stats.nfe
        except SolveError:
            continue
    note = ""
    if np.isnan(backward).any():
        note = f"{METHODS[config.method].label}: the way back failed at some tolerances, so (c) lacks their points."
    return PaperResult(config, rtols, error, forward, backward, seconds, note)
