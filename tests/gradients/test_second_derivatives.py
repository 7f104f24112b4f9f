"""Second derivatives, in every mode and method: right, or refused in a sentence. None is silently wrong.

y' = -theta y^2 from y0 at t0 has y(T) = y0 / (1 + theta y0 (T - t0)), whose derivatives autograd knows.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core import odeint
from node_core.gradients.names import CONTINUOUS, GRADIENTS

D = torch.float64
VALUES = (1.3, 0.7)
METHODS: dict[str, dict[str, Any]] = {
    "dopri5": {"rtol": 1e-9, "atol": 1e-9},
    "dopri8": {"rtol": 1e-9, "atol": 1e-9},
    "euler": {"dt": 1 / 128},
    "rk4": {"dt": 0.05},
    "implicit_euler": {"dt": 1 / 64},
    "trapezoid": {"dt": 0.05},
    "rodas5p": {"rtol": 1e-8, "atol": 1e-8},
    "scipy_lsoda": {"rtol": 1e-9, "atol": 1e-9},
    "scipy_radau": {"rtol": 1e-9, "atol": 1e-9},
}
TOLERANCE = {"euler": 3e-2, "implicit_euler": 5e-2, "trapezoid": 3e-3}
DISCRETE = ("backprop", "checkpointed")
OWN = [name for name in METHODS if not name.startswith("scipy")]


class Quadratic(nn.Module):
    """f(t, y) = -theta y^2."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(VALUES[1], dtype=D))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return -self.theta * y * y


def exact(y0: Tensor, theta: Tensor) -> Tensor:
    return y0 / (1 + theta * y0)


