"""The controllers: one formula, three sets of coefficients."""

from __future__ import annotations

import math

import pytest

from node_core.solvers.controllers import CONTROLLERS, Controller, ControllerState, controller_named

EACH = pytest.mark.parametrize("name", list(CONTROLLERS))


@EACH
@pytest.mark.parametrize("ratio", [0.0, 1e-12, 0.5, 1.0])
def test_an_error_within_the_tolerance_is_accepted(name: str, ratio: float) -> None:
    assert CONTROLLERS[name].apply(ControllerState(), ratio, 4)[0]


@EACH
@pytest.mark.parametrize("ratio", [1.0 + 1e-12, 7.0, 1e300, math.inf, math.nan])
def test_an_error_beyond_the_tolerance_is_rejected_and_shortens_the_step(name: str, ratio: float) -> None:
    accepted, factor, state = CONTROLLERS[name].apply(ControllerState(0.3, 0.2), ratio, 4)
    assert not accepted
    assert 0 < factor < 1
    assert state == ControllerState(0.3, 0.2, rejected=True)  # only accepted steps make history


@EACH
@pytest.mark.parametrize("ratio", [0.0, 1e-9, 0.4, 1.0])
def test_the_step_accepted_right_after_a_rejection_does_not_grow(name: str, ratio: float) -> None:
    controller = CONTROLLERS[name]
    for bad in (1.5, 40.0, math.inf, math.nan):
        state = controller.apply(ControllerState(0.3, 0.2), bad, 4)[2]
        accepted, factor, state = controller.apply(state, ratio, 4)
        assert accepted
        assert factor <= 1.0
        # The next one may: it is judged as if nothing had been rejected.
        assert state == controller.apply(ControllerState(0.3, 0.2), ratio, 4)[2]


@EACH
def test_the_change_of_the_step_stays_within_its_bounds(name: str) -> None:
    controller = CONTROLLERS[name]
    for ratio in (0.0, 1e-300, 1e-30, 1e-3, 0.9, 1.0, 3.0, 1e9, 1e299, math.nan):
        for state in (ControllerState(), ControllerState(1e-8, 1e-8), ControllerState(1.0, 1e-8)):
            factor = controller.apply(state, ratio, 7)[1]
            assert controller.smallest <= factor <= controller.largest


def test_the_integral_controller_aims_at_the_tolerance_times_its_safety() -> None:
    for order in (1, 2, 4, 7):
        k = order + 1
        for ratio in (0.01, 0.3, 1.0):
            factor = CONTROLLERS["i"].apply(ControllerState(), ratio, order)[1]
            assert factor == pytest.approx(min(10.0, 0.9 * ratio ** (-1 / k)), rel=1e-14)


def test_pi_follows_hairer_and_wanner() -> None:
    # dopri5.f: fac = err^(0.2 - 0.75 beta) / facold^beta with beta = 0.04, h_new = safety * h / fac
    factor = CONTROLLERS["pi"].apply(ControllerState(0.2, 0.7), 0.5, 4)[1]
    assert factor == pytest.approx(0.9 * 0.5**-0.17 * 0.2**0.04, rel=1e-14)


def test_a_step_far_too_short_does_not_hold_the_next_ones_back() -> None:
    for tiny in (0.0, 1e-12):
        state = CONTROLLERS["pi"].apply(ControllerState(), tiny, 4)[2]
        assert state.previous == 1e-4


def test_pid_follows_kennedy_and_carpenter() -> None:
    # Their gains k_I = 0.25, k_P = 0.14, k_D = 0.1: beta = (k_I + k_P + k_D, -(k_P + 2 k_D), k_D).
    factor = CONTROLLERS["pid"].apply(ControllerState(0.2, 0.7), 0.5, 4)[1]
    expected = 0.9 * 0.5 ** (-0.49 / 5) * 0.2 ** (0.34 / 5) * 0.7 ** (-0.1 / 5)
    assert factor == pytest.approx(expected, rel=1e-14)


@EACH
def test_a_steady_error_at_the_tolerance_needs_the_sum_of_beta_positive(name: str) -> None:
    controller = CONTROLLERS[name]
    assert sum(controller.beta) > 0
    low = controller.apply(ControllerState(0.01, 0.01), 0.01, 4)[1]
    high = controller.apply(ControllerState(0.99, 0.99), 0.99, 4)[1]
    assert low > 1 > high


def test_pi_with_zero_proportional_gain_is_i() -> None:
    pi = Controller("pi", (1.0, 0.0, 0.0))
    state = ControllerState(0.1, 0.4)
    for ratio in (1e-4, 0.2, 0.8, 1.7, 40.0):
        assert pi.apply(state, ratio, 4) == CONTROLLERS["i"].apply(state, ratio, 4)


def test_accepted_errors_move_through_the_memory() -> None:
    state = ControllerState()
    for ratio in (0.5, 0.3):
        state = CONTROLLERS["pid"].apply(state, ratio, 4)[2]
    assert state == ControllerState(0.3, 0.5)
    state = CONTROLLERS["pid"].apply(state, 0.0, 4)[2]
    assert state.previous > 0  # a zero would make the next factor infinite


@EACH
def test_on_a_model_of_the_error_it_settles_just_below_the_tolerance(name: str) -> None:
    # error = C dt^5 with a slowly changing C: what a smooth problem looks like
    controller, dt, state, ratios = CONTROLLERS[name], 1e-3, ControllerState(), []
    for n in range(200):
        ratio = 3e4 * (1 + 0.5 * math.sin(0.02 * n)) * dt**5
        _, factor, state = controller.apply(state, ratio, 4)
        ratios.append(ratio)
        dt *= factor
    settled = ratios[50:]
    assert max(settled) <= 1.0
    # Settled where safety^k e^(-sum beta) = 1; that is far below 1 only for small sums of beta.
    expected = 0.9 ** (5 / sum(controller.beta))
    assert min(settled) > 0.6 * expected
    assert max(settled) < 1.6 * expected


def test_an_unknown_controller_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"controller='pip' is none of 'i', 'pi', 'pid'"):
        controller_named("pip")
