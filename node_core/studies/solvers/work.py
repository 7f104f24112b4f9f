"""Work-precision of one problem: what each method pays, in evaluations of f and in processor time, for its accuracy."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from node_core.solution import Solution
from node_core.solvers.methods import METHODS
from node_core.studies.solvers.problem import field_of, settings_of
from node_core.studies.solvers.race_config import Floats, WorkConfig, WorkCurve, WorkResult
from node_core.studies.solvers.reference import reference
from node_core.studies.timing import timed

TOLERANCES = tuple(10.0 ** (-k / 2) for k in range(3, 22, 2))
STEP_COUNTS = tuple(25 * 2**k for k in range(8))
OUTPUT_TIMES = 40
# so many attempts a method has for all of its settings: counted, so that a busy machine draws the same
METHOD_STEPS = 20_000


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
    note = f"{', '.join(failed)}: no setting reached the end in {METHOD_STEPS:,} steps." if failed else ""
    return WorkResult(config, curves, note)


def _curve(config: WorkConfig, method: str, ts: Floats, exact: Floats) -> WorkCurve:
    span = float(ts[-1] - ts[0])
    adaptive = METHODS[method].adaptive
    settings = np.array(TOLERANCES if adaptive else [span / count for count in STEP_COUNTS])
    error, nfe, seconds = (np.full(settings.size, np.nan) for _ in range(3))
    left = METHOD_STEPS
    for i, setting in enumerate(settings):
        with np.errstate(all="ignore"):
            solution, seconds[i] = timed(partial(_solve, config, method, ts, float(setting), left))
            if solution.status.ok:
                error[i] = float(np.abs(np.asarray(solution.ys) - exact).max())
        nfe[i] = solution.stats.nfe
        left -= len(solution.steps)
        if left <= 0:
            break
    return WorkCurve(method, METHODS[method].label, settings, error, nfe, seconds)


def _solve(config: WorkConfig, method: str, ts: Floats, setting: float, most: int) -> Solution:
    settings = settings_of(
        config.problem,
        method,
        dt=setting,
        rtol=setting,
        controller=config.controller,
        max_step=config.max_step,
        max_steps=most,
    )
    y0 = torch.tensor(config.problem.y0, dtype=torch.float64)
    return settings.solve(field_of(config.problem), y0, ts, jumps=config.jumps, on_error="return")
