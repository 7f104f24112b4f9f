"""Training on series: it learns, runs are the same however they are cut, files come back, edits answer at once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from node_core.data.series.real import hares_and_lynxes
from node_core.data.series.series import SeriesSet
from node_core.models.series.mechanistic import DirectFit
from node_core.runs.snapshot import pack, unpack
from node_core.runs.state import Kept
from node_core.training.series.checkpoint import load, save
from node_core.training.series.config import LIVE_FIELDS, SeriesConfig, needs_reset
from node_core.training.series.data import prepared
from node_core.training.series.own import OwnSeries, edited_rows
from node_core.training.series.presets import CO2, HARES, SPIRALS, with_model
from node_core.training.series.train import SeriesTrainer, advance, answer, keep, resume

SMALL = replace(SPIRALS, n_train=40, n_test=10, n_times=50, observations=15, batch=16)


@pytest.mark.parametrize("model", ["latent_ode", "ode_rnn", "gru"])
def test_a_model_of_spirals_learns(model: str) -> None:
    trainer = SeriesTrainer(replace(with_model(SMALL, model), lr=0.02))
    before = trainer.draw(dear=False).loss
    for _ in range(30):
        row = trainer.iterate()
    assert trainer.draw(dear=False).loss < 0.3 * before
    assert np.isfinite(row["log_likelihood"])


@pytest.mark.parametrize("model", ["lotka_volterra", "neural_ode", "universal"])
def test_a_direct_fit_looks_further_as_it_goes(model: str) -> None:
    trainer = SeriesTrainer(replace(with_model(HARES, model), grow=40))
    rows = [trainer.iterate() for _ in range(60)]
    horizons = [row["horizon"] for row in rows]
    assert horizons[0] == 3.0 and horizons == sorted(horizons) and horizons[-1] == 15.0
    early = [row["loss"] for row in rows if row["horizon"] == 3.0]
    assert early[-1] < early[0]


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, encoder="ode_rnn"),
        with_model(SMALL, "gru"),
        with_model(SMALL, "ode_rnn"),
        HARES,
        CO2,
        SeriesConfig(data="events", likelihood="poisson", n_train=20, n_test=5),
        SeriesConfig(data="theophylline", observations=8),
        SeriesConfig(data="pendulum", n_train=20, n_test=5, n_times=20, observations=12),
    ],
    ids=lambda config: f"{config.data}-{config.model}-{config.encoder}",
)
def test_the_picture_has_what_its_names_promise(config: SeriesConfig) -> None:
    trainer = SeriesTrainer(config)
    trainer.iterate()
    snapshot = unpack(pack(trainer.snapshot()))
    arrays, dim = snapshot.arrays, trainer.data.series.dim
    scalars: dict[str, Any] = dict(snapshot.scalars)
    k = len(arrays["curve_t"])
    for name in ("curve", "low", "high"):
        assert arrays[name].shape == (k, dim)
    inside = (arrays["curve_t"] >= scalars["t0"]) & (arrays["curve_t"] <= scalars["t1"])
    assert np.isfinite(arrays["curve"][inside]).all()
    assert (arrays["low"][inside] <= arrays["high"][inside]).all()
    assert arrays["curve_t"][0] < scalars["t0"] < scalars["split"] <= scalars["t1"] < arrays["curve_t"][-1]
    assert len(arrays["observed_t"]) <= config.observations
    assert arrays["observed_t"].max() <= scalars["split"] + 1e-3
    assert not np.isin(arrays["left_t"], arrays["observed_t"]).any()
    assert ("path" in arrays) == (scalars["phase"] != "")
    assert ("field_x" in arrays) == ("field_v" in arrays)
    assert isinstance(scalars["parameters"], int)


def test_observations_and_leftovers_are_the_data() -> None:
    trainer = SeriesTrainer(replace(HARES, observations=10))
    arrays = trainer.snapshot().arrays
    t = np.concatenate((arrays["observed_t"], arrays["left_t"]))
    x = np.concatenate((arrays["observed_x"], arrays["left_x"]))[t.argsort()]
    true = hares_and_lynxes()
    assert len(arrays["observed_t"]) == 10
    np.testing.assert_allclose(np.sort(t), true.times[0], atol=1e-6)
    np.testing.assert_allclose(x, true.values[0], rtol=1e-5)


def test_a_run_is_the_same_however_it_is_cut() -> None:
    _, whole = advance(SMALL, None, 100.0, most=4)
    _, state = advance(SMALL, None, 100.0, most=1)
    for _ in range(3):
        _, state = advance(SMALL, state, 100.0, most=1)
    np.testing.assert_array_equal(whole.parameters, state.parameters)


def test_edited_observations_answer_without_training() -> None:
    _, state = advance(SMALL, None, 100.0, most=3)
    before = answer(SMALL, state).arrays
    rows = np.column_stack((before["observed_t"], before["observed_x"]))
    same = answer(replace(SMALL, edited=edited_rows(rows, 2)), state)
    np.testing.assert_allclose(same.arrays["curve"], before["curve"], atol=1e-4)
    fewer = answer(replace(SMALL, edited=edited_rows(rows[:5], 2)), state)
    assert fewer.scalars["n_observed"] == fewer.scalars["n_edited"] == 10
    assert not np.allclose(fewer.arrays["curve"], before["curve"], atol=1e-3)
    assert len(fewer.arrays["left_t"]) == 45


def test_a_direct_fit_trains_on_with_edited_observations() -> None:
    rows = np.column_stack((hares_and_lynxes().times[0], hares_and_lynxes().values[0]))[:10]
    rows[:, 1:] *= 3.0
    edited = replace(HARES, edited=edited_rows(rows, 2))
    assert not needs_reset(HARES, edited)
    _, state = advance(HARES, None, 100.0, most=2)
    kept, _ = advance(HARES, state, 100.0, most=1)
    moved, _ = advance(edited, state, 100.0, most=1)
    assert moved.rows[0]["loss"] > kept.rows[0]["loss"] + 1.0


def test_a_file_brings_back_a_run_on_own_series() -> None:
    own = OwnSeries.of(hares_and_lynxes())
    config = replace(
        HARES, data="own", own=own, edited=edited_rows(np.array([[1901.0, 3.0, np.nan]]), 2), observations=9
    )
    snapshot, state = advance(config, None, 100.0, most=2)
    found, again, rows = load(save(config, state, snapshot.rows))
    assert found == config
    assert again.iteration == 2 and len(rows) == 2
    np.testing.assert_array_equal(again.parameters, state.parameters)
    wanted, resumed, _ = resume(SMALL, keep(config, state, snapshot.rows))
    assert wanted == config and resumed.structure == state.structure
    with pytest.raises(ValueError, match="other settings"):
        resume(SMALL, keep(HARES, advance(HARES, None, 100.0, most=1)[1], ()))


def test_fields_that_may_change_do_not_end_a_run() -> None:
    assert {"noise", "kl_weight", "lr", "method", "rtol", "observations", "edited"} <= set(LIVE_FIELDS)
    assert not needs_reset(SMALL, replace(SMALL, shown=3, noise=0.2, observations=20))
    assert needs_reset(SMALL, replace(SMALL, hidden=(16,)))
    assert needs_reset(HARES, replace(HARES, shown=1))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"observations": 0}, "observations"),
        ({"noise": float("nan")}, "noise"),
        ({"model": "lotka_volterra"}, "logarithms"),
        ({"data": "events"}, "poisson"),
        ({"data": "own"}, "OwnSeries"),
        ({"hidden": ()}, "hidden"),
        ({"data": "spiral"}, "did you mean"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(SMALL, **change)


def test_data_that_do_not_go_with_the_model_are_refused() -> None:
    with pytest.raises(ValueError, match="zero or negative"):
        prepared(replace(SMALL, log=True))
    with pytest.raises(ValueError, match="two values"):
        SeriesTrainer(replace(CO2, log=True, model="lotka_volterra"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]], "same time"),
        ([[np.nan, 1.0, 2.0]], "not finite"),
        ([[0.0, np.nan, np.nan]], "no observation"),
        ([[0.0, 1.0]], "3 numbers"),
        (np.zeros((0, 3)), "1 to 400"),
    ],
)
def test_edits_that_make_no_sense_are_refused(rows: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        edited_rows(np.array(rows), 2)


def test_an_edit_outside_of_the_window_is_refused() -> None:
    trainer = SeriesTrainer(replace(SMALL, edited=edited_rows(np.array([[99.0, 1.0, 1.0]]), 2)))
    with pytest.raises(ValueError, match="outside of"):
        trainer.snapshot()


def test_long_series_are_cut_into_windows_on_common_times() -> None:
    data = prepared(CO2)
    assert data.observed.values.shape[1] == 104
    i = int(data.test[3])
    t, mask = data.observed.times.numpy(), data.observed.mask[i, :, 0].numpy()
    found = data.to_data(i, t, data.observed.values[i].double().numpy())[mask, 0]
    true = data.series.values[0][:, 0]
    first = int(np.searchsorted(data.series.times[0], data.origins[i]))
    np.testing.assert_allclose(found, true[first : first + 104][mask], atol=0.02)
    assert set(data.train.tolist()).isdisjoint(data.test.tolist())


def test_a_series_that_begins_late_says_so_and_stops_nobody() -> None:
    t = np.linspace(0.0, 10.0, 11)
    late = np.array([9.5, 10.0])
    values = (np.sin(t)[:, None], np.ones((2, 1)))
    config = replace(SMALL, data="own", own=OwnSeries.of(SeriesSet("own", "t", ("x",), (t, late), values)))
    with pytest.raises(ValueError, match="series 2 has no observation up to 8"):
        SeriesTrainer(config).snapshot()
    early = replace(config, own=OwnSeries.of(SeriesSet("own", "t", ("x",), (late, t), values[::-1])))
    with pytest.raises(ValueError, match="no series was observed"):
        SeriesTrainer(early)


def test_a_curve_that_explodes_outside_of_the_data_stops_nothing() -> None:
    trainer = SeriesTrainer(HARES)
    model = trainer.model
    assert isinstance(model, DirectFit)
    with torch.no_grad():
        model.y0.copy_(torch.tensor([3.0, 3.5]))
    arrays = trainer.draw(dear=False).arrays
    assert np.isnan(arrays["curve"]).any() or np.isfinite(arrays["curve"]).all()
    tight = replace(HARES, method="euler", dt=1.0)
    with torch.no_grad():
        model.y0.copy_(torch.tensor([0.3, 0.2]))
    again = SeriesTrainer(tight, trainer.export()).draw(dear=False).arrays
    assert len(again["curve"]) == len(again["curve_t"])


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize("model", ["latent_ode", "gru", "ode_rnn", "neural_ode"])
def test_two_or_three_rows_are_learned(rows: int, model: str) -> None:
    t = np.arange(float(rows))
    own = OwnSeries.of(SeriesSet("own", "t", ("x",), (t,), (t[:, None] ** 2,)))
    trainer = SeriesTrainer(replace(with_model(SMALL, model), data="own", own=own))
    trainer.iterate()
    assert np.isfinite(trainer.snapshot().arrays["curve"]).any()


def test_a_picture_alone_has_the_errors_of_its_own_settings() -> None:
    _, state = advance(SMALL, None, 100.0, most=5)
    fewer = replace(SMALL, observations=3)
    picture, _ = advance(fewer, state, 0.0)
    exact = SeriesTrainer(fewer, state)
    exact.kept = Kept()
    assert picture.scalars["rmse_inside"] == exact.snapshot().scalars["rmse_inside"]
    assert picture.scalars["rmse_inside"] != advance(SMALL, state, 0.0)[0].scalars["rmse_inside"]
