"""The closed loop's closed form is autograd's, its cost is the integral, and its adjoint is the costate."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from node_core.models.control.controlled import Controlled
from node_core.models.control.cost import Cost
from node_core.models.control.lqr import linearise, lqr, lqr_policy
from node_core.models.control.plant import Plant
from node_core.models.control.plants import CART_POLE, LOTKA_VOLTERRA, PENDULUM, PLANTS, UNICYCLE
from node_core.models.control.policies import LinearPolicy, NetPolicy
from node_core.odeint import odeint

TIGHT = 1e-10


def loop(plant: Plant, seed: int = 0, **cost: float) -> Controlled:
    policy = NetPolicy(plant, plant.limits, 8, seed, torch.float64)
    return Controlled(plant.field(), policy, Cost(plant, plant.limits, **cost))


def starts(plant: Plant, n: int = 6) -> torch.Tensor:
    task = plant.tasks[0]
    return torch.tensor(np.random.default_rng(3).uniform(task.low, task.high, (n, plant.dim)))


@pytest.mark.parametrize("plant", PLANTS.values(), ids=lambda p: p.key)
@pytest.mark.parametrize("mode", ["backprop", "checkpointed"])
def test_the_closed_form_is_autograds(plant: Plant, mode: str) -> None:
    field = loop(plant)
    weights = tuple(field.parameters())
    found = []
    for f in (field, lambda t, y: field(t, y)):  # a function has no closed form: autograd goes through it
        y0 = field.start(starts(plant)).requires_grad_()
        sol = odeint(f, y0, [0.0, 0.6, 1.5], rtol=1e-4, atol=1e-4, gradient=mode, params=weights)
        total = field.total_cost(sol.ys[-1], 1.5).sum() + sol.ys[1].square().sum()
        found.append((sol.ys.detach(), *torch.autograd.grad(total, (y0, *weights))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("mode", ["backprop", "adjoint"])
def test_a_frozen_policy_passes_gradients_to_the_start(mode: str) -> None:
    field = loop(PENDULUM)
    field.requires_grad_(False)
    found = []
    for f in (field, lambda t, y: field(t, y)):
        y0 = field.start(starts(PENDULUM)).requires_grad_()
        sol = odeint(f, y0, [0.0, 0.5], rtol=1e-8, atol=1e-8, gradient=mode)
        found.append(torch.autograd.grad(sol.ys[-1, :, -1].sum(), y0)[0])
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-8)


class Gentler(NetPolicy):
    """Half of what the net says, more so as time goes on: what was written for the net says nothing of it."""

    def forward(self, t: Any, y: torch.Tensor) -> torch.Tensor:
        return super().forward(t, y) * 0.5 / (1.0 + torch.as_tensor(t, dtype=y.dtype))


class Softer(LinearPolicy):
    """Half of what the gain says."""

    def forward(self, t: Any, y: torch.Tensor) -> torch.Tensor:
        return 0.5 * super().forward(t, y)


@pytest.mark.parametrize("mode", ["backprop", "checkpointed", "adjoint", "interpolated"])
@pytest.mark.parametrize("kind", ["net", "linear", "patched"])
def test_a_policy_that_overrides_another_steers_as_it_says(kind: str, mode: str) -> None:
    limits = PENDULUM.limits
    policy: nn.Module = Gentler(PENDULUM, limits, 8, 0, torch.float64)
    if kind == "linear":
        policy = Softer(PENDULUM, lqr(PENDULUM.field(), Cost(PENDULUM, limits)).gain, limits)
    elif kind == "patched":
        policy = NetPolicy(PENDULUM, limits, 8, 0, torch.float64)
        policy.forward = lambda t, y: torch.zeros_like(y[..., :1])  # type: ignore[method-assign]
    field = Controlled(PENDULUM.field(), policy, Cost(PENDULUM, limits))
    weights = tuple(policy.parameters())
    for want in (True, False):
        ends = []
        for f in (field, lambda t, y: field(t, y)):
            with torch.set_grad_enabled(want):
                sol = odeint(
                    f,
                    field.start(starts(PENDULUM)),
                    [0.0, 1.0],
                    rtol=1e-8,
                    atol=1e-8,
                    gradient=mode,
                    params=weights,
                )
            ends.append(sol.ys[-1].detach())
        torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-8)


def test_the_continuous_adjoint_agrees_at_a_small_tolerance() -> None:
    field = loop(PENDULUM)
    weights = tuple(field.parameters())
    found = []
    for mode in ("backprop", "adjoint"):
        sol = odeint(
            field,
            field.start(starts(PENDULUM)),
            [0.0, 1.0],
            gradient=mode,
            params=weights,
            rtol=TIGHT,
            atol=TIGHT,
        )
        found.append(torch.autograd.grad(sol.ys[-1, :, -1].sum(), weights))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_the_last_coordinate_is_the_integral_of_the_running_cost() -> None:
    field = loop(CART_POLE)
    assert field.cost is not None
    ts = torch.linspace(0.0, 2.0, 401, dtype=torch.float64)
    with torch.no_grad():
        ys = odeint(field, field.start(starts(CART_POLE)), ts, rtol=TIGHT, atol=TIGHT).ys
        x = ys[..., :-1]
        running = field.cost.running(x, field.policy(0.0, x))
    torch.testing.assert_close(torch.trapezoid(running, ts, dim=0), ys[-1, :, -1], rtol=1e-3, atol=1e-4)


def test_the_adjoint_is_the_slope_of_the_cost_to_go() -> None:
    """a(t) = d/dx of what is still to be paid from x(t) on: Pontryagin's costate, by finite differences."""
    field, horizon, t = loop(PENDULUM, final=0.5), 2.0, 0.7
    y0 = field.start(starts(PENDULUM, 1)).requires_grad_()
    sol = odeint(field, y0, [0.0, t, horizon], record_adjoint=True, rtol=TIGHT, atol=TIGHT)
    field.total_cost(sol.ys[-1], horizon).sum().backward()
    assert sol.adjoint is not None
    nearest = int(np.argmin(np.abs(sol.adjoint.t - t)))
    at, costate = float(sol.adjoint.t[nearest]), sol.adjoint.a[nearest].reshape(-1)[:2]
    with torch.no_grad():
        x = odeint(field, y0, [0.0, at], rtol=TIGHT, atol=TIGHT).ys[-1, :, :2]

        def to_go(x: torch.Tensor) -> float:
            return float(
                field.total_cost(
                    odeint(field, field.start(x), [at, horizon], rtol=TIGHT, atol=TIGHT).ys[-1], horizon
                )
            )

        step = 1e-5
        shifts = step * torch.eye(2, dtype=torch.float64)
        slopes = [(to_go(x + shift) - to_go(x - shift)) / (2 * step) for shift in shifts]
    np.testing.assert_allclose(costate, slopes, rtol=1e-5)


