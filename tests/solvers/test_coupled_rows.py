"""Implicit methods on states (..., dim) whose rows may influence each other: found out, never assumed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core import odeint
from node_core.solvers.steppers.jacobian import LARGEST_BLOCK, Jacobian

D = torch.float64
ROTATION = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=D)
IMPLICIT = [("implicit_euler", {"dt": 0.01}), ("trapezoid", {"dt": 0.01}), ("rodas5p", {})]
MODES = ("backprop", "checkpointed", "adjoint", "adjoint_seminorm", "interpolated")
METHODS = pytest.mark.parametrize(("method", "options"), IMPLICIT, ids=[name for name, _ in IMPLICIT])


def rotate(t: Any, y: Tensor) -> Tensor:
    """For columns (2, ...): every column turns, so that the rows are coupled."""
    return ROTATION @ y


def diffuse(t: Any, u: Tensor) -> Tensor:
    """The heat equation on (nodes, ...) between cold ends."""
    nothing = torch.zeros_like(u[:1])
    neighbours = torch.cat([u[1:], nothing]) + torch.cat([nothing, u[:-1]])
    return (neighbours - 2 * u) * (len(u) + 1) ** 2


@METHODS
@pytest.mark.parametrize("mode", MODES)
def test_a_rotation_of_a_column_has_the_gradient_of_the_rotation(
    method: str, options: dict[str, Any], mode: str
) -> None:
    gradients = []
    for shape in ((2, 1), (2,)):
        y0 = torch.tensor([1.0, 0.0], dtype=D).view(shape).requires_grad_()
        solution = odeint(rotate, y0, [0.0, 1.0], method=method, gradient=mode, **options)
        solution.ys[-1].flatten()[0].backward()
        assert y0.grad is not None
        gradients.append((y0.grad.flatten(), solution.ys[-1].detach().flatten(), solution.stats.nfe))
    (column, end, nfe), (row, same_end, same_nfe) = gradients
    torch.testing.assert_close(column, row, rtol=0, atol=1e-11)
    torch.testing.assert_close(end, same_end, rtol=0, atol=1e-13)
    assert nfe == same_nfe
    exact = torch.tensor([math.cos(1.0), -math.sin(1.0)], dtype=D)
    torch.testing.assert_close(column, exact, rtol=0, atol=6e-3 if method == "implicit_euler" else 1e-5)


@METHODS
def test_the_heat_equation_is_the_same_as_a_column(method: str, options: dict[str, Any]) -> None:
    x = torch.linspace(0, math.pi, 32, dtype=D)[1:-1]
    start = torch.sin(x) + 0.3 * torch.sin(3 * x)
    flat = odeint(diffuse, start, [0.0, 0.02, 0.1], method=method, **options)
    column = odeint(diffuse, start[:, None], [0.0, 0.02, 0.1], method=method, **options)
    torch.testing.assert_close(column.ys[..., 0], flat.ys, rtol=0, atol=1e-12)
    assert column.stats.nfe == flat.stats.nfe
    assert column.stats.n_jacobians == flat.stats.n_jacobians


def test_a_batch_of_coupled_states_is_solved_state_by_state() -> None:
    """(batch, nodes, dim): the nodes are coupled, the samples are not, and a Jacobian is no larger than a sample's."""
    start = torch.rand(5, 6, 1, dtype=D)

    def f(t: Any, y: Tensor) -> Tensor:
        return diffuse(t, y.transpose(0, 1)).transpose(0, 1)

    matrix = Jacobian(f)(0.0, start)
    assert matrix.shape == (5, 6, 6)
    whole = torch.autograd.functional.jacobian(lambda y: f(0.0, y), start).view(30, 30)
    torch.testing.assert_close(torch.block_diag(*matrix), whole)
    ys = odeint(f, start, [0.0, 0.05], method="rodas5p", rtol=1e-9, atol=1e-9).ys[-1]
    for sample, end in zip(start, ys, strict=True):
        alone = odeint(diffuse, sample, [0.0, 0.05], method="rodas5p", rtol=1e-9, atol=1e-9).ys[-1]
        torch.testing.assert_close(end, alone, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, D])
