"""Pre-trained flows: what is written is read, what does not fit is refused, and what is shipped is good."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from node_core.cnf.painted import TargetConfig
from node_core.training.checkpoint import MAX_ROWS
from node_core.training.flow import checkpoint as cnf_checkpoint
from node_core.training.flow.checkpoint import (
    flow_names,
    history_of,
    load_flow,
    pretrained_for,
    save_flow,
    started,
)
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import FlowTrainer, advance

ALONE = [name for name in flow_names() if "-" not in name]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(cnf_checkpoint, "FOLDER", tmp_path)
    cnf_checkpoint._shipped.cache_clear()
    yield tmp_path
    cnf_checkpoint._shipped.cache_clear()


def test_what_is_written_is_read(folder: Path) -> None:
    config = CNFConfig(TargetConfig("blobs"), hidden=(8, 8), batch=16)
    trainer = FlowTrainer(config)
    rows = [trainer.iterate()]
    state = trainer.export()
    (folder / "one.safetensors").write_bytes(save_flow(config, state, rows))
    found, again = load_flow("one")
    assert found == config
    assert again.iteration == 1
    assert np.array_equal(again.parameters, state.parameters)
    assert np.array_equal(again.moment_2, state.moment_2)
    (row,) = history_of("one")
    assert row == pytest.approx(dict(rows[0]))
    assert pretrained_for(replace(config, lr=0.1)) == "one"
    assert pretrained_for(replace(config, seed=1)) == ""


def test_a_damaged_file_and_an_unknown_name_are_told_in_a_sentence(folder: Path) -> None:
    (folder / "bad.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="can't be used"):
        load_flow("bad")
    with pytest.raises(ValueError, match="no pre-trained flow 'other': choose one of bad"):
        load_flow("other")


def tampered(
    header: dict[str, str] | None = None, config: dict[str, Any] | None = None, **arrays: Any
) -> bytes:
    """The file of a small flow, with these strings, configuration values and arrays in place of its own."""
    small = CNFConfig(TargetConfig("blobs"), hidden=(4,), batch=8)
    trainer = FlowTrainer(small)
    rows = [trainer.iterate()]
    trainer.snapshot()
    raw = save_flow(small, trainer.export(), rows)
    length = int.from_bytes(raw[:8], "little")
    strings = json.loads(raw[8 : 8 + length])["__metadata__"] | (header or {})
    if config:
        strings["config"] = json.dumps(json.loads(strings["config"]) | config)
    return save_arrays(load_arrays(raw) | arrays, strings)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"header": {"format": "neural-ode-lab classifier 1"}}, "its format is not"),
        ({"header": {"code": "import os"}}, "its header has not exactly"),
        ({"header": {"iteration": "-1"}}, "its iteration is not"),
        ({"header": {"columns": '["loss"]'}}, "must be made anew"),
        ({"header": {"columns": "3"}}, "must be made anew"),
        ({"config": {"evil": 1}}, "exactly the known fields"),
        ({"config": {"lr": "0.1"}}, "lr of the configuration is of the wrong type"),
        ({"config": {"target": ["blobs"]}}, "its target is no name"),
        ({"parameters": np.full(26, np.nan, np.float32)}, "not finite"),
        ({"moment_1": np.zeros(3, np.float32)}, "instead of float32"),
        ({"moment_2": -np.ones(26, np.float32)}, "squares"),
        ({"movie": np.zeros((0, 4, 4), np.uint8)}, "no pictures"),
        ({"history": np.zeros(3, np.float32)}, "must be made anew"),
        ({"more": np.zeros(3, np.float32)}, "exactly the arrays"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(
    change: dict[str, Any], sentence: str, folder: Path
) -> None:
    (folder / "good.safetensors").write_bytes(tampered())
    assert load_flow("good")[1].iteration == 1
    (folder / "bad.safetensors").write_bytes(tampered(**change))
    with pytest.raises(ValueError, match=sentence):
        load_flow("bad")


@pytest.mark.parametrize("name", ALONE)
def test_a_shipped_flow_is_near_the_best_possible_and_shows_its_densities_at_once(name: str) -> None:
    config = CNFConfig(TargetConfig(name), start=name)
    assert pretrained_for(config) == name
    movie = started(config).kept.arrays["movie"]
    snapshot, state = advance(config, None, 0.0)
    gap = snapshot.scalars["gap"]
    assert isinstance(gap, float)
    assert gap < 0.25
    assert snapshot.arrays["movie"].shape[0] > 2
    assert np.array_equal(snapshot.arrays["movie"], movie)
    assert state.iteration > 0


@pytest.mark.parametrize("name", ALONE)
def test_a_shipped_flow_brings_the_curves_of_its_training_along(name: str) -> None:
    snapshot, state = advance(CNFConfig(TargetConfig(name), start=name), None, 0.0)
    at = [row["iteration"] for row in snapshot.rows]
    assert 100 <= len(at) <= MAX_ROWS
    assert at == sorted(at)
    assert at[0] < 10
    assert at[-1] <= state.iteration
    first, last = snapshot.rows[0], snapshot.rows[-1]
    assert last["loss"] < first["loss"]
    assert last["nfe_forward"] > first["nfe_forward"]  # a flow that has learned is harder to solve
    again, _ = advance(CNFConfig(TargetConfig(name), start=name), state, 0.0)
    assert again.rows == ()


def test_another_solver_does_not_borrow_the_shipped_densities() -> None:
    config = CNFConfig(TargetConfig("two_moons"), start="two_moons")
    exact, state = advance(config, None, 0.0)
    coarse = replace(config, method="euler", dt=1.0)
    assert not started(coarse).kept.arrays
    first, _ = advance(coarse, None, 0.0)
    changed, _ = advance(coarse, state, 0.0)  # turned while the run stands still
    assert not np.array_equal(first.arrays["movie"], exact.arrays["movie"])
    assert np.array_equal(changed.arrays["movie"], first.arrays["movie"])


def test_a_flow_that_does_not_fit_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match="another target, field or seed"):
        started(CNFConfig(TargetConfig("two_moons"), hidden=(8, 8), start="two_moons"))


@pytest.mark.parametrize("start", ["../secret", "a b", "x" * 65])
def test_a_start_is_only_a_name(start: str) -> None:
    with pytest.raises(ValueError, match="give a checkpoint's name"):
        CNFConfig(start=start)
