"""The CNF page under Streamlit's own test harness: what is asked, what is answered, and what is refused."""

import io
import json
import time
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from node_core.cnf.painted import TargetConfig, make_target
from node_core.cnf.targets import TARGETS
from node_core.training.flow.config import CNFConfig
from pages.ui.cnf import target as cnf_target
from pages.ui.live.run import live_runs
from tests.pages.harness import LIMIT, open_page, run_token, untroubled

opened = partial(open_page, "cnf")


def config_of(at: AppTest) -> CNFConfig:
    config = live_runs().look(run_token(at)).config
    assert isinstance(config, CNFConfig)
    return config


def with_picture(at: AppTest) -> AppTest:
    """The page again, once the run's first picture is there."""
    token = run_token(at)
    deadline = time.monotonic() + LIMIT
    while live_runs().poll(token).snapshot is None:
        assert live_runs().look(token).error == ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return at.run()


def live_charts(at: AppTest) -> dict[str, Any]:
    found = (json.loads(component.proto.json) for component in at.get("bidi_component"))
    return {data["label"]: data["figure"] for data in found if "figure" in data}


def test_the_page_opens_with_a_trained_flow() -> None:
    at = opened()
    assert untroubled(at)
    config = config_of(at)
    assert (config.target.name, config.start, config.flow) == ("two_moons", "two_moons", "cnf")
    assert "FlowTrainer" not in at.code[0].value
    assert "train(config, every=20)" in at.code[0].value
    (canvas,) = (
        data for data in (json.loads(c.proto.json) for c in at.get("bidi_component")) if "layers" in data
    )
    assert canvas["layers"] == ["boundary", "particles", "grid"]
    at = with_picture(at)
    assert "Theorem 1: minus the trace and log p along one path" in live_charts(at)


def test_the_address_opens_the_page_as_it_was() -> None:
    at = opened(target="Pinwheel", flow="CNF: the paper's field", width="8", seed="3", lr="0.02", rtol="0.01")
    assert untroubled(at)
    config = config_of(at)
    assert (config.target.name, config.field, config.width, config.seed) == ("pinwheel", "hypernetwork", 8, 3)
    assert (config.lr, config.rtol, config.start) == (0.02, 0.01, "")


@pytest.mark.parametrize("name", ["rings", "checkerboard", "energy_3"])
def test_every_kind_of_target_opens_without_trouble(name: str) -> None:
    at = with_picture(opened(target=TARGETS[name].label, width="8"))
    assert untroubled(at)
    assert config_of(at).target.name == name


@pytest.mark.parametrize("flow", ["Planar flow", "RealNVP"])
def test_a_discrete_flow_has_layers_and_no_solver(flow: str) -> None:
    at = with_picture(opened(flow=flow, layers="4"))
    assert untroubled(at)
    assert config_of(at).depth == 4
    assert not [box for box in at.selectbox if box.key == "method"]
    assert "layers instead of time" in at.info[0].value


def test_tolerance_rate_and_solver_change_while_it_trains_and_the_width_begins_anew() -> None:
    at = opened(begin="random")
    token = run_token(at)
    at = with_picture(at)
    live_runs().step(token)
    deadline = time.monotonic() + LIMIT
    while not live_runs().history(token):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    at.select_slider(key="rtol").set_value(0.01).run()
    at.select_slider(key="lr").set_value(0.05).run()
    at.selectbox(key="method").set_value("bosh3").run()
    assert untroubled(at)
    assert (config_of(at).rtol, config_of(at).lr, config_of(at).method) == (0.01, 0.05, "bosh3")
    assert live_runs().history(token)  # it went on
    at.select_slider(key="width").set_value(16).run()
    assert untroubled(at)
    assert config_of(at).hidden == (16, 16)
    assert not live_runs().history(token)  # it began anew


def test_a_preset_shows_the_trained_flow_of_its_target() -> None:
    at = opened(begin="random", seed="5")
    assert config_of(at).start == ""
    at.button(key="preset_two_circles").click().run()
    assert untroubled(at)
    assert (config_of(at).target.name, config_of(at).start, config_of(at).seed) == (
        "two_circles",
        "two_circles",
        0,
    )


def test_junk_in_the_address_is_answered_with_a_sentence_and_the_default() -> None:
    at = opened(target="Nonsense", rtol="[a](b)")
    assert not at.exception
    said = at.warning[0].value
    assert "target = Nonsense, which can't be used here; it is Two moons now" in said.replace("\\", "")
    assert "[a](b)" not in said
    assert config_of(at).target.name == "two_moons"


def test_a_target_without_a_gradient_is_learned_from_samples_and_says_so() -> None:
    at = opened(target="Checkerboard", learn="its formula, KL(q‖p)", width="8")
    assert not at.exception
    assert "no smooth formula to follow" in at.error[0].value
    assert config_of(at).objective == "likelihood"


