"""What the pages say beside their pictures, computed for every case and both ends of the controls without a browser."""

from dataclasses import replace
from typing import Any

import pytest

from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS
from node_core.data.dataset import DataConfig
from node_core.data.toy import DATASETS
from node_core.training.classifier.checkpoint import pretrained
from node_core.training.classifier.config import TrainConfig
from node_core.training.flow.checkpoint import flow_names
from node_core.training.flow.checkpoint import pretrained_for as flows_for
from node_core.training.flow.config import CNFConfig
from pages.ui.cnf import controls as cnf
from pages.ui.odenet.controls import PRESETS, begun, loss_for, watch_for


def asked(name: str, augment: int) -> TrainConfig:
    data = DataConfig(name, noise=DATASETS[name].noise)
    return begun(TrainConfig(data=data, augment=augment, loss=loss_for(name)))


@pytest.mark.parametrize("augment", [0, 1, 5])
@pytest.mark.parametrize("name", DATASETS)
def test_a_look_from_the_side_is_told_where_there_is_one(name: str, augment: int) -> None:
    config = asked(name, augment)
    said = watch_for(config)
    assert ("from the side (3-D)" in said) == (config.augment > 0 and config.dim + config.augment > 2)
    assert "can't" not in said or augment == 0  # what no flow of the plane can do, a larger space can
    assert not said[0].islower() and said.endswith(".")


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.label)
def test_the_iterations_that_are_told_are_those_of_the_checkpoint(preset) -> None:
    config = asked(preset.values["data"], preset.values["augment"])
    if config.start:
        assert f"first {pretrained(config.start).state.iteration:,} iterations" in watch_for(config)
    else:
        assert "beforehand" not in watch_for(config)


@pytest.mark.parametrize("base", cnf.BASES)
@pytest.mark.parametrize("flow", ["cnf", "planar", "realnvp"])
@pytest.mark.parametrize("target", TARGETS)
def test_what_to_watch_for_in_a_flow_speaks_of_this_flow(target: str, flow: Any, base: Any) -> None:
    config = CNFConfig(TargetConfig(target), flow, base=base)
    for case in {config, replace(config, start=flows_for(config))}:
        said = cnf.watch_for(case)
        assert ("scrub t" in said or "Watch t run" in said) <= (flow == "cnf")
        assert ("the Gaussian" in said) <= (base == "normal")
        assert ("Press Play" in said) == (not case.start)


@pytest.mark.parametrize(
    ("settings", "coarse"),
    [
        ({}, False),
        ({"rtol": 1e-6}, False),
        ({"rtol": 0.1}, True),
        ({"method": "euler", "dt": 1.0}, True),
        ({"method": "euler", "dt": 0.01}, False),
        ({"method": "rk4", "dt": 0.1, "rtol": 0.1}, False),
    ],
)
@pytest.mark.parametrize("start", ["", "two_moons"])
def test_a_coarse_solver_is_told_beside_what_it_draws(
    settings: dict[str, Any], coarse: bool, start: str
) -> None:
    config = CNFConfig(TargetConfig("two_moons"), start=start, **settings)
    assert ("steps as coarse as these" in cnf.watch_for(config)) == coarse
    assert "steps as coarse" not in cnf.watch_for(CNFConfig(flow="planar", rtol=0.1))


def test_every_trained_flow_has_its_sentence() -> None:
    alone = {name for name in flow_names() if "-" not in name}  # the others stand beside each other
    assert set(cnf.WATCH) >= alone == set(cnf.PRESETS)
