"""The Jacobian of a field, from wherever it can be had, and torch fields as numpy fields."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad

from node_core.fields.own import has_closed_form, is_autonomous, own_method
from node_core.solvers.dual import in_dual_level
from node_core.solvers.results import evaluate, kind_of
from node_core.solvers.steppers.coupling import are_independent, block_counts
from node_core.solvers.steppers.jacobian_check import carries_its_derivative, differs
from node_core.solvers.steppers.step import Array, Field
from node_core.solvers.tableaus.algebra import algebra_of, wants_gradient

JacobianFunction = Callable[[float, Array], Array]
LARGEST_BLOCK = 2000


class Jacobian:
    """J(t, y) = df/dy for states (..., dim), as matrices of independent blocks (see `Algebra`).

    Nothing is assumed of a batch: whether its rows are independent of each other is found out at every derived Jacobian
    (see `coupling`). A Jacobian that is given, or that a field brings, says so by its shape: (..., dim, dim) of
    independent rows, or (\\*y.shape, \\*y.shape) of a whole state; at its first use a product with it is compared with
    f's own (see `jacobian_check`). A field's own that is wrong, or one without a graph where gradients are recorded,
    is derived instead.

    Args:
        f: f(t, y) -> dy/dt; pass the field itself, not a wrapper that counts calls.
        given: J(t, y) for the arrays the solve runs on; None for the field's own `jacobian`, else a derived one.

    Attributes:
        calls: how often it was evaluated. What an evaluation costs in calls of f is not part of the solver's
            NFE (the convention of SciPy and of Hairer's codes): automatic differentiation runs f once and one
            backward pass a column, finite differences run f twice a column.
        nfe: evaluations of f that these comparisons took, which are part of the solver's.
        autonomous: the field says that it does not depend on t, so that df/dt = 0.
        source: "given", "field", or "derived" (by autograd for tensors, by central differences for numpy).
    """

    def __init__(self, f: Field, given: JacobianFunction | None = None) -> None:
        self._known = given if given is not None else own_method(f, "jacobian")
        self.source = "derived" if self._known is None else "field" if given is None else "given"
        self.autonomous = is_autonomous(f)
        self.calls = self.nfe = 0
        self._f, self._vouched = f, given is None and has_closed_form(f, "jacobian")
        self._usable: dict[bool, bool] = {}  # what is known, by whether gradients are recorded
        self._counts: list[int] | None = None

    def __call__(self, t: float, y: Array, *, check: bool = True) -> Array:
        """Evaluate; `check` says whether to look for coupled rows in what is derived.

        Raises:
            ValueError: a given Jacobian returns the wrong shape or is not df/dy, or the systems are too large.
        """
        self.calls += 1
        # What somebody wrote need not carry tangents.
        if self._known is not None and not in_dual_level():
            recorded = isinstance(y, torch.Tensor) and torch.is_grad_enabled()
            if recorded not in self._usable:
                self._usable[recorded] = self._is_right(t, y) and (not recorded or self._is_whole(t, y))
            if self._usable[recorded]:
                return self._declared(t, y)
        return self._derived(t, y, check)

    def _declared(self, t: float, y: Array) -> Array:
        """The known Jacobian in one of the shapes of `Algebra`."""
        refuse_large(y.shape[-1])
        assert self._known is not None
        matrix = self._known(time_for(self._f, t, y), y)
        blocks, whole = (*y.shape, y.shape[-1]), (*y.shape, *y.shape)
        coupled = f", or {whole} if the rows are coupled" if y.ndim > 1 else ""
        wanted = f"return df_i/dy_j with shape {blocks}{coupled}"
        if not hasattr(matrix, "shape"):
            raise ValueError(
                f"the Jacobian at t = {t:.6g} is {type(matrix).__name__}, not a tensor: {wanted}."
            )
        if matrix.shape == whole:
            n = math.prod(y.shape)
            refuse_large(n)
            return matrix.reshape(n, n)
        if matrix.shape != blocks:
            raise ValueError(f"the Jacobian at t = {t:.6g} has shape {tuple(matrix.shape)}: {wanted}.")
        return matrix

    def _is_right(self, t: float, y: Array) -> bool:
        """Whether a product with the known Jacobian is one with f's own; a given one that is not is refused.

        A kink of f has several derivatives: where the products differ, they are compared once more beside it.
        """
        # The fields that know numpy are this library's own: their formulas are tested, differences would tell less.
        if self._vouched or (self.source == "field" and not isinstance(y, torch.Tensor)):
            return True
        for point in (y, y + 1e-3 * (1.0 + abs(y)) * algebra_of(y).probe(y)):
            self.nfe += 1
            if not differs(self._f, time_for(self._f, t, y), point, self._declared(t, point)):
                return True
        if self.source == "given":
            coupled = f", return shape {(*y.shape, *y.shape)} if its rows are coupled," if y.ndim > 1 else ""
            raise ValueError(
                f"the given Jacobian is not that of f at t = {t:.6g}: a product with it and one by f's own derivative "
                f"differ. Correct it{coupled} or leave it out to have it derived from f"
            )
        return False

    def _is_whole(self, t: float, y: torch.Tensor) -> bool:
        """Whether the known Jacobian can be differentiated itself."""
        if self._vouched:
            return True
        self.nfe += 1
        time = time_for(self._f, t, y)
        return carries_its_derivative(self._f, time, y, lambda point: self._declared(t, point))

    def _derived(self, t: float, y: Array, check: bool) -> Array:
        if not isinstance(y, torch.Tensor):
            refuse_large(y.size)
            return difference_jacobian(self._f, t, y)
        if self._counts is None:
            self._counts = block_counts(y.shape)
        while True:
            refuse_large(y.numel() // self._counts[0])
            matrix, complete = autograd_jacobian(self._f, t, y, self._counts[0], check)
            if complete:
                return matrix
            # These blocks influence each other, here and so from now on: the next larger ones may not.
            del self._counts[0]


def refuse_large(entries: int) -> None:
    """Refuse dense systems that would take hours.

    Raises:
        ValueError: more than `LARGEST_BLOCK` entries of the state are coupled.
    """
    if entries > LARGEST_BLOCK:
        raise ValueError(
            f"{entries} entries of the state depend on each other: an implicit method would solve that many dense "
            f"equations in every step (at most {LARGEST_BLOCK}). Take an explicit method such as 'dopri5', or a "
            "coarser state"
        )


def time_for(f: Field, t: float, y: Array) -> Any:
    """The time as f expects it beside y: a float if f says `accepts_float_time` or y is numpy's, else a 0-d tensor."""
    if not isinstance(y, torch.Tensor) or getattr(f, "accepts_float_time", False):
        return t
    return torch.tensor(t, dtype=y.dtype, device=y.device)


def autograd_jacobian(
    f: Field, t: float, y: torch.Tensor, count: int, check: bool
) -> tuple[torch.Tensor, bool]:
    """The `count` diagonal blocks of J(t, y), and whether these are all there is of it, as far as checked.

    Shape (n, n) of the one block of a whole state, else (count, m, m). By reverse mode: one backward pass a column of a
    block, for all blocks at once, and one for the check.
    """
    time = time_for(f, t, y)
    m = y.numel() // count
    shape = (m, m) if count == 1 else (count, m, m)
    # Where neither y nor a parameter wants a gradient, the result must not seem to want one either.
    create_graph = torch.is_grad_enabled() and (
        y.requires_grad or evaluate(f, time, y, kind_of(y)).requires_grad
    )
    with torch.enable_grad():
        point = y if create_graph and y.requires_grad else leaf_of(y)
        out = evaluate(f, time, point, kind_of(y))
        if not out.requires_grad:  # a constant field
            return y.new_zeros(shape), True
        rows = []
        for unit in torch.eye(m, dtype=y.dtype, device=y.device):
            (row,) = torch.autograd.grad(
                out,
                point,
                unit.expand(count, m).reshape(out.shape),
                retain_graph=True,
                create_graph=create_graph,
                materialize_grads=True,
            )
            rows.append(row.reshape(count, m))
        matrix = torch.stack(rows, dim=1)
        complete = count == 1 or not check or are_independent(out, point, matrix)
    return matrix.view(shape), complete


def leaf_of(y: torch.Tensor) -> torch.Tensor:
    """A leaf with y's value, and its tangent if it carries one."""
    leaf, tangent = y.detach(), forward_ad.unpack_dual(y).tangent
    return (leaf if tangent is None else forward_ad.make_dual(leaf, tangent.detach())).requires_grad_()


def difference_jacobian(f: Field, t: float, y: np.ndarray) -> np.ndarray:
    """J(t, y) of the whole state, (n, n), by central differences: relative error some 1e-10, 2 n calls of f.

    Forward differences (error 1e-8) would be felt: a Rosenbrock method has its order only with the true Jacobian.
    """
    columns = []
    for j in range(y.size):
        above, below = y.copy(), y.copy()
        increment = np.cbrt(np.finfo(y.dtype).eps) * max(1e-3, abs(y.flat[j]))
        above.flat[j] += increment
        below.flat[j] -= increment
        slope = np.array(f(t, above))  # f may return the same array twice
        columns.append((slope - f(t, below)).ravel() / (above.flat[j] - below.flat[j]))
    return np.stack(columns, axis=-1)


def time_derivative(
    f: Field,
    t: float,
    y: Array,
    dt: float,
    f0: Array,
    epsilon: float,
    time_epsilon: float,
    is_constant: Callable[[float, float], bool],
) -> Array | None:
    """df/dt at (t, y), or None where f does not change with t.

    A one-sided difference of second order, so that f is never asked outside of the step: two calls of f, or one where
    that shows no change at all. Where gradients are recorded that is not enough: t y does not change at y = 0, but its
    derivative by y does.

    Args:
        epsilon: that of the state's number type.
        time_epsilon: that of the type in which f is told the time; the difference must be some of its units.
        is_constant: whether f is the same at two times, whatever the state.
    """
    least = 4.0 * time_epsilon * abs(t)
    increment = math.copysign(min(max(epsilon ** (1.0 / 3.0) * abs(dt), least), 0.5 * abs(dt)), dt)
    near = t + increment
    change = f(near, y) - f0
    if not bool((change != 0).any()) and (not wants_gradient(change) or is_constant(t, near)):
        return None
    far = near + (near - t)
    return (4.0 * change - (f(far, y) - f0)) * (0.5 / (near - t))


class NumpyField:
    """A torch field as a numpy field: float64 arrays in and out, no gradients.

    Attributes:
        autonomous: as the field says; False if it says nothing.
    """

    def __init__(self, f: Field, given: JacobianFunction | None = None) -> None:
        self._f, self._jacobian = f, Jacobian(f, given)
        self.autonomous = self._jacobian.autonomous

    @property
    def nfe(self) -> int:
        """Evaluations of f that the comparison of its Jacobian took."""
        return self._jacobian.nfe

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
