import math
import pickle

import numpy as np
import pytest

from node_core.fields.systems.systems import SYSTEMS
from node_core.studies.solvers import order, race, stability, work
from node_core.studies.solvers.problem import eigenvalues
from node_core.studies.solvers.race_config import (
    FORMULA,
    OrderConfig,
    Problem,
    RaceConfig,
    StabilityConfig,
    WorkConfig,
)
from node_core.studies.solvers.reference import reference
from node_core.visualization.solvers.stability import stability_info

DECAY = Problem("linear_decay", (1.0,), (0.0, 10.0), (("rate", 10.0),))
SPIRAL = Problem("linear_spiral", (2.0, 0.0), (0.0, 15.0), (("a", -0.1), ("b", 2.0)))
PENDULUM = Problem("pendulum", (2.8, 0.0), (0.0, 5.0), (("omega", 1.0), ("damping", 0.1)))


def test_euler_spirals_out_where_the_solution_winds_in():
    result = race.run(RaceConfig(SPIRAL, ("euler", "dopri5"), dt=0.1))
    euler, dopri = result.lanes
    assert np.hypot(*euler.step_y[-1]) > 2 * np.hypot(*euler.step_y[0])
    assert np.hypot(*dopri.step_y[-1]) < 0.5 * np.hypot(*dopri.step_y[0])
    assert euler.final_error > 1000 * dopri.final_error
    assert euler.n_accepted == 150
    assert euler.nfe == 150


def test_every_step_is_a_point_of_the_curve_and_the_errors_are_those_of_the_steps():
    lane = race.run(RaceConfig(SPIRAL, ("rk4", "dopri5"), dt=0.1)).lanes[1]
    assert np.isin(lane.step_t, lane.curve_t).all()
    truth = reference(SPIRAL).y
    assert truth is not None
    exact = truth(lane.step_t)
    np.testing.assert_allclose(lane.step_error, np.abs(lane.step_y - exact).max(axis=1), atol=1e-14)
    assert lane.step_t[-1] == pytest.approx(15.0)


def test_an_explosion_is_dated_and_its_noise_dropped():
    # |1 - 10 * 0.5| = 4 a step: past 100 after four steps, at t = 2
    lane = race.run(RaceConfig(DECAY, ("euler", "rk4"), dt=0.5)).lanes[0]
    assert lane.exploded_at == pytest.approx(2.0)
    assert lane.status == "exploded at t = 2"
    assert lane.step_t[-1] == pytest.approx(2.0)
    assert lane.final_error == math.inf
    assert np.abs(lane.step_y[-1]).max() == pytest.approx(4.0**4)


def test_a_solution_that_ends_in_finite_time_is_no_crash():
    problem = Problem(FORMULA, (1.0,), (0.0, 2.0), (), (("x", "x^2"),))  # 1 / (1 - t)
    result = race.run(RaceConfig(problem, ("euler", "dopri5"), dt=0.01))
    assert result.lanes[1].status != "done"
    assert result.lanes[1].step_t[-1] == pytest.approx(1.0, abs=0.05)
    assert "reference" in result.reference_note


def test_rejected_attempts_carry_the_state_they_set_out_from():
    problem = Problem("sudden_bend", (1.0, 0.0), (0.0, 6.0), tuple(SYSTEMS["sudden_bend"].defaults.items()))
    lane = race.run(RaceConfig(problem, ("euler", "dopri5"), dt=0.1)).lanes[1]
    assert lane.n_rejected > 0
    assert lane.rejected_y.shape == (lane.n_rejected, 2)
    bend = 3.0
    shortest = lane.attempt_t[lane.attempt_accepted][1:-1][
        np.argmin(lane.attempt_dt[lane.attempt_accepted][1:-1])
    ]
    assert abs(shortest - bend) < 0.5  # it shortens its steps where the field bends


def test_the_direction_field_is_the_field():
    result = race.run(RaceConfig(SPIRAL, ("euler", "rk4")))
    assert result.field is not None
    x, y = result.field.x, result.field.y
    np.testing.assert_allclose(result.field.u, -0.1 * x - 2.0 * y)
    np.testing.assert_allclose(result.field.v, 2.0 * x - 0.1 * y)


@pytest.mark.parametrize("key", SYSTEMS)
def test_every_system_races_with_its_defaults(key):
    system = SYSTEMS[key]
    frame = system.frame()
    span = (frame.t_span[0], frame.t_span[0] + 0.1 * (frame.t_span[1] - frame.t_span[0]))
    problem = Problem(key, system.y0, span, tuple(system.defaults.items()), atol_ratio=1e-6)
    result = race.run(RaceConfig(problem, ("rk4", "rodas5p"), dt=(span[1] - span[0]) / 200))
    assert result.lanes[1].status == "done"
    assert result.lanes[1].final_error < 1e-2
    assert pickle.loads(pickle.dumps(result)).state_names == system.state_names


