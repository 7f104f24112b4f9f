"""The Control page under Streamlit's own test harness: what is asked, what is answered, and what is refused."""

import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from node_core.models.control.plants import PLANTS
from node_core.runs.snapshot import unpack
from node_core.studies.control.shipped import FIRST
from node_core.training.control.checkpoint import save_controller
from node_core.training.control.config import ControlConfig
from node_core.training.control.train import initial_state
from pages.ui.control.controls import PRESETS, watch_for
from pages.ui.live.run import live_runs
from tests.pages.harness import LIMIT, components, open_page, run_token, untroubled

opened = partial(open_page, "control")


def config_of(at: AppTest) -> ControlConfig:
    config = live_runs().look(run_token(at)).config
    assert isinstance(config, ControlConfig)
    return config


def stage_of(at: AppTest) -> dict[str, Any]:
    (found,) = (data for data in components(at) if "plant" in data)
    return dict(found)


def with_picture(at: AppTest) -> AppTest:
    """The page again, once the run's first picture is there."""
    token = run_token(at)
    deadline = time.monotonic() + LIMIT
    while live_runs().poll(token).snapshot is None:
        assert live_runs().look(token).error == ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return at.run()


def test_the_page_opens_with_a_pendulum_its_stage_and_its_costate() -> None:
    at = with_picture(opened())
    deadline = time.monotonic() + LIMIT
    # The first picture may come before its one trial does.
    while not any("largest entry of a(0)" in text.value for text in at.markdown):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        at.run()
    assert untroubled(at)
    assert config_of(at) == FIRST  # whose picture comes with the project
    stage = stage_of(at)
    assert stage["plant"]["key"] == "pendulum"
    assert stage["plant"]["limits"] == [5.0]
    assert stage["module"].endswith("control/stage.js")
    charts = {data["label"]: data["figure"] for data in components(at) if "figure" in data}
    names = [trace["name"] for trace in charts["Costate a(t) along the trial"]["data"]]
    assert names == ["∂J/∂θ", "∂J/∂ω"]


def test_the_address_opens_the_page_as_it_was() -> None:
    at = opened(
        plant="Cart-pole", horizon_cart_pole="2", growing_balance="false", width="8", seed="3", driver="lqr"
    )
    assert untroubled(at)
    config = config_of(at)
    assert (config.plant, config.task, config.hidden, config.seed) == ("cart_pole", "balance", 8, 3)
    assert (config.horizon, config.curriculum, config.limit) == (2.0, "fixed", 10.0)
    assert stage_of(at)["driver"] == "lqr"


@pytest.mark.parametrize("key", list(PLANTS))
def test_every_plant_opens_without_trouble(key: str) -> None:
    at = opened(plant=PLANTS[key].name, width="8")
    assert untroubled(at)
    assert config_of(at).plant == key
    assert len(stage_of(at)["plant"]["states"]) == PLANTS[key].dim


def test_what_is_turned_while_it_trains_reaches_the_run_and_another_net_begins_anew() -> None:
    at = with_picture(opened(plant="Cart-pole", width="8"))
    token = run_token(at)
    live_runs().step(token)
    deadline = time.monotonic() + LIMIT
    while not live_runs().history(token):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    at.slider(key="limit_cart_pole").set_value(20.0).run()
    at.slider(key="horizon_cart_pole").set_value(1.0).run()
    at.toggle(key="growing_balance").set_value(False).run()
    at.selectbox(key="gradient").set_value("adjoint").run()
    assert untroubled(at)
    config = config_of(at)
    assert (config.limit, config.horizon, config.curriculum, config.gradient) == (
        20.0,
        1.0,
        "fixed",
        "adjoint",
    )
    assert stage_of(at)["plant"]["limits"] == [20.0]
    assert live_runs().history(token)  # it went on
    at.select_slider(key="width").set_value(16).run()
    assert untroubled(at)
    assert not live_runs().history(token)  # it began anew


def test_without_any_force_the_page_says_what_to_do_and_keeps_the_run() -> None:
    at = opened(plant="Cart-pole", width="8")
    at.slider(key="limit_cart_pole").set_value(0.0).run()
    assert not at.exception
    assert "without any force nothing can be steered" in at.error[0].value
    assert config_of(at).limit == 10.0