def test_the_first_drawing_is_a_heart_and_the_first_picture_a_face() -> None:
    at = opened(width="8")
    at.selectbox(key="target").set_value("drawn").run()
    assert untroubled(at)
    assert len(config_of(at).target.strokes) == 60
    at.selectbox(key="target").set_value("image").run()
    assert untroubled(at)
    assert "learns this face" in " ".join(caption.value for caption in at.caption)
    # What trains is what the controls say, not the target of before.
    assert config_of(at).target == TargetConfig("image", image=cnf_target.face())
    at.toggle(key="invert").set_value(True).run()
    assert untroubled(at)
    assert config_of(at).target == TargetConfig("image", image=cnf_target.face(), invert=True)


@pytest.mark.parametrize(
    ("learn", "objective", "word"),
    [("its formula, KL(q‖p)", "reverse_kl", "forget"), ("its formula, KL(p‖q)", "forward_kl", "covers all")],
)
def test_a_known_density_is_learned_in_both_directions(learn: str, objective: str, word: str) -> None:
    at = with_picture(opened(target="U1: two sides of a ring", learn=learn, width="8"))
    assert untroubled(at)
    assert config_of(at).objective == objective
    assert any(word in text.value for text in at.markdown)


def picture_of(colour: str, size: tuple[int, int] = (40, 40)) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [([], "empty"), ("junk", "can't be read"), ([[9.0, 0.0, 0]], "outside"), ([[1, 2]], "can't be read")],
)
def test_a_drawing_that_cannot_be_used_is_told_in_a_sentence(answer: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cnf_target.read_strokes(answer)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (picture_of("white"), "all white"),
        (b"no picture", "cannot be read"),
        (b"x" * 12_000_001, "at most 12,000,000"),
        (picture_of("black", (5000, 5000)), "16,000,000 pixels"),
    ],
    ids=["white", "damaged", "huge file", "huge picture"],
)
def test_a_picture_that_cannot_be_used_is_told_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cnf_target.checked(TargetConfig("image", image=data))


def photo_of_a_drawing() -> bytes:
    """Under light that falls from the left, as a telephone sends it: larger than a table or a checkpoint may be."""
    paper = Image.new("L", (3000, 4000), 255)
    ImageDraw.Draw(paper).ellipse((800, 900, 2200, 2400), outline=60, width=90)
    light = np.linspace(0.9, 0.4, 3000) + 0.04 * np.random.default_rng(0).normal(size=(4000, 3000))
    out = io.BytesIO()
    pixels = np.clip(np.asarray(paper) * light, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def test_a_photo_is_shrunk_and_its_paper_taken_away() -> None:
    data = photo_of_a_drawing()
    assert len(data) > 2_000_000
    at = opened(target="A picture", width="8")
    at.file_uploader(key="picture").upload("photo.jpg", data, "image/jpeg").run()
    assert untroubled(at)
    target = config_of(at).target
    assert at.toggle(key="paper").value and target.paper
    assert len(target.image) < 20_000
    inside = make_target(target).sample(500, seed=0)
    assert np.hypot(*(inside - inside.mean(axis=0)).T).min() > 0.5, "the ring is empty in the middle"
    at.toggle(key="paper").set_value(False).run()
    assert not config_of(at).target.paper


def test_a_picture_that_is_refused_leaves_the_last_one_until_a_switch_makes_sense_of_it() -> None:
    at = opened(target="A picture", width="8")
    before = config_of(at).target
    at.file_uploader(key="picture").upload("white.png", picture_of("white"), "image/png").run()
    assert ["all white" in error.value for error in at.error] == [True]
    assert config_of(at).target == before
    at.toggle(key="invert").set_value(True).run()
    assert untroubled(at)
    assert config_of(at).target.image != before.image


def test_a_long_drawing_is_thinned_to_what_a_density_takes() -> None:
    rows = [[0.001 * k, 0.0, 0] for k in range(1500)]
    assert 300 < len(cnf_target.read_strokes(rows).strokes) <= 600


@pytest.mark.parametrize(
    ("tab", "word"),
    [("Audit", "Integral of p"), ("Race", "Train it yourself"), ("Cost", "Recorded beforehand")],
)
def test_a_tab_computes_when_it_is_opened(tab: str, word: str) -> None:
    at = opened(study=tab, width="8")
    if tab == "Audit":
        at = with_picture(at)
    assert untroubled(at)
    shown = [element.value for element in at.markdown] + [metric.label for metric in at.metric]
    assert any(word in text for text in shown)
    assert "Theorem 1: minus the trace and log p along one path" not in live_charts(at)


def test_a_runner_of_the_race_can_be_trained_here() -> None:
    at = opened(study="Race")
    at.button(key="train_cnf_8").click().run()
    assert untroubled(at)
    config = config_of(at)
    assert (config.target.name, config.field, config.width) == ("energy_1", "hypernetwork", 8)
    assert (config.objective, config.start) == ("reverse_kl", "")
    assert live_runs().look(run_token(at)).status == "running"
    live_runs().pause(run_token(at))
    at.button(key="train_planar_32").click().run()
    assert untroubled(at)
    assert (config_of(at).flow, config_of(at).depth) == ("planar", 32)
