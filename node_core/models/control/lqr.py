"""The linear-quadratic regulator: the classical answer near the target, optimal there for the very cost of the net.

At the target dx/dt = A x + B u, and l(x, u) = x^T Q x + u^T R u up to higher orders. The gain K = R^-1 B^T P minimises
the cost of an endless trial, where P solves  A^T P + P A - P B R^-1 B^T P + Q = 0  (Kalman 1960; SciPy's solver).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_are
from torch import Tensor

from node_core.models.control.cost import Cost
from node_core.models.control.plant import PlantField
from node_core.models.control.policies import LinearPolicy

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class LQR:
    """A linearisation and what follows from it.

    Args:
        a, b: df/dx (dim, dim) and df/du (dim, controls) at the target.
        q, r: the cost's, (dim, dim) and (controls, controls).
        p: the Riccati equation's solution: x^T P x is the least cost from x on.
        gain: K (controls, dim).
    """

    a: Matrix
    b: Matrix
    q: Matrix
    r: Matrix
    p: Matrix
    gain: Matrix


def linearise(field: PlantField) -> tuple[Matrix, Matrix]:
    """A = df/dx and B = df/du at the target without control.

    Raises:
        ValueError: the plant does not rest there.
    """
    plant = field.plant
    x = torch.tensor(plant.target, dtype=torch.float64)
    u = torch.zeros(len(plant.controls), dtype=torch.float64)

    def f(x: Tensor, u: Tensor) -> Tensor:
        return torch.as_tensor(field(0.0, x, u))

    if not bool(torch.allclose(f(x, u), torch.zeros_like(x), atol=1e-9)):
        raise ValueError(f"{plant.name} does not rest at its target: there is nothing to linearise at.")
    a, b = torch.autograd.functional.jacobian(f, (x, u))
    return a.numpy(), b.numpy()


def lqr(field: PlantField, cost: Cost) -> LQR:
    """The regulator of a plant for a cost.

    Raises:
        ValueError: effort is free, or the linearised plant can't be steered to its target.
    """
    if cost.effort == 0:
        raise ValueError("effort = 0: an LQR needs a price of control, choose for example 0.1.")
    a, b = linearise(field)
    q = np.diag(cost.weights)
    r = np.diag([cost.effort / limit**2 for limit in cost.limits])
    try:
        p = solve_continuous_are(a, b, q, r)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise ValueError(
            f"{field.plant.name} has no LQR: linearised at its target it can't be steered there. Take a net, or iLQR."
        ) from error
    return LQR(a, b, q, r, p, np.linalg.solve(r, b.T @ p))


def lqr_policy(field: PlantField, cost: Cost) -> LinearPolicy:
    """The saturated regulator: u = clip(-K (x - target), limits).

    Raises:
        ValueError: as `lqr`.
    """
    return LinearPolicy(field.plant, lqr(field, cost).gain, cost.limits)
