"""Trials: who arrived, when, and what delay and noise do."""

import numpy as np
import pytest
import torch

from node_core.models.control.controlled import Controlled
from node_core.models.control.cost import Cost
from node_core.models.control.lqr import lqr_policy
from node_core.models.control.plants import CART_POLE, PENDULUM
from node_core.models.control.policies import LinearPolicy, Unsteered
from node_core.models.control.sampled import run_sampled
from node_core.models.control.trials import Trials, run_trials
from node_core.settings import SolverSettings

FIELD, COST = PENDULUM.field(), Cost(PENDULUM, (5.0,))
LQR = lqr_policy(FIELD, COST)


def test_arrival_counts_only_what_stays() -> None:
    ts = np.linspace(0.0, 3.0, 7)
    arrived = np.array([[0, 0, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 1, 1], [0] * 7, [1] * 7], dtype=bool).T
    trials = Trials(ts, np.zeros((7, 4, 1)), np.zeros(4), arrived, 0)
    np.testing.assert_array_equal(trials.succeeded, [True, False, False, True])
    np.testing.assert_array_equal(trials.times, [1.0, np.inf, np.inf, 0.0])
    assert trials.success == 0.5


def test_lqr_holds_near_the_top_and_not_from_below() -> None:
    x = torch.tensor([[0.1, 0.0], [3.0, 0.0]], dtype=torch.float64)
    trials = run_trials(Controlled(FIELD, LQR, COST), x, 4.0, SolverSettings())
    np.testing.assert_array_equal(trials.succeeded, [True, False])
    assert 0.0 < trials.times[0] < 1.0
    assert trials.cost[0] < trials.cost[1]


def test_a_plant_that_is_flung_away_has_failed_and_nobody_waits_for_it() -> None:
    wild = LinearPolicy(PENDULUM, np.array([[-1e6, -1e6]]), (1e6,))
    x = torch.tensor([[0.1, 0.0]], dtype=torch.float64)
    trials = run_trials(Controlled(FIELD, wild, COST), x, 4.0, SolverSettings(max_steps=3))
    assert trials.success == 0.0
    assert np.isnan(trials.x[-1]).all()


def test_without_delay_and_noise_a_sampled_policy_does_what_a_continuous_one_does() -> None:
    x0 = np.array([[0.1, 0.2]])
    there = run_sampled(FIELD, LQR, x0, 3.0, dt=0.002)
    here = run_trials(Controlled(FIELD, LQR, COST), torch.tensor(x0), 3.0, SolverSettings())
    np.testing.assert_allclose(there.x[::500], here.x[::20], atol=2e-3)
    assert there.success == 1.0


def test_delay_and_noise_are_felt() -> None:
    x0 = np.full((4, 2), 0.1)
    late = run_sampled(FIELD, LQR, x0, 3.0, delay=0.5)
    noisy, again = (run_sampled(FIELD, LQR, x0, 3.0, noise=0.05) for _ in range(2))
    assert late.success == 0.0
    assert np.ptp(noisy.x[-1, :, 0]) > 0.0
    np.testing.assert_array_equal(noisy.x, again.x)


def test_what_makes_no_sense_is_refused() -> None:
    policy = Unsteered(CART_POLE)
    with pytest.raises(ValueError, match="delay = -1"):
        run_sampled(CART_POLE.field(), policy, np.zeros((1, 4)), 1.0, delay=-1.0)
    with pytest.raises(ValueError, match="choose 1 to 5000 readings"):
        run_sampled(CART_POLE.field(), policy, np.zeros((1, 4)), 1.0, dt=1e-9)
