"""The Jacobian of a field, from wherever it can be had, and torch fields as numpy fields."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from node_core.solvers.step import Array, Field

JacobianFunction = Callable[[float, Array], Array]


class Jacobian:
    """J(t, y) = df/dy, shape (..., dim, dim), for states (..., dim) whose rows are independent of each other.

    Attributes:
        calls: how often it was evaluated. What an evaluation costs in calls of f is not part of the solver's
            NFE (the convention of SciPy and of Hairer's codes): automatic differentiation runs f once and one
            backward pass a dimension, finite differences run f 2 dim times.
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
        if not hasattr(matrix, "shape"):
            raise ValueError(
                f"the Jacobian at t = {t:.6g} is {type(matrix).__name__}, not a tensor: return df_i/dy_j with shape "
                f"{(*y.shape, y.shape[-1])}."
            )
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
    autonomous = is_autonomous(f)
    own = getattr(f, "jacobian", None) if getattr(f, "has_jacobian", True) else None
    known = given if given is not None else own
    if callable(known):
        source = "field" if given is None else "given"
        return Jacobian(lambda t, y: known(time_for(f, t, y), y), source, autonomous)

    def derived(t: float, y: Array) -> Array:
        derive = autograd_jacobian if isinstance(y, torch.Tensor) else difference_jacobian
        return derive(f, t, y)

    return Jacobian(derived, "derived", autonomous)


def is_autonomous(f: Field) -> bool:
    """Whether f says that it does not depend on t: `autonomous = True` or `time_dependent = False`."""
    return bool(getattr(f, "autonomous", not getattr(f, "time_dependent", True)))


def time_for(f: Field, t: float, y: Array) -> Any:
    """The time as f expects it beside y: a float if f says `accepts_float_time` or y is numpy's, else a 0-d tensor."""
    if not isinstance(y, torch.Tensor) or getattr(f, "accepts_float_time", False):
        return t
    return torch.tensor(t, dtype=y.dtype, device=y.device)


def autograd_jacobian(f: Field, t: float, y: torch.Tensor) -> torch.Tensor:
    """J(t, y) (..., dim, dim) by reverse mode: one backward pass a dimension, for all rows of the batch."""
    time = time_for(f, t, y)
    # Where neither y nor a parameter wants a gradient, the result must not seem to want one either.
    create_graph = torch.is_grad_enabled() and (y.requires_grad or f(time, y).requires_grad)
    with torch.enable_grad():
        point = y if create_graph and y.requires_grad else y.detach().requires_grad_()
        out = f(time, point)
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
    """J(t, y) (..., dim, dim) by central differences: relative error some 1e-10, 2 dim calls of f.

    Forward differences (error 1e-8) would be felt: a Rosenbrock method has its order only with the true Jacobian.
    """
    columns = []
    for j in range(y.shape[-1]):
        above, below = y.copy(), y.copy()
        increment = np.cbrt(np.finfo(y.dtype).eps) * np.maximum(1e-3, np.abs(y[..., j]))
        above[..., j] += increment
        below[..., j] -= increment
        columns.append((f(t, above) - f(t, below)) / (above[..., j] - below[..., j])[..., None])
    return np.stack(columns, axis=-1)


def time_derivative(f: Field, t: float, y: Array, dt: float, f0: Array, epsilon: float) -> Array | None:
    """df/dt at (t, y), or None if f does not seem to depend on t; `epsilon` is that of the number type.

    A one-sided difference of second order, so that f is never asked outside of the step: two calls of f, or one where
    that shows no change at all.
    """
    increment = math.copysign(epsilon ** (1.0 / 3.0) * max(abs(dt), 1e-4 * abs(t)), dt)
    near = t + increment
    change = f(near, y) - f0
    if not bool((change != 0).any()):
        return None
    far = near + (near - t)
    return (4.0 * change - (f(far, y) - f0)) * (0.5 / (near - t))


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
            state = torch.from_numpy(y)
            return self._f(time_for(self._f, t, state), state).numpy()

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
