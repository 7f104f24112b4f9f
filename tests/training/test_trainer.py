"""What all trainers share: what counts as an explosion, and when the dear part of a picture is drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from node_core.cnf.painted import TargetConfig
from node_core.data.dataset import DataConfig
from node_core.runs.state import Kept, TrainState
from node_core.training.classifier import build as classifier_build
from node_core.training.classifier import picture
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer
from node_core.training.flow import build as flow_build
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import FlowTrainer
from node_core.training.trainer import DivergedError

POINTS = TrainConfig(data=DataConfig("moons", n=60), hidden=(8, 8), batch=32, lr=0.02)
FLOW = CNFConfig(TargetConfig("two_moons"), hidden=(12, 12), batch=64, lr=0.01)
MAKES: list[tuple[Any, Any]] = [(Trainer, POINTS), (FlowTrainer, FLOW)]


def wilder(make: Any, config: Any, factor: float) -> TrainState:
    """The beginning with larger weights."""
    state: TrainState = make(config).export()
    return replace(state, parameters=state.parameters * np.float32(factor))


def test_a_dear_picture_is_due_when_its_cost_is_its_share_of_the_time_since() -> None:
    kept = Kept(time=100.0, cost=1.0)
    assert not kept.is_due(119.0, 0.05)
    assert kept.is_due(121.0, 0.05)
    assert kept.is_due(99.0, 0.05), "a clock that was set back must not stop it for good"
    assert Kept().is_due(0.0, 0.05)


def test_a_boundary_that_could_not_be_drawn_is_not_tried_again_in_every_chunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = []

    def given_up(*_: object) -> None:
        tries.append(1)

    monkeypatch.setattr(picture, "boundary", given_up)
    trainer = Trainer(POINTS)
    for _ in range(3):
        snapshot = trainer.snapshot(dear=False)
        assert "grid" not in snapshot.arrays
        assert "extent" in snapshot.scalars
    assert len(tries) == 1


@pytest.mark.parametrize(("make", "config"), MAKES, ids=["classifier", "flow"])
def test_a_heavy_penalty_is_no_explosion(make: Any, config: Any) -> None:
    """The loss itself is judged: its penalties may weigh more than it, and it can still be learned from."""
    trainer = make(replace(config, kinetic=100.0), wilder(make, config, 2.5))
    row = trainer.iterate()
    assert 100.0 * row["kinetic"] > trainer.largest_loss > row["loss"]


@pytest.mark.parametrize(
    ("make", "config", "module", "most"),
    [(*MAKES[0], classifier_build, 3), (*MAKES[1], flow_build, 2)],
    ids=["classifier", "flow"],
)
def test_a_solver_that_gives_up_on_the_way_back_is_told_as_on_the_way_there(
    make: Any, config: Any, module: Any, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adjoint's way back is harder than the way there, and is allowed the steps that the latter needs."""
    monkeypatch.setattr(module, "MAX_STEPS", most)
    before = wilder(make, config, 2.0)
    trainer = make(replace(config, gradient="adjoint"), before)
    with pytest.raises(DivergedError, match=r"iteration 1 \(the backward solve .*lower the learning rate"):
        trainer.iterate()
    after = trainer.export()
    assert after.iteration == 0
    np.testing.assert_array_equal(after.parameters, before.parameters)
