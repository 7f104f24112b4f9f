"""The Jacobian of a field, from wherever it can be had, and torch fields as numpy fields."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from node_core.solvers.step import Array, Field

JacobianFunction = Callable[[float, Array], Array]


class Jacobian:
    """J(t, y) = df/dy, shape (..., dim, dim), for states (..., dim) whose rows are independent of each other.

    Attributes:
        calls: how often it was evaluated. What an evaluation costs in calls of f is not part of the solver's
            NFE (the convention of SciPy and of Hairer's codes): automatic differentiation runs f once and one
            backward pass a dimension, finite differences run f dim + 1 times.
        autonomous: the field says that it does not depend on t, so that df/dt = 0.
        source: "given", "field", or "derived" (by autograd or finite differences).
    """

    def __init__(self, evaluate: JacobianFunction, source: str, autonomous: bool) -> None:
        self._evaluate, self.source, self.autonomous = evaluate, source, autonomous
        self.calls = 0

    def __call__(self, t: float, y: Array) -> Array:
        """Evaluate.

        Raises:
            ValueError: if a given Jacobian returns the wrong shape.
        """
        self.calls += 1
        matrix = self._evaluate(t, y)
        if matrix.shape != (*y.shape, y.shape[-1]):
            raise ValueError(
                f"the Jacobian at t = {t:.6g} has shape {tuple(matrix.shape)}: return df_i/dy_j with shape "
                f"{(*y.shape, y.shape[-1])}."
            )
        return matrix


def jacobian_of(f: Field, given: JacobianFunction | None = None) -> Jacobian:
    """The Jacobian of f: `given`, else the field's own `.jacobian`, else derived at each call.

    Derived means autograd for torch tensors and forward differences for numpy arrays. Under torch's grad mode
    the result can be differentiated again, so that backpropagation through an implicit step sees it.

    Args:
        f: f(t, y) -> dy/dt with y (..., dim); pass the field itself, not a wrapper that counts calls.
        given: J(t, y) -> (..., dim, dim), for the arrays the solve runs on.
    """
    autonomous = bool(getattr(f, "autonomous", False))
    if given is not None:
        return Jacobian(given, "given", autonomous)
    own = getattr(f, "jacobian", None)
    if callable(own):
        return Jacobian(own, "field", autonomous)

    def derived(t: float, y: Array) -> Array:
        derive = autograd_jacobian if isinstance(y, torch.Tensor) else difference_jacobian
        return derive(f, t, y)

    return Jacobian(derived, "derived", autonomous)


def autograd_jacobian(f: Field, t: float, y: torch.Tensor) -> torch.Tensor:
    """J(t, y) (..., dim, dim) by reverse mode: one backward pass a dimension, for all rows of the batch."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        point = y if create_graph and y.requires_grad else y.detach().requires_grad_()
        out = f(t, point)
        if not out.requires_grad:  # a constant field
            return y.new_zeros((*y.shape, y.shape[-1]))
        rows = []
        for i in range(y.shape[-1]):
            (row,) = torch.autograd.grad(
                out[..., i].sum(), point, retain_graph=True, create_graph=create_graph, materialize_grads=True
            )
            rows.append(row)
        matrix = torch.stack(rows, dim=-2)
    return matrix if create_graph else matrix.detach()


def difference_jacobian(f: Field, t: float, y: np.ndarray) -> np.ndarray:
    """J(t, y) (..., dim, dim) by forward differences with the increments of Hairer's RODAS code."""
    f0 = f(t, y)
    columns = []
    for j in range(y.shape[-1]):
        moved = y.copy()
        moved[..., j] += np.sqrt(np.finfo(y.dtype).eps * np.maximum(1e-5, np.abs(y[..., j])))
        exact_increment = moved[..., j] - y[..., j]
        columns.append((f(t, moved) - f0) / exact_increment[..., None])
    return np.stack(columns, axis=-1)


def time_derivative(f: Field, t: float, y: Array, dt: float, f0: Array, epsilon: float) -> Array:
    """df/dt at (t, y) by a forward difference into the step: one call of f; `epsilon` of the number type."""
    increment = math.copysign(math.sqrt(epsilon * max(1e-5, abs(t))), dt)
    moved = t + increment
    return (f(moved, y) - f0) * (1.0 / (moved - t))


class NumpyField:
    """A torch field as a numpy field: float64 arrays in and out, no gradients.

    Attributes:
        autonomous: as the field says; False if it says nothing.
    """

    def __init__(self, f: Field, given: JacobianFunction | None = None) -> None:
        self._f, self._jacobian = f, jacobian_of(f, given)
        self.autonomous = self._jacobian.autonomous

    def __call__(self, t: float, y: np.ndarray) -> np.ndarray:
        """dy/dt, same shape as y."""
        with torch.no_grad():
            return self._f(t, torch.from_numpy(y)).numpy()

    def jacobian(self, t: float, y: np.ndarray) -> np.ndarray:
        """df/dy, (..., dim, dim), from the field's own `.jacobian` or autograd."""
        with torch.no_grad():
            return self._jacobian(t, torch.from_numpy(y)).numpy()


def numpy_field(f: Field) -> Field:
    """Return f for float64 numpy arrays: for single trajectories on the CPU without gradients.

    A field with the attribute `accepts_numpy = True` (the classical systems and typed formulas have it) is
    returned as it is, any other is taken for a torch field and wrapped in a `NumpyField`.
    """
    return f if getattr(f, "accepts_numpy", False) else NumpyField(f)