@pytest.mark.parametrize("plant", [PENDULUM, CART_POLE, LOTKA_VOLTERRA], ids=lambda p: p.key)
def test_the_gain_solves_riccatis_equation_and_steers_home(plant: Plant) -> None:
    cost = Cost(plant, plant.limits)
    found = lqr(plant.field(), cost)
    a, b, p = found.a, found.b, found.p
    rest = a.T @ p + p @ a - p @ b @ np.linalg.solve(found.r, b.T @ p) + found.q
    np.testing.assert_allclose(rest, 0.0, atol=1e-9 * np.abs(p).max())
    np.testing.assert_allclose(found.gain, np.linalg.solve(found.r, b.T @ p))
    assert np.linalg.eigvals(a - b @ found.gain).real.max() < 0
    # near the target x^T P x is what a trial costs
    x = torch.tensor([plant.target], dtype=torch.float64) + 1e-3
    field = Controlled(plant.field(), lqr_policy(plant.field(), cost), cost)
    with torch.no_grad():
        end = odeint(field, field.start(x), [0.0, 40.0], rtol=1e-9, atol=1e-14).ys[-1]
    assert float(end[0, -1]) == pytest.approx(1e-6 * p.sum(), rel=1e-2)


def test_the_linearisation_is_the_pendulums() -> None:
    a, b = linearise(PENDULUM.field(mass=2.0, length=0.5, friction=0.3))
    np.testing.assert_allclose(a, [[0.0, 1.0], [9.81 / 0.5, -0.3 / 0.5]])
    np.testing.assert_allclose(b, [[0.0], [2.0]])


def test_controls_stay_inside_of_their_bounds_in_numpy_and_in_torch() -> None:
    states = 5.0 * starts(CART_POLE, 200)
    for policy in (
        NetPolicy(CART_POLE, (10.0,), dtype=torch.float64),
        lqr_policy(CART_POLE.field(), Cost(CART_POLE, (10.0,))),
    ):
        with torch.no_grad():
            u = policy(0.0, states)
        assert float(u.abs().max()) <= 10.0
        np.testing.assert_allclose(policy.rows()(0.0, list(states.numpy().T))[0], u[:, 0].numpy(), rtol=1e-10)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: lqr(UNICYCLE.field(), Cost(UNICYCLE, UNICYCLE.limits)), "can't be steered"),
        (lambda: lqr(PENDULUM.field(), Cost(PENDULUM, (5.0,), effort=0.0)), "needs a price of control"),
        (lambda: Cost(PENDULUM, (0.0,)), "limit = 0.0: choose more than 0"),
        (lambda: Cost(PENDULUM, (5.0,), effort=float("nan")), "effort = nan"),
        (lambda: NetPolicy(PENDULUM, (5.0,), hidden=0), "give 1 to 256 units"),
    ],
)
def test_what_makes_no_sense_is_refused(ask: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ask()
