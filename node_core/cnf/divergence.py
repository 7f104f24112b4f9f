"""The divergence of a field, tr df/dz: exact, or estimated from a few products with random vectors.

A continuous normalizing flow dz/dt = f(t, z) changes the density along a path by (Chen et al. 2018, Theorem 1)

    d log p(z(t)) / dt = - tr df/dz

with the minus sign: where the field spreads points apart, the density falls. A trace costs what a Jacobian's diagonal
costs; a change of variables by a single map needs a determinant instead, which grows with the third power of dim.

Estimators, for noise vectors e with E[e e^T] = I (Hutchinson 1990; FFJORD, Grathwohl et al. 2019):

    hutchinson    mean over the vectors of  e^T J e
    hutch++       tr(Q^T J Q) + mean of  e^T (I - Q Q^T) J (I - Q Q^T) e,   Q = orth(J^T S)
                  (Meyer, Musco, Musco, Woodruff 2021): exact on the directions that J^T stretches most

The noise is drawn once a solve, so that the solver integrates a smooth function, and anew for the next: training on one
draw fits the noise, and its loss falls far below the likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from node_core.cnf.bases import fresh_seed
from node_core.fields.own import own_method

Kind = Literal["exact", "hutchinson", "hutch++"]
Noise = Literal["gaussian", "rademacher"]
Field = Callable[[Any, Tensor], Tensor]


class Measured(NamedTuple):
    """What is known of a field at (t, z): its value (n, dim), divergence (n,), and |df/dz|^2 (n,) if asked for."""

    value: Tensor
    divergence: Tensor
    jacobian_squared: Tensor | None = None


@dataclass(frozen=True)
class Divergence:
    """How a divergence is found.

    Args:
        kind: "exact" (closed form where the field has one, else dim products by autograd), "hutchinson" or "hutch++".
        noise: "rademacher" (signs; the smaller variance) or "gaussian".
        vectors: products with J that the estimate may cost; hutch++ spends a third each on its subspace, on the trace
            in it and on the rest, so it wants at least 3. Where the subspace fills the space, it is exact.

    Raises:
        ValueError: an unknown word, or too few vectors.
    """

    kind: Kind = "exact"
    noise: Noise = "rademacher"
    vectors: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"divergence kind={self.kind!r}: choose one of {', '.join(get_args(Kind))}.")
        if self.noise not in get_args(Noise):
            raise ValueError(f"noise={self.noise!r}: choose one of {', '.join(get_args(Noise))}.")
        least = 3 if self.kind == "hutch++" else 1
        if self.vectors < least:
            raise ValueError(f"vectors={self.vectors}: {self.kind} needs at least {least}.")

    @property
    def exact(self) -> bool:
        """Whether no noise is involved."""
        return self.kind == "exact"

    def draw(self, z: Tensor, seed: int | None = None) -> Tensor | None:
        """The noise of one solve, (vectors, n, dim) of z's kind, or None if exact.

        The same for the same seed; without one it is fresh at each call, from torch's global generator
        (`torch.manual_seed`). Hutch++ gets its subspace's vectors first, then those of the rest.
        """
        if self.exact:
            return None
        seed = fresh_seed() if seed is None else seed
        count = self.vectors if self.kind == "hutchinson" else 2 * (self.vectors // 3)
        generator = torch.Generator().manual_seed(seed)
        shape = (count, *z.shape)
        if self.noise == "gaussian":
            drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
        else:
            drawn = torch.randint(0, 2, shape, generator=generator).double().mul_(2.0).sub_(1.0)
        return drawn.to(dtype=z.dtype, device=z.device)

    def measure(
        self, f: Field, t: Any, z: Tensor, noise: Tensor | None, *, jacobian: bool = False
    ) -> Measured:
        """The field and its divergence at (t, z), z of shape (n, dim).

        Args:
            f: the field; the rows of a batch must not influence each other.
            noise: what `draw` gave; None if exact.
            jacobian: also |df/dz|^2 (Frobenius): exact, or its estimate: the mean of |J^T e|^2.

        Differentiable under grad mode; detached results without it.
        """
        both = own_method(f, "value_and_divergence") if self.exact and not jacobian else None
        if both is not None:
            return Measured(*both(t, z))
        derivative = own_method(f, "jacobian") if self.exact and jacobian else None
        if derivative is not None:
            matrix = derivative(t, z)
            trace = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
            return Measured(f(t, z), trace, matrix.square().sum((-2, -1)))
        products = Products(f, t, z)
        if self.exact:
            found = _exact(products, jacobian)
        elif self.kind == "hutchinson":
            assert noise is not None
            found = _hutchinson(products, noise, jacobian)
        else:
            assert noise is not None
            found = _hutch_plus_plus(products, noise, jacobian)
        if products.create_graph:
            return found
        squares = found.jacobian_squared
        return Measured(
            found.value.detach(), found.divergence.detach(), None if squares is None else squares.detach()
        )


class Products:
    """J^T e at one (t, z) by autograd; differentiable if grad mode was on when this was made."""

    def __init__(self, f: Field, t: Any, z: Tensor) -> None:
        self.create_graph = torch.is_grad_enabled()
        with torch.enable_grad():
            self._z = z if self.create_graph and z.requires_grad else z.detach().requires_grad_()
            self.value = f(t, self._z)
        if self.value.shape != z.shape:
            raise ValueError(
                f"the field returned shape {tuple(self.value.shape)} for points of shape {tuple(z.shape)}: it must "
                "return dz/dt, one velocity a point"
            )
        self.dim = z.shape[-1]

    def transposed(self, e: Tensor) -> Tensor:
        """J^T e, (n, dim); zero where the field does not depend on z."""
        if not self.value.requires_grad:
            return torch.zeros_like(self.value)
        (found,) = torch.autograd.grad(
            self.value,
            self._z,
            e,
            retain_graph=True,
            create_graph=self.create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        return found


def _exact(products: Products, jacobian: bool) -> Measured:
    value = products.value
    trace, squares = torch.zeros_like(value[..., 0]), torch.zeros_like(value[..., 0])
    for i in range(products.dim):
        unit = torch.zeros_like(value)
        unit[..., i] = 1.0
        row = products.transposed(unit)
        trace = trace + row[..., i]
        if jacobian:
            squares = squares + row.square().sum(-1)
    return Measured(value, trace, squares if jacobian else None)


def _hutchinson(products: Products, noise: Tensor, jacobian: bool) -> Measured:
    rows = [products.transposed(e) for e in noise]
    trace = torch.stack([(row * e).sum(-1) for row, e in zip(rows, noise, strict=True)]).mean(0)
    squares = torch.stack([row.square().sum(-1) for row in rows]).mean(0) if jacobian else None
    return Measured(products.value, trace, squares)


def _hutch_plus_plus(products: Products, noise: Tensor, jacobian: bool) -> Measured:
    """Q is held constant when differentiating: the identity holds for every Q, so the gradient stays unbiased."""
    half = len(noise) // 2
    wide, rest = noise[: min(half, products.dim)], noise[half:]
    images = torch.stack([products.transposed(e) for e in wide], -1)
    basis, _ = torch.linalg.qr(images.detach())  # (n, dim, k)
    trace: Any = 0.0
    for column in basis.unbind(-1):
        trace = trace + (products.transposed(column) * column).sum(-1)
    squares: Any = 0.0
    for e in rest:
        if basis.shape[-1] < products.dim:
            outside = e - (basis @ (basis.mT @ e.unsqueeze(-1))).squeeze(-1)
            # The same projection on both sides: (I - Q Q^T) is symmetric and idempotent.
            trace = trace + (products.transposed(outside) * outside).sum(-1) / len(rest)
        if jacobian:
            squares = squares + products.transposed(e).square().sum(-1) / len(rest)
    return Measured(products.value, trace, squares if jacobian else None)
