"""Penalties that keep a learned flow easy to solve: kinetic energy, Jacobian norm, random end times.

    kinetic energy     E = (1/n) sum_n int_0^T |f(t, y_n(t))|^2 dt
    Jacobian           J = (1/n) sum_n int_0^T |df/dy (t, y_n(t))|_F^2 dt

(Finlay, Jacobsen, Nurbekyan and Oberman, "How to train your neural ODE", ICML 2020). Both integrals are Gauss-Legendre
sums over a few outputs of the solve, which dense output gives almost for free: the state needs no extra components,
the solver's steps are not disturbed, and gradients flow through the nodes like through any output. STEER (Ghosh,
Behl, Dupont, Torr and Namboodiri, NeurIPS 2020) lets the end time vary while training: T ~ U(t1 - b, t1 + b).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

NODES = 6
"""Gauss-Legendre nodes: exact for polynomials of degree 11; a learned field's integrand is far from needing more."""
EXACT_DIM = 4
"""Up to this many dimensions the Jacobian is formed; above, one random probe a point estimates its norm."""


class DifferentiableField(Protocol):
    """A field whose Jacobian autograd can differentiate, such as `MLPField`."""

    def __call__(self, t: Any, y: Tensor, /) -> Tensor:
        """Return f(t, y), shape of y (..., dim)."""
        ...

    def jacobian(self, t: Any, y: Tensor, /) -> Tensor:
        """Return df/dy, shape (..., dim, dim)."""
        ...


def nodes_and_weights(end: float, nodes: int = NODES) -> tuple[list[float], list[float]]:
    """Gauss-Legendre nodes and weights of the integral from 0 to `end`, in increasing order."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    return (0.5 * end * (x + 1)).tolist(), (0.5 * end * w).tolist()


def random_end(t1: float, steer: float, rng: np.random.Generator) -> float:
    """T uniform in t1 (1 - steer) to t1 (1 + steer); t1 itself if steer = 0."""
    return t1 if steer == 0 else t1 * (1 + steer * float(rng.uniform(-1, 1)))


def kinetic_energy(
    f: Callable[[Any, Tensor], Tensor], ts: list[float], ys: Tensor, weights: list[float]
) -> Tensor:
    """(1/n) sum_n sum_q w_q |f(t_q, y_nq)|^2, differentiable.

    Args:
        f: the field; it is called once, with times (nodes, n, 1).
        ts: node times (nodes,).
        ys: states there (nodes, n, dim).
        weights: of the nodes (nodes,).
    """
    return _mean(f(_times(ts, ys), ys).square().sum(-1), weights)


def jacobian_norm(
    f: DifferentiableField, ts: list[float], ys: Tensor, weights: list[float], probe: Tensor | None = None
) -> Tensor:
    """(1/n) sum_n sum_q w_q |df/dy|_F^2, differentiable: exact, or estimated from a random probe.

    Args:
        f: the field.
        ts: node times (nodes,).
        ys: states there (nodes, n, dim).
        weights: of the nodes (nodes,).
        probe: None for the exact norm; else e (n, dim) of independent +-1, and |e^T df/dy|^2 estimates the norm
            without bias (Hutchinson), the same e along a whole path as in Finlay et al.
    """
    times = _times(ts, ys)
    if probe is None:
        return _mean(f.jacobian(times, ys).square().sum((-2, -1)), weights)
    if not ys.requires_grad:
        ys = ys.detach().requires_grad_()
    (product,) = torch.autograd.grad(f(times, ys), ys, probe.expand_as(ys), create_graph=True)
    return _mean(product.square().sum(-1), weights)


def rademacher(n: int, dim: int, rng: np.random.Generator) -> Tensor:
    """Independent +-1, (n, dim) float32."""
    return torch.from_numpy(rng.integers(0, 2, (n, dim)).astype(np.float32) * 2 - 1)


def _times(ts: list[float], ys: Tensor) -> Tensor:
    return ys.new_tensor(ts).view(-1, 1, 1).expand(-1, ys.shape[1], 1)


def _mean(values: Tensor, weights: list[float]) -> Tensor:
    """Weighted sum over the nodes, mean over the points; values (nodes, n)."""
    return values.new_tensor(weights) @ values.mean(1)
