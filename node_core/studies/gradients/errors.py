"""Gradient error of every mode against tolerance and horizon, and of finite differences. Runs in a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from node_core.solution import SolveError
from node_core.studies.gradients.config import (
    MODES,
    ErrorCurve,
    ErrorsConfig,
    ErrorsResult,
    Floats,
    HorizonConfig,
    Task,
)
from node_core.studies.gradients.task import flat_inputs, gradient, relative, solve_loss
from node_core.studies.gradients.truth import truth
from node_core.studies.timing import timed

TOLERANCES = tuple(float(f"1e-{k}") for k in range(2, 10))
HORIZONS = 10
DIFFERENCED = 8
FINITE_DIFFERENCES = "finite differences"


def run(config: ErrorsConfig) -> ErrorsResult:
    """Measure every mode of `config` over `TOLERANCES`.

    Raises:
        SolveError: the reference could not be computed.
    """
    true = truth(config.task).gradient

    def measure(mode: str) -> Callable[[float], Sequence[float]]:
        return lambda rtol: _measured(config.task, mode, rtol, config.method, true)

    curves = [_curve(mode, MODES[mode], np.array(TOLERANCES), measure(mode)) for mode in config.modes]
    curves.append(_differences(config, true))
    return ErrorsResult(config, tuple(curves), _note(curves))


def run_horizons(config: HorizonConfig) -> ErrorsResult:
    """Measure every mode of `config` over horizons up to the task's, or 10 if that is less.

    Raises:
        SolveError: a reference could not be computed.
    """
    longest = max(config.task.horizon, 10.0)
    horizons = np.linspace(longest / HORIZONS, longest, HORIZONS)

    tasks = {float(horizon): stretched(config.task, float(horizon)) for horizon in horizons}
    truths = {horizon: truth(task).gradient for horizon, task in tasks.items()}

    def measure(mode: str) -> Callable[[float], Sequence[float]]:
        def at(horizon: float) -> Sequence[float]:
            return _measured(tasks[horizon], mode, config.rtol, config.method, truths[horizon])

        return at

    curves = [_curve(mode, MODES[mode], horizons, measure(mode)) for mode in config.modes]
    return ErrorsResult(config, tuple(curves), _note(curves))


def stretched(task: Task, horizon: float) -> Task:
    """The task with another horizon and its observation times in proportion."""
    factor = horizon / task.horizon
    return replace(
        task, horizon=horizon, observations=tuple(min(t * factor, horizon) for t in task.observations)
    )


def _measured(task: Task, mode: str, rtol: float, method: str, true: Floats) -> Sequence[float]:
    """Error, evaluations forward and backward, steps back, and processor time (s) in all."""
    found, seconds = timed(lambda: gradient(task, mode, rtol, method))
    back = found.solution.backward_stats
    steps = back.n_accepted + back.n_rejected
    return relative(found.value, true), found.solution.stats.nfe, back.nfe, steps, seconds


def _curve(mode: str, label: str, x: Floats, measure: Callable[[float], Sequence[float]]) -> ErrorCurve:
    """`measure` at each x; a failed solve leaves nan."""
    rows = np.full((x.size, 5), np.nan)
    for i, value in enumerate(x):
        try:
            rows[i] = measure(float(value))
        except SolveError:
            continue
    return ErrorCurve(mode, label, x, *rows.T)


def _differences(config: ErrorsConfig, true: Floats) -> ErrorCurve:
    """Central differences of L, solved at the same tolerance: two solves for each number of [z(0), theta].

    Of a net's many numbers only `DIFFERENCED` are tried; the cost is that of all.
    """
    centre = flat_inputs(config.task)
    tried = np.unique(np.linspace(0, centre.size - 1, min(DIFFERENCED, centre.size)).round().astype(int))
    share = centre.size / tried.size

    def differenced(rtol: float) -> tuple[list[float], int]:
        nfe, found = 0, []
        step = rtol ** (1 / 3)  # balances the truncation h^2 with the solver's noise rtol / h
        for index in tried:
            values = []
            for sign in (1.0, -1.0):
                moved = centre.copy()
                moved[index] += sign * step
                value, cost = solve_loss(config.task, moved, rtol, config.method)
                values.append(value)
                nfe += cost
            found.append((values[0] - values[1]) / (2 * step))
        return found, nfe

    def measure(rtol: float) -> Sequence[float]:
        (found, nfe), seconds = timed(lambda: differenced(rtol))
        return relative(np.array(found), true[tried]), nfe * share, np.nan, np.nan, seconds * share

    return _curve("differences", FINITE_DIFFERENCES, np.array(TOLERANCES), measure)


def _note(curves: Sequence[ErrorCurve]) -> str:
    failed = [curve.label for curve in curves if np.isnan(curve.error).any()]
    if not failed:
        return ""
    return f"Points are missing where the way back failed, or needed too many steps: {', '.join(failed)}."