def test_junk_in_the_address_is_answered_with_a_sentence_and_the_default() -> None:
    at = opened(plant="Rocket", driver="[a](b)", width="8")
    assert not at.exception
    said = at.warning[0].value
    assert "plant = Rocket, which can't be used here; it is Pendulum now" in said.replace("\\", "")
    assert "[a](b)" not in said
    assert (config_of(at).plant, stage_of(at)["driver"]) == ("pendulum", "net")


@pytest.mark.parametrize("key", list(PRESETS))
def test_a_preset_shows_its_case(key: str) -> None:
    at = opened(plant="Unicycle", width="8")
    at.button(key=f"preset_{key}").click().run()
    assert untroubled(at)
    config, values = config_of(at), PRESETS[key].values
    assert (config.plant, config.hidden) == (values["plant"], 32)
    assert config.curriculum == ("growing" if values[f"growing_{config.task}"] else "fixed")
    assert stage_of(at)["driver"] == values["driver"]
    said = PRESETS[key].watch
    if key == "swing" and not config.start:  # nobody has trained one yet
        said = config.of_plant().look_for
    assert any(said in text.value for text in at.markdown)


def test_a_preset_of_an_untrained_net_does_not_go_on_with_one_that_learned() -> None:
    at = with_picture(opened(plant="Cart-pole", start="random"))
    token = run_token(at)
    live_runs().step(token)
    deadline = time.monotonic() + LIMIT
    while not live_runs().history(token):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    at.button(
        key="preset_fails"
    ).click().run()  # only the curriculum differs, which may change while it trains
    assert untroubled(at)
    assert config_of(at).curriculum == "fixed"
    assert not live_runs().history(token)
    assert live_runs().look(token).status == "paused"


@pytest.mark.parametrize(
    ("plant", "effort", "driver", "says"),
    [
        ("pendulum", 0.01, "lqr", "near the top"),
        ("cart_pole", 0.01, "lqr", "near its target"),
        ("lotka_volterra", 0.01, "lqr", "near its target"),
        ("unicycle", 0.01, "lqr", "can't move sideways"),  # it has no LQR: the net drives
        ("pendulum", 0.0, "lqr", "watch the net learn"),  # nor has a plant whose control is free
        ("pendulum", 0.01, "nobody", "Nobody drives"),
    ],
)
def test_what_to_watch_for_is_of_who_drives(plant: str, effort: float, driver: str, says: str) -> None:
    asked, limit = PLANTS[plant].tasks[0].key, PLANTS[plant].limits[0]
    assert says in watch_for(ControlConfig(plant, asked, limit=limit, effort=effort), driver)


def test_the_code_repeats_the_training() -> None:
    at = opened(plant="Cart-pole", width="8")
    assert "cart_pole" in at.code[0].value
    assert "from node_core.training.control.train import train" in at.code[0].value
    assert "loop.total_cost" in at.code[1].value


@pytest.mark.parametrize(
    ("tab", "says"),
    [("Robustness", "of the starts succeed with the net"), ("Energy and time", "uses full control for")],
)
def test_a_study_of_the_net_computes_when_its_tab_is_opened(tab: str, says: str) -> None:
    at = with_picture(opened(plant="Cart-pole", width="4", study=tab))
    assert untroubled(at)
    assert any(says in text.value for text in at.markdown)
    assert any("The net after 0 iterations" in caption.value for caption in at.caption)


def test_a_saved_net_is_gone_on_with_and_a_damaged_file_is_refused() -> None:
    config = ControlConfig("cart_pole", "balance", hidden=8, limit=10.0, horizon=3.0)
    state = replace(initial_state(config), iteration=7)
    at = opened(width="4")
    at.file_uploader(key="checkpoint").upload("net.safetensors", save_controller(config, state)).run()
    assert untroubled(at)
    assert (config_of(at).plant, config_of(at).hidden, config_of(at).start) == ("cart_pole", 8, "")
    snapshot = live_runs().look(run_token(with_picture(at))).snapshot
    assert snapshot is not None
    assert unpack(snapshot).scalars["iteration"] == 7
    at.file_uploader(key="checkpoint").upload("net.safetensors", b"junk").run()
    assert not at.exception
    assert "can't be used" in at.error[0].value
    assert config_of(at).plant == "cart_pole"
