"""Large implicit steps without a matrix: (I - s df/dy)^-1 applied by GMRES, from products with df/dy alone.

A product J v costs some evaluations of f, J^T v one backward pass, and the memory is that of a few hundred vectors
beside the graph of one evaluation, where the dense matrix of n unknowns has n^2 numbers (Saad and Schultz, "GMRES",
SIAM J. Sci. Stat. Comput. 7, 1986; Brown and Hindmarsh 1989 for Newton's iteration with it). There is no
preconditioner: the number of products grows with the square root of s times the largest rate of a diffusion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, gmres
from torch import Tensor

from node_core.solvers.field_clock import FieldClock, inside
from node_core.solvers.results import evaluate, kind_of
from node_core.solvers.steppers.step import Field

# Vectors that GMRES keeps before it starts anew, and how often it does.
KEPT, RESTARTS = 200, 10


class NoConvergenceError(RuntimeError):
    """The products allowed were not enough."""

    def __init__(self) -> None:
        super().__init__(
            f"the linear equations of an implicit step were not solved within {KEPT * RESTARTS} products with df/dy: "
            "take a smaller dt"
        )


class KrylovInverse:
    """(I - s df/dy)^-1 at (t, y), or its transpose, as something to be applied; outside of autograd.

    Args:
        f: the field, told the time as it expects it.
        time: that time.
        piece: the beginning and the signed length of the step, for a field that jumps.
    """

    def __init__(
        self,
        f: Field,
        time: Any,
        y: Tensor,
        scaled: float,
        clock: FieldClock | None,
        piece: tuple[float, float],
        transposed: bool = False,
    ) -> None:
        self._f, self._time, self._y, self._scaled = f, time, y.detach(), scaled
        self._clock, self._piece, self._transposed = clock, piece, transposed

    @property
    def mT(self) -> KrylovInverse:
        """The transpose."""
        return KrylovInverse(
            self._f, self._time, self._y, self._scaled, self._clock, self._piece, not self._transposed
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it.

        Raises:
            NoConvergenceError: the products allowed were not enough.
        """
        y = self._y
        with inside(self._clock, *self._piece):
            product = self._transposed_product() if self._transposed else self._product()
            epsilon = torch.finfo(y.dtype).eps

            def matrix(v: Any) -> Any:
                given = torch.from_numpy(np.asarray(v).reshape(tuple(y.shape))).to(y)
                return (given - self._scaled * product(given)).double().cpu().numpy().reshape(-1)

            right = x.detach().double().cpu().numpy().reshape(-1)
            size = float(np.linalg.norm(right))
            if size == 0.0 or not np.isfinite(size):
                return x.detach().clone()
            system = LinearOperator((right.size, right.size), matvec=matrix, dtype=np.float64)
            found, info = gmres(
                system,
                right / size,
                rtol=epsilon ** (2 / 3),
                atol=0.0,
                restart=min(KEPT, right.size),
                maxiter=RESTARTS,
            )
        if info != 0:
            raise NoConvergenceError
        return torch.from_numpy(found * size).to(y).reshape(y.shape)

    def _evaluated(self) -> tuple[Tensor, Tensor]:
        """A leaf at y, and f there with its graph."""
        point = self._y.clone().requires_grad_()
        return point, evaluate(self._f, self._time, point, kind_of(self._y))

    def _transposed_product(self) -> Callable[[Tensor], Tensor]:
        """v -> J^T v."""
        with torch.enable_grad():
            point, out = self._evaluated()
        if not out.requires_grad:
            return torch.zeros_like
        return lambda v: torch.autograd.grad(out, point, v, retain_graph=True, materialize_grads=True)[0]

    def _product(self) -> Callable[[Tensor], Tensor]:
        """v -> J v: J^T u is linear in u, and its derivative by u along v is that."""
        with torch.enable_grad():
            point, out = self._evaluated()
            if not out.requires_grad:
                return torch.zeros_like
            u = torch.zeros_like(out, requires_grad=True)
            (pulled,) = torch.autograd.grad(out, point, u, create_graph=True, materialize_grads=True)
        if not pulled.requires_grad:
            return torch.zeros_like
        return lambda v: torch.autograd.grad(pulled, u, v, retain_graph=True, materialize_grads=True)[0]
