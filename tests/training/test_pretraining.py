"""The commands that make the pre-trained beginnings: what they write can be begun with, and mistakes are told."""

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from node_core.cnf.painted import TargetConfig
from node_core.data.dataset import DataConfig
from node_core.training.classifier import checkpoint, make_checkpoints
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import advance as advance_classifier
from node_core.training.flow import checkpoint as flow_checkpoint
from node_core.training.flow import make_checkpoints as make_flow_checkpoints
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import advance as advance_flow
from node_core.training.pretraining import main

POINTS = TrainConfig(data=DataConfig("moons", n=60), hidden=(8, 8), batch=32, lr=0.02)
FLOW = CNFConfig(TargetConfig("two_moons"), hidden=(12, 12), batch=64, lr=0.01, iterations=7)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (checkpoint, make_checkpoints, flow_checkpoint, make_flow_checkpoints):
        monkeypatch.setattr(module, "FOLDER", tmp_path / "new")
    monkeypatch.setattr(make_checkpoints, "CURVE", 3)
    monkeypatch.setattr(make_checkpoints, "RUNS", {"small": (POINTS, 7), "other": (POINTS, 1)})
    monkeypatch.setattr(make_flow_checkpoints, "RUNS", {"small": FLOW})
    return tmp_path / "new"


def command(module: ModuleType, *names: str) -> None:
    main(module.__doc__, module.RUNS, module.make, names)


def test_a_classifier_is_trained_to_its_end_and_begins_a_run_with_curves_and_boundary(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(make_checkpoints, "small")
    assert "small: Iteration 7: loss" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["small.json", "small.safetensors"]
    history = json.loads((folder / "small.json").read_text())["history"]
    assert history["iteration"] == [2, 4, 6, 7], "every second row, and the last"
    assert [value is not None for value in history["test_accuracy"]] == [False, False, False, True]
    snapshot, state = advance_classifier(replace(POINTS, start="small"), None, 0.0)
    assert state.iteration == 7
    assert snapshot.arrays["grid"].shape == (128, 128)
    assert len(snapshot.rows) == 4


def test_a_flow_is_trained_to_its_end_and_begins_a_run_with_curves_and_densities(folder: Path) -> None:
    command(make_flow_checkpoints)
    snapshot, state = advance_flow(replace(FLOW, start="small"), None, 0.0)
    assert state.iteration == 7
    assert [row["iteration"] for row in snapshot.rows] == [1, 2, 3, 4, 5, 6, 7]
    assert state.kept.time == 0.0, "the densities were drawn again"
    assert snapshot.arrays["movie"].shape[0] == 7


def test_a_name_that_is_not_known_is_told_before_anything_is_trained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command(make_checkpoints, "small", "smal")
    assert "no run named 'smal': choose from small, other" in capsys.readouterr().err
    assert not folder.exists()
