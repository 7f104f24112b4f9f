"""Table 1: what is trained for it, how it grows, how it is written; and the memory that is measured."""

import csv
import io
import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from node_core.data.images import ImageData
from node_core.studies.architectures import memory, table
from node_core.studies.architectures.memory_config import (
    MemoryConfig,
    all_trains,
    depth_trains,
    nfe_trains,
)
from node_core.studies.architectures.questions_config import HardestConfig, LayersConfig, Net, SwapConfig
from node_core.studies.architectures.snippets import (
    hardest_snippet,
    layers_snippet,
    memory_snippet,
    swap_snippet,
    table_snippet,
    train_snippet,
)
from node_core.studies.architectures.table_config import (
    COLUMNS,
    MODELS,
    TableConfig,
    TableEntry,
    as_csv,
    as_text,
    entry_of,
    row_of,
    rows_of,
)
from node_core.training.images import build
from node_core.training.images.config import ImagesConfig, counts_of

SMALL = ImagesConfig(data=ImageData(train=200, test=50), hidden=8, batch=50, iterations=8)
ENTRIES = (
    TableEntry("odenet", 0, 0.02, 8970, 3.0, 20.0, 20.0),
    TableEntry("mlp", 0, 0.03, 4810, 0.5, 0.0, 0.0),
    TableEntry("odenet", 1, 0.01, 8970, 5.0, 26.0, 20.0),
)


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "TIME_LIMIT", 600.0)


def test_the_table_trains_every_row_with_every_seed() -> None:
    result = table.run(TableConfig(SMALL, seeds=2))
    assert [row.model for row in result.rows] == list(MODELS)
    assert len(result.entries) == 12
    assert {(e.model, e.seed) for e in result.entries} == {(m, s) for m in MODELS for s in (0, 1)}
    by_name = {row.model: row for row in result.rows}
    assert by_name["resnet"].nfe_forward == 6
    assert by_name["resnet1"].parameters == by_name["rknet"].parameters == by_name["odenet"].parameters
    assert by_name["none"].parameters == 650
    assert by_name["none"].nfe_forward == by_name["mlp"].nfe_forward == 0
    assert all(row.runs == 2 and 0 < row.error < 1 and row.seconds > 0 for row in result.rows)
    assert "200 training and 50 test images" in result.note
    again = table.run(TableConfig(SMALL, ("rknet",), seeds=2))
    assert again.rows[0].error == by_name["rknet"].error


def test_rows_are_means_with_their_spread_in_the_papers_order() -> None:
    mlp, odenet = rows_of(ENTRIES, {"mlp": 3.5})
    assert (mlp.model, odenet.model) == ("mlp", "odenet")
    assert odenet.error == pytest.approx(0.015)
    assert odenet.error_spread == pytest.approx(0.01 / math.sqrt(2))
    assert (odenet.seconds, odenet.nfe_forward, odenet.runs) == (4.0, 23.0, 2)
    assert math.isnan(mlp.error_spread)
    assert mlp.mib == 3.5
    assert math.isnan(odenet.mib)


def test_the_written_table_can_be_read_back() -> None:
    rows = rows_of(ENTRIES, {"mlp": 3.5})
    mlp, odenet = csv.DictReader(io.StringIO(as_csv(rows)))
    assert tuple(mlp) == COLUMNS
    assert float(odenet["test_error_percent"]) == pytest.approx(1.5)
    assert float(odenet["paper_error_percent"]) == 0.42
    assert mlp["test_error_spread"] == ""
    assert (mlp["peak_mib"], odenet["peak_mib"]) == ("3.5", "")
    text = as_text(rows).splitlines()
    assert len(text) == 3
    assert "1.50 ± 0.71 %" in text[2]
    assert "O(1)" in text[2]
    assert "1.60 %" in text[1]


def test_a_run_s_row_is_known_by_its_net() -> None:
    assert row_of(ImagesConfig(model="resnet", layers=0)) == "none"
    assert row_of(ImagesConfig(model="mlp", layers=3)) == "mlp"
    assert row_of(ImagesConfig(model="resnet", layers=4)) == ""
    for name, config in TableConfig(SMALL).runs():
        assert row_of(config) == name
    with pytest.raises(ValueError, match="no row of the table"):
        entry_of(ImagesConfig(model="resnet", layers=4), {})


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: TableConfig(models=("odent",)), "did you mean 'odenet'"),
        (lambda: TableConfig(models=("mlp", "mlp")), "choose each once"),
        (lambda: TableConfig(models=()), "0 models"),
        (lambda: TableConfig(seeds=0), "seeds = 0"),
        (lambda: MemoryConfig(()), "0 trainings"),
    ],
)
def test_a_bad_table_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="memory is measured by forking")
def test_memory_grows_with_depth_and_with_evaluations_but_not_with_the_adjoint_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "LIMIT_SECONDS", 3600.0)  # nobody waits
    base, counts = ImagesConfig(batch=1024), (2, 16)
    trains = (
        *depth_trains(base, counts),
        *nfe_trains(base, "backprop", counts),
        *nfe_trains(base, "adjoint", counts),
    )
    result = memory.run(MemoryConfig(trains))
    resnet, backprop, adjoint = result.mib.reshape(3, 2)
    state = 1024 * 64 * 4 / 2**20  # a batch of states, a quarter of a MiB
    # a layer or an evaluation keeps its hidden units and what it gives, two states' worth
    assert resnet[1] - resnet[0] > 14 * state
    assert backprop[1] - backprop[0] > 14 * 4 * state
    assert adjoint[1] - adjoint[0] < 14 * state
    assert adjoint[1] < backprop[1] / 2
    assert result.nfe[:2].tolist() == [2, 16]
    assert result.nfe[2:4].tolist() == [16, 128]
    assert (result.seconds > 0).all()


def test_the_series_of_measurements_are_what_their_names_say() -> None:
    series = all_trains(ImagesConfig())
    assert {"resnet", "backprop", "adjoint", "checkpointed"} <= set(series)
    assert [train.layers for train in series["resnet"]] == [1, 2, 4, 8, 16]
    for train in series["adjoint"]:
        assert (train.method, train.gradient, train.model) == ("rk4", "adjoint", "odenet")
    np.testing.assert_allclose([train.dt for train in series["backprop"]], [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16])
    assert len({counts_of(train).total for train in series["adjoint"]}) == 1


def test_snippets_run_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    net = Net(SMALL, b"\0" * 4)
    texts = {
        train_snippet(SMALL): "of 50 test images wrong",
        table_snippet(TableConfig(SMALL, ("none", "mlp"))): "No block",
        hardest_snippet(HardestConfig(net, images=5)): "evaluations",
        swap_snippet(SwapConfig(net, (0.1,), ())): "SwapEntry",
        layers_snippet(LayersConfig(Net(replace(SMALL, model="resnet", layers=2)))): "LayersResult",
        memory_snippet(MemoryConfig((SMALL,))): "[",
    }
    for text, printed in texts.items():
        exec(compile(text, "snippet", "exec"), {})
        assert printed in capsys.readouterr().out, text
    uploaded = ImagesConfig(ImageData("files", files=(("t10k-images", b"x"),)))
    with pytest.raises(ValueError, match="were uploaded"):
        train_snippet(uploaded)
