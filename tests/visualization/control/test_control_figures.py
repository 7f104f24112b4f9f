"""What the pictures of the control lesson show, and the sentences that follow from the numbers."""

import math

import numpy as np
import pytest

from node_core.studies.control.energy_config import EnergyConfig, EnergyResult, Way
from node_core.studies.control.gradient_config import GradientConfig, GradientResult
from node_core.studies.control.horizon_config import Course, HorizonConfig, HorizonResult
from node_core.studies.control.rivals_config import Rival, RivalsConfig, RivalsResult
from node_core.studies.control.robustness_config import RobustnessConfig, RobustnessResult
from node_core.training.control.config import ControlConfig
from node_core.visualization.control.curves import cost_info, gradient_info, success_info
from node_core.visualization.control.studies import (
    energy_info,
    horizon_info,
    rivals_info,
    robustness_info,
)
from node_core.visualization.control.studies import gradient_info as modes_info
from node_core.visualization.control.trial import trial_info
from node_core.visualization.training_curves import Run, curves_figure

BALANCE = ControlConfig("cart_pole", "balance", limit=10.0, horizon=3.0)
ROWS = [
    {"iteration": 1.0, "loss": 2.0, "success": 0.1, "gradient_norm": 30.0},
    {"iteration": 2.0, "loss": 1.0, "gradient_norm": 3.0},
]


def test_the_curves_are_the_history() -> None:
    run = Run("", ROWS)
    cost, success, norm = cost_info(run), success_info(run), gradient_info(run)
    assert (cost.log_y, norm.log_y, success.log_y) == (True, True, False)
    np.testing.assert_array_equal(cost.curves[0].y, [2.0, 1.0])
    np.testing.assert_array_equal(success.curves[0].x, [1.0])
    np.testing.assert_array_equal(success.curves[0].y, [10.0])
    np.testing.assert_array_equal(norm.curves[0].y, [30.0, 3.0])
    empty = success_info(Run("", []))
    assert empty.curves == ()
    assert curves_figure(empty).layout.annotations[0].text == "Press Play"


def test_a_trial_shows_cost_control_and_costate() -> None:
    arrays = {
        "path_ts": np.array([0.0, 1.0, 2.0]),
        "path_to_go": np.array([6.0, 1.0, 0.0]),
        "path_control": np.array([[5.0], [-5.0], [0.0]]),
        "costate_ts": np.array([2.0, 0.0]),  # the way back
        "costate": np.array([[0.0, 0.0], [-3.0, 0.005]]),
    }
    config = ControlConfig(effort=0.1)
    info = trial_info(arrays, config)
    assert info is not None
    np.testing.assert_array_equal(info.to_go.curves[0].y, [6.0, 1.0, 0.0])
    assert [curve.label for curve in info.costate.curves] == ["∂J/∂θ", "∂J/∂ω"]
    assert info.controls.curves[0].label == "torque (N m)"
    assert "6 is still to pay" in info.sentence
    assert "a little more θ would make it cheaper, by 3 a unit" in info.sentence
    assert trial_info({}, config) is None
    assert len(curves_figure(info.costate).data) == 2


def _course(name: str, norm: float, success: float, failed: str = "") -> Course:
    n = 40
    return Course(
        name, np.arange(1.0, n + 1), np.full(n, 3.0), np.ones(n), np.full(n, norm),
        np.array([20.0, 40.0]), np.array([0.0, success]), 1.0, failed,
    )  # fmt: skip


def test_the_horizons_sentence_compares_success_and_gradients() -> None:
    info = horizon_info(
        HorizonResult(
            HorizonConfig(), (_course("growing", 0.5, 0.97), _course("fixed", 100.0, 0.03, "It broke."))
        )
    )
    assert "After 40 iterations a growing horizon brings 97% of the held-out starts" in info.sentence
    assert "fixed from the first 3%" in info.sentence
    assert "200 times as long" in info.sentence
    assert info.sentence.endswith("it broke off: It broke.")
    assert [curve.label for curve in info.charts[1].curves] == ["growing", "fixed from the first"]


