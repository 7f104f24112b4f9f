"""The ResNet's limit: Euler's order, the same weights, one picture a depth."""

import numpy as np
import pytest

from node_core.studies.resnet_limit import advance, run
from node_core.studies.resnet_limit_config import DepthConfig, LimitConfig
from node_core.studies.training_snippets import limit_snippet, train_snippet
from node_core.training.checkpoint import pretrained
from node_core.training.config import TrainConfig


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


@pytest.mark.parametrize("snippet", [train_snippet(TrainConfig(lr=0.5)), limit_snippet(TrainConfig(), 4)])
def test_a_snippet_is_valid_and_holds_what_differs(snippet: str) -> None:
    compile(snippet, "snippet", "exec")
    assert "DataConfig('circles')" in snippet
