"""Every method converges with the order that it claims, and time can be reversed."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from node_core import odeint
from node_core.fields.systems.systems import SYSTEMS
from node_core.solvers.loop import integrate
from node_core.solvers.methods import METHODS
from node_core.solvers.norms import TorchNorm
from node_core.solvers.problem import Settings
from node_core.solvers.solve import make_stepper
from tests.solvers.problems import OWN, D, rotation, step_arguments, vector

SPAN = (0.0, 1.5)
# Enough steps for the leading term of the error, few enough to stay above the round-off floor of 1e-13.
STEPS = {
    1: (200, 400, 800),
    2: (60, 120, 240),
    3: (40, 80, 160),
    4: (20, 40, 80),
    5: (15, 25, 40),
    8: (4, 5, 6, 8),
}


class ForcedPendulum:
    """x' = v, v' = -sin x + cos(t) / 2: nonlinear and dependent on t, so that all order conditions matter."""

    accepts_float_time = True

    def __call__(self, t: float, y: torch.Tensor) -> torch.Tensor:
        return torch.stack((y[1], 0.5 * np.cos(float(t)) - torch.sin(y[0])))

    def jacobian(self, t: float, y: torch.Tensor) -> torch.Tensor:
        return torch.stack((vector(0.0, 1.0), torch.stack((-torch.cos(y[0]), 0 * y[0]))))


FIELD = ForcedPendulum()
Y0 = vector(1.2, -0.4)


def problem_for(name: str) -> tuple[Any, torch.Tensor]:
    """Rodas5P differentiates f by t numerically, so its round-off floor on a forced field is 1e-11: too high here."""
    if name == "rodas5p":
        return SYSTEMS["lotka_volterra"].field(), vector(1.0, 1.0)
    return FIELD, Y0


@functools.cache
def exact(name: str) -> torch.Tensor:
    """y at the end, to 13 digits."""
    return odeint(*problem_for(name), SPAN, method="dopri8", rtol=1e-14, atol=1e-14).ys[-1]


def equal_steps(name: str, count: int) -> torch.Tensor:
    """y at the end of `count` equal steps; adaptive methods without their controller."""
    f, y0 = problem_for(name)
    stepper, _ = make_stepper(Settings(METHODS[name]), f, y0)
    dt = (SPAN[1] - SPAN[0]) / count
    result = integrate(stepper, f, y0, SPAN, norm=TorchNorm(1.0, 1.0), dt=dt)
    assert len(result.rows) == count
    return result.y


@pytest.mark.parametrize("name", OWN)
def test_the_error_falls_with_the_order_of_the_method(name: str) -> None:
    order = METHODS[name].order
    counts = STEPS[order]
    errors = [float((equal_steps(name, n) - exact(name)).norm()) for n in counts]
    assert min(errors) > 3e-14, "at the round-off floor: take fewer steps"
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.2), errors


@pytest.mark.parametrize("name", [name for name in OWN if METHODS[name].adaptive])
def test_the_error_estimate_falls_with_the_order_of_the_embedded_method(name: str) -> None:
    stepper, _ = make_stepper(Settings(METHODS[name]), FIELD, Y0)
    dts = [0.08, 0.04, 0.02] if METHODS[name].order < 8 else [0.2, 0.15, 0.1]
    errors = []
    for dt in dts:
        stepper, _ = make_stepper(Settings(METHODS[name]), FIELD, Y0)
        error = stepper.step(FIELD, 0.3, Y0, dt, None).error
        assert error is not None
        errors.append(float(error.norm()))
    slope = np.polyfit(np.log(dts), np.log(errors), 1)[0]
    assert slope == pytest.approx(stepper.error_order + 1, abs=0.3), errors


@pytest.mark.parametrize("name", list(METHODS))
def test_going_back_in_time_returns_to_the_start(name: str) -> None:
    y0 = torch.tensor([[1.0, 0.5], [-0.3, 2.0]], dtype=D)
    options = step_arguments(name, dt=0.01)
    there = odeint(rotation, y0, [0.0, 2.0], method=name, **options)
    back = odeint(rotation, there.ys[-1], [2.0, 0.0], method=name, **options)
    first_order = METHODS[name].order == 1
    assert (there.ys[-1] - y0).abs().max() > 0.5
    tolerance = 5e-2 if first_order else 1e-4 if not METHODS[name].adaptive else 1e-6
    torch.testing.assert_close(back.ys[-1], y0, rtol=0, atol=tolerance)
    assert (back.steps.dt < 0).all()


@pytest.mark.parametrize("name", list(METHODS))
def test_a_mirrored_problem_takes_mirrored_steps(name: str) -> None:
    def mirrored(t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return -rotation(-t, y)

    options = step_arguments(name)
    forward = odeint(rotation, vector(1.0, 0.2), [0.0, 1.0], method=name, **options)
    backward = odeint(mirrored, vector(1.0, 0.2), [0.0, -1.0], method=name, **options)
    torch.testing.assert_close(forward.ys, backward.ys, rtol=1e-9, atol=1e-9)
    if METHODS[name].family != "scipy":
        np.testing.assert_allclose(forward.steps.dt, -backward.steps.dt, rtol=1e-6)
