"""Dense output: as good between the steps as the method promises, everywhere in the step, for every method."""

from __future__ import annotations

import pickle
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.solvers.loop import integrate
from node_core.solvers.methods import METHODS
from node_core.solvers.norms import TorchNorm
from node_core.solvers.problem import Settings
from node_core.solvers.solve import make_stepper
from tests.solvers.problems import OWN, Counting, D, forced, forced_exact, rotation, step_arguments, vector

EACH = pytest.mark.parametrize("name", list(METHODS))
# Whether the dense output evaluates f after the solve.
OWN_NEEDS = {
    name: method.tableau is not None and bool(method.tableau.dense_output().extra_a)
    for name, method in METHODS.items()
}
THETAS = [0.0, 0.13, 0.37, 0.5, 0.71, 0.92, 1.0]


class Forced:
    """y' = y cos t for float times, with its Jacobian."""

    accepts_float_time = True

    def __call__(self, t: float, y: torch.Tensor) -> torch.Tensor:
        return y * np.cos(float(t))

    def jacobian(self, t: float, y: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 1), float(np.cos(float(t))), dtype=D)


def worst_inside_one_step(name: str, dt: float) -> float:
    """Largest error of dense output over one step from exact values, over a grid of theta."""
    f, y0 = Forced(), vector(float(forced_exact(0.4)))
    stepper, _ = make_stepper(Settings(METHODS[name]), f, y0)
    step = integrate(stepper, f, y0, [0.4, 0.4 + dt], norm=TorchNorm(1.0, 1.0), dt=dt, keep_steps=True).steps[
        0
    ]
    if stepper.dense_needs_f1:
        step = step._replace(result=step.result._replace(f1=f(step.t + dt, step.result.y1)))
    values = stepper.interpolate(f, step, THETAS)
    exact = forced_exact(0.4 + dt * np.array(THETAS))
    return float(np.abs(values[:, 0].numpy() - exact).max())


@pytest.mark.parametrize("name", OWN)
def test_the_local_error_inside_a_step_has_the_order_of_the_dense_output(name: str) -> None:
    stepper, _ = make_stepper(Settings(METHODS[name]), Forced(), vector(1.0))
    dts = [0.4, 0.3, 0.2] if stepper.dense_order > 5 else [0.08, 0.04, 0.02]
    errors = [worst_inside_one_step(name, dt) for dt in dts]
    slope = np.polyfit(np.log(dts), np.log(errors), 1)[0]
    # At least: on one scalar field an error coefficient can vanish.
    assert slope > stepper.dense_order + 1 - 0.3, errors


@EACH
def test_it_is_as_good_between_the_steps_as_at_them(name: str) -> None:
    adaptive = METHODS[name].adaptive
    solution = odeint(forced, vector(1.0), [0.0, 4.0], method=name, **step_arguments(name, dt=0.02))
    ends = np.append(solution.steps.t[solution.steps.accepted], 4.0)
    between = np.linspace(0.0, 4.0, 301)
    error_at = np.abs(solution(ends)[:, 0].numpy() - forced_exact(ends)).max()
    error_between = np.abs(solution(between)[:, 0].numpy() - forced_exact(between)).max()
    floor = 1e-6 if adaptive else 1e-9
    assert error_between < 10 * error_at + floor


@EACH
def test_it_meets_the_outputs_and_both_ends(name: str) -> None:
    ts = [0.0, 0.77, 1.3, 2.0]
    solution = odeint(rotation, vector(1.0, 0.0), ts, method=name, **step_arguments(name))
    torch.testing.assert_close(solution(ts), solution.ys, rtol=1e-11, atol=1e-11)


@EACH
@pytest.mark.parametrize("ts", [[0.0, 2.0], [2.0, 0.0]])
def test_a_time_outside_of_the_solve_is_refused(name: str, ts: list[float]) -> None:
    solution = odeint(rotation, vector(1.0, 0.0), ts, method=name, **step_arguments(name))
    for t in (-0.1, 2.1):
        with pytest.raises(ValueError, match=r"outside (of )?what was solved|outside of the solved span"):
            solution(t)


@EACH
def test_times_of_any_shape_and_order_are_answered_in_their_shape(name: str) -> None:
    y0 = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.3, 0.2]], dtype=D)
    solution = odeint(rotation, y0, [2.0, 0.0], method=name, **step_arguments(name))
    assert solution(1.0).shape == (3, 2)
    assert solution(torch.tensor([1.0, 0.2, 1.9])).shape == (3, 3, 2)
    grid = np.array([[0.1, 1.5], [1.4, 0.0]])
    assert solution(grid).shape == (2, 2, 3, 2)
    torch.testing.assert_close(solution(grid)[1, 0], solution(1.4), rtol=0, atol=1e-14)


@EACH
def test_asking_for_it_costs_nothing_that_is_counted(name: str) -> None:
    f = Counting(rotation)
    # A given Jacobian: what deriving one costs is not part of the NFE.
    jacobian = lambda t, y: torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=D)  # noqa: E731
    solution = odeint(f, vector(1.0, 0.0), [0.0, 1.0], method=name, jacobian=jacobian, **step_arguments(name))
    nfe = solution.stats.nfe
    assert f.calls == nfe
    solution(np.linspace(0.0, 1.0, 50))
    assert solution.stats.nfe == nfe


