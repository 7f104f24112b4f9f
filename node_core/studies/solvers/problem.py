"""From a `Problem` to what a worker computes with: its field, its solver and its eigenvalues."""

from __future__ import annotations

from typing import Any

import numpy as np

from node_core.fields.systems.system import SystemField
from node_core.settings import SolverSettings
from node_core.solvers.methods import METHODS
from node_core.studies.solvers.race_config import Floats, Problem


def field_of(problem: Problem) -> SystemField:
    """The vector field f(t, y) of `problem`, for numpy arrays and tensors (..., dim).

    Raises:
        ValueError: if a formula can't be read or a parameter is out of range.
    """
    return problem.resolve().field(**dict(problem.parameters))


def settings_of(
    problem: Problem,
    method: str,
    *,
    dt: float,
    rtol: float,
    controller: str,
    max_step: float | None,
    max_steps: int,
) -> SolverSettings:
    """How `method` solves `problem`: with steps of dt if its steps are fixed, else at rtol by the controller."""
    if not METHODS[method].adaptive:
        return SolverSettings(method, dt=dt, max_steps=max_steps)
    return SolverSettings(
        method,
        rtol,
        rtol * problem.atol_ratio,
        controller=controller,
        max_step=max_step,
        max_steps=max_steps,
    )


def eigenvalues(problem: Problem, t: Floats, y: Floats) -> np.ndarray:
    """Eigenvalues of df/dy at each (t, y) of a path, (time, dim) complex; nan where a Jacobian is not finite."""
    values = np.full((t.size, y.shape[1]), np.nan, dtype=complex)
    for i in range(t.size):
        matrix = jacobian(problem, float(t[i]), y[i])
        if np.isfinite(matrix).all():
            values[i] = np.linalg.eigvals(matrix)
    return values


def jacobian(problem: Problem, t: float, y: Floats) -> Floats:
    """df/dy, the system's own or by differences, (dim, dim)."""
    field = field_of(problem)
    with np.errstate(all="ignore"):
        if field.has_jacobian:
            return np.asarray(field.jacobian(t, y), dtype=float)
        return _differences(field, t, y)


def _differences(field: Any, t: float, y: Floats) -> Floats:
    """df/dy by central differences, (dim, dim)."""
    size = y.size
    matrix = np.empty((size, size))
    for j in range(size):
        delta = 6e-6 * max(1.0, abs(float(y[j])))
        up, down = y.copy(), y.copy()
        up[j] += delta
        down[j] -= delta
        matrix[:, j] = (np.asarray(field(float(t), up)) - np.asarray(field(float(t), down))) / (2 * delta)
    return matrix