def test_eigenvalues_follow_the_jacobian_or_differences_of_it():
    t = np.array([0.0])
    assert eigenvalues(SPIRAL, t, np.array([[1.0, 1.0]]))[0].imag == pytest.approx([2.0, -2.0])
    typed = Problem(FORMULA, (1.0, 0.0), (0.0, 1.0), (), (("x", "-0.1*x - 2*y"), ("y", "2*x - 0.1*y")))
    values = eigenvalues(typed, t, np.array([[1.0, 1.0]]))[0]
    assert values.real == pytest.approx([-0.1, -0.1], abs=1e-6)


def test_leaving_the_region_and_exploding_are_seen_together():
    config = RaceConfig(DECAY, ("euler", "implicit_euler"), dt=0.5)
    euler, implicit = stability.run(StabilityConfig(config)).lanes
    np.testing.assert_allclose(euler.h_lambda, -5.0)
    np.testing.assert_allclose(euler.growth, 4.0)
    np.testing.assert_allclose(implicit.growth, 1 / 6)


def test_a_multistep_method_has_no_region_and_is_named():
    config = RaceConfig(DECAY, ("dopri5", "scipy_lsoda"))
    result = stability.run(StabilityConfig(config))
    assert [lane.method for lane in result.lanes] == ["dopri5"]
    assert "LSODA" in result.note


def test_the_step_at_a_time_is_that_of_the_step_which_covers_it():
    lane = race.run(RaceConfig(SPIRAL, ("dopri5", "euler"))).lanes[0]
    accepted = lane.attempt_accepted
    middle = lane.attempt_t[accepted] + 0.5 * lane.attempt_dt[accepted]
    np.testing.assert_array_equal(stability.step_at(lane, middle), lane.attempt_dt[accepted])
    assert np.isnan(stability.step_at(lane, np.array([99.0]))).all()


@pytest.mark.parametrize("problem", [SPIRAL, PENDULUM], ids=["spiral", "pendulum"])
def test_measured_slopes_are_the_orders(problem):
    result = order.run(OrderConfig(problem, ("euler", "heun", "rk4", "dopri5")))
    for curve in result.curves:
        assert curve.slope == pytest.approx(curve.order, abs=0.2), curve.method


def test_a_slope_is_fitted_above_the_floor_only():
    dt = np.array([2.0**-k for k in range(8)])
    error = np.maximum(dt**4 * 1e-2, 1e-13)
    fitted, slope = order.fit(dt, np.where(dt < 0.02, 1e-13, error), 1.0)
    assert slope == pytest.approx(4.0)
    assert not fitted[-2:].any()


def test_too_few_points_give_no_slope():
    fitted, slope = order.fit(np.array([1.0, 0.5]), np.array([0.1, 0.01]), 1.0)
    assert not fitted.any()
    assert math.isnan(slope)


def test_a_tighter_setting_costs_more_and_is_more_accurate():
    for curve in work.run(WorkConfig(DECAY, ("rk4", "dopri5"))).curves:
        seen = np.isfinite(curve.error)
        assert seen.sum() >= 5
        assert curve.nfe[seen][-1] > curve.nfe[seen][0]
        assert curve.error[seen][-1] < 1e-3 * curve.error[seen][0]


def test_euler_s_way_out_of_a_closed_orbit_is_said_beside_its_stability():
    values = {"alpha": 1.5, "beta": 1.0, "gamma": 3.0, "delta": 1.0}
    orbit = Problem("lotka_volterra", (1.0, 1.0), (0.0, 12.0), tuple(values.items()))
    config = RaceConfig(orbit, ("euler", "dopri5"), dt=0.05)
    said = [stability_info(lane, 0).sentence for lane in stability.run(StabilityConfig(config)).lanes]
    for lane, sentence in zip(race.run(config).lanes, said, strict=True):
        x, y = lane.step_y.T
        kept = x - 3 * np.log(x) + y - 1.5 * np.log(y)  # the same all along an exact orbit
        assert ("more than it should" in sentence) == bool(kept[-1] > 1.2 * kept[0]), lane.label


@pytest.mark.parametrize("method", ["euler", "implicit_euler"])
def test_a_step_of_first_order_is_drawn_straight(method: str) -> None:
    problem = Problem("linear_spiral", (2.0, 0.0), (0.0, 4.0))
    lane = race.run(RaceConfig(problem, (method, "rk4"), dt=0.4)).lanes[0]
    assert lane.curve_t.size > 5 * lane.step_t.size
    for i in (0, 1):
        chords = np.interp(lane.curve_t, lane.step_t, lane.step_y[:, i])
        np.testing.assert_allclose(lane.curve_y[:, i], chords, atol=1e-12)
