"""The h lambda of a problem on each method's region of stability. Runs in a worker."""

from __future__ import annotations

import numpy as np

from node_core.solvers.methods import METHODS
from node_core.solvers.stability import (
    stability_formula,
    stability_function,
    stability_region,
    with_stability_function,
)
from node_core.studies.solvers.problem import eigenvalues
from node_core.studies.solvers.race import run as run_race
from node_core.studies.solvers.race_config import (
    Floats,
    Lane,
    StabilityConfig,
    StabilityLane,
    StabilityResult,
)
from node_core.studies.solvers.reference import reference

PATH_POINTS = 60
# The regions of all explicit methods here fit into the whole window; where the h lambda lie close together it is
# smaller, a square always, since the axes keep equal units, with the origin in it.
WHOLE, CENTRE = 10.0, complex(-2.0, 0.0)
SMALLEST = 0.5
GRID = 181


def run(config: StabilityConfig) -> StabilityResult:
    """Eigenvalues of df/dy along the tight reference (a lane's own path where there is none), times each method's h.

    Raises:
        ValueError: if a typed formula can't be read.
    """
    race = run_race(config.race)
    known = set(with_stability_function())
    truth = reference(config.race.problem)
    lanes = []
    for lane in race.lanes:
        if lane.method not in known:
            continue
        if truth.y is not None:
            t = np.linspace(config.race.problem.t_span[0], truth.t_end, PATH_POINTS)
            y = truth.y(t)
        else:
            t, y = lane.step_t, lane.step_y
        lanes.append(_lane(config, lane, t, eigenvalues(config.race.problem, t, y)))
    missing = [lane.label for lane in race.lanes if lane.method not in known]
    note = f"{', '.join(missing)}: a multistep method has no single region to draw." if missing else ""
    return StabilityResult(config, tuple(lanes), note)


def _lane(config: StabilityConfig, lane: Lane, t: Floats, rates: np.ndarray) -> StabilityLane:
    h = step_at(lane, t) if METHODS[lane.method].adaptive else np.full(t.size, config.race.dt)
    h_lambda = (h[:, None] * rates).ravel()
    finite = np.isfinite(h_lambda)
    h_lambda = h_lambda[finite]
    dim = rates.shape[1]
    region = stability_region(lane.method, *window(h_lambda), GRID)
    with np.errstate(all="ignore"):
        growth = np.abs(stability_function(lane.method, h_lambda))
    return StabilityLane(
        method=lane.method,
        label=lane.label,
        t=np.repeat(t, dim)[finite],
        h=np.repeat(h, dim)[finite],
        h_lambda=h_lambda,
        growth=growth,
        region_re=region.re,
        region_im=region.im,
        region=region.magnitude,
        formula=stability_formula(lane.method),
    )


def window(h_lambda: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of Re and Im that show the origin and all points with a third of room around; at most the whole window."""
    points = np.append(h_lambda, 0.0)
    low, high = points.real.min(), points.real.max()
    tall = float(np.abs(points.imag).max())  # eigenvalues come in pairs: the window is as tall below
    size = max((high - low) / 0.6, 2 * tall / 0.6, SMALLEST)
    if size >= WHOLE:
        size, centre = WHOLE, CENTRE.real
    else:
        centre = float(low + high) / 2
    return (centre - size / 2, centre + size / 2), (-size / 2, size / 2)


def step_at(lane: Lane, t: Floats) -> Floats:
    """The length of the accepted step that covers each time; nan where the method took none."""
    accepted = lane.attempt_accepted
    starts, lengths = lane.attempt_t[accepted], lane.attempt_dt[accepted]
    if not starts.size:
        return np.full(t.size, np.nan)
    index = np.clip(np.searchsorted(starts, t, side="right") - 1, 0, starts.size - 1)
    covered = t <= starts[-1] + lengths[-1] * (1 + 1e-9)
    return np.where(covered, lengths[index], np.nan)
