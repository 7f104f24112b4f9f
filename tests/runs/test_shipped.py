"""Answers in files: what is written is read again, exactly, and nothing else."""

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node_core.data.dataset import DataConfig
from node_core.runs import shipped as module
from node_core.runs.shipped import Beginning, Shipped, find, read, write
from node_core.runs.state import Kept, TrainState
from node_core.studies.gradients.config import MemoryConfig, MemoryCurve, MemoryResult
from node_core.training.classifier.config import TrainConfig

TASK = "node_core.studies.gradients.memory:run"
ANSWER = MemoryResult(
    MemoryConfig(steps=(3,)),
    (MemoryCurve("adjoint", "adjoint — 1/3", np.array([3.0]), np.array([np.nan])),),
    1 / 3,
)


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "ASSETS", tmp_path)
    module._index.cache_clear()
    yield tmp_path
    module._index.cache_clear()


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "answer.npz"
    write(path, Shipped(TASK, ANSWER.config, ANSWER, "2 processors"))
    found = read(path)
    assert (found.task, found.config, found.machine) == (TASK, ANSWER.config, "2 processors")
    assert found.answer.config == ANSWER.config
    assert found.answer.state_mib == ANSWER.state_mib
    (curve,), (wanted,) = found.answer.curves, ANSWER.curves
    assert (curve.mode, curve.label) == (wanted.mode, wanted.label)
    assert np.array_equal(curve.steps, wanted.steps)
    assert np.isnan(curve.mib).all()
    with pytest.raises(ValueError, match="read-only"):  # all sessions see the same arrays
        curve.steps[0] = 0.0


def test_a_beginning_is_what_a_worker_would_have_sent(tmp_path: Path) -> None:
    flat = np.linspace(0, 1, 4, dtype=np.float32)
    kept = Kept({"grid": np.eye(3, dtype=np.uint8)}, {"extent": [0.0, 1.0, -1.0, 1.0]}, 5.0, 0.1)
    state = TrainState(7, flat, flat, flat, "abc", {"loss": 0.5}, {"steps": flat}, kept, begun=7)
    rows = ({"loss": 1.0}, {"loss": 0.5})
    config = TrainConfig(data=DataConfig("moons", 60))
    path = tmp_path / "answer.npz"
    write(path, Shipped("node_core.a:advance", config, Beginning(b"picture", state, rows, False), "here"))
    chunk = read(path).answer.chunk
    assert (chunk.snapshot, chunk.rows, chunk.finished, chunk.good) == (b"picture", rows, False, True)
    after = pickle.loads(chunk.state)
    assert (after.iteration, after.begun, after.structure, after.row) == (7, 7, "abc", {"loss": 0.5})
    assert np.array_equal(after.parameters, flat)
    assert np.array_equal(after.kept.arrays["grid"], np.eye(3))
    assert after.kept.scalars == kept.scalars


def test_only_exactly_this_question_is_answered(assets: Path) -> None:
    write(assets / "adjoint" / "shipped" / "memory.npz", Shipped(TASK, ANSWER.config, ANSWER, "here"))
    found = find(TASK, MemoryConfig(steps=(3,)))
    assert found is not None
    assert found.answer.state_mib == ANSWER.state_mib
    assert find(TASK, MemoryConfig(steps=(4,))) is None
    assert find("node_core.studies.gradients.memory:other", ANSWER.config) is None


@dataclass(frozen=True)
class Foreign:
    """Not of node_core."""


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        ({"is": "tests.runs.test_shipped:Foreign", "fields": {}}, "no dataclass"),
        ({"is": "os:system", "fields": {}}, "no dataclass"),
        ({"is": "node_core.runs.shipped:find", "fields": {}}, "no dataclass"),
        ({"other": 1}, "make it again"),
    ],
)
def test_a_file_can_name_nothing_but_our_dataclasses(tmp_path: Path, tree: Any, complaint: str) -> None:
    whole = {"task": TASK, "machine": "here", "config": None, "answer": tree}
    np.savez(tmp_path / "bad.npz", tree=np.frombuffer(json.dumps(whole).encode(), np.uint8))
    with pytest.raises(ValueError, match=complaint):
        read(tmp_path / "bad.npz")


def test_what_has_no_place_in_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="set"):
        write(tmp_path / "bad.npz", Shipped(TASK, ANSWER.config, replace(ANSWER, state_mib={1}), "here"))  # type: ignore[arg-type]