def hessian(value: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """All second derivatives of a number by numbers."""
    first = torch.autograd.grad(value, inputs, create_graph=True)
    rows = [torch.autograd.grad(g, inputs, retain_graph=True, materialize_grads=True) for g in first]
    return torch.stack([torch.stack([x.reshape(()) for x in row]) for row in rows])


def leaves() -> tuple[Tensor, Tensor]:
    y0, theta = (torch.tensor(value, dtype=D, requires_grad=True) for value in VALUES)
    return y0, theta


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("method", OWN)
def test_the_discrete_modes_have_them_by_the_state_and_by_parameters(method: str, mode: str) -> None:
    pair, field = leaves(), Quadratic()
    y0 = pair[0].detach().clone().requires_grad_()
    ys = odeint(field, y0[None], [0.0, 0.4, 1.0], method=method, gradient=mode, **METHODS[method]).ys
    tolerance = TOLERANCE.get(method, 1e-6)
    torch.testing.assert_close(
        hessian(ys[-1, 0], (y0, field.theta)), hessian(exact(*pair), pair), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("mode", [mode for mode in GRADIENTS if mode not in DISCRETE])
@pytest.mark.parametrize("method", METHODS)
def test_the_continuous_modes_refuse_them(method: str, mode: str) -> None:
    if method.startswith("scipy") and mode not in CONTINUOUS:
        pytest.skip("SciPy's solvers have no such gradient")
    field, y0 = Quadratic(), torch.ones(1, dtype=D, requires_grad=True)
    ts = torch.tensor([0.0, 1.0], dtype=D, requires_grad=True)
    ys = odeint(field, y0, ts, method=method, gradient=mode, **METHODS[method]).ys
    for inputs in ((y0,), (field.theta,), (ts,)):
        with pytest.raises(RuntimeError, match="take gradient='backprop' or 'checkpointed'"):
            torch.autograd.grad(ys[-1, 0], inputs, create_graph=True)


@pytest.mark.parametrize("method", OWN)
def test_backprop_has_them_by_what_a_function_holds(method: str) -> None:
    """Tensors that nobody named, one of them made of another."""
    pair = leaves()
    y0, root = pair[0].detach().clone().requires_grad_(), torch.tensor(math.sqrt(VALUES[1]), dtype=D)
    root.requires_grad_()
    theta = root * root
    ys = odeint(lambda t, y: -theta * y * y, y0[None], [0.0, 1.0], method=method, **METHODS[method]).ys
    also = pair[1].detach().sqrt().requires_grad_()
    want = hessian(exact(pair[0], also * also), (pair[0], also))
    tolerance = TOLERANCE.get(method, 1e-6)
    torch.testing.assert_close(hessian(ys[-1, 0], (y0, root)), want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("method", OWN)
def test_a_start_that_is_made_of_the_parameters_counts_them_once(method: str, mode: str) -> None:
    """y0 = theta^2, y' = -theta y: with a graph even the first derivative was wrong."""
    theta = torch.tensor(0.5, dtype=D, requires_grad=True)
    y0 = (theta * theta)[None]
    options = {"params": (theta,), "gradient": mode, **METHODS[method]}
    ys = odeint(lambda t, y: -theta * y, y0, [0.0, 1.0], method=method, **options).ys
    want = theta * theta * torch.exp(-theta)
    tolerance = TOLERANCE.get(method, 1e-6)
    (first,) = torch.autograd.grad(ys[-1, 0], theta, create_graph=True)
    (exact_first,) = torch.autograd.grad(want, theta, create_graph=True)
    torch.testing.assert_close(first, exact_first, rtol=tolerance, atol=tolerance)
    second, exact_second = (torch.autograd.grad(x, theta)[0] for x in (first, exact_first))
    torch.testing.assert_close(second, exact_second, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("method", ["rk4", "implicit_euler", "trapezoid", "rodas5p"])
def test_the_second_derivative_can_be_differentiated_again(method: str, mode: str) -> None:
    pair, named = leaves(), leaves()
    options = {"params": named[1:], "gradient": mode, "method": method, **METHODS[method]}
    ys = odeint(lambda t, y: -named[1] * y * y, named[0][None], [0.0, 1.0], **options).ys
    found = []
    for value, (y0, theta) in ((ys[-1, 0], named), (exact(*pair), pair)):
        for x in (theta, y0, theta):
            (value,) = torch.autograd.grad(value, x, create_graph=True)
        found.append(value.detach())
    tolerance = TOLERANCE.get(method, 1e-5)
    torch.testing.assert_close(*found, rtol=2 * tolerance, atol=tolerance)


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("method", ["rk4", "trapezoid", "rodas5p"])
def test_they_know_on_which_side_of_a_jump_a_step_lies(method: str, mode: str) -> None:
    theta = torch.tensor(0.5, dtype=D, requires_grad=True)
    options: dict[str, Any] = {"params": (theta,), "gradient": mode, "jumps": [0.5], **METHODS[method]}
    ys = odeint(
        lambda t, y: -theta * (1.0 + (t >= 0.5)) * y,
        torch.ones(1, dtype=D),
        [0.0, 1.0],
        method=method,
        **options,
    ).ys
    (first,) = torch.autograd.grad(ys[-1, 0], theta, create_graph=True)
    (second,) = torch.autograd.grad(first, theta)
    tolerance = TOLERANCE.get(method, 1e-6)
    assert first.item() == pytest.approx(-1.5 * math.exp(-0.75), rel=tolerance)
    assert second.item() == pytest.approx(2.25 * math.exp(-0.75), rel=tolerance)


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("shape", [(2, 1), (2,)])
def test_coupled_rows_have_them(shape: tuple[int, ...], mode: str) -> None:
    """The cube of a rotation's angle: y' = |y|^2 R y turns by |y|^2 t."""
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=D)
    y0 = torch.tensor([1.0, 0.5], dtype=D).view(shape).requires_grad_()
    ys = odeint(
        lambda t, y: y.square().sum() * (turn @ y), y0, [0.0, 1.0], method="trapezoid", gradient=mode, dt=0.01
    ).ys

    def end(y: Tensor) -> Tensor:
        angle = y.square().sum()
        return y[0] * torch.cos(angle) - y[1] * torch.sin(angle)

    (first,) = torch.autograd.grad(ys[-1].flatten()[0], y0, create_graph=True)
    rows = [torch.autograd.grad(g, y0, retain_graph=True)[0].flatten() for g in first.flatten()]
    want = torch.autograd.functional.hessian(end, y0.detach().flatten())
    torch.testing.assert_close(torch.stack(rows), want, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize("method", METHODS)
def test_a_solve_may_start_where_another_ended(method: str, mode: str) -> None:
    """The gradient of the second solve must not go on into the first by itself."""
    if method.startswith("scipy") and mode not in CONTINUOUS:
        pytest.skip("SciPy's solvers have no such gradient")
    y0, theta = torch.ones(2, dtype=D, requires_grad=True), torch.tensor(0.5, dtype=D, requires_grad=True)
    options = {"params": (theta,), "gradient": mode, "method": method, **METHODS[method]}
    half = odeint(lambda t, y: -theta * y, y0, [0.0, 1.0], **options).ys[-1]
    end = odeint(lambda t, y: -theta * y, half, [0.0, 1.0], **options).ys[-1]
    found = torch.autograd.grad(end[0], (y0, theta))
    tolerance = TOLERANCE.get(method, 1e-6)
    assert found[0].tolist() == pytest.approx([math.exp(-1), 0.0], rel=tolerance, abs=1e-12)
    assert found[1].item() == pytest.approx(-2 * math.exp(-1), rel=2 * tolerance)


@pytest.mark.parametrize("mode", DISCRETE)
def test_a_time_derivative_that_vanishes_still_has_its_gradient(mode: str) -> None:
    """f = t y does not change with t at y = 0, but df/dy does: rodas5p left that out of dy/dy0 = exp(t^2 / 2)."""
    gradients = []
    for start in (0.0, 1e-9):
        y0 = torch.full((2,), start, dtype=D, requires_grad=True)
        options: dict[str, Any] = {"dt0": 0.01, "rtol": 1e-6, "atol": 1e-20, "gradient": mode}
        ys = odeint(lambda t, y: t * y, y0, [0.0, 0.05], method="rodas5p", **options).ys
        gradients.append(torch.autograd.grad(ys[-1].sum(), y0)[0])
    want = torch.full((2,), math.exp(0.05**2 / 2), dtype=D)
    for gradient in gradients:
        torch.testing.assert_close(gradient, want, rtol=1e-7, atol=0)


class Forced(Quadratic):
    """f(t, y) = -theta (1 + t^2) y^2: 1/y grows by theta (t + t^3 / 3)."""

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return -self.theta * (1 + t * t) * y * y


def forced(y0: Tensor, theta: Tensor, t0: Tensor, t1: Tensor) -> Tensor:
    return y0 / (1 + y0 * theta * (t1 - t0 + (t1**3 - t0**3) / 3))


TIMES = (0.2, 0.9)


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("method", OWN)
def test_they_are_right_by_the_times_too(method: str, mode: str) -> None:
    """All sixteen of y0, theta, t0 and t1, and those of an output inside."""
    field = Forced()
    y0 = torch.tensor(VALUES[0], dtype=D, requires_grad=True)
    t0, t1 = (torch.tensor(t, dtype=D, requires_grad=True) for t in TIMES)
    middle = 0.5 * (t0 + t1)
    options = {"gradient": mode, **METHODS[method]}
    ys = odeint(field, y0[None], torch.stack([t0, middle, t1]), method=method, **options).ys
    inputs = (y0, field.theta, t0, t1)
    tolerance = 2 * TOLERANCE.get(method, 1e-6)
    for row, end in ((1, middle), (2, t1)):
        want = hessian(forced(y0, field.theta, t0, end), inputs)
        torch.testing.assert_close(hessian(ys[row, 0], inputs), want, rtol=tolerance, atol=tolerance)


def test_the_third_derivative_by_the_times_is_refused() -> None:
    ts = torch.tensor([0.0, 1.0], dtype=D, requires_grad=True)
    value = odeint(Forced(), torch.ones(1, dtype=D), ts, method="rk4", dt=0.1).ys[-1, 0]
    for _ in range(2):
        (by_time,) = torch.autograd.grad(value, ts, create_graph=True)
        value = by_time[1]
    with pytest.raises(RuntimeError, match="no third derivative by the times ts"):
        torch.autograd.grad(value, ts)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True to a scalar")
def test_a_field_that_makes_a_number_of_its_time_has_no_second_derivative_by_it() -> None:
    ts = torch.tensor([0.0, 1.0], dtype=D, requires_grad=True)
    ys = odeint(lambda t, y: -math.cos(float(t)) * y, torch.ones(1, dtype=D), ts).ys
    (first,) = torch.autograd.grad(ys[-1, 0], ts, retain_graph=True)
    want = math.exp(-math.sin(1.0))
    assert first.tolist() == pytest.approx([want, -math.cos(1.0) * want], rel=1e-5)
    with pytest.raises(RuntimeError, match=r"f makes a number of its time \(float\(t\)"):
        torch.autograd.grad(ys[-1, 0], ts, create_graph=True)
