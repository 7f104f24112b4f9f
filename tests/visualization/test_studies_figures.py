import numpy as np
import pytest

from node_core.studies.solvers.race_config import (
    OrderConfig,
    OrderCurve,
    OrderResult,
    Problem,
    StabilityLane,
    WorkConfig,
    WorkCurve,
    WorkResult,
)
from node_core.visualization.loglog import log_figure
from node_core.visualization.solvers.convergence import order_figure, order_info
from node_core.visualization.solvers.stability import stability_figure, stability_info
from node_core.visualization.solvers.work_precision import work_info

PROBLEM = Problem("linear_decay", (1.0,), (0.0, 1.0), (("rate", 1.0),))


def euler_lane(h_lambda: list[complex]) -> StabilityLane:
    z = np.array(h_lambda, dtype=complex)
    re, im = np.linspace(-3, 1, 41), np.linspace(-2, 2, 41)
    grid = np.abs(1 + re[None, :] + 1j * im[:, None])
    t = np.arange(z.size, dtype=float)
    return StabilityLane("euler", "Euler", t, np.ones(z.size), z, np.abs(1 + z), re, im, grid, "R(z) = 1 + z")


def test_h_lambda_outside_the_region_is_marked_and_said():
    info = stability_info(euler_lane([-1.0, -2.5]), 0)
    np.testing.assert_array_equal(info.inside, [True, False])
    assert info.sentence == "Euler: 1 of 2 values of hλ lie outside; the worst is amplified 1.5 times a step."
    names = [trace.name for trace in stability_figure(info).data]
    assert names == ["|R(z)| <= 1", "|R(z)| = 1", "damped", "amplified"]


def test_h_lambda_inside_the_region_is_said_to_be_damped():
    info = stability_info(euler_lane([-1.0, -0.5 + 0.5j]), 0)
    assert info.inside.all()
    assert info.sentence == "Euler: every hλ lies inside, so no step amplifies an error."


def test_a_growing_solution_is_no_fault_of_the_method():
    info = stability_info(euler_lane([0.5]), 0)
    assert info.inside.all()
    assert "the solution itself grows" in info.sentence
    assert "should multiply by 1.649 there multiplies by 1.5: what grows, grows less" in info.sentence
    assert [trace.name for trace in stability_figure(info).data][2:] == ["grows by itself"]


def test_what_grows_where_it_should_not_is_not_called_damped():
    # |1 + 0.1 + i| = 1.49, where the solution grows by e^0.1: Euler spirals out of a closed orbit
    sentence = stability_info(euler_lane([0.1 + 1j, -0.5]), 0).sentence
    assert "1 of 2 values of hλ have a positive real part" in sentence
    assert (
        "should multiply by 1.105 there multiplies by 1.487: what grows, grows more than it should"
        in sentence
    )


def test_the_same_value_along_a_path_is_one_value():
    sentence = stability_info(euler_lane([-0.01 + 0.2j, -0.01 - 0.2j] * 60), 0).sentence
    assert sentence == "Euler: 2 of 2 values of hλ lie outside; the worst is amplified by 1 % a step."


def test_h_lambda_beyond_the_picture_sits_on_its_edge():
    info = stability_info(euler_lane([-1000.0]), 0)
    assert info.clipped == 1
    np.testing.assert_array_equal(info.point_re, [-3.0])


def test_the_shading_is_where_the_method_damps():
    info = stability_info(euler_lane([-1.0]), 0)
    shaded = np.asarray(stability_figure(info).data[0].z)
    assert shaded[20, 20] == 1.0  # z = -1
    assert np.isnan(shaded[20, 40])  # z = +1


def order_result(error: list[float], slope: float, fitted: list[bool]) -> OrderResult:
    curve = OrderCurve("rk4", "RK4", 4, np.array([1.0, 0.5, 0.25]), np.array(error), np.array(fitted), slope)
    return OrderResult(OrderConfig(PROBLEM, ("rk4",)), (curve,), 1.0, "")


def test_the_fitted_line_goes_through_errors_of_its_slope():
    line = order_info(order_result([1e-1, 1e-1 / 16, 1e-1 / 256], 4.0, [True] * 3)).lines[0]
    assert line.label == "RK4: slope 4.00 (order 4)"
    np.testing.assert_allclose(line.fit_dt, [0.25, 1.0])
    np.testing.assert_allclose(line.fit_error, [1e-1 / 256, 1e-1])


def test_without_a_slope_there_is_no_line_and_the_label_says_so():
    info = order_info(order_result([np.nan, 1e9, 0.5], float("nan"), [False] * 3))
    assert info.lines[0].label == "RK4: no slope (order 4)"
    assert info.lines[0].fit_dt.size == 0
    np.testing.assert_array_equal(info.lines[0].error, [0.5])
    assert order_figure(info).data[0].marker.symbol == ("square-open",) or len(order_figure(info).data) == 1


def test_points_left_out_of_the_fit_are_hollow():
    figure = order_figure(order_info(order_result([1e-1, 1e-2, 1e-3], 3.3, [False, True, True])))
    assert list(figure.data[0].marker.symbol) == ["circle-open", "circle", "circle"]


def test_work_is_sorted_and_failures_are_left_out():
    curve = WorkCurve(
        "dopri5",
        "DP5",
        np.array([1e-2, 1e-4, 1e-6]),
        np.array([1e-3, np.nan, 1e-6]),
        np.array([300.0, 200.0, 100.0]),
        np.array([0.3, 0.2, 0.1]),
    )
    result = WorkResult(WorkConfig(PROBLEM, ("dopri5",)), (curve,), "")
    info = work_info(result, "nfe")
    assert info.x_title == "function evaluations"
    np.testing.assert_array_equal(info.series[0].x, [100.0, 300.0])
    np.testing.assert_array_equal(info.series[0].y, [1e-6, 1e-3])
    np.testing.assert_array_equal(info.series[0].hover, [1e-6, 1e-2])
    np.testing.assert_array_equal(work_info(result, "seconds").series[0].x, [0.1, 0.3])
    figure = log_figure(info)
    assert figure.layout.xaxis.type == "log"
    assert figure.data[0].name == "DP5"


@pytest.mark.parametrize("work", ["nfe", "seconds"])
def test_a_diagram_of_nothing_can_be_drawn(work):
    empty = WorkCurve("euler", "Euler", *(np.full(2, np.nan) for _ in range(4)))
    figure = log_figure(work_info(WorkResult(WorkConfig(PROBLEM, ("euler",)), (empty,), ""), work))
    assert len(figure.data[0].x) == 0
