"""How a method's way ended: exploded, or only following a solution that does, or where f has no value."""

import numpy as np
import pytest

from node_core.solvers.methods import METHODS
from node_core.studies.solvers import race
from node_core.studies.solvers.race_config import FORMULA, Problem, RaceConfig

ALL = [name for name in METHODS if not name.startswith("scipy_")]


def typed(formula: str, y0: float, end: float) -> Problem:
    return Problem(FORMULA, (y0,), (0.0, end), (), (("x", formula),))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    ("formula", "y0", "end"),
    [("-sqrt(x)", 1.0, 2.0), ("log(x)", 0.5, 0.379), ("x*sqrt(1 - t)", 1.0, 1.0)],
)
def test_a_field_without_a_value_is_undefined_and_not_exploded(method, formula, y0, end):
    lane = race.run(RaceConfig(typed(formula, y0, 3.0), (method,), dt=0.1)).lanes[0]
    if lane.status == "done":  # an implicit step may come to rest where the square root ends
        assert formula == "-sqrt(x)"
        return
    assert lane.exploded_at is None
    assert not lane.status.startswith("exploded")
    assert "undefined" in lane.status or "Newton" in lane.status
    assert np.isfinite(lane.step_y).all()
    # Euler lags behind, and does not look at where its last step leads.
    assert end - 0.35 < lane.step_t[-1] <= end + (0.2 if method == "euler" else 0.11)


@pytest.mark.parametrize("method", ALL)
def test_a_method_that_follows_a_solution_out_of_all_bounds_has_not_exploded(method):
    lane = race.run(RaceConfig(typed("x", 1.0, 200.0), (method,), dt=0.02)).lanes[0]
    assert lane.exploded_at is None
    assert not lane.failed
    assert lane.status.startswith("left all bounds at t = ")
    assert lane.status.endswith("as the solution does")


def test_a_method_that_goes_on_past_the_end_of_the_solution_is_not_done():
    lane = race.run(RaceConfig(typed("x^2", 1.0, 1.2), ("euler",), dt=0.1)).lanes[0]
    assert lane.status == "ran past t = 1, where the solution leaves all bounds"
    assert lane.failed
    assert lane.final_error == np.inf


@pytest.mark.parametrize("method", ["dopri5", "dopri8", "bosh3", "rodas5p"])
def test_an_adaptive_method_that_follows_a_solution_to_its_pole_has_not_failed(method):
    lane = race.run(RaceConfig(typed("x^2", 1.0, 1.2), (method,))).lanes[0]
    assert lane.status == "left all bounds at t = 1, as the solution does"
    assert not lane.failed
    assert lane.step_y[-1, 0] > 1e3


@pytest.mark.parametrize("method", ALL)
def test_a_solution_that_only_grows_is_known_to_its_end_and_done(method):
    result = race.run(RaceConfig(typed("x", 1.0, 60.0), (method,), dt=0.1, rtol=1e-8))
    lane = result.lanes[0]
    assert result.reference_t[-1] == 60.0 and not result.reference_note
    np.testing.assert_allclose(result.reference_y[:, 0], np.exp(result.reference_t), rtol=1e-8)
    assert (lane.status, lane.failed) == ("done", False)
    assert np.isfinite(lane.final_error)


@pytest.mark.parametrize(("formula", "y0", "end"), [("-sqrt(x)", 1.0, 2.0), ("log(x)", 0.5, 0.379)])
def test_where_the_solution_itself_ends_nothing_has_failed(formula, y0, end):
    lane = race.run(RaceConfig(typed(formula, y0, 3.0), ("dopri5",))).lanes[0]
    assert "undefined" in lane.status
    assert not lane.failed


@pytest.mark.parametrize("dt", [0.0015, 0.002])
@pytest.mark.parametrize("method", ["rk4", "rk4_38", "implicit_euler"])
def test_the_shortest_step_of_the_slider_is_not_too_long_a_race(method, dt):
    """Work is counted, not time: what the slider allows is done."""
    problem = Problem("linear_spiral", (2.0, 0.0), (0.0, 15.0))
    lane = race.run(RaceConfig(problem, (method,), dt=dt)).lanes[0]
    assert lane.status == "done"
    assert lane.n_accepted == round(15.0 / dt)


@pytest.mark.parametrize("method", ["euler", "heun", "rk4", "dopri5"])
def test_an_explosion_costs_what_it_took_until_then(method):
    decay = Problem("linear_decay", (1.0,), (0.0, 10.0), (("rate", 10.0),))
    lane = race.run(RaceConfig(decay, (method, "rodas5p"), dt=0.5, rtol=1e-1)).lanes[0]
    assert lane.n_accepted == lane.step_t.size - 1
    assert lane.n_accepted == np.count_nonzero(lane.attempt_accepted)
    assert lane.n_rejected == lane.rejected_y.shape[0]
    assert (lane.exploded_at is None) == METHODS[method].adaptive
    if lane.exploded_at is not None:
        assert lane.step_t[-1] == lane.exploded_at < 10.0
        assert lane.nfe == {"euler": 1, "heun": 2, "rk4": 4}[method] * lane.n_accepted
        assert (lane.attempt_t < lane.exploded_at).all()