def test_a_mode_that_gave_up_is_said_to_have_given_up() -> None:
    asked = GradientConfig(BALANCE, ("backprop", "adjoint"), (0.5, 4.0))
    error = np.array([[1e-3, 2e-2], [1e-3, np.nan]])
    info = modes_info(GradientResult(asked, 0, np.array([1.0, 250.0]), error, np.ones((2, 2))))
    assert "At T = 4 s" in info.sentence
    assert "through the solver 0.02, adjoint gave up" in info.sentence
    assert "250 times as long" in info.sentence
    assert np.isnan(info.charts[0].curves[1].y[1])


def test_what_takes_years_is_told_in_years() -> None:
    hold = ControlConfig("lotka_volterra", "hold", limit=0.5)
    asked = GradientConfig(hold, ("backprop",), (0.5, 4.0))
    info = modes_info(GradientResult(asked, 0, np.ones(2), np.ones((1, 2)), np.ones((1, 2))))
    assert {chart.x_title for chart in info.charts} == {"horizon T (years)"}
    assert "At T = 4 years" in info.sentence and "From T = 0.5 years on" in info.sentence
    way = Way("net", np.array([0.0, 1.0]), np.ones((2, 2)), np.zeros((2, 1)), np.ones(2), 0.4, 2.0, 2.0)
    info = energy_info(EnergyResult(EnergyConfig(hold), 5, 2.0, (way,)))
    assert {chart.x_title for chart in info.charts} == {"t (years)"}
    assert info.sentence == "The net arrives after 2.0 years and uses full control for 0.4 years in sum."


def test_rivals_are_told_how_far_they_reach_without_a_gap() -> None:
    rivals = (
        Rival("net", np.array([1.0, 1.0, 1.0]), np.array([1.1, 2.2, 3.3])),
        Rival("lqr", np.array([1.0, 0.5, 1.0]), np.array([1.0, math.inf, 2.0])),
        Rival("ilqr", np.array([1.0, 1.0, 0.0]), np.array([1.0, 2.0, 9.0])),
    )
    info = rivals_info(RivalsResult(RivalsConfig(BALANCE), 5, np.array([0.1, 0.2, 0.4]), rivals))
    assert (
        "the net from as far as 0.4 rad, LQR from as far as 0.1 rad, iLQR from as far as 0.2 rad"
        in info.sentence
    )
    assert "the net pays 1.10 times what iLQR does" in info.sentence
    assert np.isnan(info.charts[1].curves[1].y[1])


def test_robustness_tells_the_span_that_each_withstands() -> None:
    asked = RobustnessConfig(BALANCE, "mass")
    success = np.array([[1.0, 1.0, 0.95], [0.2, 0.8, 0.1]])
    info = robustness_info(
        RobustnessResult(asked, 5, np.array([0.05, 0.1, 0.2]), 0.1, ("net", "lqr"), success)
    )
    assert info.sentence == (
        "Mass (kg): 90% of the starts succeed with the net from 0.05 to 0.2, and with LQR at none of these values."
    )
    np.testing.assert_array_equal(info.charts[0].curves[-1].x, [0.1, 0.1])


@pytest.mark.parametrize("energy", [True, False])
def test_energy_or_distance_along_each_way(energy: bool) -> None:
    run = ControlConfig() if energy else ControlConfig("unicycle", "reach", limit=1.0)
    plant = run.of_plant()
    ts = np.array([0.0, 1.0])
    x = np.ones((2, plant.dim))
    u = np.zeros((2, len(plant.controls)))
    ways = tuple(
        Way(name, ts, x, u, np.array([1.0, 9.81]) if energy else None, 0.4, arrival, 2.0)
        for name, arrival in (("net", 3.21), ("ilqr", math.inf))
    )
    info = energy_info(EnergyResult(EnergyConfig(run), 5, 9.81 if energy else None, ways))
    assert info.sentence.startswith(
        "The net arrives after 3.2 s and uses full control for 0.4 s in sum; iLQR does not"
    )
    assert info.charts[0].y_title == ("energy (J)" if energy else "distance from the target")
    assert len(info.charts[0].curves) == (3 if energy else 2)
