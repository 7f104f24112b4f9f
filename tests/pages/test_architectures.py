"""The Architectures page under Streamlit's own test harness: what is trained, what the table says, what is refused."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from node_core.data.idx import write_idx
from node_core.studies.architectures.table_config import MODELS
from node_core.training.images.config import ImagesConfig
from pages.ui.architectures.controls import NETS
from pages.ui.draw import read_strokes
from pages.ui.live.feed import live_feeds
from pages.ui.live.run import live_runs
from tests.pages.harness import components, open_page, run_token, untroubled

opened = partial(open_page, "architectures")
FEW: dict[str, str | list[str]] = {"nets": ["1-layer MLP", "No block"], "epochs": "5"}
LIMIT = 60


def config(at: AppTest, name: str) -> ImagesConfig:
    found = live_runs().look(run_token(at, name)).config
    assert isinstance(found, ImagesConfig)
    return found


def table(at: AppTest) -> Any:
    (found,) = [data["figure"] for data in components(at) if "columns" in data.get("figure", {})]
    return found


def trained(at: AppTest, *names: str) -> None:
    """Train some nets to their end."""
    tokens = [run_token(at, name) for name in names]
    for token in tokens:
        live_runs().play(token)
    wait_for(lambda: all(live_runs().poll(token).status == "finished" for token in tokens))


def wait_for(done: Any) -> None:
    give_up = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_the_page_opens_with_every_row_of_the_table_and_its_canvas() -> None:
    at = opened()
    assert untroubled(at)
    assert [line["model"] for line in table(at)["lines"]] == list(MODELS)
    assert {line["status"] for line in table(at)["lines"]} == {"waiting"}
    tokens = [run_token(at, name) for name in MODELS]
    assert [data["token"] for data in components(at) if "token" in data] == tokens
    assert config(at, "none").layers == 0 and config(at, "resnet").layers == 6
    assert any("5.6 times fewer parameters" in text.value for text in at.markdown)
    assert "TableConfig" in at.code[0].value


def test_the_table_fills_with_what_the_runs_came_to() -> None:
    at = opened(**FEW)
    trained(at, "mlp", "none")
    at.run()
    assert untroubled(at)
    mlp, none = table(at)["lines"]
    assert [mlp["status"], none["status"]] == ["finished"] * 2 and mlp["final"]
    assert mlp["cells"][0].endswith(" %") and float(mlp["cells"][0][:-2]) < 20
    assert (mlp["cells"][1], none["cells"][1]) == ("4,810", "650")
    assert mlp["cells"][3].endswith(" s")


def test_a_row_can_be_stopped_and_goes_on_where_it_was() -> None:
    at = opened(nets=["ODE-Net", "No block"])
    token = run_token(at, "odenet")
    live_runs().play(token)
    wait_for(lambda: len(live_runs().history(token)) > 2 and live_runs().poll(token))
    live_runs().pause(token)
    wait_for(lambda: not live_runs()._runs[token].in_flight)
    at.run()
    (line,) = [line for line in table(at)["lines"] if line["model"] == "odenet"]
    assert line["status"] == "paused" and 0 < line["progress"] < 1 and not line["final"]
    assert "–" not in line["cells"]


def test_further_seeds_are_trained_once_the_first_is_and_the_table_tells_their_spread() -> None:
    at = opened(**FEW, seeds="2")
    runs = live_runs()
    second = run_token(at, "none seed 1")
    assert runs.look(second).status == "paused"
    assert config(at, "none seed 1").seed == 1
    trained(at, "none")
    at.run()
    wait_for(lambda: runs.poll(second).status == "finished")
    at.run()
    assert untroubled(at)
    (line,) = [line for line in table(at)["lines"] if line["model"] == "none"]
    assert (line["runs"], line["of"]) == (2, 2) and "±" in line["cells"][0]


def test_a_feed_that_is_asked_keeps_a_run_without_a_canvas_awake() -> None:
    at = opened(**FEW)
    (data,) = [data for data in components(at) if "columns" in data.get("figure", {})]
    feeds = live_feeds()
    (feed,) = [found for found in feeds._by_key.values() if found.address == data["feed"]]
    assert set(feed.tokens) == {run_token(at, "mlp"), run_token(at, "none")}


def test_a_change_of_the_ode_nets_solver_leaves_the_others_trained() -> None:
    at = opened(nets=["No block", "ODE-Net"], epochs="5")
    trained(at, "none")
    at.selectbox(key="method").set_value("tsit5").run()
    assert untroubled(at)
    assert config(at, "odenet").method == "tsit5"
    assert config(at, "none").method == "dopri5"
    assert live_runs().look(run_token(at, "none")).status == "finished"


def test_convolutional_nets_begin_trained_and_can_begin_at_random() -> None:
    at = opened(kind="convolutional", nets=["1-layer MLP", "ResNet-1", "ODE-Net"], rtol="0.01")
    assert untroubled(at)
    assert config(at, "odenet").start == "conv_odenet" and config(at, "mlp").start == ""
    wait_for(lambda: live_runs().look(run_token(at, "odenet")).status == "finished")
    at.run()
    (line,) = [line for line in table(at)["lines"] if line["model"] == "odenet"]
    assert line["final"] and float(line["cells"][3][:-2]) > 0  # what its training took, in the history
    at.segmented_control(key="start").set_value("From scratch").run()
    assert untroubled(at)
    assert config(at, "odenet").start == ""


def test_without_a_net_there_is_a_sentence_and_the_runs_stay() -> None:
    at = opened(nets=["No block"])
    token = run_token(at, "none")
    at.button_group(key="nets").set_value([]).run()
    assert not at.exception
    assert [error.value for error in at.error] == ["No net is chosen: choose one or more."]
    assert run_token(at, "none") == token
    assert ["what was chosen before (Digits" in warning.value for warning in at.warning] == [True]
    assert [line["model"] for line in table(at)["lines"]] == ["none"]


@pytest.mark.parametrize("preset", ["table", "needed", "conv"])
def test_every_preset_is_a_page(preset: str) -> None:
    at = opened()
    at.button(key=f"preset_{preset}").click().run()
    assert untroubled(at)
    assert len(table(at)["lines"]) == (3 if preset == "needed" else 6)
    compared = any("fewer parameters than ResNet-6" in text.value for text in at.markdown)
    assert compared == (preset != "needed")


def test_the_address_opens_the_page_as_it_was() -> None:
    at = opened(nets=[NETS["rknet"], NETS["odenet"]], rtol="0.01", lr="0.002", epochs="20", steps="4")
    assert untroubled(at)
    assert (config(at, "odenet").rtol, config(at, "odenet").lr, config(at, "odenet").iterations) == (
        0.01,
        0.002,
        220,
    )
    assert (config(at, "rknet").steps, config(at, "rknet").rtol) == (4, 1e-3)


def test_junk_in_the_address_is_answered_with_a_sentence() -> None:
    at = opened(kind="Foo", seeds="99", nets=["foo", "ODE-Net"])
    assert not at.exception
    said = at.warning[0].value.replace("\\", "")
    assert "kind = Foo" in said and "seeds = 99" in said and "nets = foo, ODE-Net" in said


@pytest.mark.parametrize("study", ["Hard images", "Other solvers", "Layers", "Draw a digit"])
def test_tabs_say_what_they_wait_for(study: str) -> None:
    at = opened(nets=["No block"], study=study)
    assert untroubled(at)
    assert [info.value for info in at.info if "train" in info.value]


def test_tabs_look_into_the_trained_nets() -> None:
    at = opened(nets=["ResNet-6", "ODE-Net"], epochs="5")
    trained(at, "resnet", "odenet")
    at.run()
    counts = {"Hard images": 3, "Other solvers": 1, "Layers": 1}
    for study, count in counts.items():
        at.session_state["study"] = study
        at.run()
        assert untroubled(at)
        assert len(at.get("plotly_chart")) == count
    at.selectbox(key="method").set_value("rk4").run()
    trained(at, "odenet")
    at.session_state["study"] = "Hard images"
    at.run()
    assert untroubled(at)
    assert any("same steps for every image" in info.value for info in at.info)


def test_a_drawn_digit_is_put_to_every_net_that_is_trained() -> None:
    at = opened(**FEW, study="Draw a digit")
    trained(at, "mlp", "none")
    at.session_state["architectures digit"] = (((0.5, 0.1), (0.5, 0.9)),)
    at.run()
    assert untroubled(at)
    assert len(at.get("plotly_chart")) == 3  # the drawing, and a path a net
    assert at.table[0].value["Net"].tolist() == ["1-layer MLP", "No block"]


def test_a_drawing_is_read_line_by_line() -> None:
    assert read_strokes([[-2, 2, 0], [2, -2, 0], [0, 0, 1], [1, 1, 1]]) == (
        ((0.0, 0.0), (1.0, 1.0)),
        ((0.5, 0.5), (0.75, 0.25)),
    )


@pytest.mark.parametrize(
    ("rows", "sentence"), [([], "nothing was drawn"), ([[0, 0, 0]], "a dot"), ("x", "can't be read")]
)
def test_what_is_no_drawing_is_a_sentence(rows: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_strokes(rows)


def test_the_memory_of_a_row_is_measured_when_it_is_asked_for() -> None:
    at = opened(nets=["ResNet-6"], memory="true")
    assert untroubled(at)
    assert table(at)["columns"][-1] == "Memory"
    (line,) = table(at)["lines"]
    assert line["status"] == "waiting" and float(line["cells"][-1].removesuffix(" MiB")) > 1
    at.toggle(key="memory").set_value(False).run()
    assert "Memory" not in table(at)["columns"]


def idx_files(n: int = 60, side: int = 8, worst: int = 9) -> list[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, side, side)).astype(np.uint8)
    labels = (np.arange(n) % 10).astype(np.uint8)
    labels[-1] = worst
    return [
        ("t10k-images-idx3-ubyte.gz", write_idx(pixels)),
        ("t10k-labels-idx1-ubyte.gz", write_idx(labels)),
    ]


def bring(at: AppTest, files: list[tuple[str, bytes]]) -> AppTest:
    for name, raw in files:
        at.file_uploader(key="idx").upload(name, raw)
    return at.run()


def test_own_files_become_the_images() -> None:
    at = opened(nets=["No block"], images="Your MNIST files", epochs="5")
    assert not at.exception and config(at, "none").data.name == "digits"
    assert any("Choose the files" in info.value for info in at.info)
    assert ["what was chosen before (Digits" in warning.value for warning in at.warning] == [True]
    bring(at, idx_files())
    assert untroubled(at)
    assert config(at, "none").data.name == "files"
    assert any("48 training and 12 test images" in text.value for text in at.markdown)
    trained(at, "none")
    at.run()
    assert untroubled(at)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([("t10k-images", b"nonsense"), idx_files()[1]], "no file of images"),
        ([idx_files()[0], idx_files(n=30)[1]], "30 labels"),
        (idx_files(worst=12), "is 12"),
        ([idx_files()[0]], "have no labels"),
        ([("cat.png", b"\x89PNG")], "The file cat.png is none of the files of MNIST"),
        ([("t10k-images", idx_files()[0][1][:-20]), idx_files()[1]], "cut short"),
    ],
)
def test_bad_files_are_a_sentence_and_nothing_is_lost(files: list[tuple[str, bytes]], sentence: str) -> None:
    at = opened(nets=["No block"], images="Your MNIST files")
    bring(at, files)
    assert not at.exception
    assert [sentence in error.value.replace("\\", "") for error in at.error] == [True], at.error
    assert config(at, "none").data.name == "digits"


def test_the_servers_folder_is_offered_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = opened(nets=["No block"], images="The server's NODE_DATA")
    assert "images = The server's NODE_DATA, which can't be used here" in at.warning[0].value.replace(
        "\\", ""
    )
    for name, raw in idx_files():
        (tmp_path / name).write_bytes(raw)
    monkeypatch.setenv("NODE_DATA", str(tmp_path))
    at = opened(nets=["No block"], images="The server's NODE_DATA")
    assert untroubled(at)
    assert config(at, "none").data.name == "files"
    monkeypatch.setenv("NODE_DATA", str(tmp_path / "gone"))
    at = opened(nets=["No block"], images="The server's NODE_DATA")
    assert not at.exception
    assert ["There is no folder" in error.value for error in at.error] == [True]