def test_independent_rows_stay_apart_whatever_the_net_rounds(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.LayerNorm(64), nn.Linear(64, 3)).to(dtype)
    for scale in (1e-3, 1.0, 1e3):
        y = scale * torch.randn(64, 3, dtype=dtype)
        assert Jacobian(lambda t, y: net(y))(0.0, y).shape == (64, 3, 3)


@pytest.mark.parametrize("couple", [lambda y: y - y.mean(0), lambda y: y / y.norm(), lambda y: y.flip(0)])
def test_every_coupling_is_seen(couple: Any) -> None:
    y = torch.randn(9, 2, dtype=D)
    matrix = Jacobian(lambda t, y: couple(y))(0.0, y)
    torch.testing.assert_close(matrix, torch.autograd.functional.jacobian(couple, y).view(18, 18))


def test_a_weak_coupling_beside_a_stiff_row_is_seen() -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        fast = -1e9 * (y[0, 0] - y[0, 1])
        return torch.stack([torch.stack([fast, 0 * y[0, 1]]), torch.stack([y[0, 0], -y[1, 1]])])

    y0 = torch.tensor([[1.0, 1.0], [0.0, 1.0], [3.0, 4.0]], dtype=D, requires_grad=True)

    def padded(t: Any, y: Tensor) -> Tensor:
        return torch.cat([f(t, y), -y[2:]])

    end = odeint(padded, y0, [0.0, 1.0], method="trapezoid", dt=0.25).ys[-1]
    (gradient,) = torch.autograd.grad(end[1, 0], y0)
    assert gradient[0].sum() == pytest.approx(1.0, abs=1e-6)  # y_10(1) = y_10 + the slow y_01


@METHODS
@pytest.mark.parametrize("mode", ["backprop", "checkpointed"])
def test_a_coupling_that_begins_later_is_seen_when_it_does(
    method: str, options: dict[str, Any], mode: str
) -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        first, second = y.view(-1)[:1], y.view(-1)[1:]
        return torch.cat([1.0 + 0 * first, torch.relu(first - 0.515) - second]).view(y.shape)

    gradients = []
    for shape in ((3, 1), (3,)):
        y0 = torch.tensor([0.0, 1.0, 2.0], dtype=D).view(shape).requires_grad_()
        ys = odeint(f, y0, [0.0, 1.0], method=method, gradient=mode, **options).ys
        gradients.append(torch.autograd.grad(ys[-1].sum(), y0)[0].flatten())
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-10)
    assert gradients[0][0] > 1.2, "the first entry drives the others"


class WrongJacobian(nn.Module):
    """A rotation with the Jacobian of something else."""

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return y @ ROTATION.T

    def jacobian(self, t: Tensor, y: Tensor) -> Tensor:
        return (2 * ROTATION).expand(*y.shape, 2)


@METHODS
def test_a_given_jacobian_that_is_another_is_refused_and_a_field_s_own_is_not_used(
    method: str, options: dict[str, Any]
) -> None:
    field, y0 = WrongJacobian(), torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=D)
    right = odeint(lambda t, y: y @ ROTATION.T, y0, [0.0, 1.0], method=method, **options)
    own = odeint(field, y0, [0.0, 1.0], method=method, **options)
    torch.testing.assert_close(own.ys, right.ys, rtol=0, atol=1e-12)
    assert own.stats.n_jacobians == right.stats.n_jacobians
    with pytest.raises(ValueError, match=r"given Jacobian is not that of f .* leave it out"):
        odeint(lambda t, y: y @ ROTATION.T, y0, [0.0, 1.0], method=method, jacobian=field.jacobian, **options)


