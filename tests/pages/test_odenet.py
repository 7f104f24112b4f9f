"""The ODE-Net page under Streamlit's own test harness: what the widgets ask of the run, and what is refused."""

import json
import pickle
import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from node_core.data.dataset import DataConfig
from node_core.data.toy import DATASETS
from node_core.training.checkpoint import load, pretrained, save
from node_core.training.config import TrainConfig
from node_core.training.live import LiveRuns
from pages.ui.live import live_runs
from pages.ui.odenet_checkpoint import checkpoint_bytes
from pages.ui.odenet_controls import LARGER, PRESETS, RESNET, begun, beside_configs, loss_for, show_config
from pages.ui.own_data import example_drawing
from tests.pages.harness import open_page, untroubled

opened = partial(open_page, "odenet")


def runs() -> LiveRuns:
    found = live_runs()
    assert isinstance(found, LiveRuns)
    return found


def token(at: AppTest, name: str = "run") -> str:
    """The query parameter: AppTest gives a list for what a test set, and a string for what the page set."""
    value = at.query_params[name]
    return value if isinstance(value, str) else value[0]


def config(at: AppTest, name: str = "run") -> TrainConfig:
    found = runs().look(token(at, name)).config
    assert isinstance(found, TrainConfig)
    return found


def components(at: AppTest, wanted: str) -> list[Any]:
    data = [json.loads(found.proto.json) for found in at.get("bidi_component")]
    return [entry for entry in data if wanted in entry]


def settled(at: AppTest, name: str = "run") -> None:
    """Wait for the chunk in flight."""
    give_up = time.monotonic() + 20
    while runs().look(token(at, name)).snapshot is None:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_the_page_opens_with_a_run_its_canvas_and_its_charts() -> None:
    at = opened()
    assert untroubled(at)
    assert config(at) == TrainConfig(data=DataConfig("circles"), start="circles")
    assert [canvas["token"] for canvas in components(at, "token")] == [token(at)]
    titles = [chart["figure"]["layout"]["yaxis"]["title"]["text"] for chart in components(at, "figure")]
    assert titles == ["loss", "NFE", "accuracy (%)", "step h"]
    assert "train(config" in at.code[0].value


def test_the_first_picture_is_a_trained_net_with_the_curves_of_its_training() -> None:
    at = opened()
    settled(at)
    history = runs().history(token(at))
    assert history[0]["iteration"] < 10 and history[0]["loss"] > 10 * history[-1]["loss"]
    assert history[-1]["iteration"] == pretrained("circles").state.iteration
    assert any("has learned for 300 iterations" in text.value for text in at.markdown)


def test_the_address_can_ask_for_random_weights() -> None:
    at = opened(start="From scratch")
    settled(at)
    assert untroubled(at)
    assert config(at).start == ""
    assert runs().history(token(at)) == []
    at.segmented_control(key="start").set_value("Already trained").run()
    assert config(at).start == "circles"


def test_a_net_that_nobody_trained_begins_at_random_and_offers_no_choice() -> None:
    at = opened(width="48")
    assert untroubled(at)
    assert config(at).start == ""
    assert not [control for control in at.segmented_control if control.key == "start"]


def test_what_comes_beside_a_run_that_plays_plays_too() -> None:
    at = opened(start="From scratch")
    runs().play(token(at))
    at.button(key="preset_flip").click().run()
    assert untroubled(at)
    assert [runs().look(token(at, name)).status for name in ("run", "larger", "resnet")] == ["running"] * 3


def test_a_live_change_keeps_the_run_and_a_structural_one_begins_anew() -> None:
    at = opened(start="From scratch")
    settled(at)
    runs().step(token(at))
    give_up = time.monotonic() + 20
    while not runs().history(token(at)):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    first = token(at)
    at.select_slider(key="lr").set_value(0.1).run()
    at.selectbox(key="method").set_value("euler").run()
    at.selectbox(key="reg").set_value("kinetic energy").run()
    assert untroubled(at)
    assert token(at) == first
    assert (config(at).lr, config(at).method, config(at).kinetic) == (0.1, "euler", 0.01)
    assert len(runs().history(first)) == 1  # not begun again
    at.slider(key="augment").set_value(1).run()
    assert config(at).augment == 1
    assert runs().history(first) == []


def test_a_preset_sets_the_data_and_what_stands_beside() -> None:
    at = opened()
    at.button(key="preset_flip").click().run()
    assert untroubled(at)
    assert config(at).loss == "flow_map"
    assert config(at, "larger").augment == 1
    assert config(at, "resnet").model == "resnet"
    assert len(components(at, "token")) == 3
    at.button(key="preset_annulus").click().run()
    assert untroubled(at)
    assert config(at).data.name == "annulus"
    assert len(components(at, "token")) == 2


def test_the_address_opens_the_page_as_it_was() -> None:
    at = opened(data="Two moons", lr="0.05", augment="2", beside=RESNET)
    assert untroubled(at)
    assert config(at).data.name == "moons"
    assert (config(at).lr, config(at).augment) == (0.05, 2)
    assert config(at, "resnet").augment == 2


