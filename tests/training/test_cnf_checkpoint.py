"""Pre-trained flows: what is written is read, what does not fit is refused, and what is shipped is good."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from node_core.cnf.painted import TargetConfig
from node_core.training import cnf_checkpoint
from node_core.training.cnf import FlowTrainer, advance
from node_core.training.cnf_checkpoint import (
    MAX_ROWS,
    flow_names,
    history_of,
    load_flow,
    pretrained_for,
    save_flow,
    started,
)
from node_core.training.cnf_config import CNFConfig


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(cnf_checkpoint, "FOLDER", tmp_path)
    cnf_checkpoint._read.cache_clear()
    yield tmp_path
    cnf_checkpoint._read.cache_clear()


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


def test_a_drawing_cannot_be_kept() -> None:
    config = CNFConfig(TargetConfig("drawn", strokes=(((0.0, 0.0),),)))
    with pytest.raises(ValueError, match="built-in target"):
        save_flow(config, FlowTrainer(config).export())


@pytest.mark.parametrize("name", flow_names())
def test_a_shipped_flow_is_near_the_best_possible_and_shows_its_densities_at_once(name: str) -> None:
    config = CNFConfig(TargetConfig(name), start=name)
    assert pretrained_for(config) == name
    movie = started(config).grid
    assert movie is not None
    snapshot, state = advance(config, None, 0.0)
    gap = snapshot.scalars["gap"]
    assert isinstance(gap, float)
    assert gap < 0.25
    assert snapshot.arrays["movie"].shape[0] > 2
    assert np.array_equal(snapshot.arrays["movie"], movie)
    assert state.iteration > 0


@pytest.mark.parametrize("name", flow_names())
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
    assert started(coarse).grid is None
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
