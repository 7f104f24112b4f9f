"""Symplectic methods: their order, what they keep, the way back, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core import SYSTEMS, Separable, odeint
from node_core.fields.formula.formula import parse_field
from node_core.gradients.names import GRADIENTS
from node_core.solvers.loop import Limits, integrate
from node_core.solvers.methods import METHODS
from node_core.solvers.norms import NumpyNorm
from node_core.solvers.steppers.explicit_numpy import numpy_stepper
from node_core.solvers.steppers.step import Stepper
from node_core.solvers.steppers.symplectic import SymplecticStepper
from node_core.solvers.tableaus.tableaus import RK4
from node_core.studies.solvers.order import run as measured_order
from node_core.studies.solvers.race import run as race
from node_core.studies.solvers.race_config import OrderConfig, Problem, RaceConfig
from tests.solvers.problems import D, vector

NAMES = [name for name, method in METHODS.items() if method.family == "symplectic"]
EACH = pytest.mark.parametrize("name", NAMES)
ORDERS = {"semi_implicit_euler": 1, "leapfrog": 2, "yoshida4": 4}
START = vector(1.2, -0.4)


def forced_pendulum() -> Separable:
    """Both halves depend on t, and neither is linear."""
    return Separable(
        lambda t, p: p + 0.1 * p**3 * torch.cos(t), lambda t, q: 0.5 * torch.cos(2 * t) - torch.sin(q)
    )


def pendulum() -> Separable:
    return Separable(lambda t, p: p, lambda t, q: -torch.sin(q))


def energy(ys: Tensor) -> Tensor:
    return 0.5 * ys[..., 1] ** 2 - torch.cos(ys[..., 0])


def test_there_are_three() -> None:
    assert {name: METHODS[name].order for name in NAMES} == ORDERS


@EACH
def test_the_error_falls_with_the_order_between_the_steps_too(name: str) -> None:
    f, ts = forced_pendulum(), [0.0, 0.777, 1.5]
    exact = odeint(f, START, ts, method="dopri8", rtol=1e-13, atol=1e-13).ys
    counts, order = (25, 50, 100), ORDERS[name]
    errors = [
        (odeint(f, START, ts, method=name, dt=1.5 / n).ys - exact).norm(dim=-1)[1:].numpy() for n in counts
    ]
    between, end = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert end == pytest.approx(order, abs=0.15)
    # y(0.777) lies at another part of its step each time: the cubic's error does not fall evenly
    assert between > min(order, 3) - 0.5


@EACH
def test_energy_goes_to_and_fro_but_does_not_drift(name: str) -> None:
    """Over two hundred swings; Runge-Kutta's classical method loses all of it, by as many evaluations as leapfrog."""
    f, dt = SYSTEMS["harmonic_oscillator"].field(), 2 * math.pi / 20

    def energies(stepper: Stepper, dt: float) -> np.ndarray:
        found: list[float] = []
        integrate(
            stepper,
            f,
            np.array([1.0, 0.0]),
            (0.0, 400 * math.pi),
            norm=NumpyNorm(1.0, 1.0),
            dt=dt,
            limits=Limits(10_000),
            observe=lambda t, y: found.append(float(y @ y)),
        )
        return np.array(found)

    splitting = METHODS[name].splitting
    assert splitting is not None
    kept = energies(SymplecticStepper(splitting), dt)
    assert np.abs(kept - 1.0).max() < 0.2
    assert np.abs(kept[-400:].mean() - kept[:400].mean()) < 2e-3
    assert energies(numpy_stepper(RK4), 4 * dt)[-1] < 0.05


@EACH
def test_areas_of_the_phase_plane_are_kept(name: str) -> None:
    flow = torch.autograd.functional.jacobian(
        lambda y: odeint(forced_pendulum(), y, [0.0, 3.0], method=name, dt=0.3).ys[-1], START
    )
    assert float(torch.linalg.det(flow)) == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("name", ["leapfrog", "yoshida4"])
