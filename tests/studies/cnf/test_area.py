"""A small square in the flow: its area against closed forms, and against what the flow itself does to it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from node_core.cnf.continuous import CNF
from node_core.cnf.painted import TargetConfig
from node_core.settings import SolverSettings
from node_core.studies.cnf.area import run
from node_core.studies.cnf.area_config import AreaConfig, AreaResult
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import initial_state, trained_flow
from node_core.visualization.cnf.area import area_figure, area_info

TRAINED = CNFConfig(TargetConfig("two_moons"), start="two_moons")


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_the_trace_is_that_of_theorem_1_and_the_areas_differ_by_the_determinant(t: float) -> None:
    result = run(AreaConfig(TRAINED, particle=7, t=t))
    flow = trained_flow(TRAINED, initial_state(TRAINED))
    assert isinstance(flow, CNF)
    path = flow.trajectory(flow.base.sample(200, TRAINED.seed)[7:8], sorted({0.0, t, 1.0}))
    at = sorted({0.0, t, 1.0}).index(t)
    assert np.trace(result.jacobian) == pytest.approx(float(path.divergence[at, 0]), rel=1e-4, abs=1e-4)
    assert result.z == pytest.approx(path.z[at, 0].numpy(), abs=1e-6)
    gaps = [area_info(result, eps).area - area_info(result, eps).linear for eps in (0.1, 0.05)]
    assert gaps[1] == pytest.approx(gaps[0] / 4)
    assert gaps[0] == pytest.approx(area_info(result, 0.1).rest)


def test_the_flow_itself_makes_that_of_a_small_square() -> None:
    result = max(
        (run(AreaConfig(TRAINED, k, 0.5)) for k in range(8)), key=lambda r: abs(np.trace(r.jacobian))
    )
    flow = trained_flow(TRAINED, initial_state(TRAINED))
    assert isinstance(flow, CNF)
    eps, side = 0.01, 0.01
    corners = torch.tensor(result.z + side * area_info(result, eps).before[:4], dtype=torch.float32)
    tight = SolverSettings("dopri5", 1e-6, 1e-7)
    moved = tight.solve(flow.field, corners, [0.5, 0.5 + eps], dense=False).ys[-1].detach().double().numpy()
    x, y = moved[:, 0], moved[:, 1]
    area = 0.5 * (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / side**2
    assert area == pytest.approx(area_info(result, eps).area, abs=2e-3)
    assert abs(area - 1) > 8e-3, "a field at rest would show nothing"


def test_a_state_of_another_run_is_refused_and_one_of_its_own_is_looked_at() -> None:
    other = initial_state(CNFConfig(TargetConfig("pinwheel")))
    with pytest.raises(ValueError, match="begun anew"):
        run(AreaConfig(TRAINED), pickle.dumps(other))
    own = initial_state(TRAINED)
    still = replace(own, parameters=np.zeros_like(own.parameters))
    assert not run(AreaConfig(TRAINED), pickle.dumps(still)).jacobian.any()


@pytest.mark.parametrize(
    ("jacobian", "eps", "said"),
    [
        (np.diag([1.0, 0.5]), 0.1, "grows to 1.1550, and 1 + ε tr J says 1.1500"),
        (np.diag([-1.0, -0.5]), 0.1, "shrinks to 0.8550, and 1 + ε tr J says 0.8500"),
        (np.array([[0.0, -1.0], [1.0, 0.0]]), 1.0, "ε² det J = 1.0000"),
        (np.diag([-5.0, 1.0]), 1.0, "turns the square over"),
    ],
)
def test_the_sentence_is_of_the_numbers(jacobian: np.ndarray, eps: float, said: str) -> None:
    info = area_info(AreaResult(AreaConfig(), 12, np.array([0.25, -1.0]), jacobian), eps)
    assert said in info.sentence
    assert "z = (0.25, −1.00), t = 0.5" in info.sentence
    x, y = info.after[:4].T
    assert 0.5 * (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) == pytest.approx(info.area)
    assert len(area_figure(info).data) == 2


@pytest.mark.parametrize("wrong", [{"particle": 200}, {"t": 1.5}, {"run": CNFConfig(flow="planar")}])
def test_a_place_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"particle|t = 1\.5|flow"):
        AreaConfig(**wrong)  # type: ignore[arg-type]
