"""What the page of limits draws and says, on the answers that come with the project and on some written by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from node_core.runs.shipped import find
from node_core.studies.gradients.config import MemoryConfig
from node_core.studies.limits.flows_config import FlowsConfig
from node_core.studies.limits.gains_config import GainsConfig
from node_core.studies.limits.questions import GAPS, HORIZONS, KEPT_MODES, SOLVED_MODES, SPEED
from node_core.studies.limits.speed_config import SpeedResult
from node_core.studies.limits.stiff_config import MUS, StiffConfig
from node_core.visualization.limits.flows import (
    common_reach,
    flows_remedy,
    flows_sentence,
    paths_figure,
    paths_info,
)
from node_core.visualization.limits.gains import gains
from node_core.visualization.limits.gaps import gaps_figure, gaps_info, gaps_sentence, short
from node_core.visualization.limits.gradients import (
    adjoint_sentence,
    horizons_info,
    kept_sentence,
    memories_info,
)
from node_core.visualization.limits.speed import (
    evaluations_info,
    price_figure,
    price_info,
    remedy_sentence,
    speed_figure,
    speed_info,
    speed_sentence,
    verdict_sentence,
)
from node_core.visualization.limits.stiff import (
    cloud_figure,
    cloud_info,
    implicit_sentence,
    steps_info,
    stiff_sentence,
)


def answer(task: str, config: Any) -> Any:
    found = find(f"node_core.studies.{task}:run", config)
    assert found is not None
    return found.answer


def speed(task: str) -> SpeedResult:
    return answer("limits.speed", SPEED[task])


def with_lane(result: SpeedResult, name: str, **values: Any) -> SpeedResult:
    lanes = tuple(replace(lane, **values) if lane.name == name else lane for lane in result.lanes)
    return replace(result, lanes=lanes)


@pytest.mark.parametrize("task", SPEED)
def test_the_nets_are_drawn_with_a_ring_where_they_reached_the_target(task: str) -> None:
    result = speed(task)
    info = speed_info(result, ("mlp", "resnet", "odenet"))
    assert [line.label for line in info.lines] == ["MLP", "ResNet", "ODE-Net"]
    times = [line.reached[0] for line in info.lines if line.reached]
    assert times == sorted(times) and len(times) == 3
    assert len(speed_figure(info).data) == 6
    assert [curve.label for curve in evaluations_info(result, ("mlp", "odenet")).curves] == ["ODE-Net"]


def test_what_was_not_reached_is_said_and_has_no_ring() -> None:
    result = speed("rings")
    low = np.full_like(result.lane("mlp").accuracy, 0.5)
    slow = with_lane(result, "mlp", accuracy=low)
    assert "the MLP did not get there" in speed_sentence(slow)
    assert "times less" not in speed_sentence(slow)
    assert speed_info(slow, ("mlp",)).lines[0].reached is None
    slow = with_lane(result, "odenet", accuracy=low)
    assert "would need more than its 150 iterations" in speed_sentence(slow)
    assert "as fast" not in remedy_sentence(slow, "loose")
    slow = with_lane(result, "loose", accuracy=low)
    assert "was not reached in 150 iterations" in remedy_sentence(slow, "loose")
    assert np.isnan(price_info(with_lane(result, "odenet", accuracy=low)).bars[0][2][0])


def test_prices_are_shares_of_the_ode_nets() -> None:
    result = speed("digits")
    info = price_info(result)
    by_label = {label: shares for label, _, shares in info.bars}
    assert by_label["ResNet"][2] == pytest.approx(50_570 / 8_970)
    own, other = result.lane("odenet"), result.lane("mlp")
    assert by_label["MLP"][1] == pytest.approx(other.seconds[-1] / own.seconds[-1])
    assert len(price_figure(info).data) == 2


def test_a_tie_a_win_and_a_loss_are_told_apart() -> None:
    result = with_lane(speed("digits"), "odenet", accuracy=np.array([0.9]))
    for share, verdict in ((0.905, "ties"), (0.99, "wins"), (0.5, "loses")):
        assert f"the MLP {verdict}" in verdict_sentence(with_lane(result, "mlp", accuracy=np.array([share])))


def test_steps_and_clouds_of_every_mu() -> None:
    result = answer("limits.stiff", StiffConfig())
    info = steps_info(result, ("dopri5", "rodas5p"))
    assert len(info.series) == 4
    assert info.series[0].y[-1] > 50 * info.series[2].y[-1]
    for mu in MUS:
        assert "step" in stiff_sentence(result, mu) and "--" not in stiff_sentence(result, mu)
        assert "Rodas5P" in implicit_sentence(result, mu)
        for method in ("dopri5", "rodas5p"):
            cloud = cloud_info(result, method, mu)
            for _, re, im in cloud.clouds:  # nothing lies outside of the picture
                assert cloud.re[0] < re.min() and re.max() < cloud.re[-1]
                assert cloud.im[0] < im.min() and im.max() < cloud.im[-1]
            assert len(cloud_figure(cloud).data) == 4
    assert "stability holds the step" in stiff_sentence(result, 100.0)
    assert "not stiff yet" in stiff_sentence(result, 1.0)


@pytest.mark.parametrize("field", HORIZONS)
def test_gradients_go_wrong_where_the_field_contracts_and_the_kept_ones_less(field: str) -> None:
    found = find("node_core.studies.gradients.errors:run_horizons", HORIZONS[field])
    assert found is not None
    memory = answer("gradients.memory", MemoryConfig())
    said = adjoint_sentence(found.answer)
    assert ("goes well" in said) == (field == "linear")
    assert "nan" not in said + kept_sentence(found.answer, memory)
    assert [s.label for s in horizons_info(found.answer, SOLVED_MODES).series] == [
        "adjoint",
        "adjoint, seminorm",
    ]
    assert len(horizons_info(found.answer, (*SOLVED_MODES, *KEPT_MODES)).series) == 4
    assert [s.label for s in memories_info(memory, SOLVED_MODES).series] == ["adjoint", "backprop"]
    assert "pay in memory" in kept_sentence(found.answer, memory)
    assert "memory" not in kept_sentence(found.answer, None)


@pytest.mark.parametrize("data", ["sign_flip", "annulus"])
def test_paths_are_drawn_of_every_net(data: Any) -> None:
    result = answer("limits.flows", FlowsConfig(data))
    reach = common_reach(result, ("plain", "augmented", "resnet"))
    for net in result.nets:
        info = paths_info(net, reach)
        assert len(info.lines) == len(np.unique(net.labels)) == 2
        for x, y in info.ends:
            assert (np.abs(y) <= info.y_range[1]).all() and (x <= info.x_range[1]).all()
        assert (info.x_title == "depth t") == (data == "sign_flip")
        assert len(paths_figure(info).data) == 6
    assert "%" in flows_sentence(result) or "wrong" in flows_sentence(result)
    assert "38 evaluations, not 62" in flows_remedy(result, "augmented") or data == "annulus"
    assert flows_remedy(result, "resnet").startswith("A ResNet jumps")


def test_gains_are_four_and_leave_out_what_was_not_measured() -> None:
    result = answer("limits.gains", GainsConfig())
    memory = answer("gradients.memory", MemoryConfig())
    found = gains(result, memory, speed("digits"))
    assert [gain.title for gain in found] == [
        "Continuous time",
        "Adaptive computation",
        "Constant memory",
        "Fewer parameters",
    ]
    assert found[3].value == "8,970, not 50,570"
    assert len(gains(result, None, None)) == 2
    dearer = replace(result, nfe_asked=result.nfe + 6)
    assert gains(dearer, None, None)[0].value == "200 outputs, 6 evaluations"


def test_who_wins_between_observations_and_after_them_is_told_by_the_numbers() -> None:
    clean, noisy = (answer("limits.gaps", asked) for asked in GAPS.values())
    assert "Between them the cubic spline wins" in gaps_sentence(clean)
    assert "Between them the latent ODE wins" in gaps_sentence(noisy)
    assert "After the last the GRU wins" in gaps_sentence(clean)
    ways = tuple(replace(way, beyond=0.1) if way.name == "latent_ode" else way for way in clean.ways)
    assert "After the last the latent ODE wins: 0.1 off, the GRU" in gaps_sentence(replace(clean, ways=ways))
    info = gaps_info(clean)
    assert info.bars[0][2] == (clean.way("spline").inside, clean.way("spline").beyond)
    assert len(gaps_figure(info).data) == 3
    assert [short(error) for error in (0.1234, 99.4, 1234.5)] == ["0.12", "99", "1,234"]
