"""The page ResNets to ODEs under Streamlit's own test harness."""

import json
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from node_core.studies.resnets.limit_config import NETS, DepthConfig
from pages.ui.live.run import live_runs
from tests.pages.harness import open_page, run_token

opened = partial(open_page, "resnets")


def config(at: AppTest, name: str) -> Any:
    return live_runs().look(run_token(at, name)).config


def charts(at: AppTest) -> list[Any]:
    data = [json.loads(found.proto.json) for found in at.get("bidi_component")]
    return [entry["figure"] for entry in data if "figure" in entry]


def test_the_page_opens_with_both_pictures_and_both_charts() -> None:
    at = opened()
    assert not at.exception and not at.error and not at.warning
    assert config(at, "depth") == DepthConfig("moons", 4)
    assert config(at, "limit") == DepthConfig("moons", 0)
    assert len(charts(at)) == 2
    assert "with_layers" in at.code[0].value
    assert any("slope is −0.9" in text.value or "slope is −1.0" in text.value for text in at.markdown)


def test_the_slider_changes_the_resnet_and_marks_its_depth_but_leaves_the_ode() -> None:
    at = opened()
    limit = run_token(at, "limit")
    at.select_slider(key="layers").set_value(64).run()
    assert not at.exception
    assert config(at, "depth").layers == 64
    assert run_token(at, "limit") == limit
    assert charts(at)[0]["data"][-1]["x"] == [64.0]
    assert any("64 jumps" in text.value for text in at.markdown)


@pytest.mark.parametrize("net", NETS)
def test_every_trained_net_opens(net: str) -> None:
    at = opened(net=NETS[net], layers="8")
    assert not at.exception and not at.error and not at.warning
    assert config(at, "depth") == DepthConfig(net, 8)


def test_junk_in_the_address_is_answered_with_a_sentence() -> None:
    at = opened(layers="7")
    assert not at.exception
    assert "layers = 7" in at.warning[0].value
    assert config(at, "depth").layers == 4


def test_a_single_layer_is_counted_in_words() -> None:
    at = opened(layers="1")
    said = " ".join(text.value for text in at.markdown)
    assert "1 layer has" in said and "1 jump*" in said
    assert "1 layers" not in said and "1 jumps" not in said
