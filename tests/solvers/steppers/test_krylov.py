"""Large implicit steps by products alone: the same steps and gradients as with a matrix, and none is ever made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import solve_banded
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from node_core import SolveError, odeint
from node_core.solvers.steppers import krylov
from node_core.solvers.steppers.jacobian import LARGEST_BLOCK, LARGEST_DENSE
from tests.solvers.problems import D

DX = 0.1


def laplacian(y: Tensor) -> Tensor:
    padded = torch.cat((y[:1], y, y[-1:]))
    return (padded[2:] - 2 * y + padded[:-2]) / DX**2


class Front(nn.Module):
    """Fisher's equation y_t = y_xx + r y (1 - y): heat that spreads and a reaction that feeds it."""

    def __init__(self) -> None:
        super().__init__()
        self.r = nn.Parameter(torch.tensor(1.2, dtype=D))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return laplacian(y) + self.r * y * (1 - y)


def start(n: int) -> Tensor:
    return torch.sigmoid(10 - torch.arange(n, dtype=D) * DX)


def banded_step(y: np.ndarray, dt: float, beta: float, r: float) -> np.ndarray:
    """One implicit step by Newton's iteration on the tridiagonal system."""

    def slope(v: np.ndarray) -> np.ndarray:
        padded = np.concatenate((v[:1], v, v[-1:]))
        return (padded[2:] - 2 * v + padded[:-2]) / DX**2 + r * v * (1 - v)

    known, y1, s = y + (1 - beta) * dt * slope(y), y.copy(), beta * dt
    for _ in range(8):
        bands = np.full((3, y.size), -s / DX**2)
        bands[1] = 1 + s * (2 / DX**2 - r * (1 - 2 * y1))
        bands[1, [0, -1]] -= s / DX**2
        y1 = y1 - solve_banded((1, 1), bands, y1 - known - s * slope(y1))
    return y1


class Largest(TorchDispatchMode):
    """The most numbers that any tensor held."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (list, tuple)) else (out,):
            if isinstance(tensor, Tensor):
                self.numbers = max(self.numbers, tensor.untyped_storage().nbytes() // max(1, tensor.itemsize))
        return out


@pytest.mark.parametrize(("name", "beta"), [("implicit_euler", 1.0), ("trapezoid", 0.5)])
def test_three_thousand_unknowns_are_solved_without_a_matrix(name: str, beta: float) -> None:
    n, dt = 3000, 0.05
    with torch.no_grad(), Largest() as largest:
        solution = odeint(Front(), start(n), [0.0, 2 * dt], method=name, dt=dt, dense=False)
    expected = start(n).numpy()
    for _ in range(2):
        expected = banded_step(expected, dt, beta, 1.2)
    np.testing.assert_allclose(solution.ys[-1].numpy(), expected, atol=1e-8)
    assert largest.numbers <= 4 * n


@pytest.mark.parametrize("gradient", ["backprop", "checkpointed"])
def test_gradients_are_those_of_a_matrix(gradient: str, monkeypatch: pytest.MonkeyPatch) -> None:
    n = LARGEST_DENSE + 20

    def solve() -> tuple[Tensor, ...]:
        field, y0 = Front(), start(n).requires_grad_()
        ys = odeint(field, y0, [0.0, 0.05, 0.1], method="trapezoid", dt=0.05, gradient=gradient).ys
        weights = torch.linspace(-1, 1, n, dtype=D)
        return (ys.detach(), *torch.autograd.grad((weights * ys[1:] ** 2).sum(), (y0, field.r)))

    by_products = solve()
    monkeypatch.setattr("node_core.solvers.steppers.jacobian.LARGEST_DENSE", 10**9)
    for one, other in zip(by_products, solve(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


def test_where_products_do_not_serve_a_matrix_does_or_a_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(krylov, "KEPT", 3)
    monkeypatch.setattr(krylov, "RESTARTS", 1)
    n = LARGEST_DENSE + 1
    with torch.no_grad():
        solution = odeint(Front(), start(n), [0.0, 0.1], method="implicit_euler", dt=0.1)
        np.testing.assert_allclose(
            solution.ys[-1].numpy(), banded_step(start(n).numpy(), 0.1, 1.0, 1.2), atol=1e-8
        )
        with pytest.raises(
            SolveError, match=r"were not solved within 3 products with df/dy at t = 0: .*Take a smaller dt"
        ):
            odeint(Front(), start(LARGEST_BLOCK + 1), [0.0, 0.1], method="implicit_euler", dt=0.1)
