"""The time series page under Streamlit's own test harness: what is asked, what is answered, and what is refused."""

import json
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from node_core.runs.snapshot import unpack
from node_core.training.series.config import SeriesConfig
from node_core.training.series.own import rows_of
from pages.ui.live.run import live_runs
from pages.ui.series import controls
from pages.ui.series.curve import _table
from pages.ui.series.edits import read_rows
from tests.pages.harness import LIMIT, open_page, run_token, untroubled

opened = partial(open_page, "series")


def config_of(at: AppTest, name: str = "run") -> SeriesConfig:
    config = live_runs().look(run_token(at, name)).config
    assert isinstance(config, SeriesConfig)
    return config


def picture_of(at: AppTest, name: str = "run") -> Any:
    token = run_token(at, name)
    deadline = time.monotonic() + LIMIT
    while (message := live_runs().poll(token).snapshot) is None:
        assert live_runs().look(token).error == ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return unpack(message)


def canvas_of(at: AppTest) -> dict[str, Any]:
    found = (json.loads(component.proto.json) for component in at.get("bidi_component"))
    return next(data for data in found if "editable" in data)


def test_the_page_opens_with_spirals_and_says_how_far_off_lines_are() -> None:
    at = opened()
    assert untroubled(at)
    config = config_of(at)
    assert (config.data, config.model, config.observations) == ("spirals", "latent_ode", 30)
    canvas = canvas_of(at)
    assert canvas["names"] == ["x", "y"] and canvas["editable"] and not canvas["edited"]
    picture = picture_of(at)
    assert picture.arrays["observed_x"].shape == (30, 2)
    assert picture.arrays["linear"].shape == picture.arrays["curve"].shape
    at = at.run()
    said = " ".join(text.value for text in at.markdown)
    assert "Root mean squares over 40 series" in said
    assert "train(config, every=20)" in at.code[0].value


@pytest.mark.parametrize(
    ("preset", "data", "model"),
    [
        ("hares", "hares", "lotka_volterra"),
        ("co2", "co2", "latent_ode"),
        ("spirals", "spirals", "latent_ode"),
    ],
)
def test_a_preset_begins_as_its_set_should(preset: str, data: str, model: str) -> None:
    at = opened(seed="5", lr="1.0")
    at.button(key=f"preset_{preset}").click().run()
    assert untroubled(at)
    config = config_of(at)
    assert (config.data, config.model, config.seed) == (data, model, 0)
    assert replace(config, start="") == controls.BASES[data]
    assert picture_of(at).scalars["status"] == "ok"


@pytest.mark.parametrize("name", ["co2", "hares", "theophylline", "pendulum", "sines", "events"])
def test_every_set_opens_without_trouble(name: str) -> None:
    at = opened(data=controls.SETS[name])
    assert untroubled(at)
    assert replace(config_of(at), start="") == controls.BASES[name]
    picture = picture_of(at)
    assert np.isfinite(picture.arrays["curve"]).all()
    if name == "co2":  # the longest gap, and what is said of it
        weeks = np.sort(np.concatenate((picture.arrays["observed_t"], picture.arrays["left_t"])))
        widest = np.diff(weeks).argmax()
        assert 18 < 52.18 * np.diff(weeks)[widest] < 20 and 1964 < weeks[widest] < 1964.2
        assert weeks[0] < 1964 < 1965 < weeks[-1]


@pytest.mark.parametrize("model", ["gru", "ode_rnn", "neural_ode", "universal"])
def test_every_model_opens_without_trouble_and_keeps_what_suits_it(model: str) -> None:
    at = opened(data=controls.SETS["hares"])
    at.selectbox(key="model").set_value(model).run()
    assert untroubled(at)
    assert config_of(at).model == model
    assert picture_of(at).scalars["series"] == "Hudson Bay"


def test_a_model_that_knows_two_animals_is_not_offered_for_one_value() -> None:
    at = opened(data=controls.SETS["co2"], model="Lotka-Volterra")
    assert config_of(at).model == "latent_ode"
    assert "which can't be used here" in at.warning[0].value


def test_the_curve_is_a_table_with_a_row_a_time() -> None:
    at = opened(data=controls.SETS["theophylline"])
    assert any(button.proto.label == "Download the curve (CSV)" for button in at.get("download_button"))
    lines = _table(run_token(at), config_of(at)).decode().splitlines()
    assert lines[0] == "time,theophylline (mg/L),theophylline (mg/L) low,theophylline (mg/L) high"
    assert len(lines) == 1 + len(picture_of(at).arrays["curve_t"])


