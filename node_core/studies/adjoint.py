"""Forward once, backward in every chosen mode, everything recorded: the paper's Figure 2. Runs in a worker."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from node_core.odeint import odeint
from node_core.solution import Solution, SolveError
from node_core.studies.adjoint_config import MODES, AdjointConfig, AdjointResult, Floats, Path, Task, Way
from node_core.studies.adjoint_task import (
    MAX_STEPS,
    gradient,
    module_of,
    relative,
    start_of,
    told,
    true_gradient,
)

Indices = NDArray[np.int_]

CURVE_POINTS = 600
DENSE_TOLERANCE = 1e-8
SHOWN_PARAMETERS = 4


def run(config: AdjointConfig) -> AdjointResult:
    """Solve the task of `config`, and go back in each of its modes.

    Raises:
        SolveError: not even the forward solve, or the tight gradient, reached the end.
        ValueError: the true a(t) took too long.
    """
    task = config.task
    truth, name = true_gradient(task)
    shown, names = _shown(task, truth)
    forward, path = _forward(task, config)
    reference = _way(task, "interpolated", DENSE_TOLERANCE, "dopri5", truth, shown, None)
    if reference.failure:  # nothing to measure by, or to draw to scale with
        raise ValueError(
            f"The true a(t) could not be computed, take a shorter horizon T: {reference.failure}"
        )
    ways = tuple(_way(task, mode, config.rtol, config.method, truth, shown, forward) for mode in config.modes)
    loss = 0.5 * float(((_observed(forward, task) - np.array(task.spec.target)) ** 2).sum())
    return AdjointResult(config, path, reference, name, ways, names, truth.size - len(task.spec.y0), loss)


def _shown(task: Task, truth: Floats) -> tuple[Indices, tuple[str, ...]]:
    """Which entries of theta are drawn, and their names: all of a few, the largest gradients of many."""
    dim = len(task.spec.y0)
    if task.spec.theta:
        return np.arange(len(task.spec.theta)), task.spec.theta
    largest = np.sort(np.argsort(-np.abs(truth[dim:]))[:SHOWN_PARAMETERS])
    labels = []
    for name, values in module_of(task).named_parameters():
        kind, layer = name.split("_")
        for index in np.ndindex(tuple(values.shape)):
            inside = ",".join(str(i + 1) for i in index)
            labels.append(f"{'W' if kind == 'weight' else 'b'}{layer}[{inside}]")
    return largest, tuple(labels[i] for i in largest)


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
            time_limit=4.0,
        )
    log = solution.steps
    step_t = np.concatenate([[0.0], (log.t + log.dt)[log.accepted]])
    step_t[-1] = task.observations[-1]
    t = np.union1d(np.linspace(0.0, task.observations[-1], CURVE_POINTS), step_t)
    path = Path(
        t, _at(solution, t), step_t, _at(solution, step_t), log.t, log.dt, log.accepted, solution.stats.nfe
    )
    return solution, path


def _observed(solution: Solution, task: Task) -> Floats:
    return np.asarray(solution.ys, dtype=float)[1:].reshape(len(task.observations), -1)


def _at(solution: Solution, t: Floats) -> Floats:
    """Dense output at times (n,), kept within what was solved."""
    return np.asarray(solution(np.clip(t, 0.0, float(solution.ts[-1]))), dtype=float)


def _way(
    task: Task, mode: str, rtol: float, method: str, truth: Floats, shown: Indices, forward: Solution | None
) -> Way:
    try:
        found = gradient(task, mode, rtol, method, record=True)
    except SolveError as error:
        return _no_way(mode, told(error), len(task.spec.y0), len(shown))
    solution, dim = found.solution, len(task.spec.y0)
    record, steps = solution.adjoint, solution.backward_steps
    # Beyond its arrival at t = 0 the record repeats the row with the known z(0): there the reconstruction ends.
    rows = slice(0, int(np.argmax(record.t <= 1e-9 * task.horizon)) + 1)
    t, z = record.t[rows], np.asarray(record.z, dtype=float)[rows]
    every = np.asarray(record.parameter_gradient, dtype=float)[rows]
    gap = np.zeros(t.size)
    if forward is not None:
        gap = np.linalg.norm(z - _at(forward, t), axis=1)
    return Way(
        mode=mode,
        label=MODES[mode],
        failure="",
        t=t,
        z=z,
        a=np.asarray(record.a, dtype=float)[rows],
        theta=every[:, shown] if every.shape[1] else np.empty((t.size, 0)),
        theta_norm=np.linalg.norm(every, axis=1) if every.shape[1] else np.empty(0),
        gap=gap,
        attempt_t=steps.t,
        attempt_dt=steps.dt,
        attempt_accepted=steps.accepted,
        gradient=found.value,
        error=relative(found.value, truth),
        error_y0=relative(found.value[:dim], truth[:dim]),
        error_theta=relative(found.value[dim:], truth[dim:]),
        nfe=solution.backward_stats.nfe,
        seconds=solution.backward_stats.wall_time,
    )


def _no_way(mode: str, failure: str, dim: int, shown: int) -> Way:
    none, nan = np.empty(0), float("nan")
    return Way(
        mode, MODES[mode], failure, none, np.empty((0, dim)), np.empty((0, dim)), np.empty((0, shown)), none, none,
        none, none, np.empty(0, dtype=bool), none, nan, nan, nan, 0, 0.0,
    )  # fmt: skip
