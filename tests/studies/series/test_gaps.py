import pickle
from dataclasses import replace

import numpy as np
import pytest

from node_core.data.series.real import hares_and_lynxes
from node_core.studies.series.curve import curve_table
from node_core.studies.series.gaps import run
from node_core.studies.series.gaps_config import BASELINE_LABELS, GapsConfig
from node_core.studies.series.saved import read_run
from node_core.studies.series.snippets import gaps_snippet, train_snippet
from node_core.training.series.checkpoint import save
from node_core.training.series.config import SeriesConfig
from node_core.training.series.own import OwnSeries
from node_core.training.series.presets import HARES
from node_core.training.series.train import initial_state

SMALL = SeriesConfig(n_train=4, n_test=3, n_times=40, hidden=(4,), encoder_hidden=4, observations=20)


def asked(*configs):
    return run(GapsConfig(configs), *(pickle.dumps(initial_state(config)) for config in configs))


def test_all_are_asked_on_the_same_series_and_the_smoothing_spline_beats_an_untrained_model_inside():
    result = asked(SMALL)
    assert result.n_series == 3 and result.truth
    assert [score.name for score in result.baselines] == list(BASELINE_LABELS)
    (model,) = result.models
    smoothing = result.baselines[-1]
    assert model.name == "latent_ode"
    assert smoothing.inside < 0.35 < model.inside
    assert all(score.beyond > 0 for score in (model, *result.baselines))


def test_straight_lines_through_the_hares_are_as_far_off_as_computed_by_hand():
    result = asked(HARES)
    known = hares_and_lynxes()
    late = known.times[0] > 1915
    last = np.log(known.values[0][~late][-1])  # straight lines go on as they ended
    by_hand = np.sqrt(((np.log(known.values[0][late]) - last) ** 2).mean())
    assert result.baselines[0].beyond == pytest.approx(by_hand, rel=1e-4)
    assert result.models[0].inside is None  # every year of the past was given
    assert result.n_series == 1


def test_events_know_no_lines():
    events = SeriesConfig(
        data="events", likelihood="poisson", n_train=4, n_test=2, hidden=(4,), encoder_hidden=4
    )
    result = asked(events)
    assert result.baselines == ()
    assert result.models[0].inside > 0


def test_models_of_different_series_are_not_compared():
    with pytest.raises(ValueError, match="different series"):
        GapsConfig((SMALL, HARES))


def test_the_curve_becomes_a_table():
    arrays = {
        "curve_t": np.array([1900.0, 1900.5], np.float32),
        "curve": np.array([[1.0, 2.0], [np.nan, 4.0]], np.float32),
        "low": np.array([[0.0, 1.0], [np.nan, 3.0]], np.float32),
        "high": np.array([[2.0, 3.0], [np.nan, 5.0]], np.float32),
    }
    assert curve_table(arrays, ("a", "b, c")) == (
        'time,a,a low,a high,"b, c","b, c low","b, c high"\n1900,1,0,2,2,1,3\n1900.5,,,,4,3,5\n'
    )


def test_a_saved_run_comes_back_and_one_with_too_few_weights_does_not():
    state = initial_state(SMALL)
    found = read_run(save(SMALL, state))
    assert found.config == SMALL
    np.testing.assert_array_equal(found.state.parameters, state.parameters)
    short = replace(
        state, **{name: getattr(state, name)[:-1] for name in ("parameters", "moment_1", "moment_2")}
    )
    with pytest.raises(ValueError, match="weights"):
        read_run(save(SMALL, short))


@pytest.mark.parametrize("snippet", [train_snippet, gaps_snippet])
@pytest.mark.parametrize("config", [SMALL, SeriesConfig(data="own", own=OwnSeries.of(hares_and_lynxes()))])
def test_the_code_behind_the_pictures_runs(snippet, config, tmp_path, monkeypatch, capsys):
    (tmp_path / "series.csv").write_text("t,y\n" + "".join(f"{k},{k % 3}\n" for k in range(12)))
    monkeypatch.chdir(tmp_path)
    code = snippet(config).replace("every=20", "every=1").replace("), 6)", "), 2)")
    exec(compile(code, "snippet", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) >= 2
