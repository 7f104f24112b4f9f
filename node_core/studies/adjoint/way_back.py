"""Forward once, backward in every chosen mode, everything recorded: the paper's Figure 2. Runs in a worker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from node_core.odeint import odeint
from node_core.solution import Solution, SolveError
from node_core.studies.gradients.config import (
    MODES,
    AdjointConfig,
    AdjointResult,
    Floats,
    Path,
    Task,
    Truth,
    Way,
)
from node_core.studies.gradients.task import MAX_STEPS, gradient, module_of, relative, start_of, told
from node_core.studies.gradients.truth import shown_of, truth

Indices = NDArray[np.int_]

CURVE_POINTS = 600


def run(config: AdjointConfig) -> AdjointResult:
    """Solve the task of `config`, and go back in each of its modes.

    Where the solver cannot go forward there is the truth still, and the reason.

    Raises:
        SolveError: not even the tight gradient reached the end.
    """
    task = config.task
    true = truth(task)
    shown, names = shown_of(task, true)
    drawn, n_theta = replace(true, theta=true.theta[:, shown]), true.theta.shape[1]
    try:
        forward, path = _forward(task, config)
    except SolveError as error:
        path = _no_path(true, told(error))
        ways = tuple(_no_way(mode, path.failure, len(task.spec.y0), len(shown)) for mode in config.modes)
        return AdjointResult(config, path, drawn, ways, shown, names, n_theta, true.loss)
    ways = tuple(_way(task, mode, config, true, shown, forward) for mode in config.modes)
    loss = 0.5 * float(((_observed(forward, task) - np.array(task.spec.target)) ** 2).sum())
    return AdjointResult(config, path, drawn, ways, shown, names, n_theta, loss)


def _forward(task: Task, config: AdjointConfig) -> tuple[Solution, Path]:
    with torch.no_grad():
        solution = odeint(
            module_of(task),
            start_of(task),
            [0.0, *task.observations],
            method=config.method,
            rtol=config.rtol,
            atol=config.rtol,
            max_steps=MAX_STEPS,
        )
    log = solution.steps
    step_t = np.concatenate([[0.0], (log.t + log.dt)[log.accepted]])
    step_t[-1] = task.observations[-1]
    t = np.union1d(np.linspace(0.0, task.observations[-1], CURVE_POINTS), step_t)
    path = Path(
        t, _at(solution, t), step_t, _at(solution, step_t), log.t, log.dt, log.accepted, solution.stats.nfe
    )
    return solution, path


def _no_path(true: Truth, failure: str) -> Path:
    none = np.empty(0)
    t, rows = np.unique(true.t, return_index=True)
    return Path(
        t, true.z[rows], none, np.empty((0, true.z.shape[1])), none, none, none.astype(bool), 0, failure
    )


def _observed(solution: Solution, task: Task) -> Floats:
    return np.asarray(solution.ys, dtype=float)[1:].reshape(len(task.observations), -1)


def _at(solution: Solution, t: Floats) -> Floats:
    """Dense output at times (n,), kept within what was solved."""
    with torch.no_grad():
        return np.asarray(solution(np.clip(t, 0.0, float(solution.ts[-1]))), dtype=float)


def _way(task: Task, mode: str, config: AdjointConfig, true: Truth, shown: Indices, forward: Solution) -> Way:
    try:
        found = gradient(task, mode, config.rtol, config.method, record=True)
    except SolveError as error:
        return _no_way(mode, told(error), len(task.spec.y0), len(shown))
    solution, dim = found.solution, len(task.spec.y0)
    record, steps = solution.adjoint, solution.backward_steps
    # Beyond its arrival at t = 0 the record repeats the row with the known z(0): there the reconstruction ends.
    rows = slice(0, int(np.argmax(record.t <= 1e-9 * task.horizon)) + 1)
    step_t, every = record.t[rows], np.asarray(record.parameter_gradient, dtype=float)[rows]
    if record.curve is None:  # a discrete gradient: the state is that of the forward solve
        a_t, a = step_t, record.a[rows]
        t = np.union1d(np.linspace(0.0, task.observations[-1], CURVE_POINTS), step_t)[::-1]
        z = _at(solution, t)
    else:
        t = a_t = np.append(record.t[:1], record.curve.t)
        z, a = (
            np.concatenate([record.z[:1], record.curve.z]),
            np.concatenate([record.a[:1], record.curve.a]),
        )
    return Way(
        mode=mode,
        label=MODES[mode],
        failure="",
        t=t,
        z=z,
        apart=z - _at(forward, t),
        a_t=a_t,
        a=np.asarray(a, dtype=float),
        step_t=step_t,
        step_z=np.asarray(record.z, dtype=float)[rows],
        theta=every[:, shown] if every.shape[1] else np.empty((step_t.size, 0)),
        theta_norm=np.linalg.norm(every, axis=1) if every.shape[1] else np.empty(0),
        attempt_t=steps.t,
        attempt_dt=steps.dt,
        attempt_accepted=steps.accepted,
        gradient=found.value,
        error=relative(found.value, true.gradient),
        error_y0=relative(found.value[:dim], true.gradient[:dim]),
        error_theta=relative(found.value[dim:], true.gradient[dim:]),
        nfe=solution.backward_stats.nfe,
    )


def _no_way(mode: str, failure: str, dim: int, shown: int) -> Way:
    none, states, nan = np.empty(0), np.empty((0, dim)), float("nan")
    return Way(
        mode, MODES[mode], failure, none, states, states, none, states, none, states, np.empty((0, shown)), none,
        none, none, np.empty(0, dtype=bool), none, nan, nan, nan, 0,
    )  # fmt: skip