@pytest.mark.parametrize("name", ["rk4", "euler", "dopri8", "dopri5", "rodas5p"])
def test_a_solve_without_gradients_has_dense_output_without_gradients(name: str) -> None:
    field = MLPField(2, (8,), dtype=D)
    with torch.no_grad():
        solution = odeint(field, vector(1.0, 0.0)[None], [0.0, 1.0], method=name, **step_arguments(name))
    assert not solution(0.31).requires_grad


def test_a_differentiated_solve_keeps_none_unless_asked() -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    with pytest.raises(ValueError, match="dense=True"):
        odeint(rotation, y0, [0.0, 1.0])(0.5)
    solution = odeint(rotation, y0, [0.0, 1.0], dense=True)
    (slope,) = torch.autograd.grad(solution(0.5)[0], y0)
    torch.testing.assert_close(slope, vector(np.cos(0.5), np.sin(0.5)), rtol=1e-5, atol=1e-5)


def test_a_solve_that_stopped_early_answers_up_to_there() -> None:
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 50.0], max_steps=10, on_error="return")
    end = float(solution.steps.t[-1] + solution.steps.dt[-1])
    assert 0 < end < 50
    torch.testing.assert_close(solution(end / 2)[0], torch.tensor(np.cos(end / 2)), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="outside"):
        solution(end + 0.1)


class Held:
    """y' = -w y (1 + sin t), by a weight that can be changed after the solve."""

    def __init__(self) -> None:
        self.w = torch.tensor(0.5, dtype=D, requires_grad=True)

    def __call__(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return -self.w * y * (1.0 + torch.sin(t))


@EACH
@pytest.mark.parametrize("mode", [None, "backprop", "checkpointed", "interpolated"])
@pytest.mark.parametrize("asked_before", [True, False])
def test_a_weight_that_changed_since_changes_nothing_or_is_told(
    name: str, mode: str | None, asked_before: bool
) -> None:
    if METHODS[name].family == "scipy" and mode in ("backprop", "checkpointed"):
        pytest.skip("SciPy's solvers have no such gradient")
    f, times = Held(), [0.3, 1.1, 1.9, 2.0 - 1e-9]
    options = {"params": (f.w,), "gradient": mode} if mode else {"params": ()}
    with torch.set_grad_enabled(mode is not None):
        solve = [
            odeint(f, vector(1.0), [0.0, 2.0], method=name, dense=True, **options, **step_arguments(name))
            for _ in range(2)
        ]
        before = solve[0](times)
        if asked_before:
            solve[1](times)
    f.w.data.mul_(3.0)
    if OWN_NEEDS[name] and not asked_before:
        again = pickle.loads(pickle.dumps(solve[1]))
        for solution in (solve[1], again):
            with pytest.raises(ValueError, match="no longer what it was in the solve"):
                solution(times)
    else:
        torch.testing.assert_close(solve[1](times).detach(), before.detach(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in OWN if OWN_NEEDS[name]])
def test_its_gradient_does_not_depend_on_who_asked_first(name: str) -> None:
    found = []
    for context in (torch.no_grad, torch.inference_mode, nullcontext):
        f = Held()
        solution = odeint(f, vector(1.0), [0.0, 2.0], method=name, dense=True, **step_arguments(name, 0.5))
        with context():
            solution([0.9, 1.9])
        found.append(torch.autograd.grad(solution(1.9).sum(), f.w)[0])
    assert found[0] == found[1] == found[2]


def test_a_field_with_noise_is_told_that_its_dense_output_would_need_other_noise() -> None:
    torch.manual_seed(0)
    solution = odeint(lambda t, y: -y + 1e-9 * torch.randn_like(y), vector(1.0), [0.0, 1.0], method="dopri8")
    with pytest.raises(ValueError, match="draws random numbers"):
        solution(0.5)


@pytest.mark.parametrize("name", ["euler", "implicit_euler"])
@pytest.mark.parametrize("mode", [None, "backprop", "checkpointed"])
def test_a_step_of_eulers_is_a_straight_line(name: str, mode: str | None) -> None:
    y0 = vector(1.0, 0.0).requires_grad_(mode is not None)
    f = Counting(rotation)
    options: dict[str, Any] = {"method": name, "dt": 0.5, "dense": True, "gradient": mode or "backprop"}
    solution = odeint(f, y0, [0.0, 0.3, 1.0, 1.5], **options)
    ends = solution([0.0, 0.5, 1.0, 1.5])
    for theta in (0.2, 0.6):
        inside = solution([0.5 * theta, 0.5 + 0.5 * theta, 1.0 + 0.5 * theta])
        torch.testing.assert_close(inside, ends[:-1] + theta * (ends[1:] - ends[:-1]), rtol=0, atol=1e-14)
    torch.testing.assert_close(solution.ys[1], ends[0] + 0.6 * (ends[1] - ends[0]), rtol=0, atol=1e-14)
    if name == "euler":
        assert solution.stats.nfe == 3
    if mode is not None:
        # y(0.3) = y0 + 0.3 f(y0) of the explicit method, (I - 0.5 A)^-1 of the implicit one.
        (slope,) = torch.autograd.grad(solution.ys[1, 0] + 2.0 * solution(0.3)[0], y0)
        matrix = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=D)
        whole = torch.eye(2, dtype=D) + 0.5 * matrix
        if name == "implicit_euler":
            whole = torch.linalg.inv(torch.eye(2, dtype=D) - 0.5 * matrix)
        torch.testing.assert_close(
            slope, 3.0 * (0.4 * torch.eye(2, dtype=D) + 0.6 * whole)[0], rtol=1e-12, atol=1e-12
        )
