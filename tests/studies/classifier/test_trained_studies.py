"""Studies of trained flows: the solver swapped, the penalties raced, the eigenvalues along the paths."""

from typing import Any

import numpy as np
import pytest
import torch

from node_core.data.dataset import DataConfig
from node_core.fields.mlp.mlp import MLPField
from node_core.studies.classifier import hlambda, regularizer_race, solver_swap
from node_core.studies.classifier.hlambda_config import HLambdaConfig
from node_core.studies.classifier.regularizer_race import straightness
from node_core.studies.classifier.regularizer_race_config import RegularizerRaceConfig
from node_core.studies.classifier.solver_swap_config import SolverSwapConfig, SwapEntry
from node_core.training.classifier.checkpoint import save
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer

SMALL = TrainConfig(data=DataConfig("circles", n=80, noise=0.02), hidden=(16, 16), batch=80, lr=0.02)
COARSE = TrainConfig(
    data=DataConfig("circles", n=80, noise=0.02), hidden=(32, 32), batch=80, lr=0.05, method="euler", dt=1.0
)


def test_a_flow_trained_with_one_euler_step_is_no_ode() -> None:
    config = SolverSwapConfig(
        COARSE, iterations=150, methods=("euler", "rk4"), dts=(1.0, 0.25, 0.0625, 0.015625)
    )
    result = solver_swap.run(config)
    assert (result.trained.method, result.trained.dt, result.trained.nfe) == ("euler", 1.0, 1)
    assert result.trained.accuracy > 0.95
    assert result.verdict == "not an ode"
    assert "no ODE" in result.sentence
    same, *_, finest = result.entries[:4]
    assert same == result.trained
    # Refined, Euler tends to the ODE's answer, not to that of the training.
    assert finest.error < 0.2 * result.trained.error
    assert abs(finest.accuracy - result.reference.accuracy) < 0.05 < result.trained.accuracy - finest.accuracy
    errors = [entry.error for entry in result.entries[4:]]
    assert errors[-1] < 1e-3 * max(errors[0], 1)


@pytest.mark.parametrize(
    ("own", "accurate", "verdict"),
    [(1.0, 0.5, "not an ode"), (0.5, 1.0, "not an ode"), (0.97, 0.96, "ode"), (0.96, 0.97, "ode")],
)
def test_the_verdict_compares_the_training_s_step_with_the_accurate_solve(
    own: float, accurate: float, verdict: str
) -> None:
    coarse = SwapEntry("euler", 0.5, own, 0.1, 2, 1.0)
    found, sentence = solver_swap.verdict_on(coarse, SwapEntry("dopri5", None, accurate, 0.1, 50, 0.0))
    assert found == verdict
    assert ("no ODE" in sentence) == (verdict == "not an ode")
    assert f"{own:.0%} correct" in sentence and f"reach {accurate:.0%}" in sentence


def test_a_flow_trained_accurately_is_one_and_a_checkpoint_is_judged_as_it_is() -> None:
    config = TrainConfig(data=DataConfig("moons", n=80), hidden=(16, 16), lr=0.02, rtol=1e-4, atol=1e-4)
    trainer = Trainer(config)
    for _ in range(60):
        trainer.iterate()
    raw = save(config, trainer.export())
    result = solver_swap.run(SolverSwapConfig(iterations=1, methods=("rk4",), dts=(0.0625,), checkpoint=raw))
    assert result.trained.method == "dopri5"
    assert result.trained.dt is None
    assert result.verdict == "ode"
    assert result.entries[0].accuracy == pytest.approx(result.reference.accuracy, abs=0.02)
    assert result.entries[0].error < 1e-3


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"methods": ("dopri5",)}, "fixed-step"),
        ({"methods": ("implicit_euler",)}, "fixed-step"),
        ({"dts": (2.0,)}, "dt = 2.0"),
        ({"dts": ()}, "0 steps"),
        ({"iterations": 0}, "iterations = 0"),
        ({"train": TrainConfig(model="resnet")}, "needs an ODE-Net"),
        ({"checkpoint": b"no"}, "can't be used"),
    ],
)
def test_a_senseless_swap_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        solver_swap.run(SolverSwapConfig(**values))


def test_each_penalty_lowers_what_it_penalises() -> None:
    config = RegularizerRaceConfig(SMALL, iterations=40, kinetic=0.5, jacobian=0.2, steer=0.5)
    none, kinetic, jacobian, steer = regularizer_race.run(config).lanes
    assert [lane.name for lane in (none, kinetic, jacobian, steer)] == list(config.lanes)
    assert kinetic.kinetic_energy < 0.5 * none.kinetic_energy
    assert jacobian.jacobian_norm < 0.5 * none.jacobian_norm
    assert (steer.loss != none.loss).any()
    for lane in (none, kinetic, jacobian, steer):
        assert lane.iteration.tolist() == list(range(1, 41))
        assert 0 < lane.straightness <= 1
        assert lane.paths.shape == (49, 40, 2)
        assert lane.ts[-1] == 1.0
        assert lane.message == ""
    # Same seed, same first batch: all begin alike but for the random end time.
    assert none.loss[0] == pytest.approx(kinetic.loss[0], rel=1e-3)


def test_straight_paths_have_straightness_one_and_a_half_circle_two_over_pi() -> None:
    s = torch.linspace(0, 1, 200)[:, None, None]
    assert straightness(torch.cat((s, 2 * s), -1)) == pytest.approx(1.0, abs=1e-5)
    arc = torch.cat(((torch.pi * s).cos(), (torch.pi * s).sin()), -1)
    assert straightness(arc) == pytest.approx(2 / np.pi, abs=1e-3)


@pytest.mark.parametrize(
    "values", [{"lanes": ()}, {"lanes": ("none", "none")}, {"kinetic": -1.0}, {"rtol": 1.0}]
)
def test_a_senseless_race_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="choose"):
        RegularizerRaceConfig(**values)


@pytest.mark.parametrize("method", ["dopri5", "euler"])
def test_the_cloud_is_dt_times_the_eigenvalues_of_the_jacobian(method: str) -> None:
    train = TrainConfig(
        data=DataConfig("moons", n=40), hidden=(8,), method=method, dt=0.25, time_dependent=True
    )
    result = hlambda.run(HLambdaConfig(train, iterations=2, points=5))
    assert result.h_lambda.shape == (len(result.dt), 5, 2)
    assert result.method == method
    assert result.dt.sum() == pytest.approx(1.0)
    trainer = Trainer(train)
    trainer.iterate(), trainer.iterate()
    field, x = trainer.model.field, torch.from_numpy(trainer.data.x[:5])
    assert isinstance(field, MLPField)
    expected = np.linalg.eigvals(field.jacobian(0.0, x).detach().double().numpy()) * result.dt[0]
    np.testing.assert_allclose(np.sort(result.h_lambda[0]), np.sort(expected), rtol=1e-4, atol=1e-6)
    assert result.largest == np.abs(result.h_lambda).max()
