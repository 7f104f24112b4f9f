"""Every gradient mode against finite differences, closed forms, the other modes and torchdiffeq."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchdiffeq
from torch import Tensor, nn

from node_core import MLPField, odeint

MODES = ("backprop", "checkpointed", "adjoint", "adjoint_seminorm", "interpolated")
DISCRETE = ("backprop", "checkpointed")
TIGHT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}


class TimeNet(nn.Module):
    """A module that nobody wrote closed forms for, with a third parameter that it never uses."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.a = nn.Parameter(0.6 * torch.randn(4, 3, generator=generator, dtype=torch.float64))
        self.b = nn.Parameter(0.6 * torch.randn(2, 4, generator=generator, dtype=torch.float64))
        self.unused = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        time = t.reshape(1, 1).expand(len(y), 1)
        return torch.tanh(torch.cat([y, time], dim=-1) @ self.a.T) @ self.b.T


class Linear(nn.Module):
    """dy/dt = A y, whose adjoint is known in closed form."""

    def __init__(self, matrix: list[list[float]]) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor(matrix, dtype=torch.float64))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return y @ self.matrix.T


def closed_form_field() -> MLPField:
    return MLPField(2, (4,), time_dependent=True, seed=5, dtype=torch.float64)


FIELDS: dict[str, Callable[[], nn.Module]] = {"module": TimeNet, "closed form": closed_form_field}


def start() -> Tensor:
    return torch.tensor([[0.5, -0.3], [1.0, 0.2]], dtype=torch.float64)


def gradients(field: nn.Module, mode: str, times: list[float], **options: Any) -> list[Tensor]:
    """dL/dy0 and dL/dtheta of a loss that looks at every output."""
    y0 = start().requires_grad_()
    ys = odeint(field, y0, times, gradient=mode, **options).ys
    weights = torch.linspace(0.5, 1.5, ys.numel(), dtype=ys.dtype).view_as(ys)
    (ys.square() * weights).sum().backward()
    return [torch.zeros_like(x) if x.grad is None else x.grad.clone() for x in (y0, *field.parameters())]


@pytest.mark.parametrize(
    "times", [[0.0, 1.0], [0.0, 0.3, 0.55, 1.0], [1.0, 0.4, 0.0]], ids=["one", "many", "reversed"]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FIELDS)
def test_gradients_by_state_parameters_and_times_pass_gradcheck(
    name: str, mode: str, times: list[float]
) -> None:
    field = FIELDS[name]()
    y0, ts = start().requires_grad_(), torch.tensor(times, dtype=torch.float64, requires_grad=True)

    def solve(y0: Tensor, ts: Tensor, *_: Tensor) -> Tensor:
        return odeint(field, y0, ts, gradient=mode, rtol=1e-8, atol=1e-8).ys

    assert torch.autograd.gradcheck(
        solve, (y0, ts, *field.parameters()), eps=1e-4, atol=1e-5, rtol=1e-3, nondet_tol=1e-9, fast_mode=True
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FIELDS)
def test_all_modes_agree_with_a_tight_reference(name: str, mode: str) -> None:
    times = [0.0, 0.7, 1.5, 2.0]
    reference = gradients(FIELDS[name](), "backprop", times, method="dopri8", rtol=1e-12, atol=1e-12)
    found = gradients(FIELDS[name](), mode, times, **TIGHT)
    for a, b in zip(found, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("method", ["dopri5", "bosh3", "fehlberg45", "tsit5", "dopri8"])
@pytest.mark.parametrize("name", FIELDS)
def test_checkpointed_equals_backprop_whatever_the_tolerance(name: str, method: str) -> None:
    """Both are the derivative of the same discrete solve, dense output of interior times included."""
    times = [0.0, 0.4, 1.1, 3.0]
    a = gradients(FIELDS[name](), "backprop", times, method=method, rtol=1e-3, atol=1e-3)
    b = gradients(FIELDS[name](), "checkpointed", times, method=method, rtol=1e-3, atol=1e-3)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-12)


def test_the_closed_form_sweep_equals_autograd_through_the_same_steps() -> None:
    """The same weights behind a class without closed forms take autograd's way."""
    field = closed_form_field()

    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = field

        def forward(self, t: Tensor, y: Tensor) -> Tensor:
            return self.inner(t, y)

    times = [0.0, 0.4, 1.1, 3.0]
    a = gradients(field, "backprop", times, rtol=1e-3, atol=1e-3)
    field.zero_grad()
    b = gradients(Hidden(), "backprop", times, rtol=1e-3, atol=1e-3)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun", "ralston", "rk4", "rk4_38"])
