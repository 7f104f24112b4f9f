"""Figure 3 of Chen et al. 2018 (arXiv 1806.07366), (a) to (c), with a choice of solver. Runs in a worker."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from node_core.odeint import odeint
from node_core.solution import Solution, SolveError
from node_core.solvers.methods import METHODS
from node_core.studies.gradients.config import PaperConfig, PaperResult
from node_core.studies.gradients.task import MAX_STEPS, gradient, module_of, start_of
from node_core.studies.timing import timed

TOLERANCES = tuple(10.0 ** (-k / 2) for k in range(3, 18))


def run(config: PaperConfig) -> PaperResult:
    """Sweep the tolerance.

    Raises:
        SolveError: the reference at 1e-12 could not be computed.
    """
    task, rtols = config.task, np.array(TOLERANCES)
    exact = _solve(config, 1e-12, "dopri8").ys
    error, forward, backward, seconds = (np.full(rtols.size, np.nan) for _ in range(4))
    for i, rtol in enumerate(rtols.tolist()):
        try:
            solution, seconds[i] = timed(partial(_solve, config, rtol))
            error[i] = float((solution.ys - exact).abs().max())
            forward[i] = solution.stats.nfe
            backward[i] = gradient(task, "adjoint", rtol, config.method).solution.backward_stats.nfe
        except SolveError:
            continue
    note = ""
    if np.isnan(backward).any():
        note = f"{METHODS[config.method].label}: the way back failed at some tolerances, so (c) lacks their points."
    return PaperResult(config, rtols, error, forward, backward, seconds, note)


def _solve(config: PaperConfig, rtol: float, method: str = "") -> Solution:
    task = config.task
    with torch.no_grad():
        return odeint(
            module_of(task),
            start_of(task),
            [0.0, *task.observations],
            method=method or config.method,
            rtol=rtol,
            atol=rtol,
            max_steps=MAX_STEPS,
        )
