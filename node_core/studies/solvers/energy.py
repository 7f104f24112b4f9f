"""A thousand periods of an oscillation: whose energy drifts, and whose goes to and fro. Runs in a worker.

The evaluations of f a period are the same for all methods of fixed steps, so that none pays more than another.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import solve_ivp

from node_core.fields.systems.system import SystemField
from node_core.solvers.controllers import controller_named
from node_core.solvers.loop import Limits, integrate
from node_core.solvers.methods import METHODS
from node_core.solvers.norms import NumpyNorm
from node_core.solvers.steppers.explicit_numpy import numpy_stepper
from node_core.solvers.steppers.step import Stepper
from node_core.solvers.steppers.symplectic import SymplecticStepper
from node_core.studies.solvers.energy_config import (
    METHODS_COMPARED,
    PERIODS,
    STAGES,
    EnergyConfig,
    EnergyCurve,
    EnergyResult,
    Floats,
)
from node_core.studies.solvers.problem import field_of

WINDOWS = 60
MOST_STEPS = 250 * PERIODS
LONGEST = 60.0  # of the period of small swings: on the way over the top a pendulum lingers


def run(config: EnergyConfig) -> EnergyResult:
    """Follow the energy with each of `METHODS_COMPARED`.

    Raises:
        ValueError: the start is at rest, or so close to it that no period can be told.
    """
    field = field_of(config.problem)
    period = period_of(field, np.array(config.problem.y0))
    curves = tuple(_curve(config, field, name, period) for name in METHODS_COMPARED)
    return EnergyResult(config, period, curves)


def period_of(field: SystemField, y0: Floats) -> float:
    """The time after which the state is what it was, up to a whole turn of a pendulum.

    It comes through the line across the path at its start, in the direction that it began in; a turning pendulum
    through the same angle.

    Raises:
        ValueError: it does not within `LONGEST` periods of small swings.
    """
    direction = np.asarray(field(0.0, y0), dtype=float)
    longest = LONGEST * 2 * math.pi / field.p["omega"]
    at_rest = ValueError(
        f"From ({', '.join(f'{value:g}' for value in y0)}) {field.system.name.lower()} does not come round within "
        f"t = {longest:.3g}: it rests, or lingers at the top. Start elsewhere."
    )
    if not np.abs(direction).max() > 1e-9:
        raise at_rest
    turn = 2 * math.pi * np.sign(direction[0]) if field.system.key == "pendulum" else 0.0

    def came_through(t: float, y: Floats) -> float:
        return float((y - y0) @ direction)

    def turned(t: float, y: Floats) -> float:
        return float(y[0] - y0[0] - turn) if turn else 1.0

    came_through.direction = 1.0  # type: ignore[attr-defined]
    came_through.terminal = 2  # type: ignore[attr-defined]  # the first time is the start
    turned.terminal = True  # type: ignore[attr-defined]
    found = solve_ivp(
        field, (0.0, longest), y0, method="DOP853", rtol=1e-11, atol=1e-12, events=(came_through, turned)
    )
    back = [t for t, y in zip(found.t_events[0], found.y_events[0], strict=True) if t > 0 and _is_at(y, y0)]
    times = [*back, *found.t_events[1]]
    if not times:
        raise at_rest
    return float(min(times))


def _is_at(y: Floats, y0: Floats) -> bool:
    return bool(np.abs(y - y0).max() < 1e-6 * (1.0 + np.abs(y0).max()))


def _curve(config: EnergyConfig, field: SystemField, name: str, period: float) -> EnergyCurve:
    method = METHODS[name]
    stepper: Stepper
    if method.splitting is not None:
        stepper = SymplecticStepper(method.splitting)
    else:
        assert method.tableau is not None
        stepper = numpy_stepper(method.tableau)
    dt = None if method.adaptive else period * STAGES[name] / config.evaluations
    times, states = [0.0], [np.array(config.problem.y0, dtype=float)]

    def observe(t: float, y: Floats) -> None:
        times.append(t)
        states.append(y)

    result = integrate(
        stepper,
        field,
        states[0],
        (0.0, PERIODS * period),
        norm=NumpyNorm(config.rtol, config.rtol * config.problem.atol_ratio),
        dt=dt,
        controller=controller_named("pi") if method.adaptive else None,
        limits=Limits(MOST_STEPS),
        observe=observe,
    )
    t, y = np.array(times) / period, np.array(states)
    with np.errstate(all="ignore"):
        energy = np.asarray(field.system.energy(tuple(y.T), field.p, np))  # type: ignore[misc]
        error = energy / energy[0] - 1.0
    nfe = _evaluations(name, len(result.rows), float(t[-1]))
    seen = np.isfinite(error)
    t, error = t[seen], error[seen]
    return EnergyCurve(
        name,
        method.label,
        math.nan if dt is None else dt,
        nfe,
        *_envelope(t[1:], np.abs(error[1:])),
        float(error[t > t[-1] - 1.0].mean()),
        float(t[-1]),
    )


def _evaluations(name: str, attempts: int, periods: float) -> float:
    """Evaluations of f a period: the last stage of dopri5 is the first of the next step."""
    stages = STAGES.get(name, 6)
    return stages * attempts / periods if periods else math.nan


def _envelope(t: Floats, error: Floats) -> tuple[Floats, Floats]:
    """The largest error in each of some windows that widen, none shorter than a period, and their ends."""
    edges = np.unique(np.logspace(0.0, math.log10(PERIODS), WINDOWS).round())
    window = np.searchsorted(edges, t * (1.0 - 1e-9))
    filled = [k for k in range(edges.size) if (window == k).any()]
    largest = [float(error[window == k].max()) for k in filled]
    return edges[filled], np.array(largest)
