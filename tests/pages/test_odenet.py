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
from node_core.runs.scheduler import LiveRuns
from node_core.training.classifier.checkpoint import load, pretrained, save
from node_core.training.classifier.config import TrainConfig
from pages.ui.live.run import live_runs
from pages.ui.odenet.checkpoint import CHECKPOINTS
from pages.ui.odenet.controls import (
    COARSE,
    LARGER,
    PRESETS,
    RESNET,
    begun,
    beside_configs,
    loss_for,
    show_config,
)
from pages.ui.odenet.own_data import example_drawing
from tests.pages.harness import open_page, run_token, untroubled

opened = partial(open_page, "odenet")


def runs() -> LiveRuns:
    found = live_runs()
    assert isinstance(found, LiveRuns)
    return found


def config(at: AppTest, name: str = "run") -> TrainConfig:
    found = runs().look(run_token(at, name)).config
    assert isinstance(found, TrainConfig)
    return found


def components(at: AppTest, wanted: str) -> list[Any]:
    data = [json.loads(found.proto.json) for found in at.get("bidi_component")]
    return [entry for entry in data if wanted in entry]


def settled(at: AppTest, name: str = "run") -> None:
    """Wait for the chunk in flight."""
    give_up = time.monotonic() + 20
    while runs().look(run_token(at, name)).snapshot is None:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_the_page_opens_with_a_run_its_canvas_and_its_charts() -> None:
    at = opened()
    assert untroubled(at)
    assert config(at) == TrainConfig(data=DataConfig("circles"), start="circles")
    assert [canvas["token"] for canvas in components(at, "token")] == [run_token(at)]
    titles = [chart["figure"]["layout"]["yaxis"]["title"]["text"] for chart in components(at, "figure")]
    assert titles == ["loss", "NFE", "accuracy (%)"]
    assert "train(config" in at.code[0].value


def test_the_first_picture_is_a_trained_net_with_the_curves_of_its_training() -> None:
    at = opened()
    settled(at)
    history = runs().history(run_token(at))
    assert history[0]["iteration"] < 10 and history[0]["loss"] > 10 * history[-1]["loss"]
    assert history[-1]["iteration"] == pretrained("circles").state.iteration
    assert any("first 300 iterations were run beforehand" in text.value for text in at.markdown)


def test_the_address_can_ask_for_random_weights() -> None:
    at = opened(start="From scratch")
    settled(at)
    assert untroubled(at)
    assert config(at).start == ""
    assert runs().history(run_token(at)) == []
    at.segmented_control(key="start").set_value("Already trained").run()
    assert config(at).start == "circles"


def test_a_net_that_nobody_trained_begins_at_random_and_offers_no_choice() -> None:
    at = opened(width="48")
    assert untroubled(at)
    assert config(at).start == ""
    assert not [control for control in at.segmented_control if control.key == "start"]


def test_what_comes_beside_a_run_that_plays_plays_too() -> None:
    at = opened(start="From scratch")
    runs().play(run_token(at))
    at.button(key="preset_flip").click().run()
    assert untroubled(at)
    assert [runs().look(run_token(at, name)).status for name in ("run", "larger", "resnet")] == [
        "running"
    ] * 3


def test_a_live_change_keeps_the_run_and_a_structural_one_begins_anew() -> None:
    at = opened(start="From scratch")
    settled(at)
    runs().step(run_token(at))
    give_up = time.monotonic() + 20
    while not runs().history(run_token(at)):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    first = run_token(at)
    at.select_slider(key="lr").set_value(0.1).run()
    at.selectbox(key="method").set_value("euler").run()
    at.selectbox(key="reg").set_value("kinetic energy").run()
    assert untroubled(at)
    assert run_token(at) == first
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


def test_a_key_to_somebody_else_s_run_opens_nothing_and_goes_out_of_the_address() -> None:
    theirs = opened(start="From scratch")
    settled(theirs)
    keys = {"run": run_token(theirs), "larger": run_token(theirs), "resnet": run_token(theirs)}
    at = opened(**keys, lr="0.05", beside=[LARGER, RESNET])
    assert untroubled(at)
    mine = {run_token(at, name) for name in ("run", "larger", "resnet")}
    assert len(mine) == 3 and run_token(theirs) not in mine
    assert config(theirs).lr == 0.01
    assert not set(at.query_params) & set(keys)


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
        (b"\xff\xfe", "CSV is empty"),
        (b"\xff\xfa", "not UTF-8"),
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


