"""What is asked of models of series: known truths come out, and what makes no sense is refused."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from node_core.data.series.series import SeriesSet
from node_core.runs.state import TrainState
from node_core.studies.series import events, interaction, latent, observations, rates
from node_core.studies.series.questions_config import (
    EventsConfig,
    InteractionConfig,
    LatentConfig,
    ObservationsConfig,
    RatesConfig,
)
from node_core.training.series.config import SeriesConfig
from node_core.training.series.own import OwnSeries
from node_core.training.series.presets import HARES, SPIRALS, with_model
from node_core.training.series.train import SeriesTrainer, advance

SMALL = replace(SPIRALS, n_train=30, n_test=6, n_times=50, batch=8)


def state_of(config: SeriesConfig, iterations: int = 2) -> bytes:
    return pickle.dumps(advance(config, None, 100.0, most=iterations)[1])


def made(noise: float) -> SeriesConfig:
    """Prey and predator with known rates, as a user's own series."""
    t = np.linspace(0.0, 20.0, 41)
    theta = np.concatenate((np.log([0.55, 0.03, 0.8, 0.024]), np.log([30.0, 4.0])))
    values = np.exp(rates.curve(theta, t) + noise * np.random.default_rng(1).standard_normal((41, 2)))
    series = SeriesSet("own", "year", ("prey", "predator"), (t,), (values,))
    return replace(HARES, data="own", own=OwnSeries.of(series), holdout=0.0)


def test_rates_that_are_known_are_found() -> None:
    found = rates.run(RatesConfig(made(1e-4), starts=2))
    np.testing.assert_allclose(found.rates, [0.55, 0.03, 0.8, 0.024], rtol=1e-3)
    assert found.noise < 2e-4 and np.isnan(found.log_rmse_beyond)
    noisy = rates.run(RatesConfig(made(0.1), starts=2))
    assert ((noisy.low < [0.55, 0.03, 0.8, 0.024]) & (noisy.high > [0.55, 0.03, 0.8, 0.024])).all()
    assert noisy.noise == pytest.approx(0.1, rel=0.25)
    assert (noisy.high / noisy.low > found.high / found.low).all()


def test_hares_and_lynxes_have_the_rates_that_others_found() -> None:
    found = rates.run(RatesConfig(replace(HARES, holdout=0.0), starts=4))
    # posterior means of the Stan case study (Carpenter 2018), which has a prior and a noise for each animal
    np.testing.assert_allclose(found.rates, [0.55, 0.028, 0.80, 0.024], rtol=0.15)
    assert found.found >= 1 and found.observed.shape == (21, 2)
    np.testing.assert_allclose(np.diag(found.correlation), 1.0)
    inside = (found.curve_low <= found.curve * 1.02) & (found.curve <= found.curve_high * 1.02)
    assert inside.mean() > 0.95


def test_more_observations_are_given() -> None:
    runs = (SMALL, with_model(SMALL, "gru"))
    asked = ObservationsConfig(runs, (5, 20))
    found = observations.run(asked, *(state_of(run, 30) for run in runs))
    assert found.inside.shape == found.beyond.shape == (2, 2)
    assert np.isfinite(found.inside).all() and found.n_series == 6
    again = SeriesTrainer(replace(SMALL, observations=20), pickle.loads(state_of(SMALL, 30)))
    assert found.inside[0, 1] == pytest.approx(again.snapshot().scalars["rmse_inside"], rel=1e-5)


def test_a_net_that_is_zero_has_learned_nothing_and_the_truth_everything() -> None:
    config = with_model(HARES, "universal")
    raw = state_of(config, 1)
    state: TrainState = pickle.loads(raw)
    nothing = replace(state, parameters=np.zeros_like(state.parameters))
    found = interaction.run(InteractionConfig(config, cells=6), pickle.dumps(nothing))
    assert found.off_near == pytest.approx(1.0) and found.off_far == pytest.approx(1.0)
    assert found.learned.shape == (6, 6, 2)
    np.testing.assert_allclose(found.correlation, 0.0, atol=1e-3)
    np.testing.assert_allclose(found.learned, 0.0, atol=1e-6)
    # -beta y does not depend on x, and grows with y
    np.testing.assert_allclose(found.fitted[0, :, 0], found.fitted[-1, :, 0], atol=1e-9)
    assert (np.diff(found.fitted[0, :, 0]) < 0).all() and (np.diff(found.fitted[:, 0, 1]) > 0).all()


def test_one_coordinate_is_varied_around_the_series_that_is_shown() -> None:
    state = state_of(SMALL, 5)
    found = latent.run(LatentConfig(SMALL, coordinate=1, steps=5), state)
    shown = SeriesTrainer(SMALL, pickle.loads(state)).snapshot().arrays
    at = np.searchsorted(shown["curve_t"], found.ts[60] - 1e-9)
    np.testing.assert_allclose(found.curves[2, 60], shown["curve"][at], atol=0.02)
    np.testing.assert_allclose(found.offsets, [-2, -1, 0, 1, 2])
    assert found.curves.shape == (5, 121, 2) and found.influence.shape == (4,)
    assert not np.allclose(found.curves[0], found.curves[4])


def test_rates_of_events_stand_beside_averages() -> None:
    config = SeriesConfig(data="events", likelihood="poisson", n_train=20, n_test=10, observations=100)
    found = events.run(EventsConfig(config), state_of(config, 3))
    assert found.n_series == 10 and len(found.averages) == 4
    assert 0 < min(found.averages) < found.constant


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ObservationsConfig((HARES,)), "direct fit"),
        (lambda: ObservationsConfig((SMALL,), (20, 10)), "increasing"),
        (lambda: ObservationsConfig((SMALL, replace(SMALL, seed=1))), "different series"),
        (lambda: RatesConfig(SPIRALS), "logarithms"),
        (lambda: InteractionConfig(HARES), "universal"),
        (lambda: LatentConfig(SMALL, coordinate=9), "coordinate"),
        (lambda: EventsConfig(SMALL), "events"),
    ],
)
def test_questions_that_make_no_sense_are_refused(make: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()  # type: ignore[operator]


def test_series_that_can_not_be_fitted_are_refused() -> None:
    with pytest.raises(ValueError, match="two values"):
        rates.run(RatesConfig(replace(HARES, data="co2", log=True)))
    short = SeriesSet("own", "t", ("a", "b"), (np.arange(3.0),), (np.ones((3, 2)),))
    with pytest.raises(ValueError, match="too few"):
        rates.run(RatesConfig(replace(HARES, data="own", own=OwnSeries.of(short), holdout=0.0)))