def test_what_may_change_meanwhile_does_and_the_width_begins_anew() -> None:
    at = opened()
    token = run_token(at)
    picture_of(at)
    live_runs().step(token)
    deadline = time.monotonic() + LIMIT
    while not live_runs().history(token):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    at.slider(key="observations").set_value(12).run()
    at.select_slider(key="kl").set_value(1.0).run()
    at.number_input(key="shown").set_value(3).run()
    assert untroubled(at)
    config = config_of(at)
    assert (config.observations, config.kl_weight, config.shown) == (12, 1.0, 3)
    assert live_runs().history(token)  # it went on
    at.select_slider(key="width").set_value(16).run()
    assert config_of(at).hidden == (16, 16)
    assert not live_runs().history(token)


def test_a_net_beside_it_is_trained_on_the_same_series() -> None:
    at = opened(beside="GRU (an RNN)")
    assert untroubled(at)
    other = config_of(at, "beside")
    assert other.model == "gru"
    assert (other.data, other.observations, other.seed) == ("spirals", 30, 0)
    picture_of(at), picture_of(at, "beside")
    assert "GRU" in " ".join(text.value for text in at.run().markdown)


def test_junk_in_the_address_is_answered_with_a_sentence_and_the_default() -> None:
    at = opened(data="Nonsense", lr="[a](b)")
    assert not at.exception
    said = at.warning[0].value.replace("\\", "")
    assert "data = Nonsense, which can't be used here; it is Spirals now" in said
    assert config_of(at).data == "spirals"


CSV = "when;level\n" + "".join(f"{1 + k % 28}.{1 + k // 28}.2024;{k % 7},5\n" for k in range(60))


def test_an_own_table_is_read_and_learned_from() -> None:
    at = opened(data=controls.SETS["own"])
    assert not at.exception and not at.error
    assert "Choose a file" in at.info[0].value
    at.file_uploader(key="series csv").upload("mine.csv", CSV.encode(), "text/csv").run()
    assert untroubled(at)
    config = config_of(at)
    assert config.data == "own" and config.own.value_names == ("level",) and config.own.counts == (60,)
    said = " ".join(caption.value for caption in at.caption)
    assert "decimal comma" in said and "read as days since 2024-01-01" in said
    assert picture_of(at).scalars["t1"] == pytest.approx(62, abs=3)


def test_a_table_that_cannot_be_used_is_told_and_the_run_stays() -> None:
    at = opened(data=controls.SETS["own"])
    at.file_uploader(key="series csv").upload("mine.csv", b"t,y\n0,1\n1,two\n2,3\n3,4\n", "text/csv").run()
    assert not at.exception
    assert "Line 3, column 2 (y) is 'two'" in at.error[0].value.replace("\\", "")
    assert config_of(at).data == "spirals"


def test_changed_observations_reach_the_run_and_can_be_undone() -> None:
    at = opened()
    rows = [[0.5, -1.0, None], [1.0, 2.0, 1.5]]
    picked = at.session_state["series edits are of"]
    at.session_state["series edits"] = (picked[0], read_rows(rows, picked[1]))
    at = at.run()
    assert untroubled(at)
    assert rows_of(config_of(at).edited, 2).tolist()[1] == [1.0, 2.0, 1.5]
    assert canvas_of(at)["edited"]
    at.number_input(key="shown").set_value(1).run()  # another series has its own
    assert config_of(at).edited == b""
    at.number_input(key="shown").set_value(0).run()
    assert config_of(at).edited != b""


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("junk", "no observations"),
        ([], "give 1 to"),
        ([[0.0, 1.0]], "can't be read"),
        ([[0.0, 1.0, "x"]], "can't be read"),
        ([[0.0, 1.0, True]], "can't be read"),
        ([[None, 1.0, 2.0]], "not finite"),
        ([[0.0, 1.0, 1e400]], "can't be read"),
        ([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]], "same time"),
        ([[0.0, None, None]], "no observation is left"),
        ([[float(k), 1.0, 2.0] for k in range(401)], "more than 400"),
    ],
)
def test_observations_that_cannot_be_used_are_told_in_a_sentence(told: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_rows(told, 2)


def test_every_set_says_what_to_watch_for() -> None:
    assert set(controls.WATCH) == set(controls.SETS) == set(controls.BASES)
