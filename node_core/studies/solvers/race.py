"""The race: several methods on one problem, every step recorded, against a tight reference. Runs in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from node_core.solution import Solution, SolveStats
from node_core.solvers.methods import METHODS
from node_core.studies.frame import equal_units, framed
from node_core.studies.solvers.critical import critical
from node_core.studies.solvers.ending import Truth, ending
from node_core.studies.solvers.problem import field_of, settings_of
from node_core.studies.solvers.race_config import (
    MAX_FIXED_STEPS,
    DirectionField,
    Floats,
    Lane,
    Problem,
    RaceConfig,
    RaceResult,
)
from node_core.studies.solvers.reference import Reference, reference

# so many attempts a lane has, those of the longest race with fixed steps: counted, so that a busy machine refuses none
LANE_STEPS = MAX_FIXED_STEPS + 100  # a jump of f cuts a step
CURVE_POINTS = 900
FIELD_GRID = (22, 15)


@lru_cache(maxsize=16)
def run(config: RaceConfig) -> RaceResult:
    """Let the methods of `config` race.

    Raises:
        ValueError: if a typed formula can't be read.
    """
    problem = config.problem
    system = problem.resolve()
    truth = reference(problem)
    reference_y = truth.y(truth.t) if truth.y is not None else np.empty((0, system.dim))
    size = float(np.abs(reference_y).max(initial=float(np.abs(problem.y0).max()))) or 1.0
    lanes = tuple(_lane(config, name, truth, size) for name in config.methods)
    return RaceResult(
        config=config,
        state_names=system.state_names,
        lanes=lanes,
        reference_t=truth.t,
        reference_y=reference_y,
        reference_name=truth.name,
        reference_note=truth.note,
        field=_direction_field(problem, reference_y, lanes),
        critical=critical(problem, config.methods, reference_y if reference_y.size else lanes[0].step_y),
    )


def solve(config: RaceConfig, method: str, ts: Sequence[float], *, dense: bool = True) -> Solution:
    """Solve the problem of `config` with one method; a failure comes back as the partial solution."""
    settings = settings_of(
        config.problem,
        method,
        dt=config.dt,
        rtol=config.rtol,
        controller=config.controller,
        max_step=config.max_step,
        max_steps=LANE_STEPS,
    )
    y0 = torch.tensor(config.problem.y0, dtype=torch.float64)
    field = field_of(config.problem)
    return settings.solve(field, y0, ts, jumps=config.jumps, dense=dense, on_error="return")


def _lane(config: RaceConfig, method: str, truth: Reference, size: float) -> Lane:
    with np.errstate(all="ignore"):
        solution = solve(config, method, config.problem.t_span)
        return _recorded(config, method, solution, truth, size)


def _recorded(config: RaceConfig, method: str, solution: Solution, truth: Reference, size: float) -> Lane:
    log = solution.steps
    accepted = log.accepted
    start = config.problem.t_span[0]
    step_t = np.concatenate([[start], log.t[accepted] + log.dt[accepted]])
    curve_t, parts = _curve_times(step_t)
    curve_y = _dense(solution, curve_t, config.problem.y0)
    ended = ending(
        solution, field_of(config.problem), step_t, curve_y[::parts], Truth(size, truth.unbounded_at)
    )
    tried = np.ones(len(log), dtype=bool)
    stats = solution.stats
    if ended.points < step_t.size:
        step_t = step_t[: ended.points]
        points = (ended.points - 1) * parts + 1
        curve_t, curve_y = curve_t[:points], curve_y[:points]
        tried = log.t < step_t[-1]
        stats = _cost_until(config, method, float(step_t[-1]))
    step_y = curve_y[::parts]
    step_error = _errors(step_t, step_y, truth)
    return Lane(
        method=method,
        label=METHODS[method].label,
        adaptive=METHODS[method].adaptive,
        curve_t=curve_t,
        curve_y=curve_y,
        step_t=step_t,
        step_y=step_y,
        step_error=step_error,
        attempt_t=log.t[tried],
        attempt_dt=log.dt[tried],
        attempt_ratio=log.error_ratio[tried],
        attempt_accepted=accepted[tried],
        rejected_y=_dense(solution, log.t[tried & ~accepted], config.problem.y0),
        exploded_at=ended.exploded_at,
        status=ended.status,
        failed=ended.failed,
        outcome=solution.status.value,
        nfe=stats.nfe,
        n_accepted=step_t.size - 1,
        n_rejected=int(np.count_nonzero(tried & ~accepted)),
        final_error=float(step_error[-1]) if ended.complete else float("inf"),
        cut=not tried.all() or stats is not solution.stats,
    )


def _cost_until(config: RaceConfig, method: str, t: float) -> SolveStats:
    """What the solve cost up to t: what a method spends on noise after its explosion is not counted."""
    start = config.problem.t_span[0]
    if t <= start:
        return SolveStats(0, 0, 0, 0.0)
    return solve(config, method, (start, t), dense=False).stats


def _dense(solution: Solution, t: Floats, y0: tuple[float, ...]) -> Floats:
    """States (time, dim) at times the solve has passed; the initial state alone where it took no step."""
    if not t.size:
        return np.empty((0, len(y0)))
    if not solution.steps.n_accepted:
        return np.tile(np.array(y0, dtype=float), (t.size, 1))
    return np.asarray(solution(t), dtype=float).reshape(t.size, len(y0))


def _curve_times(step_t: Floats) -> tuple[Floats, int]:
    """Every step's end and, where there are few steps, points between; and into how many parts a step is cut."""
    parts = int(np.clip(CURVE_POINTS // max(step_t.size, 1), 1, 24))
    if step_t.size < 2 or parts == 1:
        return step_t, 1
    fractions = np.arange(parts) / parts
    inner = step_t[:-1, None] + fractions * np.diff(step_t)[:, None]
    return np.append(inner.ravel(), step_t[-1]), parts


def _errors(t: Floats, y: Floats, truth: Reference) -> Floats:
    """Max norm of the global error at each time; nan where the reference does not reach."""
    errors = np.full(t.size, np.nan)
    known = t <= truth.t_end
    if truth.y is not None and known.any():
        errors[known] = np.abs(y[known] - truth.y(t[known])).max(axis=1)
    return errors


def _direction_field(problem: Problem, reference_y: Floats, lanes: tuple[Lane, ...]) -> DirectionField | None:
    """f on a grid of the plane, at the start time; (t, y) with slopes (1, f) for one dimension, none past two."""
    dim = len(problem.y0)
    if dim > 2:
        return None
    field = field_of(problem)
    if dim == 1:
        x_range: tuple[float, float] = problem.t_span
        y_range = framed(reference_y[:, 0], [lane.curve_y[:, 0] for lane in lanes])
    else:
        x_range = framed(reference_y[:, 0], [lane.curve_y[:, 0] for lane in lanes])
        y_range = framed(reference_y[:, 1], [lane.curve_y[:, 1] for lane in lanes])
        x_range, y_range, _ = equal_units(x_range, y_range)
    nx, ny = FIELD_GRID
    xs = x_range[0] + (np.arange(nx) + 0.5) / nx * (x_range[1] - x_range[0])
    ys = y_range[0] + (np.arange(ny) + 0.5) / ny * (y_range[1] - y_range[0])
    x, y = (grid.ravel() for grid in np.meshgrid(xs, ys))
    with np.errstate(all="ignore"):
        if dim == 1:
            slopes = np.array([field(float(t), np.array([v]))[0] for t, v in zip(x, y, strict=True)])
            return DirectionField(x, y, np.ones_like(x), slopes)
        directions = field(problem.t_span[0], np.stack([x, y], axis=1))
    return DirectionField(x, y, directions[:, 0], directions[:, 1])
