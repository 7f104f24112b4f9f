"""The ResNet's limit: Euler's order, the same weights, one picture a depth."""

import numpy as np
import pytest

from node_core.studies.classifier.snippets import train_snippet
from node_core.studies.resnets.limit import advance, run
from node_core.studies.resnets.limit_config import DepthConfig, LimitConfig
from node_core.studies.resnets.snippets import limit_snippet
from node_core.training.classifier.checkpoint import pretrained
from node_core.training.classifier.config import TrainConfig


def test_the_distance_to_the_ode_falls_like_one_over_the_layers() -> None:
    result = run(LimitConfig("sign_flip_augmented"))
    assert result.slope == pytest.approx(1.0, abs=0.05)
    assert result.error[-1] < 0.01
    assert (result.worst >= result.error).all()
    width = pretrained("sign_flip_augmented").config.hidden[0]
    assert result.block == width * 2 + width + width * width + width + 2 * width + 2


def test_a_resnet_jumps_once_a_layer_and_the_ode_flows_through_the_same_frame() -> None:
    jumps, none = advance(DepthConfig("moons", 5), None, 0.0)
    flow, _ = advance(DepthConfig("moons", 0), None, 0.0)
    assert none is None
    assert jumps.finished
    assert (jumps.scalars["path"], flow.scalars["path"]) == ("jumps", "curve")
    assert jumps.arrays["trajectories"].shape[0] == 6
    assert jumps.scalars["extent"] == flow.scalars["extent"]
    assert np.array_equal(jumps.arrays["points"], flow.arrays["points"])
    assert "W1" in flow.arrays


@pytest.mark.parametrize("layers", [1, 4, 200])
def test_both_pictures_follow_the_same_points(layers: int) -> None:
    jumps, _ = advance(DepthConfig("moons", layers), None, 0.0)
    flow, _ = advance(DepthConfig("moons"), None, 0.0)
    for array in ("trajectory_labels", "points"):
        assert np.array_equal(jumps.arrays[array], flow.arrays[array])
    assert np.array_equal(jumps.arrays["trajectories"][0], flow.arrays["trajectories"][0])
    assert jumps.arrays["trajectories"].shape[0] == layers + 1


@pytest.mark.parametrize("snippet", [train_snippet(TrainConfig(lr=0.5)), limit_snippet(TrainConfig(), 4)])
def test_a_snippet_is_valid_and_holds_what_differs(snippet: str) -> None:
    compile(snippet, "snippet", "exec")
    assert "DataConfig('circles')" in snippet


@pytest.mark.parametrize("net", ["moons", "sign_flip_augmented"])
def test_the_snippet_measures_how_the_distance_falls(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(limit_snippet(pretrained(net).config, 100), "snippet", "exec"), {})
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    distance = {int(layers): float(gap) for layers, gap in rows}
    assert distance[100] < 0.05 * distance[1]
