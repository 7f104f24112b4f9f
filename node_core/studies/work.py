"""Work-precision of one problem: what each method pays, in evaluations of f and in seconds, for its accuracy."""

from __future__ import annotations

import time

import numpy as np
import torch

from node_core.odeint import odeint
from node_core.solution import Solution
from node_core.solvers.methods import METHODS
from node_core.studies.problem import field_of, reference
from node_core.studies.race_config import Floats, WorkConfig, WorkCurve, WorkResult

TOLERANCES = tuple(10.0 ** (-k / 2) for k in range(3, 22, 2))
STEP_COUNTS = tuple(25 * 2**k for k in range(8))
OUTPUT_TIMES = 40
# one setting may take this long and all of a method that: the page waits for the sum
SETTING_SECONDS = 0.7
METHOD_SECONDS = 2.0


def run(config: WorkConfig) -> WorkResult:
    """Measure each method of `config` over its settings.

    Raises:
        ValueError: if a typed formula can't be read, or the problem has no reference to measure against.
    """
    truth = reference(config.problem)
    if truth.y is None:
        raise ValueError(f"Work and precision can't be measured here. {truth.note}")
    start, end = config.problem.t_span
    ts = np.linspace(start, min(end, truth.t_end), OUTPUT_TIMES + 1)
    exact = truth.y(ts)
    curves = tuple(_curve(config, name, ts, exact) for name in config.methods)
    failed = [curve.label for curve in curves if not np.isfinite(curve.error).any()]
    note = f"{', '.join(failed)}: no setting reached the end in time." if failed else ""
    return WorkResult(config, curves, note)


def _curve(config: WorkConfig, method: str, ts: Floats, exact: Floats) -> WorkCurve:
    span = float(ts[-1] - ts[0])
    adaptive = METHODS[method].adaptive
    settings = np.array(TOLERANCES if adaptive else [span / count for count in STEP_COUNTS])
    error, nfe, seconds = (np.full(settings.size, np.nan) for _ in range(3))
    deadline = time.perf_counter() + METHOD_SECONDS
    for i, setting in enumerate(settings):
        if time.perf_counter() > deadline:
            break
        with np.errstate(all="ignore"):
            solution = _solve(config, method, ts, float(setting))
            if solution.status.ok:
                error[i] = float(np.abs(np.asarray(solution.ys) - exact).max())
        nfe[i], seconds[i] = solution.stats.nfe, solution.stats.wall_time
    return WorkCurve(method, METHODS[method].label, settings, error, nfe, seconds)


def _solve(config: WorkConfig, method: str, ts: Floats, setting: float) -> Solution:
    field, y0 = field_of(config.problem), torch.tensor(config.problem.y0, dtype=torch.float64)
    if METHODS[method].adaptive:
        return odeint(
            field,
            y0,
            ts,
            method=method,
            rtol=setting,
            atol=setting * config.problem.atol_ratio,
            controller=config.controller,
            max_steps=50_000,
            time_limit=SETTING_SECONDS,
            on_error="return",
        )
    return odeint(
        field,
        y0,
        ts,
        method=method,
        dt=setting,
        max_steps=50_000,
        time_limit=SETTING_SECONDS,
        on_error="return",
    )