def test_the_way_back_is_the_way_there_for_the_symmetric_ones(name: str) -> None:
    f = pendulum()
    there = odeint(f, START, [0.0, 20.0], method=name, dt=0.1)
    back = odeint(f, there.ys[-1], [20.0, 0.0], method=name, dt=0.1)
    assert (there.ys[-1] - START).abs().max() > 0.1
    torch.testing.assert_close(back.ys[-1], START, rtol=0, atol=1e-11)


def test_leapfrog_is_the_formula_of_the_books_and_asks_for_one_force_a_step() -> None:
    calls = {"dq": 0, "dp": 0}

    def dq(t: Any, p: Tensor) -> Tensor:
        calls["dq"] += 1
        return p

    def dp(t: Any, q: Tensor) -> Tensor:
        calls["dp"] += 1
        return -torch.sin(q)

    solution = odeint(Separable(dq, dp), START, [0.0, 1.0], method="leapfrog", dt=0.1)
    assert calls == {"dq": 11, "dp": 11}  # one of each at the start, to see what f depends on
    assert solution.stats.nfe == 11
    q, v = START.tolist()
    for _ in range(10):
        a = -math.sin(q)
        q, v = q + 0.1 * v + 0.005 * a, v + 0.05 * (a - math.sin(q + 0.1 * v + 0.005 * a))
    assert solution.ys[-1].tolist() == pytest.approx([q, v], abs=1e-14)


class Force(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1)).double()

    def forward(self, t: Any, q: Tensor) -> Tensor:
        return self.net(q)


@EACH
def test_gradients_are_exact_and_the_same_in_both_modes(name: str) -> None:
    f = Separable(lambda t, p: p, Force())
    found = []
    for gradient in ("backprop", "checkpointed"):
        f.zero_grad()
        y0 = START.clone().requires_grad_()
        # outputs within steps and at their ends
        ys = odeint(f, y0, [0.0, 0.25, 0.6, 1.0], method=name, dt=0.1, gradient=gradient).ys
        (ys[1:] ** 2).sum().backward()
        grads = [p.grad.clone() for p in f.parameters() if p.grad is not None]
        assert y0.grad is not None and len(grads) == 4
        found.append([y0.grad, *grads])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(
        lambda y: odeint(f, y, [0.0, 0.25, 0.5], method=name, dt=0.1, gradient="checkpointed", params=()).ys,
        (START.clone().requires_grad_(),),
    )


@pytest.mark.parametrize("gradient", [g for g in GRADIENTS if g not in ("backprop", "checkpointed")])
def test_a_way_back_that_is_not_separable_is_refused(gradient: str) -> None:
    f = Separable(lambda t, p: p, Force())
    with pytest.raises(ValueError, match=r"take gradient='(backprop' or 'checkpointed|checkpointed)'"):
        odeint(f, START, [0.0, 1.0], method="leapfrog", dt=0.1, gradient=gradient)


@EACH
def test_events_jumps_and_dense_output_go_with_it(name: str) -> None:
    """By leaps of 0.02: the method of first order is right to 1 %, the others to the square of the step."""
    f, close = pendulum(), 1e-2 if ORDERS[name] == 1 else 4e-4
    steps: dict[str, Any] = {"method": name, "dt": 0.02}
    tight: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}
    times = [odeint(f, START, [0.0, 5.0], event=lambda t, y: y[0], **o).t_event for o in (steps, tight)]
    assert times[0] is not None and times[1] is not None
    assert float(times[0]) == pytest.approx(float(times[1]), abs=2 * close)
    pushed = Separable(lambda t, p: p, lambda t, q: (t >= 0.505).to(q) - q)
    ends = [odeint(pushed, START, [0.0, 1.0], jumps=[0.505], **o).ys[-1] for o in (steps, tight)]
    torch.testing.assert_close(*ends, rtol=0, atol=2 * close)
    between = [odeint(f, START, [0.0, 0.5], **o)(0.1234) for o in (steps, tight)]
    torch.testing.assert_close(*between, rtol=0, atol=close)