@METHODS
def test_a_given_jacobian_says_by_its_shape_which_rows_are_coupled(
    method: str, options: dict[str, Any]
) -> None:
    y0 = torch.tensor([[1.0], [0.0]], dtype=D)

    def rows(t: Any, y: Tensor) -> Tensor:
        return torch.zeros(2, 1, 1, dtype=D)

    def whole(t: Any, y: Tensor) -> Tensor:
        return ROTATION.view(2, 1, 2, 1)

    with pytest.raises(ValueError, match=r"return shape \(2, 1, 2, 1\) if its rows are coupled"):
        odeint(rotate, y0, [0.0, 1.0], method=method, jacobian=rows, **options)
    ys = odeint(rotate, y0, [0.0, 1.0], method=method, jacobian=whole, **options).ys
    torch.testing.assert_close(ys, odeint(rotate, y0, [0.0, 1.0], method=method, **options).ys)


@pytest.mark.parametrize("method", ["scipy_radau", "scipy_lsoda"])
def test_scipy_takes_a_jacobian_of_tensors_of_either_shape(method: str) -> None:
    stiff = torch.tensor([[-100.0, 1.0], [0.0, -0.5]], dtype=D)
    y0 = torch.tensor([[1.0, 1.0], [2.0, -1.0]], dtype=D)
    exact = y0 @ torch.linalg.matrix_exp(stiff).T

    def rows(t: Tensor, y: Tensor) -> Tensor:
        return stiff.expand(*y.shape, 2) + torch.zeros_like(y).unsqueeze(-1)

    def whole(t: Tensor, y: Tensor) -> Tensor:
        return torch.block_diag(stiff, stiff).view(*y.shape, *y.shape)

    for jacobian in (rows, whole):
        solution = odeint(
            lambda t, y: y @ stiff.T,
            y0,
            [0.0, 1.0],
            method=method,
            jacobian=jacobian,
            rtol=1e-9,
            atol=1e-9,
        )
        torch.testing.assert_close(solution.ys[-1], exact, rtol=0, atol=1e-7)
        assert solution.stats.n_jacobians > 0


@METHODS
def test_a_kink_is_not_taken_for_a_wrong_jacobian(method: str, options: dict[str, Any]) -> None:
    """|y| at 0 has every slope between -1 and 1: autograd says 0, the user 1."""
    ys = odeint(
        lambda t, y: y.abs() - y,
        torch.zeros(2, dtype=D),
        [0.0, 1.0],
        method=method,
        jacobian=lambda t, y: torch.diag(torch.where(y < 0, -2.0, 0.0).to(D)),
        **options,
    ).ys
    assert not ys.any()


@pytest.mark.parametrize("mode", ["backprop", "checkpointed"])
def test_a_given_jacobian_without_a_graph_costs_no_part_of_the_gradient(mode: str) -> None:
    """Rosenbrock's steps depend on the Jacobian itself: a constant one would lose its derivative."""

    def gradient(given: Any) -> Tensor:
        theta = torch.tensor(1.5, dtype=D, requires_grad=True)
        y0 = torch.tensor([1.0, 0.5], dtype=D, requires_grad=True)
        options: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-3, "gradient": mode, "params": (theta,)}
        ys = odeint(
            lambda t, y: -theta * y**3, y0, [0.0, 2.0], method="rodas5p", jacobian=given, **options
        ).ys
        return torch.cat([x.flatten() for x in torch.autograd.grad(ys[-1].sum(), (y0, theta))])

    def given(t: Any, y: Tensor) -> Tensor:
        return torch.diag(-3 * 1.5 * y.detach() ** 2)

    torch.testing.assert_close(gradient(given), gradient(None), rtol=0, atol=1e-13)


@METHODS
def test_more_coupled_entries_than_can_be_solved_are_refused(method: str, options: dict[str, Any]) -> None:
    n = LARGEST_BLOCK + 1
    for y0 in (torch.ones(n, dtype=D), torch.ones(n, 1, dtype=D)):
        with pytest.raises(ValueError, match=rf"{n} entries of the state depend on each other"):
            odeint(
                diffuse, y0, [0.0, 1e-9], method=method, **{**options, **({"dt": 1e-9} if options else {})}
            )
    batch = torch.ones(n, 1, dtype=D)
    ys = odeint(lambda t, y: -y, batch, [0.0, 0.02], method=method, **options).ys
    np.testing.assert_allclose(ys[-1].numpy(), math.exp(-0.02), rtol=2e-4)
