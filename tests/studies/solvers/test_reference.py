"""The reference of the race: right, or not drawn."""

import math

import numpy as np
import pytest

from node_core.fields.systems.systems import SYSTEMS
from node_core.studies.solvers import order, race, work
from node_core.studies.solvers.race_config import FORMULA, OrderConfig, Problem, RaceConfig, WorkConfig
from node_core.studies.solvers.reference import reference

PULSE = "100*heaviside(t - 5)*heaviside(5.01 - t) - x"


def typed(text: str, y0: float, end: float, **options) -> Problem:
    return Problem(FORMULA, (y0,), (0.0, end), (), (("x", text),), **options)


def states(problem: Problem, t: np.ndarray) -> np.ndarray:
    truth = reference(problem)
    assert truth.y is not None
    assert truth.t_end == problem.t_span[1], truth.note
    return truth.y(t)


def test_a_pulse_that_one_solver_steps_over_ends_the_reference_before_it() -> None:
    problem = typed(PULSE, 0.0, 10.0)
    truth = reference(problem)
    assert 4.9 < truth.t_end < 5.0
    assert "LSODA and Rodas5P, disagree from t = 5.0" in truth.note
    result = race.run(RaceConfig(problem, ("rk4", "dopri5"), dt=0.005))
    right, wrong = result.lanes
    # What rk4 finds is right, what dopri5 finds is not; no error is told of either.
    assert right.step_y[-1, 0] == pytest.approx(math.exp(-4.995), rel=0.01)
    assert wrong.step_y[-1, 0] == 0.0
    assert right.status == wrong.status == "done"
    assert math.isnan(right.final_error)
    assert math.isnan(wrong.final_error)
    assert result.reference_t[-1] == truth.t_end


def test_a_pulse_whose_edges_are_known_is_solved_in_pieces() -> None:
    problem = typed(PULSE, 0.0, 10.0, jumps=(5.0, 5.01))
    t = np.linspace(0.0, 10.0, 2001)
    inside, after = np.clip(t - 5.0, 0.0, 0.01), np.maximum(t - 5.01, 0.0)
    exact = 100.0 * (1.0 - np.exp(-inside)) * np.exp(-after)
    np.testing.assert_allclose(states(problem, t)[:, 0], exact, atol=1e-10)
    told = race.run(RaceConfig(problem, ("rk4", "dopri5", "scipy_lsoda"), dt=0.1, tell_jumps=True))
    assert all(lane.final_error < 1e-5 for lane in told.lanes)
    untold = race.run(RaceConfig(problem, ("dopri5", "rodas5p")))
    assert all(lane.final_error == pytest.approx(math.exp(-4.995), rel=0.01) for lane in untold.lanes)


@pytest.mark.parametrize("text", ["heaviside(t - 5) - x", "sign(sin(t)) - x"])
def test_a_step_that_no_solver_can_miss_needs_no_word(text: str) -> None:
    assert reference(typed(text, 1.0, 20.0)).note == ""


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1e5])
def test_the_reference_is_as_good_for_a_tiny_solution(size: float) -> None:
    t = np.linspace(0.0, 10.0, 101)
    np.testing.assert_allclose(states(typed("-x", size, 10.0), t)[:, 0], size * np.exp(-t), rtol=1e-8)


@pytest.mark.parametrize("size", [1e-12, 1e-3])
def test_the_error_of_a_tiny_solution_is_its_own(size: float) -> None:
    lane = race.run(RaceConfig(typed("-x", size, 10.0), ("rk4", "euler"), dt=0.01)).lanes[0]
    # dt^4 / 120 of the decay for each unit of time: rk4's, and not the reference's
    assert lane.final_error == pytest.approx(10 * 0.01**4 / 120 * size * math.exp(-10), rel=0.02)


def test_a_tiny_solution_may_begin_at_rest() -> None:
    t = np.linspace(0.0, 10.0, 101)
    found = states(typed("1e-12*sin(t)", 0.0, 10.0), t)
    np.testing.assert_allclose(found[:, 0], 1e-12 * (1 - np.cos(t)), atol=1e-20)


def test_chaos_ends_the_reference_where_two_solvers_part() -> None:
    system = SYSTEMS["lorenz"]
    truth = reference(Problem("lorenz", system.y0, (0.0, 25.0), tuple(system.defaults.items())))
    assert 12.0 < truth.t_end < 20.0
    assert "two solvers of different kinds, DOP853 and Rodas5P, disagree" in truth.note


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("van_der_pol", {"mu": 1000.0}),
        ("van_der_pol", {"mu": 50.0}),
        ("robertson", {}),
        ("fitzhugh_nagumo", {}),
        ("lotka_volterra", {}),
    ],
)
def test_two_solvers_agree_to_the_end_where_there_is_no_chaos(key: str, values: dict[str, float]) -> None:
    system = SYSTEMS[key]
    span = system.frame(**values).t_span
    problem = Problem(
        key, system.y0, span, tuple({**system.defaults, **values}.items()), atol_ratio=system.atol_ratio
    )
    truth = reference(problem)
    assert truth.note == ""
    assert truth.t_end == span[1]


# -- the struck oscillator ----------------------------------------------------------------------------------------

STRUCK = Problem(
    "struck_oscillator", (0.0, 0.0), (0.0, 20.0), tuple(SYSTEMS["struck_oscillator"].defaults.items())
)
ADAPTIVE = ("dopri5", "rodas5p", "scipy_lsoda")


def test_a_solver_that_is_told_nothing_never_learns_of_the_blow() -> None:
    assert STRUCK.all_jumps == (5.0, 5.01)
    for lane in race.run(RaceConfig(STRUCK, ADAPTIVE)).lanes:
        assert not lane.step_y.any()
        assert lane.final_error > 0.1
        assert lane.status == "done"


@pytest.mark.parametrize("options", [{"tell_jumps": True}, {"max_step": 0.004}])
def test_a_word_or_a_longest_step_lets_it_see_the_blow(options: dict) -> None:
    for lane in race.run(RaceConfig(STRUCK, ADAPTIVE, rtol=1e-6, **options)).lanes:
        assert lane.final_error < 1e-3


def test_fixed_steps_are_right_only_when_they_are_told() -> None:
    for tell in (False, True):
        result = race.run(RaceConfig(STRUCK, ("rk4", "midpoint"), dt=0.1, tell_jumps=tell))
        assert [lane.final_error < 5e-3 for lane in result.lanes] == [tell, tell]


def test_the_work_study_is_told_what_the_race_is_told() -> None:
    for tell in (False, True):
        curve = work.run(WorkConfig(STRUCK, ("dopri5",), tell_jumps=tell)).curves[0]
        assert (curve.error[-1] < 1e-6) == tell


def test_the_order_is_measured_before_f_jumps() -> None:
    values = tuple({**SYSTEMS["struck_oscillator"].defaults, "strike": 2.0}.items())
    problem = Problem("struck_oscillator", (1.0, 0.0), (0.0, 20.0), values)
    result = order.run(OrderConfig(problem, ("rk4", "dopri5")))
    assert result.t_end == 2.0
    assert [round(curve.slope) for curve in result.curves] == [4, 5]
