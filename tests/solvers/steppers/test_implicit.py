"""Implicit Euler, the trapezoidal rule, and the Jacobians they use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from node_core.fields.systems.systems import SYSTEMS
from node_core.solvers.steppers.implicit import ImplicitEuler, ImplicitStepper, Trapezoid
from node_core.solvers.steppers.jacobian import Jacobian, NumpyField, numpy_field
from node_core.solvers.steppers.step import Step
from tests.solvers.stiff_problems import (
    ForcedPendulum,
    VanDerPol,
    fixed,
    prothero_robinson,
    reference,
    slope,
)

Y0 = np.array([1.0, 0.3])
METHODS = pytest.mark.parametrize(("kind", "order"), [(ImplicitEuler, 1), (Trapezoid, 2)])
Kind = type[ImplicitEuler] | type[Trapezoid]


def stepper_for(kind: Kind, f: Any) -> ImplicitStepper:
    return kind(Jacobian(f))


@METHODS
@pytest.mark.parametrize("t1", [3.0, -3.0])
def test_it_converges_with_its_order_on_a_nonlinear_field_that_depends_on_time(
    kind: Kind, order: int, t1: float
) -> None:
    f, dts = ForcedPendulum(), [3.0 / n for n in (64, 128, 256)]
    exact = reference(f, Y0, 0.0, t1)
    errors = [float(abs(fixed(stepper_for(kind, f), f, Y0, [0.0, t1], dt).y - exact).max()) for dt in dts]
    assert slope(dts, errors) == pytest.approx(order, abs=0.2)


@METHODS
def test_its_dense_output_has_the_order_of_the_method(kind: Kind, order: int) -> None:
    f, dts, thetas = ForcedPendulum(), [0.1, 0.05, 0.025], [0.2, 0.5, 0.8]
    errors = []
    for dt in dts:
        stepper = stepper_for(kind, f)
        step = Step(0.3, dt, Y0, None, stepper.step(f, 0.3, Y0, dt))
        exact = [reference(f, Y0, 0.3, 0.3 + theta * dt) for theta in thetas]
        errors.append(float(abs(stepper.interpolate(f, step, thetas) - np.array(exact)).max()))
    assert stepper.dense_order == order
    assert slope(dts, errors) == pytest.approx(order + 1, abs=0.2)
    ends = stepper.interpolate(f, step, [0.0, 1.0])
    np.testing.assert_allclose(ends, [Y0, step.result.y1], rtol=0, atol=1e-15)


@METHODS
def test_its_end_slope_is_the_field_at_the_end(kind: Kind, order: int) -> None:
    f = ForcedPendulum()
    result = stepper_for(kind, f).step(f, 0.3, Y0, 0.1)
    np.testing.assert_allclose(np.asarray(result.f1), f(0.4, result.y1), atol=1e-12)


def test_implicit_euler_damps_what_the_trapezoidal_rule_lets_ring() -> None:
    off = np.array([2.0])  # one away from the slow solution cos t
    damped = fixed(stepper_for(ImplicitEuler, prothero_robinson), prothero_robinson, off, [0.0, 1.0], 0.1).y
    ringing = fixed(stepper_for(Trapezoid, prothero_robinson), prothero_robinson, off, [0.0, 1.0], 0.1).y
    assert damped[0] == pytest.approx(math.cos(1.0), abs=1e-6)
    assert abs(ringing[0] - math.cos(1.0)) == pytest.approx(1.0, abs=1e-2)


@METHODS
def test_it_survives_the_stiff_van_der_pol_oscillator(kind: Kind, order: int) -> None:
    f = VanDerPol(1000.0)
    end = fixed(stepper_for(kind, f), f, np.array([2.0, 0.0]), [0.0, 500.0], 0.5).y
    # On the slow branch v = x / (mu (1 - x^2)), and ln x - x^2 / 2 falls by t / mu.
    x, v = end
    assert math.log(x) - x * x / 2 == pytest.approx(math.log(2) - 2 + 0.5, abs=2e-3)
    if kind is ImplicitEuler:  # the trapezoidal rule's v still rings
        assert v == pytest.approx(x / (1000 * (1 - x * x)), rel=1e-2)


def test_a_step_that_newton_cannot_solve_is_a_failure_with_a_sentence() -> None:
    def f(t: float, y: np.ndarray) -> np.ndarray:
        return y * y  # y1 = 1 + 10 y1^2 has no real solution

    result = stepper_for(ImplicitEuler, f).step(f, 0.0, np.array([1.0]), 10.0)
    assert result.failure is not None
    assert "Newton's iteration did not converge" in result.failure


@METHODS
def test_numpy_and_torch_agree(kind: Kind, order: int) -> None:
    f = VanDerPol(50.0)
    by_numpy = fixed(stepper_for(kind, f), f, Y0, [0.0, 2.0], 0.1).y
    by_torch = fixed(stepper_for(kind, f), f, torch.from_numpy(Y0), [0.0, 2.0], 0.1).y
    np.testing.assert_allclose(by_torch.numpy(), by_numpy, rtol=0, atol=1e-12)


@METHODS
def test_its_gradient_is_that_of_the_implicit_function_theorem(kind: Kind, order: int) -> None:
    mu = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    y0 = torch.tensor([[1.2, 0.4], [0.5, -1.0]], dtype=torch.float64, requires_grad=True)

    def middle_and_end(y: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        def f(t: Any, u: torch.Tensor) -> torch.Tensor:
            return torch.stack((u[..., 1], m * (1 - u[..., 0] ** 2) * u[..., 1] - u[..., 0]), -1)

        return torch.cat(fixed(stepper_for(kind, f), f, y, [0.0, 0.37, 1.0], 0.25).ys)

    assert torch.autograd.gradcheck(middle_and_end, (y0, mu), atol=1e-8, rtol=1e-6)


def test_jacobians_from_every_source_agree() -> None:
    f, y = VanDerPol(7.0), torch.randn(3, 2, dtype=torch.float64)

    def bare(t: Any, u: Any) -> Any:
        return f(t, u)

    own = Jacobian(f)
    by_autograd, by_differences = Jacobian(bare), Jacobian(bare)
    given = Jacobian(bare, f.jacobian)
    assert (own.source, by_autograd.source, given.source) == ("field", "derived", "given")
    with torch.no_grad():  # where gradients are recorded, all are derived
        rows = own(0.0, y)
        torch.testing.assert_close(by_autograd(0.0, y), rows, rtol=1e-14, atol=1e-14)
        torch.testing.assert_close(given(0.0, y), rows)
    whole = torch.block_diag(*rows).numpy()
    np.testing.assert_allclose(by_differences(0.0, y.numpy()), whole, rtol=1e-8, atol=1e-8)
    assert by_autograd.calls == 1
    assert not by_autograd(0.0, y).requires_grad, "nothing here wants a gradient"


def test_a_jacobian_of_the_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\): return df_i/dy_j with shape \(2, 2\)"):
        Jacobian(ForcedPendulum(), lambda t, y: y)(0.0, Y0)


def test_a_torch_field_gets_its_time_as_a_tensor_and_serves_numpy() -> None:
    class Cosine(torch.nn.Module):
        def forward(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.cos(t) * y**2

    field = numpy_field(Cosine())
    assert isinstance(field, NumpyField)
    np.testing.assert_allclose(field(0.5, Y0), math.cos(0.5) * Y0**2, rtol=1e-15)
    np.testing.assert_allclose(field.jacobian(0.5, Y0), np.diag(2 * math.cos(0.5) * Y0), rtol=1e-15)
    torch_jacobian = Jacobian(Cosine())(0.5, torch.from_numpy(Y0))
    np.testing.assert_allclose(torch_jacobian.numpy(), np.diag(2 * math.cos(0.5) * Y0), rtol=1e-15)


def test_a_classical_system_is_solved_by_numpy_as_it_is() -> None:
    field = SYSTEMS["van_der_pol"].field()
    assert numpy_field(field) is field