def test_fixed_steps_are_differentiated_exactly(method: str) -> None:
    times = [0.0, 0.25, 1.0]
    a = gradients(TimeNet(), "backprop", times, method=method, dt=0.1)
    b = gradients(TimeNet(), "checkpointed", times, method=method, dt=0.1)
    c = gradients(closed_form_field(), "backprop", times, method=method, dt=0.1)
    d = gradients(closed_form_field(), "checkpointed", times, method=method, dt=0.1)
    for x, y in zip(a + c, b + d, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("mode", MODES)
def test_the_adjoint_of_a_linear_field_has_its_closed_form(mode: str) -> None:
    """L = c . y(T): a(t) = exp(A^T (T - t)) c and dL/dA = int a(t) y(t)^T dt."""
    field = Linear([[-0.1, 1.0], [-1.0, -0.2]])
    c = torch.tensor([1.0, -2.0], dtype=torch.float64)
    y0, span = torch.tensor([0.8, 0.3], dtype=torch.float64, requires_grad=True), 2.0
    sol = odeint(field, y0, [0.0, span], gradient=mode, record_adjoint=True, **TIGHT)
    (sol.ys[-1] @ c).backward()
    matrix = field.matrix.detach()
    exact = [torch.linalg.matrix_exp(matrix.T * (span - t)) @ c for t in sol.adjoint.t]
    np.testing.assert_allclose(sol.adjoint.a[1:], torch.stack(exact).numpy()[1:], rtol=1e-8, atol=1e-9)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    total = torch.zeros(2, 2, dtype=torch.float64)
    for x, w in zip(0.5 * span * (nodes + 1), 0.5 * span * weights, strict=True):
        a = torch.linalg.matrix_exp(matrix.T * (span - x)) @ c
        total += w * torch.outer(a, torch.linalg.matrix_exp(matrix * x) @ y0.detach())
    assert field.matrix.grad is not None
    torch.testing.assert_close(field.matrix.grad, total, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_the_backward_pass_leaves_its_steps_costs_and_adjoint(mode: str) -> None:
    field = closed_form_field()
    y0 = start().requires_grad_()
    sol = odeint(field, y0, [0.0, 0.5, 2.0], gradient=mode, record_adjoint=True)
    with pytest.raises(ValueError, match=r"call \.backward"):
        _ = sol.backward_steps
    sol.ys.square().sum().backward()
    steps, adjoint = sol.backward_steps, sol.adjoint
    assert (steps.dt < 0).all() and steps.accepted.any()
    assert math.isclose(steps.dt[steps.accepted].sum(), -2.0, rel_tol=1e-9)
    assert sol.backward_stats.nfe >= 6 * steps.n_accepted
    assert adjoint.a.shape == (len(adjoint.t), 2, 2) == adjoint.z.shape
    assert adjoint.t[0] == 2.0 and adjoint.t[-1] == 0.0 and (np.diff(adjoint.t) <= 0).all()
    assert y0.grad is not None
    np.testing.assert_allclose(adjoint.a[-1], y0.grad.numpy(), rtol=1e-12)
    if mode not in DISCRETE:
        # The discrete adjoint lives at the ends of the steps, and none of them ends at 0.5.
        assert 0.5 in adjoint.t[np.flatnonzero(np.diff(adjoint.t) == 0)], "a(t) jumps at the observation time"
    flat = torch.cat([p.grad.reshape(-1) for p in field.parameters() if p.grad is not None]).numpy()
    np.testing.assert_allclose(adjoint.parameter_gradient[-1], flat, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["dopri5", "dopri8", "rodas5p", "scipy_radau"])
@pytest.mark.parametrize("mode", MODES)
def test_a_way_back_is_known_between_its_steps_where_it_is_solved(mode: str, method: str) -> None:
    field = Linear([[-0.1, 1.0], [-1.0, -0.2]])
    if method == "scipy_radau" and mode not in ("adjoint", "interpolated"):
        pytest.skip("gives no graph")
    c = torch.tensor([1.0, -2.0], dtype=torch.float64)
    y0 = torch.tensor([0.8, 0.3], dtype=torch.float64, requires_grad=True)
    sol = odeint(
        field, y0, [0.0, 1.0, 2.0], method=method, gradient=mode, record_adjoint=True, rtol=1e-8, atol=1e-8
    )
    (sol.ys[-1] @ c + sol.ys[1] @ c).backward()
    curve = sol.adjoint.curve
    if mode in DISCRETE:
        assert curve is None
        return
    assert curve is not None and np.isin(sol.adjoint.t, curve.t).all()
    assert (np.diff(curve.t) <= 0).all() and curve.t.size > 4 * sol.backward_steps.n_accepted
    jump = int(np.flatnonzero(np.diff(curve.t) == 0)[0])
    assert curve.t[jump] == 1.0
    matrix = field.matrix.detach()
    for k, t in enumerate(curve.t):
        a = torch.linalg.matrix_exp(matrix.T * (2.0 - t)) @ c
        if k > jump:
            a = a + torch.linalg.matrix_exp(matrix.T * (1.0 - t)) @ c
        np.testing.assert_allclose(curve.a[k], a.numpy(), atol=1e-6)
        exact = torch.linalg.matrix_exp(matrix * t) @ y0.detach()
        np.testing.assert_allclose(curve.z[k], exact.numpy(), atol=1e-6)


def test_seminorm_takes_fewer_backward_evaluations_than_the_full_norm() -> None:
    costs = {}
    for mode in ("adjoint", "adjoint_seminorm"):
        field = MLPField(2, (32, 32), seed=1, dtype=torch.float64)
        sol = odeint(field, 3 * start(), [0.0, 8.0], gradient=mode, rtol=1e-7, atol=1e-9)
        sol.ys[-1].square().sum().backward()
        costs[mode] = sol.backward_stats.nfe
    assert costs["adjoint_seminorm"] < costs["adjoint"]


def test_over_a_long_horizon_the_continuous_adjoint_is_wrong_and_checkpointed_is_right() -> None:
    """A contracting field run backward expands: the reconstructed z(t) leaves the path, and the gradient with it."""

    def gradient(mode: str, tolerance: float) -> Tensor:
        field = MLPField(2, (64, 64), seed=3, dtype=torch.float64)
        with torch.no_grad():
            for p in field.parameters():
                p.mul_(4.0)
        generator = torch.Generator().manual_seed(0)
        y0 = torch.randn(64, 2, generator=generator, dtype=torch.float64)
        odeint(field, y0, [0.0, 10.0], gradient=mode, rtol=tolerance, atol=tolerance).ys[
            -1
        ].square().mean().backward()
        return torch.cat([p.grad.reshape(-1) for p in field.parameters() if p.grad is not None])

    reference = gradient("checkpointed", 1e-10)
    error = {mode: float((gradient(mode, 1e-3) - reference).norm() / reference.norm()) for mode in MODES}
    assert error["adjoint"] > 0.5 and error["adjoint_seminorm"] > 0.5
    assert error["checkpointed"] < 0.05 and error["backprop"] < 0.05 and error["interpolated"] < 0.05


@pytest.mark.parametrize("many", [False, True])
def test_torchdiffeq_adjoint_agrees(many: bool) -> None:
    times = [0.0, 0.3, 0.9, 1.5] if many else [0.0, 1.5]
    field = TimeNet()
    y0 = start().requires_grad_()
    params = (field.a, field.b)
    ys = torchdiffeq.odeint_adjoint(
        field, y0, torch.tensor(times, dtype=torch.float64), adjoint_params=params, **TIGHT
    )
    weights = torch.linspace(0.5, 1.5, ys.numel(), dtype=ys.dtype).view_as(ys)
    (ys.square() * weights).sum().backward()
    theirs = [y0.grad, field.a.grad, field.b.grad]
    for mode in MODES:
        ours = gradients(TimeNet(), mode, times, **TIGHT)
        for a, b in zip(ours[:3], theirs, strict=True):
            assert b is not None
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("mode", DISCRETE)
def test_discrete_modes_can_be_differentiated_twice(name: str, mode: str) -> None:
    field, y0 = FIELDS[name](), start().requires_grad_()

    def solve(y0: Tensor, *_: Tensor) -> Tensor:
        return odeint(field, y0, [0.0, 0.4, 1.0], method="rk4", dt=0.25, gradient=mode).ys[1:]

    inputs = (y0, *(p for p in field.parameters() if p is not getattr(field, "unused", None)))
    assert torch.autograd.gradgradcheck(solve, inputs, atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("mode", ["adjoint", "adjoint_seminorm", "interpolated"])
def test_continuous_modes_refuse_second_derivatives_with_a_remedy(mode: str) -> None:
    y0 = start().requires_grad_()
    ys = odeint(TimeNet(), y0, [0.0, 1.0], gradient=mode).ys
    with pytest.raises(RuntimeError, match="take gradient='backprop' or 'checkpointed'"):
        torch.autograd.grad(ys.sum(), y0, create_graph=True)


@pytest.mark.parametrize("mode", MODES)
def test_a_function_with_given_parameters_and_a_field_without_any_are_both_served(mode: str) -> None:
    weight = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    sol = odeint(lambda t, y: y @ weight.T, start(), [0.0, 1.0], gradient=mode, params=weight, **TIGHT)
    sol.ys[-1].sum().backward()
    assert weight.grad is not None and bool(weight.grad.abs().max() > 0.1)
    y0 = start().requires_grad_()
    odeint(lambda t, y: -y, y0, [0.0, 1.0], gradient=mode, **TIGHT).ys[-1].sum().backward()
    assert y0.grad is not None
    torch.testing.assert_close(y0.grad, torch.full_like(y0, math.exp(-1.0)), rtol=1e-8, atol=0)


def test_hidden_parameters_are_found_by_backprop_and_asked_for_by_the_others() -> None:
    net = TimeNet()
    odeint(lambda t, y: net(t, y), start(), [0.0, 1.0]).ys[-1].sum().backward()
    assert net.a.grad is not None and bool(net.a.grad.abs().max() > 0)
    for y0 in (start(), start().requires_grad_()):
        with pytest.raises(ValueError, match="pass them as params="):
            odeint(lambda t, y: net(t, y), y0, [0.0, 1.0], gradient="adjoint")
    y0 = start().requires_grad_()
    odeint(lambda t, y: net(t, y), y0, [0.0, 1.0], gradient="adjoint", params=()).ys[-1].sum().backward()
    assert y0.grad is not None and bool(y0.grad.abs().max() > 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FIELDS)
def test_a_frozen_field_still_has_the_gradient_by_its_start(name: str, mode: str) -> None:
    times = [0.0, 0.4, 1.0]
    reference, *_ = gradients(FIELDS[name](), "backprop", times, **TIGHT)
    frozen = FIELDS[name]().requires_grad_(False)
    found, *others = gradients(frozen, mode, times, **TIGHT)
    torch.testing.assert_close(found, reference, rtol=1e-7, atol=1e-8)
    assert all(not g.any() for g in others)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["rodas5p", "trapezoid"])
def test_implicit_methods_have_gradients_in_every_mode(method: str, mode: str) -> None:
    options: dict[str, Any] = {"dt": 0.02} if method == "trapezoid" else dict(TIGHT)
    found = gradients(Linear([[-0.1, 1.0], [-1.0, -0.2]]), mode, [0.0, 1.0], method=method, **options)
    reference = gradients(Linear([[-0.1, 1.0], [-1.0, -0.2]]), "backprop", [0.0, 1.0], **TIGHT)
    for a, b in zip(found, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-3 if method == "trapezoid" else 1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", ["adjoint", "interpolated"])
def test_scipys_adams_serves_the_continuous_modes_as_in_the_paper(mode: str) -> None:
    found = gradients(TimeNet(), mode, [0.0, 0.5, 1.0], method="scipy_adams", **TIGHT)
    reference = gradients(TimeNet(), "backprop", [0.0, 0.5, 1.0], **TIGHT)
    for a, b in zip(found, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="take gradient='adjoint' or 'interpolated'"):
        gradients(TimeNet(), "backprop", [0.0, 1.0], method="scipy_adams")


def test_the_adjoint_keeps_no_steps_and_says_so() -> None:
    y0 = start().requires_grad_()
    sol = odeint(TimeNet(), y0, [0.0, 1.0], gradient="adjoint")
    with pytest.raises(ValueError, match="dense=True"):
        sol(0.5)
    kept = odeint(TimeNet(), y0, [0.0, 1.0], gradient="adjoint", dense=True)
    plain = odeint(TimeNet(), start(), [0.0, 0.5, 1.0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(kept(0.5), plain.ys[1].detach(), rtol=1e-5, atol=1e-6)
