import numpy as np
import pytest

from node_core.models.series.baselines import BASELINES, baseline, recalled

T = np.array([0.0, 0.5, 2.0, 3.0, 4.5, 6.0, 7.0, 8.5, 9.0, 10.0])


@pytest.mark.parametrize("name", BASELINES)
def test_a_straight_line_is_found_by_all_and_gone_on_with_by_splines(name):
    x = np.stack([2 * T + 1, -T], axis=1)
    ts = np.linspace(0, 10, 31)
    np.testing.assert_allclose(baseline(name, T, x, ts), np.stack([2 * ts + 1, -ts], axis=1), atol=1e-6)
    beyond = baseline(name, T, x, np.array([-1.0, 12.0]))[:, 0]
    np.testing.assert_allclose(beyond, [1, 21] if name == "linear" else [-1, 25], atol=1e-5)


def test_lines_and_the_cubic_spline_go_through_every_observation_and_the_smoothing_one_does_not():
    x = np.sin(T)[:, None] + 0.3 * np.random.default_rng(0).standard_normal((10, 1))
    for name in ("linear", "cubic"):
        np.testing.assert_allclose(baseline(name, T, x, T), x, atol=1e-9)
    assert np.abs(baseline("smoothing", T, x, T) - x).max() > 0.05


def test_smoothing_is_nearer_to_the_truth_than_interpolation_where_there_is_noise():
    rng = np.random.default_rng(1)
    t = np.sort(rng.uniform(0, 6, 40))
    ts = np.linspace(t[0], t[-1], 200)
    x = np.sin(t)[:, None] + 0.3 * rng.standard_normal((40, 1))
    off = {name: np.sqrt(((baseline(name, t, x, ts)[:, 0] - np.sin(ts)) ** 2).mean()) for name in BASELINES}
    assert off["smoothing"] < 0.6 * off["linear"] and off["smoothing"] < 0.6 * off["cubic"]


def test_the_unit_of_time_changes_nothing():
    x = np.cos(T)[:, None]
    ts = np.linspace(-1, 11, 25)
    for name in BASELINES:
        np.testing.assert_allclose(
            baseline(name, T, x, ts), baseline(name, 1900 + 1e-3 * T, x, 1900 + 1e-3 * ts), atol=1e-6
        )


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_observations_and_gaps_are_enough(name, count):
    x = np.full((10, 2), np.nan)
    x[:count, 0] = T[:count]
    found = baseline(name, T, x, T)
    assert np.isfinite(found[:, 0]).all() and np.isnan(found[:, 1]).all()
    np.testing.assert_allclose(found[:count, 0], T[:count], atol=1e-9)


def test_what_was_asked_before_is_remembered_and_equal():
    x = np.sin(T)[:, None]
    first = recalled("smoothing", T, x, T)
    assert recalled("smoothing", T.copy(), x.copy(), T.copy()) is first
    np.testing.assert_array_equal(first, baseline("smoothing", T, x, T))
