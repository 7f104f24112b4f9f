"""Order of convergence, measured: each method with fixed steps, its error at the end against the step size."""

from __future__ import annotations

import numpy as np
import torch
from scipy.integrate import solve_ivp

from node_core.solvers.field_clock import FieldClock, TimedField
from node_core.solvers.loop import Limits, integrate
from node_core.solvers.methods import METHODS
from node_core.solvers.norms import NumpyNorm, TorchNorm
from node_core.solvers.problem import field_clock
from node_core.solvers.steppers.explicit import ExplicitStepper
from node_core.solvers.steppers.implicit import ImplicitEuler, Trapezoid
from node_core.solvers.steppers.jacobian import Jacobian
from node_core.solvers.steppers.rosenbrock import RosenbrockStepper
from node_core.studies.solvers.problem import eigenvalues, field_of
from node_core.studies.solvers.race_config import Bools, Floats, OrderConfig, OrderCurve, OrderResult, Problem
from node_core.studies.solvers.reference import Reference, reference

# step counts: factor sqrt(2) apart, from a coarse look to where order 5 meets round-off
STEP_COUNTS = (6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
# round-off and the reference's own error make a floor at about 1e-12 of the solution's size
FLOOR = 3e-12
FIT_POINTS = 5

_IMPLICIT = {"implicit_euler": ImplicitEuler, "trapezoid": Trapezoid, "rodas5p": RosenbrockStepper}


def run(config: OrderConfig) -> OrderResult:
    """Measure the order of each method of `config` that can take fixed steps.

    Raises:
        ValueError: if a typed formula can't be read, or the problem has no reference to measure against.
    """
    problem = config.problem
    truth = reference(problem)
    if truth.y is None:
        raise ValueError(f"The order can't be measured here. {truth.note}")
    t_end = _t_end(problem, truth)
    exact = _end_state(problem, t_end)
    size = float(np.abs(truth.y(np.linspace(problem.t_span[0], t_end, 50))).max()) or 1.0
    curves = []
    skipped = []
    for name in config.methods:
        if METHODS[name].family != "scipy":
            curves.append(_curve(problem, name, t_end, exact, size))
        else:
            skipped.append(METHODS[name].label)
    note = f"{', '.join(skipped)}: chooses its own steps, so it has no slope here." if skipped else ""
    return OrderResult(config, tuple(curves), t_end, note)


def _t_end(problem: Problem, truth: Reference) -> float:
    """An end so early that the coarsest steps already resolve the fastest eigenvalue, and f has not jumped yet."""
    start, end = problem.t_span
    end = min(end, truth.t_end, *(jump for jump in problem.all_jumps if jump > start))
    assert truth.y is not None
    t = np.linspace(start, start + 0.1 * (end - start), 20)
    rates = np.abs(eigenvalues(problem, t, truth.y(t)))
    fastest = float(np.nanmax(rates)) if np.isfinite(rates).any() else 0.0
    return min(end, start + 4.0 / fastest) if fastest > 0 else end


def _end_state(problem: Problem, t_end: float) -> Floats:
    """y(t_end) to round-off; the interval is short, so that an explicit method can do it even for a stiff problem."""
    field = field_of(problem)
    exact = field.exact(np.array([t_end]), np.array(problem.y0), problem.t_span[0])
    if exact is not None:
        return np.asarray(exact[0], dtype=float)
    timed = TimedField(field, _clock(problem, t_end))
    found = solve_ivp(timed, (problem.t_span[0], t_end), problem.y0, method="DOP853", rtol=1e-13, atol=1e-16)
    return np.asarray(found.y[:, -1], dtype=float)


def _curve(problem: Problem, method: str, t_end: float, exact: Floats, size: float) -> OrderCurve:
    start = problem.t_span[0]
    span = t_end - start
    errors = np.full(len(STEP_COUNTS), np.nan)
    for i, count in enumerate(STEP_COUNTS):
        with np.errstate(all="ignore"), torch.no_grad():
            reached = _fixed_steps(problem, method, t_end, span / count)
        if reached is not None:
            errors[i] = float(np.abs(reached - exact).max())
    dt = span / np.array(STEP_COUNTS, dtype=float)
    fitted, slope = fit(dt, errors, size)
    return OrderCurve(method, METHODS[method].label, METHODS[method].order, dt, errors, fitted, slope)


def _fixed_steps(problem: Problem, method: str, t_end: float, dt: float) -> Floats | None:
    """The state at `t_end` by steps of length dt, whether the method is adaptive or not; None where it failed."""
    field, limits = field_of(problem), Limits()
    ts, timed = [problem.t_span[0], t_end], TimedField(field, _clock(problem, t_end))
    tableau = METHODS[method].tableau
    if tableau is not None:
        explicit = ExplicitStepper(tableau, torch.float64, torch.device("cpu"))
        y0 = torch.tensor(problem.y0, dtype=torch.float64)
        result = integrate(explicit, timed, y0, ts, norm=TorchNorm(1.0, 1.0), dt=dt, limits=limits)
    else:
        implicit = _IMPLICIT[method](Jacobian(timed))
        result = integrate(
            implicit, timed, np.array(problem.y0), ts, norm=NumpyNorm(1.0, 1.0), dt=dt, limits=limits
        )
    return np.asarray(result.y, dtype=float) if result.status.ok else None


def _clock(problem: Problem, t_end: float) -> FieldClock:
    """A clock that keeps before the jump at which the interval may end."""
    clock, start = field_clock(problem.all_jumps, torch.float64), problem.t_span[0]
    clock.enter(start, t_end - start)
    return clock


def fit(dt: Floats, error: Floats, size: float) -> tuple[Bools, float]:
    """The slope of log error over log dt through the shortest steps above the floor (dt falls).

    Returns which points were used and the slope; nan where fewer than three points lie above the floor.
    """
    usable = np.flatnonzero(np.isfinite(error) & (error > FLOOR * size) & (error < size))
    chosen = usable[-FIT_POINTS:]
    fitted = np.zeros(dt.size, dtype=bool)
    if chosen.size < 3:
        return fitted, float("nan")
    fitted[chosen] = True
    slope = np.polyfit(np.log(dt[chosen]), np.log(error[chosen]), 1)[0]
    return fitted, float(slope)
