import numpy as np
import pytest
from scipy.integrate import solve_ivp

from node_core.data.series.made import event_rates, events, pendulum, sines, spirals
from node_core.data.series.real import co2, hares_and_lynxes, theophylline
from node_core.data.series.series import SeriesSet


@pytest.mark.parametrize("make", [spirals, pendulum, sines, events])
def test_made_sets_are_seeded_and_their_last_series_are_for_testing(make):
    first, again, other = (make(seed, n_train=6, n_test=3) for seed in (1, 1, 2))
    assert len(first.times) == 9 and first.n_test == 3
    for a, b in zip(first.values + first.times, again.values + again.times, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        a.shape != b.shape or (a != b).any()
        for a, b in zip(first.values + first.times, other.values + other.times, strict=True)
    )


def test_half_of_the_spirals_turn_clockwise_and_noise_is_what_was_asked_for():
    made = spirals(0, n_train=100, n_test=20, noise=0.3)
    turns = []
    for y in made.truth:
        step = np.diff(y - [5.0 if y[0, 0] > -2 and y[:, 0].mean() > 0 else -5.0, 0.0], axis=0)
        turns.append(np.sign((step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]).sum()))
    assert turns[:100].count(1.0) == turns[:100].count(-1.0) == 50
    assert turns[100:].count(1.0) == 10
    residual = np.concatenate(made.values) - np.concatenate(made.truth)
    assert residual.std() == pytest.approx(0.3, rel=0.02)
    assert abs(residual.mean()) < 0.01


def _pendulum(_, y):
    return [y[1], -np.sin(y[0]) - 0.1 * y[1]]


def test_no_two_series_of_a_pendulum_share_their_times_and_friction_takes_its_energy():
    made = pendulum(0, n_train=5, n_test=0, n_times=200, noise=0.0)
    assert all(ts[0] == 0 and ts[-1] == 12 for ts in made.times)
    assert not np.isclose(made.times[0][1:-1], made.times[1][1:-1]).any()
    for ts, y in zip(made.times, made.truth, strict=True):
        exact = solve_ivp(_pendulum, (0, 12.001), [y[0, 0], 0.0], t_eval=ts, rtol=1e-9, atol=1e-9).y[0]
        np.testing.assert_allclose(y[:, 0], exact, atol=1e-5)
        assert 0.5 * np.abs(y[0]) < np.abs(y[100:]).max() < 0.95 * np.abs(y[0])


def test_counts_of_events_are_the_integrals_of_their_rates():
    made = events(0, n_train=400, n_test=0)
    ts = np.linspace(0, 10, 2001)
    expected = np.trapezoid(event_rates(0, 400, ts), ts, axis=1)
    counts = np.array([len(series) for series in made.times])
    # A Poisson count has its mean as variance.
    z = (counts - expected) / np.sqrt(expected)
    assert abs(z.mean()) < 3 / np.sqrt(400)
    assert z.std() == pytest.approx(1, abs=0.12)


def test_hares_and_lynxes_are_howards_numbers():
    known = hares_and_lynxes()
    assert known.times[0].tolist() == list(range(1900, 1921))
    np.testing.assert_allclose(known.values[0].sum(axis=0), [715.7, 423.5])
    assert known.span == (1900.0, 1920.0)


def test_co2_has_its_59_gaps_and_its_known_mean():
    known = co2()
    assert known.values[0].shape == (2284, 1)
    assert np.isnan(known.values[0]).sum() == 59
    assert known.n_observed == 2225
    assert np.nanmean(known.values[0]) == pytest.approx(340.142, abs=1e-3)
    np.testing.assert_allclose(np.diff(known.times[0]), 7 / 365.25, rtol=3e-3)


def test_theophylline_has_twelve_patients_at_eleven_times():
    known = theophylline()
    assert [len(ts) for ts in known.times] == [11] * 12
    every = np.concatenate(known.values)
    # R: summary(Theoph$conc)
    assert every.mean() == pytest.approx(4.960, abs=5e-4) and np.median(every) == pytest.approx(5.275)
    assert known.series_names[11] == "patient 12"
    assert known.values[4].max() == 11.4


@pytest.mark.parametrize(
    ("times", "values", "says"),
    [
        ([0.0, 0.0], [[1.0], [2.0]], "do not increase"),
        ([1.0, 0.0], [[1.0], [2.0]], "do not increase"),
        ([0.0, 1.0], [[1.0], [np.inf]], "not finite"),
        ([0.0, np.nan], [[1.0], [2.0]], "not finite"),
        ([0.0, 1.0], [[np.nan], [np.nan]], "no observation"),
        ([], np.empty((0, 1)), "shape"),
        ([0.0, 1.0], [[1.0, 2.0]], "shape"),
    ],
)
def test_what_is_no_series_is_refused(times, values, says):
    with pytest.raises(ValueError, match=says):
        SeriesSet("own", "t", ("y",), (np.array(times),), (np.array(values),))


def test_scale_leaves_gaps_and_constants_alone():
    ys = np.array([[1.0, 5.0], [np.nan, 5.0], [3.0, 5.0]])
    made = SeriesSet("own", "t", ("a", "b"), (np.arange(3.0),), (ys,))
    centre, scale = made.scale()
    assert centre.tolist() == [2.0, 5.0] and scale.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("wrong", [{"noise": -1.0}, {"noise": float("nan")}, {"n_times": 1}, {"n_train": 0}])
def test_made_sets_refuse_what_they_cannot_make(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        spirals(0, **wrong)
