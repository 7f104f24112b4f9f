"""Rodas5P: its coefficients, its order, its stability, and numpy beside torch."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from node_core.solvers.steppers.jacobian import Jacobian
from node_core.solvers.steppers.rosenbrock import RosenbrockStepper
from node_core.solvers.steppers.step import Step
from node_core.solvers.tableaus.algebra import small_inverse
from node_core.solvers.tableaus.tableau_rosenbrock import RODAS5P
from tests.solvers.stiff_problems import (
    ForcedPendulum,
    VanDerPol,
    adaptive,
    fixed,
    prothero_robinson,
    reference,
    robertson,
    slope,
)

Y0 = np.array([1.0, 0.3])


def stepper_for(f: Any) -> RosenbrockStepper:
    return RosenbrockStepper(Jacobian(f))


@pytest.mark.parametrize("t1", [3.0, -3.0])
def test_it_converges_with_order_five_on_a_nonlinear_field_that_depends_on_time(t1: float) -> None:
    f, dts = ForcedPendulum(), [3.0 / n for n in (32, 48, 64, 96)]
    exact = reference(f, Y0, 0.0, t1)
    errors = [float(abs(fixed(stepper_for(f), f, Y0, [0.0, t1], dt).y - exact).max()) for dt in dts]
    assert slope(dts, errors) == pytest.approx(5.0, abs=0.2)


def test_its_error_estimate_has_order_four() -> None:
    f, dts = ForcedPendulum(), [0.2, 0.1, 0.05]
    sizes = [float(np.abs(np.asarray(stepper_for(f).step(f, 0.3, Y0, dt).error)).max()) for dt in dts]
    assert slope(dts, sizes) == pytest.approx(RODAS5P.error_order + 1, abs=0.2)


def test_its_dense_output_has_order_four() -> None:
    f, dts, errors = ForcedPendulum(), [0.4, 0.3, 0.2, 0.15], []
    thetas = [0.1, 0.35, 0.6, 0.85]
    for dt in dts:
        stepper = stepper_for(f)
        step = Step(0.3, dt, Y0, None, stepper.step(f, 0.3, Y0, dt))
        values = stepper.interpolate(f, step, thetas)
        exact = [reference(f, Y0, 0.3, 0.3 + theta * dt) for theta in thetas]
        errors.append(float(abs(values - np.array(exact)).max()))
    assert slope(dts, errors) == pytest.approx(RODAS5P.dense_order + 1, abs=0.35)
    ends = stepper.interpolate(f, step, [0.0, 1.0])
    np.testing.assert_allclose(ends, [Y0, step.result.y1], rtol=0, atol=1e-15)


def test_its_stability_function_is_that_of_its_step() -> None:
    z = np.array([-3.0, -0.5, 0.7])

    def f(t: float, y: np.ndarray) -> np.ndarray:
        return z * y

    taken = RosenbrockStepper(Jacobian(f, lambda t, y: np.diag(z))).step(f, 0.0, np.ones(3), 1.0).y1
    np.testing.assert_allclose(taken, RODAS5P.stability(z).real, rtol=1e-12)


def test_it_is_l_stable() -> None:
    imaginary = 1j * np.logspace(-3, 6, 2000)
    assert abs(RODAS5P.stability(imaginary)).max() <= 1 + 1e-12
    assert abs(RODAS5P.stability(np.array([-1e10]))).max() < 1e-8
    small = 0.05
    assert abs(RODAS5P.stability(np.array([small])) - math.exp(small)) < 2 * small**6 / 720


def test_a_wrong_digit_in_the_tableau_is_refused() -> None:
    nodes = (0.0, 0.63581268958, *RODAS5P.nodes[2:])
    with pytest.raises(ValueError, match="row sums"):
        dataclasses.replace(RODAS5P, nodes=nodes)


def test_steps_far_longer_than_the_stiff_time_scale_stay_accurate() -> None:
    stepper = stepper_for(prothero_robinson)
    end = fixed(stepper, prothero_robinson, np.array([1.0]), [0.0, 2.0], 0.05).y
    assert end[0] == pytest.approx(math.cos(2.0), abs=1e-8)


def test_van_der_pol_with_mu_1000_is_solved_in_few_steps_to_the_tolerance() -> None:
    f, y0 = VanDerPol(1000.0), np.array([2.0, 0.0])
    truth = solve_ivp(f, (0, 2000), y0, method="Radau", rtol=1e-11, atol=1e-13, jac=f.jacobian).y[:, -1]
    result = adaptive(stepper_for(f), f, y0, [0.0, 2000.0], 1e-6)
    assert result.y == pytest.approx(truth, rel=1e-5)
    assert len(result.rows) < 600


def test_robertson_keeps_its_mass_and_agrees_with_radau() -> None:
    y0 = np.array([1.0, 0.0, 0.0])
    truth = solve_ivp(robertson, (0, 1e5), y0, method="Radau", rtol=1e-10, atol=1e-14).y[:, -1]
    result = adaptive(stepper_for(robertson), robertson, y0, [0.0, 1e5], 1e-6, 1e-10)
    assert result.y == pytest.approx(truth, rel=1e-4)
    assert result.y.sum() == pytest.approx(1.0, abs=1e-9)
    assert len(result.rows) < 200


def test_numpy_and_torch_take_the_same_steps() -> None:
    oscillator = VanDerPol(5.0)
    by_numpy = adaptive(stepper_for(oscillator), oscillator, Y0, [0.0, 5.0], 1e-6)
    by_torch = adaptive(stepper_for(oscillator), oscillator, torch.from_numpy(Y0), [0.0, 5.0], 1e-6)
    # Rounding reaches the step sizes through the error estimate, a small difference of large numbers.
    np.testing.assert_allclose(by_torch.rows, by_numpy.rows, rtol=1e-3)
    np.testing.assert_allclose(by_torch.y.numpy(), by_numpy.y, rtol=0, atol=1e-9)
    f = ForcedPendulum()
    fixed_numpy = fixed(RosenbrockStepper(Jacobian(f, jacobian)), f, Y0, [0.0, 5.0], 0.1).y
    fixed_torch = fixed(RosenbrockStepper(Jacobian(f, jacobian)), f, torch.from_numpy(Y0), [0.0, 5.0], 0.1).y
    np.testing.assert_allclose(fixed_torch.numpy(), fixed_numpy, rtol=0, atol=1e-12)


def jacobian(t: Any, y: Any) -> Any:
    """That of the forced pendulum."""
    xp = torch if isinstance(y, torch.Tensor) else np
    x = y[..., 0]
    top, bottom = xp.stack((0 * x, 0 * x + 1), -1), xp.stack((-xp.cos(x), 0 * x), -1)
    return xp.stack((top, bottom), -2)


def test_a_batch_is_stepped_as_its_rows_would_be_alone() -> None:
    f, batch = VanDerPol(5.0), torch.randn(4, 2, dtype=torch.float64)
    together = stepper_for(f).step(f, 0.0, batch, 0.1).y1
    alone = torch.stack([stepper_for(f).step(f, 0.0, row, 0.1).y1 for row in batch])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-13)
    by_numpy = stepper_for(f).step(f, 0.0, batch.numpy(), 0.1).y1
    np.testing.assert_allclose(by_numpy, together.numpy(), rtol=0, atol=1e-13)


def test_the_whole_step_can_be_differentiated_jacobian_included() -> None:
    mu = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    y0 = torch.tensor([[1.2, 0.4], [0.5, -1.0]], dtype=torch.float64, requires_grad=True)

    def end(y: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        def f(t: Any, u: torch.Tensor) -> torch.Tensor:
            return torch.stack((u[..., 1], m * (1 - u[..., 0] ** 2) * u[..., 1] - u[..., 0]), -1)

        f.autonomous = True  # type: ignore[attr-defined]
        return fixed(stepper_for(f), f, y, [0.0, 0.5], 0.25).y

    assert torch.autograd.gradcheck(end, (y0, mu), atol=1e-8, rtol=1e-6)


def test_a_rejected_attempt_costs_no_new_jacobian() -> None:
    f = VanDerPol(1000.0)
    stepper = stepper_for(f)
    result = adaptive(stepper, f, np.array([2.0, 0.0]), [0.0, 2000.0], 1e-5)
    accepted = sum(row[3] for row in result.rows)
    assert accepted < len(result.rows), "the problem was to reject some steps"
    assert stepper.jacobian.calls == accepted


def test_a_singular_matrix_gives_a_step_that_is_not_finite_instead_of_an_exception() -> None:
    rate = 1.0 / RODAS5P.gamma  # then I / (gamma dt) - J = 0 for dt = 1
    for dim in (1, 2, 3, 5):

        def f(t: float, y: Any) -> Any:
            return rate * y

        stepper = RosenbrockStepper(Jacobian(f, lambda t, y: rate * np.eye(len(y))))
        assert not np.isfinite(stepper.step(f, 0.0, np.ones(dim), 1.0).y1).any()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_small_matrices_are_inverted_explicitly(dim: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(dim, dim))
    np.testing.assert_allclose(np.array(small_inverse(matrix.tolist())) @ matrix, np.eye(dim), atol=1e-12)
