"""Plants conserve what they should, rest where they should, and say what is wrong in a sentence."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from node_core.models.control.controlled import Controlled
from node_core.models.control.plant import Plant
from node_core.models.control.plants import CART_POLE, LOTKA_VOLTERRA, PENDULUM, PLANTS, UNICYCLE
from node_core.models.control.policies import Unsteered
from node_core.odeint import odeint


@pytest.mark.parametrize("plant", [p for p in PLANTS.values() if p.energy], ids=lambda p: p.key)
def test_the_energy_is_conserved_without_control(plant: Plant) -> None:
    task = plant.tasks[0]
    x0 = torch.tensor(np.random.default_rng(0).uniform(task.low, task.high, (5, plant.dim)))
    field = plant.field()
    sol = odeint(Controlled(field, Unsteered(plant)), x0, torch.linspace(0.0, 5.0, 6), rtol=1e-10, atol=1e-10)
    energies = field.energy(sol.ys)
    assert (sol.ys[-1] - x0).abs().max() > 0.1
    torch.testing.assert_close(energies, energies[:1].expand_as(energies), rtol=1e-7, atol=1e-7)


def test_friction_takes_energy_away() -> None:
    field = PENDULUM.field(friction=0.5)
    sol = odeint(
        Controlled(field, Unsteered(PENDULUM)),
        torch.tensor([[1.0, 0.0]], dtype=torch.float64),
        [0.0, 1.0, 5.0],
    )
    assert bool((field.energy(sol.ys).diff(dim=0) < -0.1).all())


@pytest.mark.parametrize("plant", PLANTS.values(), ids=lambda p: p.key)
def test_the_target_is_a_rest_and_counts_as_arrived(plant: Plant) -> None:
    x, u = np.array(plant.target), np.zeros(len(plant.controls))
    np.testing.assert_allclose(plant.field()(0.0, x, u), 0.0, atol=1e-12)
    assert plant.arrived(x)
    assert not plant.arrived(np.array(plant.tasks[0].high))
    assert not plant.arrived(np.full(plant.dim, np.nan))


@pytest.mark.parametrize("plant", PLANTS.values(), ids=lambda p: p.key)
def test_numpy_and_torch_agree(plant: Plant) -> None:
    rng = np.random.default_rng(1)
    y, u = rng.uniform(0.2, 1.0, (4, plant.dim)), rng.uniform(-1.0, 1.0, (4, len(plant.controls)))
    field = plant.field()
    there = field(0.0, torch.from_numpy(y), torch.from_numpy(u)).numpy()
    np.testing.assert_allclose(field(0.0, y, u), there, rtol=1e-12)


def test_the_convention_of_angles() -> None:
    """Upright is 0; gravity pulls a pole that leans to the right further there, and so does a positive torque."""
    rates = PENDULUM.field()(0.0, np.array([0.1, 0.0]), np.array([0.0]))
    assert rates[1] == pytest.approx(9.81 * math.sin(0.1))
    assert PENDULUM.field()(0.0, np.zeros(2), np.array([1.0]))[1] == pytest.approx(1.0)
    # pushed to the right, a cart runs to the right, and its pole falls to the left
    rates = CART_POLE.field()(0.0, np.zeros(4), np.array([1.0]))
    assert rates[1] > 0 > rates[3]


def test_the_cart_poles_equations_are_lagranges() -> None:
    """(M + m) x'' + m l theta'' cos - m l theta'^2 sin = u,  l theta'' + x'' cos = g sin."""
    y, u = np.array([0.3, -0.7, 0.8, 1.9]), np.array([2.5])
    _, a, _, b = CART_POLE.field(mass=0.3, length=0.7)(0.0, y, u)
    sin, cos = math.sin(0.8), math.cos(0.8)
    assert 1.3 * a + 0.21 * (b * cos - 1.9**2 * sin) == pytest.approx(2.5)
    assert 0.7 * b + a * cos == pytest.approx(9.81 * sin)


def test_a_full_turn_is_no_deviation() -> None:
    away = PENDULUM.deviation(np.array([[2 * math.pi + 0.01, 3.0], [math.pi - 0.1, 0.0]]))
    np.testing.assert_allclose(away, [[0.01, 3.0], [math.pi - 0.1, 0.0]], atol=1e-12)


def test_what_a_policy_sees() -> None:
    seen = LOTKA_VOLTERRA.seen((np.array(1.5), np.array(0.5)), np)
    assert [float(v) for v in seen] == [0.5, -0.5]
    assert len(UNICYCLE.seen(list(np.zeros((3, 1))), np)) == UNICYCLE.features == 4


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: PENDULUM.field(weight=1.0), "has no parameter 'weight'"),
        (lambda: PENDULUM.field(mass=0.0), "out of range"),
        (lambda: PENDULUM.check((1.0,)), "has 4 parameters, not 1"),
        (lambda: PENDULUM.task("fly"), "choose one of swing_up, balance"),
        (lambda: UNICYCLE.field().energy(np.zeros(3)), "conserves no energy"),
    ],
)
def test_what_makes_no_sense_is_refused(ask: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ask()