def test_the_columns_of_a_file_can_be_chosen() -> None:
    at = opened(data="Your CSV file")
    rows = "".join(f"t{i},{'ab'[i % 2]},{i % 7},{i % 5},{i % 3}\n" for i in range(40))
    at.file_uploader(key="csv").upload("good.csv", ("town,kind,x,y,z\n" + rows).encode(), "text/csv").run()
    assert untroubled(at)
    data = config(at).data
    assert (data.n, len(data.points[0]), set(data.labels)) == (40, 3, {0, 1})
    assert any("left out: town" in caption.value.replace("\\", "") for caption in at.caption)
    (chosen,) = [box for box in at.selectbox if box.label == "Class"]
    chosen.set_value("z").run()
    (features,) = [box for box in at.multiselect if box.label == "Features"]
    assert features.value == ["x", "y"]
    features.set_value(["y"]).run()
    assert untroubled(at)
    data = config(at).data
    assert (len(data.points[0]), set(data.labels)) == (1, {0, 1, 2})
    (features,) = [box for box in at.multiselect if box.label == "Features"]
    features.set_value(["y", "town"]).run()
    assert "Line 2, column 1" in at.error[0].value
    assert config(at).data == data  # what was chosen before stays
    (header,) = [box for box in at.checkbox if "names" in box.label]
    header.uncheck().run()
    assert not at.exception
    assert "line 1, column 3" in at.error[0].value.lower()


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
    written = load(CHECKPOINTS.bytes_of(run_token(at)))
    assert (written.state.parameters == saved.state.parameters).all()
    assert written.state.iteration == saved.state.iteration
    raw = runs().state(run_token(at))
    assert raw is not None
    assert pickle.loads(raw).iteration == saved.state.iteration


def test_a_net_whose_points_fill_no_file_is_not_offered_for_download_and_says_why() -> None:
    at = opened(data="Your CSV file")
    rows = "".join(f"{i % 7},{i % 5},{i % 3},2,3,4,5,6,{'ab'[i % 2]}\n" for i in range(16_000))
    at.file_uploader(key="csv").upload("large.csv", rows.encode(), "text/csv").run()
    assert untroubled(at)
    assert config(at).data.n == 16_000
    assert not at.get("download_button")
    assert ["saved together with its 16,000 points" in info.value for info in at.info] == [True]
    at.selectbox(key="data").set_value("moons").run()
    assert len(at.get("download_button")) == 1


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x10\0\0\0\0\0\0\0{}" + b" " * 20])
def test_a_damaged_checkpoint_is_told_in_a_sentence(content: bytes) -> None:
    at = opened()
    before = run_token(at)
    at.file_uploader(key="checkpoint").upload("net.safetensors", content, "application/octet-stream").run()
    assert not at.exception
    assert ["This checkpoint can't be used" in error.value for error in at.error] == [True]
    assert run_token(at) == before


@pytest.mark.parametrize("study", ["Solver swap", "hλ cloud", "Regulariser race"])
def test_a_tab_computes_when_it_is_opened(study: str) -> None:
    at = opened()
    settled(at)
    at.session_state["study"] = study
    at.run()
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
    coarse = values["start"] == COARSE
    shown = beside_configs(begun(asked, coarse=coarse), tuple(values["beside"]))
    for *_, made in shown:
        found = pretrained(made.start).config
        assert found.data == made.data
        assert (found.lr, found.rtol, found.method) == (values["lr"], values["rtol"], values["method"])


def test_a_net_that_the_widgets_cannot_show_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {})
    odd = TrainConfig(hidden=(48, 20))
    assert show_config(odd).hidden != odd.hidden


def test_a_change_that_the_address_does_not_know_yet_is_not_taken_for_something_asked_in_vain() -> None:
    at = opened(gradient="checkpointed")
    assert untroubled(at)
    at.selectbox(key="gradient").set_value("adjoint").run()
    at.query_params["gradient"] = "checkpointed"  # the browser writes a little later
    at.run()
    assert at.selectbox(key="gradient").value == "adjoint"
    assert untroubled(at)


def test_a_run_that_had_to_make_room_is_told_of_until_the_new_one_is_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = opened(start="From scratch")
    settled(at)
    assert not at.info
    runs().step(run_token(at))
    first = run_token(at)
    monkeypatch.setattr(runs(), "_limit", 0)  # no room at all
    monkeypatch.setattr(runs(), "_heartbeat", -1.0)  # and nobody watches
    with pytest.raises(ValueError, match="most it has room for"):
        runs().start("node_core.training.classifier.train:advance", TrainConfig())
    monkeypatch.undo()
    assert first not in runs()
    at.run()
    assert untroubled(at)
    assert run_token(at) != first
    assert [info.value for info in at.info if "had to make room" in info.value]
    runs().step(run_token(at))
    at.run()
    assert not [info.value for info in at.info if "had to make room" in info.value]
