"""The longest step with which a method damps what decays: from the eigenvalues of df/dy where those say it all.

Where the system is linear, df/dy is the same everywhere (or a function of time alone). Elsewhere its eigenvalues at an
equilibrium say what a step does nearby, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import root

from node_core.solvers.methods import METHODS
from node_core.solvers.stability import longest_step, with_stability_function
from node_core.studies.solvers.problem import eigenvalues, field_of, jacobian
from node_core.studies.solvers.race_config import Critical, Floats, Problem

# What differs by less than this, relative to the largest, is the same eigenvalue: differences make them to 1e-8 or so.
SAME = 1e-6
TIMES = 41


def critical(problem: Problem, methods: tuple[str, ...], path: Floats) -> Critical | None:
    """The longest stable steps of the fixed-step methods, or None where there is no such equilibrium.

    Args:
        path: states (time, dim) of the solution, near which an equilibrium is looked for.
    """
    known = set(with_stability_function())
    asked = [name for name in methods if not METHODS[name].adaptive and name in known]
    start, end = problem.t_span
    times = np.linspace(start, end, TIMES) if not problem.resolve().autonomous else np.array([start])
    y0 = np.array(problem.y0, dtype=float)
    if is_linear(problem, y0):
        at: tuple[float, ...] = ()
        rates = eigenvalues(problem, times, np.tile(y0, (times.size, 1)))
    else:
        found = _told_of(problem, equilibria(problem, path)) if times.size == 1 else None
        if found is None:
            return None
        at, rates = tuple(map(float, found[0])), found[1]
    if not np.isfinite(rates).all():
        return None
    rates = np.where(np.abs(rates.real) < SAME * np.abs(rates).max(initial=0.0), 1j * rates.imag, rates)
    steps = tuple((name, min(longest_step(name, row) for row in rates)) for name in asked)
    return Critical(at, rates[0], steps)


def _told_of(problem: Problem, points: Iterator[Floats]) -> tuple[Floats, np.ndarray] | None:
    """The first equilibrium, with its eigenvalues (1, dim), that attracts or is circled.

    From one that repels the path is far away; on a line of equilibria the neighbours have other eigenvalues.
    """
    for point in points:
        rates = eigenvalues(problem, np.array([problem.t_span[0]]), point[None])
        size = np.abs(rates).max(initial=0.0)
        if np.isfinite(rates).all() and np.abs(rates).min() > SAME * size and rates.real.max() <= SAME * size:
            return point, rates
    return None


def is_linear(problem: Problem, y0: Floats) -> bool:
    """Whether df/dy is the same at a few states around y0, at the start and at the end."""
    sway = 1.0 + np.abs(y0)
    states = np.stack([y0, y0 + 0.7 * sway, y0 - 0.4 * sway * (1 + np.arange(y0.size))])
    for t in problem.t_span:
        rates = eigenvalues(problem, np.full(3, t), states)
        rates = np.sort_complex(rates)
        if not np.isfinite(rates).all():
            return False
        if np.abs(rates - rates[0]).max() > 1e-5 * (np.abs(rates).max() or 1.0):
            return False
    return True


def equilibria(problem: Problem, path: Floats) -> Iterator[Floats]:
    """States at which f is zero: near where the path ends, near its middle, and near its start."""
    field, t = field_of(problem), problem.t_span[0]
    finite = path[np.isfinite(path).all(axis=1)]
    if not finite.size:
        return
    size = np.median(np.abs(finite), axis=0) + np.abs(finite[0]) + 1e-12
    with np.errstate(all="ignore"):
        speed = np.abs(np.asarray(field(t, finite), dtype=float)).max(axis=0) + 1e-300
        for guess in (finite[-1], finite.mean(axis=0), finite[0]):
            found = root(lambda y: np.asarray(field(t, y), dtype=float), guess, method="hybr", tol=1e-13)
            near = np.abs(found.x) <= 20 * size
            if not (np.isfinite(found.x).all() and near.all() and (np.abs(found.fun) <= 1e-9 * speed).all()):
                continue
            # a field may be small far away from any zero, as exp(x) is: then a Newton step is long still
            step = np.linalg.lstsq(jacobian(problem, t, found.x), found.fun, rcond=None)[0]
            if (np.abs(step) <= 1e-6 * size).all():
                yield np.where(np.abs(found.x) < 1e-9 * size, 0.0, found.x)
