"""The shipped controllers do what they were trained for, from starts that nobody chose, and keep it when played on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from node_core.models.control.trials import run_trials
from node_core.training.control.build import draw_starts, judge_of, loop_of, trained_policy
from node_core.training.control.checkpoint import (
    controller_names,
    history_of,
    load_controller,
    pretrained_for,
    started,
)
from node_core.training.control.config import ControlConfig
from node_core.training.control.make_checkpoints import RUNS
from node_core.training.control.train import ControlTrainer
from node_core.training.trainer import TRAINED_SHARE

SEEDS = range(10)
A_SEED = 4  # starts


def test_all_that_are_made_are_shipped() -> None:
    assert set(controller_names()) == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_it_reaches_its_target_from_the_starts_of_ten_seeds(name: str) -> None:
    found = load_controller(name)
    config = found.config
    policy = trained_policy(config, found.state)
    x = torch.cat([draw_starts(config, A_SEED, np.random.default_rng(seed)) for seed in SEEDS])
    trials = run_trials(loop_of(config, policy), x, config.judged, judge_of(config))
    assert trials.success >= 0.95


@pytest.mark.parametrize("name", RUNS)
def test_a_run_begins_with_it_and_shows_its_curves(name: str) -> None:
    config = RUNS[name]
    assert pretrained_for(replace(config, seed=3, limit=config.limit / 2)) == name
    begun = replace(config, start=name, iterations=100_000)
    assert started(begun).begun == config.iterations
    rows = history_of(name)
    assert rows[-1]["iteration"] == config.iterations
    assert {"loss", "gradient_norm", "horizon"} <= set(rows[-1])
    assert any("success" in row for row in rows)


def test_playing_on_keeps_it() -> None:
    trainer = ControlTrainer(
        replace(RUNS["cart_pole_balance"], start="cart_pole_balance", iterations=100_000)
    )
    before = trainer.draw(dear=False)
    assert trainer.rate == pytest.approx(TRAINED_SHARE * trainer.config.lr, rel=1e-3)
    for _ in range(30):
        trainer.iterate()
    after = trainer.draw(dear=False)
    assert after.row["success"] >= before.row["success"] - 0.05
    assert after.loss < 2.0 * before.loss


def test_a_controller_of_another_plant_is_refused() -> None:
    with pytest.raises(ValueError, match="another plant, task or net"):
        started(ControlConfig("unicycle", "reach", limit=1.0, start="cart_pole_balance"))
