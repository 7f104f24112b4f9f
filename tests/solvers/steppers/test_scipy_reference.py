"""SciPy's solvers behind one function: same answers, every step, and failures as a status."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from node_core.solution import Status
from node_core.solvers.events import Event
from node_core.solvers.steppers.scipy_reference import scipy_solve
from node_core.solvers.steppers.scipy_solvers import SCIPY_METHODS
from tests.solvers.stiff_problems import ForcedPendulum, VanDerPol, reference, robertson

Y0 = np.array([1.0, 0.3])
EACH = pytest.mark.parametrize("name", SCIPY_METHODS)


@EACH
@pytest.mark.parametrize("t1", [6.0, -6.0])
def test_it_agrees_with_dop853_in_both_directions_of_time(name: str, t1: float) -> None:
    f, ts = ForcedPendulum(), [0.0, t1 / 3, t1]
    result = scipy_solve(name, f, Y0, ts, rtol=1e-9, atol=1e-9)
    exact = [Y0, *(reference(f, Y0, 0.0, t) for t in ts[1:])]
    assert result.status is Status.SUCCESS
    np.testing.assert_allclose(result.ys, exact, rtol=0, atol=3e-7)
    assert result.t_end == t1


@EACH
def test_its_steps_are_all_recorded_and_join_the_ends(name: str) -> None:
    rows = np.array(scipy_solve(name, ForcedPendulum(), Y0, [0.0, 4.0]).rows)
    assert rows[0, 0] == 0.0
    np.testing.assert_allclose(rows[:-1, 0] + rows[:-1, 1], rows[1:, 0], rtol=1e-14)
    assert rows[-1, 0] + rows[-1, 1] == pytest.approx(4.0, abs=1e-14)
    assert rows[:, 3].all()


@EACH
def test_its_evaluations_are_counted_exactly(name: str) -> None:
    calls, f = 0, ForcedPendulum()

    def counting(t: float, y: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return np.asarray(f(t, y))

    assert scipy_solve(name, counting, Y0, [0.0, 4.0]).nfe == calls


@EACH
def test_its_dense_output_is_as_good_as_its_steps(name: str) -> None:
    f = ForcedPendulum()
    result = scipy_solve(name, f, Y0, [0.0, 4.0], rtol=1e-10, atol=1e-10)
    times = np.linspace(0.0, 4.0, 37)
    exact = solve_ivp(f, (0.0, 4.0), Y0, method="DOP853", rtol=1e-13, atol=1e-13, t_eval=times).y.T
    np.testing.assert_allclose(result.dense(times), exact, rtol=0, atol=1e-7)
    np.testing.assert_allclose(result.dense(times[::-1]), exact[::-1], rtol=0, atol=1e-7)
    with pytest.raises(ValueError, match="outside what was solved"):
        result.dense([4.5])


@EACH
def test_a_batch_of_states_is_solved_in_its_own_shape(name: str) -> None:
    f, batch = VanDerPol(2.0), np.array([[1.0, 0.3], [-0.5, 2.0], [0.1, 0.1]])
    together = scipy_solve(name, f, batch, [0.0, 2.0], 1e-10, 1e-10, jacobian=f.jacobian)
    assert together.ys.shape == (2, 3, 2)
    for row, end in zip(batch, together.ys[-1], strict=True):
        np.testing.assert_allclose(end, reference(f, row, 0.0, 2.0), rtol=0, atol=1e-7)


@EACH
def test_an_event_stops_it_at_the_root(name: str) -> None:
    result = scipy_solve(
        name,
        lambda t, y: np.array([y[1], -y[0]]),
        np.array([1.0, 0.0]),
        [0.0, 1.0, 5.0],
        1e-10,
        1e-10,
        event=Event(lambda t, y: y[0]),
    )
    assert result.status is Status.EVENT
    assert result.t_end == pytest.approx(math.pi / 2, abs=1e-8)
    np.testing.assert_allclose(result.y_end, [0.0, -1.0], atol=1e-8)
    assert len(result.ys) == 2, "only t = 0 and t = 1 lie before the event"


@pytest.mark.parametrize("name", ["scipy_lsoda", "scipy_radau"])
def test_a_stiff_reaction_is_solved_with_the_given_jacobian(name: str) -> None:
    def jacobian(t: float, y: np.ndarray) -> np.ndarray:
        _, b, c = y
        return np.array(
            [[-0.04, 1e4 * c, 1e4 * b], [0.04, -1e4 * c - 6e7 * b, -1e4 * b], [0.0, 6e7 * b, 0.0]]
        )

    result = scipy_solve(name, robertson, np.array([1.0, 0, 0]), [0, 1e4], 1e-8, 1e-12, jacobian=jacobian)
    assert result.status is Status.SUCCESS
    assert result.n_jacobians > 0
    assert result.y_end.sum() == pytest.approx(1.0, abs=1e-6)
    other = scipy_solve("scipy_radau", robertson, np.array([1.0, 0, 0]), [0, 1e4], 1e-9, 1e-13)
    np.testing.assert_allclose(result.y_end, other.y_end, rtol=1e-5)


@EACH
def test_a_blow_up_ends_with_a_status_and_what_was_solved(name: str) -> None:
    result = scipy_solve(name, lambda t, y: y * y, np.array([1.0]), [0.0, 0.5, 2.0], max_steps=5000)
    assert result.status in (Status.STEP_UNDERFLOW, Status.NON_FINITE)
    assert result.t_end == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(result.ys[:, 0], [1.0, 2.0], rtol=1e-4)


@EACH
def test_a_field_that_becomes_nan_ends_with_a_status(name: str) -> None:
    result = scipy_solve(name, lambda t, y: -y if t < 1 else y * np.nan, Y0, [0.0, 10.0])
    assert result.status is Status.NON_FINITE
    assert result.t_end <= 1.0


@EACH
def test_the_limits_on_steps_and_on_time_end_it_with_a_status(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = scipy_solve(name, ForcedPendulum(), Y0, [0.0, 10.0], max_steps=3)
    assert (result.status, len(result.rows)) == (Status.MAX_STEPS, 3)
    assert "raise max_steps" in result.message

    clock = itertools.count()
    monkeypatch.setattr("node_core.solvers.clock.time.thread_time", lambda: 0.01 * next(clock))
    result = scipy_solve(name, lambda t, y: -y, Y0, [0.0, 100.0], 1e-9, 1e-9, time_limit=0.055)
    assert result.status is Status.TIME_LIMIT
    # read once at the start; f was called five times, and the sixth was too late
    assert next(clock) == 7


@EACH
def test_an_error_of_the_field_comes_through_unchanged(name: str) -> None:
    def broken(t: float, y: np.ndarray) -> np.ndarray:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        scipy_solve(name, broken, Y0, [0.0, 1.0])
    with pytest.raises(ValueError, match=r"f returned shape \(1,\) for a state of shape \(2,\)"):
        scipy_solve(name, lambda t, y: y[:1], Y0, [0.0, 1.0])


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'scipy_bdf' is unknown: choose one of scipy_lsoda"):
        scipy_solve("scipy_bdf", ForcedPendulum(), Y0, [0.0, 1.0])
