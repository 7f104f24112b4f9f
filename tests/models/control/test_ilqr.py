"""ILQR finds LQR near the target, never worsens its guess, and keeps inside of its bounds."""

import numpy as np
import pytest

from node_core.models.control.cost import Cost
from node_core.models.control.ilqr import best_of, ilqr, rehearsed
from node_core.models.control.lqr import lqr, lqr_policy
from node_core.models.control.plant import Plant
from node_core.models.control.plants import CART_POLE, LOTKA_VOLTERRA, PENDULUM, UNICYCLE
from node_core.models.control.policies import Unsteered


@pytest.mark.parametrize("plant", [PENDULUM, LOTKA_VOLTERRA], ids=lambda p: p.key)
def test_near_the_target_it_finds_lqr_from_nothing(plant: Plant) -> None:
    field, cost, seconds = plant.field(), Cost(plant, plant.limits), 2.0
    x0 = np.full((1, plant.dim), 0.02) + plant.target
    guess = rehearsed(field, cost, x0, seconds, lqr_policy(field, cost), dt=0.01)
    classical = ilqr(field, cost, x0, seconds, guess, dt=0.01, iterations=0)
    found = ilqr(field, cost, x0, seconds, dt=0.01, iterations=30)
    # an LQR steers for ever, a plan may stop caring at its end
    assert 0.9 * classical.cost[0] < found.cost[0] <= 1.0001 * classical.cost[0]
    np.testing.assert_allclose(found.u[:10], classical.u[:10], atol=0.1 * np.abs(classical.u).max())


@pytest.mark.parametrize("plant", [PENDULUM, LOTKA_VOLTERRA], ids=lambda p: p.key)
def test_the_quadratic_cost_is_what_is_paid_near_the_target(plant: Plant) -> None:
    field, cost, seconds = plant.field(), Cost(plant, plant.limits), 8.0
    x = np.full((1, plant.dim), 0.02)
    guess = rehearsed(field, cost, x + plant.target, seconds, lqr_policy(field, cost))
    promised = (x @ lqr(field, cost).p @ x.T)[0, 0] / seconds
    paid = ilqr(field, cost, x + plant.target, seconds, guess, iterations=1).cost[0]
    assert paid == pytest.approx(promised, rel=0.05)


def test_a_plan_is_better_than_its_guess_and_bounded() -> None:
    cost, rng = Cost(CART_POLE, (10.0,)), np.random.default_rng(0)
    x0 = rng.uniform(-0.4, 0.4, (6, 4))
    guess = rehearsed(CART_POLE.field(), cost, x0, 2.0, lqr_policy(CART_POLE.field(), cost))
    before = ilqr(CART_POLE.field(), cost, x0, 2.0, guess, iterations=0)
    after = ilqr(CART_POLE.field(), cost, x0, 2.0, guess, iterations=15)
    assert (after.cost <= before.cost).all()
    assert (after.cost < 0.999 * before.cost).any()
    assert np.abs(after.u).max() <= 10.0
    assert after.x.shape == (51, 6, 4)
    np.testing.assert_array_equal(after.x[0], x0)


def test_it_swings_a_pendulum_up_from_nothing() -> None:
    plans = ilqr(PENDULUM.field(), Cost(PENDULUM, (5.0,)), np.array([[np.pi - 0.1, 0.0]]), 5.0, dt=0.05)
    assert PENDULUM.arrived(plans.x[-20:, 0]).all()


def test_it_steers_what_has_no_lqr() -> None:
    plans = ilqr(
        UNICYCLE.field(), Cost(UNICYCLE, (1.0, 2.0)), np.array([[-1.0, 0.5, 1.0]]), 4.0, iterations=30
    )
    assert np.abs(plans.x[-1, 0, :2]).max() < 0.1


def test_the_best_of_two_plans_is_taken_start_by_start() -> None:
    field, cost = PENDULUM.field(), Cost(PENDULUM, (5.0,))
    x0 = np.array([[0.5, 0.0], [-0.5, 0.0]])
    bad = ilqr(field, cost, x0, 1.0, iterations=0)
    good = ilqr(field, cost, x0, 1.0, iterations=10)
    best = best_of([bad, good])
    np.testing.assert_array_equal(best.cost, good.cost)
    np.testing.assert_array_equal(best.x, good.x)
    np.testing.assert_array_equal(best.u, good.u)
    assert rehearsed(field, cost, x0, 1.0, Unsteered(PENDULUM)).shape == good.u.shape


@pytest.mark.parametrize(("seconds", "dt"), [(0.0, 0.1), (1.0, 0.0), (100.0, 0.01), (float("nan"), 0.1)])
def test_an_empty_or_endless_plan_is_refused(seconds: float, dt: float) -> None:
    with pytest.raises(ValueError, match="choose a plan of 1 to 1000 steps"):
        ilqr(PENDULUM.field(), Cost(PENDULUM, (5.0,)), np.zeros((1, 2)), seconds, dt=dt)
