"""The same field, four trainings: what the page asks, shows and says."""

import json
import time
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from node_core.training.flow.config import CNFConfig
from node_core.training.flow.ways import WAYS
from pages.ui.live.run import live_runs
from tests.pages.harness import LIMIT, components, open_page, run_token, untroubled

opened = partial(open_page, "cnf", show="four trainings")


def configs(at: AppTest) -> dict[str, CNFConfig]:
    return {way.name: live_runs().look(run_token(at, way.name)).config for way in WAYS}


def with_pictures(at: AppTest) -> AppTest:
    """The page again, once all four have a picture."""
    deadline = time.monotonic() + LIMIT
    for way in WAYS:
        token = run_token(at, way.name)
        while live_runs().poll(token).snapshot is None:
            assert live_runs().look(token).error == ""
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return at.run()


def test_four_flows_that_were_trained_beforehand_stand_side_by_side() -> None:
    at = opened(target="Eight Gaussians")
    found = configs(at)
    assert [c.objective for c in found.values()] == [
        "likelihood",
        "flow_matching",
        "ot_flow_matching",
        "reflow",
    ]
    assert [c.start for c in found.values()] == [f"eight_gaussians-{way.name}" for way in WAYS]
    at = with_pictures(at)
    assert untroubled(at)
    canvases = [data for data in components(at) if "layers" in data]
    assert [data["euler"] for data in canvases] == [1, 1, 1, 1]
    (table,) = at.table
    assert list(table.value["Trained by"]) == [way.label for way in WAYS]
    said = " ".join(text.value for text in at.markdown)
    assert "One Euler step is enough for" in said
    assert "Reflow has taken the deviation from" in said
    charts = {data["label"]: data["figure"] for data in components(at) if "figure" in data}
    names = [trace["name"] for trace in charts["Energy distance of samples in few Euler steps"]["data"]]
    assert names == [*(way.label for way in WAYS), "chance"]


def test_the_slider_of_steps_reaches_both_ends_and_the_pictures() -> None:
    at = with_pictures(opened(target="Eight Gaussians"))
    before = configs(at)
    for steps in (32, 4, 1):
        at.select_slider(key="euler").set_value(steps).run()
        assert untroubled(at)
        assert {data["euler"] for data in components(at) if "layers" in data} == {steps}
        assert any(str(steps) in name and "Euler" in name for name in at.table[0].value.columns)
    assert configs(at) == before  # nobody is trained anew for that


def test_straightening_is_a_change_of_the_run_and_not_a_new_one() -> None:
    at = with_pictures(opened(target="Eight Gaussians", begin="random", width="8"))
    token = run_token(at, "reflow")
    assert configs(at)["reflow"].objective == "flow_matching"
    live_runs().step(token)
    deadline = time.monotonic() + LIMIT
    while not live_runs().history(token):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    at.toggle(key="straighten").set_value(True).run()
    assert untroubled(at)
    assert configs(at)["reflow"].objective == "reflow"
    assert run_token(at, "reflow") == token
    assert live_runs().history(token)  # it goes on


@pytest.mark.parametrize("target", ["Four rings", "U1: two sides of a ring", "Draw one"])
def test_any_target_can_be_trained_in_four_ways(target: str) -> None:
    at = with_pictures(opened(target=target, width="8"))
    assert untroubled(at)
    assert {c.start for c in configs(at).values()} == {""}
    assert at.table[0].value.shape[0] == 4


def test_the_buttons_lead_there_and_back_and_an_unknown_word_is_told() -> None:
    at = open_page("cnf")
    at.button(key="show_four").click().run()
    assert untroubled(at)
    assert at.query_params["show"] in ("four trainings", ["four trainings"])
    assert {c.target.name for c in configs(at).values()} == {"eight_gaussians"}
    at.button(key="preset_checkerboard").click().run()
    assert configs(at)["transport"].start == "checkerboard-transport"
    at.button(key="show_one").click().run()
    assert untroubled(at)
    assert "show" not in at.query_params
    at = open_page("cnf", show="[five](x)")
    assert "which this page has not" in at.warning[0].value
    assert not at.exception


def test_the_objective_of_one_flow_changes_and_its_net_is_kept() -> None:
    at = open_page("cnf")
    token = run_token(at)
    at.selectbox(key="by").set_value("flow_matching").run()
    assert untroubled(at)
    config = live_runs().look(token).config
    assert (run_token(at), config.objective, config.start) == (token, "flow_matching", "two_moons")
    assert not [slider for slider in at.select_slider if slider.key == "kinetic"]
    assert "flow_matching" in at.code[0].value
    said = json.dumps([text.value for text in at.markdown])
    assert "No ODE is solved now" in said