def test_systems_and_typed_fields_say_themselves_whether_they_are_separable() -> None:
    y0, ts = vector(1.0, 0.5), [0.0, 2.0]
    typed = parse_field({"x": "y^3 + a", "y": "-sin(x) + cos(t)"})
    for field in (
        SYSTEMS["pendulum"].field(),
        SYSTEMS["struck_oscillator"].field(damping=0.0),
        typed.field(),
    ):
        ys = odeint(field, y0, ts, method="yoshida4", dt=0.01, jumps=field.jumps).ys[-1]
        torch.testing.assert_close(ys, odeint(field, y0, ts, jumps=field.jumps).ys[-1], rtol=0, atol=1e-4)
    mixed = parse_field({"x": "y", "y": "-x - y"})
    for field in (SYSTEMS["pendulum"].field(damping=0.1), SYSTEMS["van_der_pol"].field(), mixed.field()):
        assert not field.separable
        with pytest.raises(
            ValueError, match=r"method='leapfrog' needs .*pass f as node_core.Separable\(dq, dp\)"
        ):
            odeint(field, y0, ts, method="leapfrog", dt=0.1)


def test_what_is_no_separable_problem_is_refused_in_a_sentence() -> None:
    f = pendulum()
    with pytest.raises(ValueError, match=r"needs dq/dt = dq\(t, p\).*as with friction"):
        odeint(lambda t, y: -y, START, [0.0, 1.0], method="leapfrog", dt=0.1)
    with pytest.raises(ValueError, match=r"shape \(3,\).* even"):
        odeint(f, torch.ones(3, dtype=D), [0.0, 1.0], method="yoshida4", dt=0.1)
    with pytest.raises(ValueError, match=r"last axis holds q and p side by side"):
        odeint(f, torch.ones(3, dtype=D), [0.0, 1.0])
    with pytest.raises(ValueError, match="dq is 3, not a function"):
        Separable(3, lambda t, q: q)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a step size: pass dt"):
        odeint(f, START, [0.0, 1.0], method="leapfrog")
    with pytest.raises(ValueError, match=r"dq\(t, p\) returned shape \(1, 1\) for p of shape \(1,\)"):
        odeint(
            Separable(lambda t, p: p[..., None], lambda t, q: q), START, [0.0, 1.0], method="leapfrog", dt=0.1
        )


def test_a_separable_field_is_a_field_for_every_method_and_a_batch() -> None:
    y0 = torch.tensor([[1.0, 2.0, 0.0, 0.3], [0.1, -1.0, 0.5, 0.0]], dtype=D)
    one = odeint(pendulum(), y0, [0.0, 1.0]).ys[-1]
    two = odeint(pendulum(), y0, [0.0, 1.0], method="yoshida4", dt=0.01).ys[-1]
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)


def test_the_solvers_lesson_races_them_where_they_can_and_says_where_they_cannot() -> None:
    system = SYSTEMS["pendulum"]
    swinging = Problem("pendulum", (1.0, 0.0), (0.0, 10.0), (("omega", 1.0), ("damping", 0.0)))
    result = race(RaceConfig(swinging, ("leapfrog", "yoshida4"), dt=0.05))
    assert [lane.status for lane in result.lanes] == ["done", "done"]
    assert result.lanes[1].final_error < result.lanes[0].final_error < 1e-2
    curves = measured_order(OrderConfig(swinging, ("semi_implicit_euler", "leapfrog", "yoshida4"))).curves
    assert [curve.slope for curve in curves] == pytest.approx([1, 2, 4], abs=0.2)
    with pytest.raises(ValueError, match=f"{system.name} is not of that kind here: choose the pendulum"):
        OrderConfig(replace(swinging, parameters=(("damping", 0.5),)), ("leapfrog",))