def test_junk_in_the_address_is_answered_with_a_sentence_and_the_default() -> None:
    at = opened(data="Foo", lr="7")
    assert not at.exception
    said = at.warning[0].value.replace("\\", "")
    assert "data = Foo, which can't be used here; it is Two circles now" in said
    assert "lr = 7" in said
    assert config(at).lr == 0.01


def test_own_points_begin_with_an_example_drawing() -> None:
    at = opened(data="Your own points")
    assert untroubled(at)
    assert config(at).data == example_drawing()
    assert len(components(at, "points")[0]["points"]) == 28


def test_without_a_file_the_run_before_goes_on() -> None:
    at = opened(data="Two moons")
    at.selectbox(key="data").set_value("csv").run()
    assert not at.exception
    assert not at.error
    assert config(at).data.name == "moons"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b,c\n1,2,x\nnan,3,y\n1,1,x\n2,2,y\n", "Line 3, column 1"),
        (b"", "CSV is empty"),
        (b"1,2,x\n1,3,x\n2,2,x\n3,3,x\n", "Every row has the class"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_bad_file_is_told_in_a_sentence_and_nothing_is_lost(content: bytes, sentence: str) -> None:
    at = opened(data="Two moons")
    at.selectbox(key="data").set_value("csv").run()
    at.file_uploader(key="csv").upload("bad.csv", content, "text/csv").run()
    assert not at.exception
    assert [sentence in error.value for error in at.error] == [True]
    assert config(at).data.name == "moons"


def test_a_file_becomes_the_data() -> None:
    at = opened(data="Your CSV file")
    rows = "".join(f"{i % 7},{i % 5},{'ab'[i % 2]}\n" for i in range(40))
    at.file_uploader(key="csv").upload("good.csv", rows.encode(), "text/csv").run()
    assert untroubled(at)
    assert config(at).data.name == "csv"
    assert config(at).data.n == 40


def test_a_checkpoint_sets_the_widgets_and_the_weights() -> None:
    saved = pretrained("two_spirals")
    at = opened()
    settled(at)
    at.file_uploader(key="checkpoint").upload(
        "net.safetensors", save(saved.config, saved.state), "application/octet-stream"
    ).run()
    assert untroubled(at)
    assert config(at).data == saved.config.data
    assert at.select_slider(key="width").value == 48
    settled(at)
    written = load(checkpoint_bytes(token(at)))
    assert (written.state.parameters == saved.state.parameters).all()
    assert written.state.iteration == saved.state.iteration
    raw = runs().state(token(at))
    assert raw is not None
    assert pickle.loads(raw).iteration == saved.state.iteration


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x10\0\0\0\0\0\0\0{}" + b" " * 20])
def test_a_damaged_checkpoint_is_told_in_a_sentence(content: bytes) -> None:
    at = opened()
    before = token(at)
    at.file_uploader(key="checkpoint").upload("net.safetensors", content, "application/octet-stream").run()
    assert not at.exception
    assert ["This checkpoint can't be used" in error.value for error in at.error] == [True]
    assert token(at) == before


@pytest.mark.parametrize("study", ["Solver swap", "hλ cloud", "Regulariser race"])
def test_a_tab_computes_when_it_is_opened(study: str) -> None:
    at = opened()
    settled(at)
    at = opened(study=study, run=token(at))
    assert untroubled(at)
    count = {"Solver swap": 1, "hλ cloud": 1, "Regulariser race": 6}[study]
    assert len(at.get("plotly_chart")) == count


def test_studies_of_a_map_say_that_they_need_classes() -> None:
    at = opened(data="Sign flip in one dimension", study="hλ cloud")
    assert untroubled(at)
    assert any("judge a classifier" in info.value for info in at.info)


def test_what_stands_beside_differs_in_one_thing_only() -> None:
    plain = TrainConfig(data=DataConfig("annulus", noise=0.0), steer=0.3)
    names = [name for name, _, _ in beside_configs(plain, (LARGER, RESNET))]
    (_, _, first), (_, _, larger), (_, _, jumping) = beside_configs(plain, (LARGER, RESNET))
    assert names == ["run", "larger", "resnet"]
    assert first is plain
    assert (larger.augment, larger.model) == (1, "odenet")
    assert (jumping.augment, jumping.model, jumping.steer) == (0, "resnet", 0.0)
    assert {first.start, larger.start, jumping.start} == {""}
    ready = beside_configs(replace(plain, steer=0.0, start="annulus"), (LARGER, RESNET))
    assert [made.start for *_, made in ready] == ["annulus", "annulus_augmented", "annulus_resnet"]


@pytest.mark.parametrize("case", PRESETS)
def test_every_preset_begins_with_a_net_that_was_trained_as_the_preset_asks(case: str) -> None:
    values = PRESETS[case].values
    name = str(values["data"])
    asked = TrainConfig(
        data=DataConfig(name, values["n"], DATASETS[name].noise),
        hidden=(values["width"],) * 2,
        augment=values["augment"],
        loss=loss_for(name),
    )
    shown = beside_configs(begun(asked), tuple(values["beside"]))
    for *_, made in shown:
        found = pretrained(made.start).config
        assert found.data == made.data
        assert (found.lr, found.rtol) == (values["lr"], values["rtol"])


def test_a_net_that_the_widgets_cannot_show_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {})
    odd = TrainConfig(hidden=(48, 20))
    assert show_config(odd).hidden != odd.hidden
