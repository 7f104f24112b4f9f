"""What a page keeps of a run: written by a worker, read as strictly as anybody's file; the run goes on from there."""

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from node_core.cnf.painted import TargetConfig
from node_core.data.dataset import DataConfig
from node_core.data.drawn import drawn_config
from node_core.runs.chunk import advance_chunk, keep_run, resume_run
from node_core.runs.snapshot import Row, unpack
from node_core.training.checkpoint import MAX_BYTES, MAX_ROWS
from node_core.training.classifier.config import TrainConfig
from node_core.training.flow.config import CNFConfig
from node_core.training.images.config import ImagesConfig

CLASSIFIER, FLOW = "node_core.training.classifier.train:advance", "node_core.training.flow.train:advance"
IMAGES = "node_core.training.images.train:advance"
MOONS = TrainConfig(data=DataConfig("moons", n=60), hidden=(8, 8), batch=32, lr=0.02)
DIGITS = ImagesConfig(model="mlp", hidden=8, batch=16)
BLOBS = CNFConfig(TargetConfig("blobs"), hidden=(8, 8), batch=32)
DRAWING = drawn_config([(0.1, 0.2), (1, 0), (0, 1), (1, 1)], [0, 1, 0, 1])
STROKES = TargetConfig("drawn", strokes=(((0.0, 0.5), (1.0, 1.0)), ((-1.0, 0.0),)))


def face() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.eye(16, dtype=np.uint8) * 200).save(out, "PNG")
    return out.getvalue()


def run(task: str, config: Any, chunks: int = 3) -> tuple[bytes, tuple[Row, ...]]:
    """The state and history after some iterations."""
    state: bytes | None = None
    rows: list[Row] = []
    for _ in range(chunks):
        chunk = advance_chunk(task, config, state, 1e-9)
        state, rows = chunk.state, [*rows, *chunk.rows]
    assert state is not None
    return state, tuple(rows)


def numbers(row: Row) -> dict[str, float]:
    """What a row has, but for the time that it took: without test points there is no accuracy on them."""
    return {name: value for name, value in row.items() if not math.isnan(value) and name != "seconds"}


RUNS: dict[str, tuple[str, Any]] = {
    "a net": (CLASSIFIER, MOONS),
    "a pre-trained net": (CLASSIFIER, TrainConfig(data=DataConfig("circles"), start="circles")),
    "a net of points that were drawn": (CLASSIFIER, replace(MOONS, data=DRAWING)),
    "a net of images": (IMAGES, DIGITS),
    "a flow": (FLOW, BLOBS),
    "a hypernetwork": (FLOW, replace(BLOBS, field="hypernetwork", width=8, hyper_hidden=4)),
    "a planar flow": (FLOW, replace(BLOBS, flow="planar", depth=3)),
    "couplings": (FLOW, replace(BLOBS, flow="realnvp", depth=2)),
    "a flow to a drawing": (FLOW, replace(BLOBS, target=STROKES)),
    "a flow to a picture": (FLOW, replace(BLOBS, target=TargetConfig("image", image=face(), invert=True))),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_from_what_was_kept_as_if_nothing_had_been_lost(name: str) -> None:
    task, config = RUNS[name]
    state, rows = run(task, config)
    found = resume_run(task, config, keep_run(task, config, state, rows))
    assert found.config == config
    shown = unpack(found.chunk.snapshot).scalars
    assert shown["iteration"] == rows[-1]["iteration"]
    assert shown["loss"] == pytest.approx(rows[-1]["loss"], rel=1e-6)
    assert [row["iteration"] for row in found.chunk.rows] == [row["iteration"] for row in rows]
    assert numbers(found.chunk.rows[-1]) == pytest.approx(numbers(rows[-1]), rel=1e-6)
    after = advance_chunk(task, config, found.chunk.state, 1e-9).rows[-1]
    whole = advance_chunk(task, config, state, 1e-9).rows[-1]
    assert numbers(after) == numbers(whole), "the next iteration is the one that would have come"


def test_what_may_change_in_a_run_may_have_changed_since_it_was_kept() -> None:
    for task, config in ((CLASSIFIER, MOONS), (FLOW, BLOBS)):
        kept = keep_run(task, config, *run(task, config))
        wanted = replace(config, lr=0.001, rtol=1e-4)
        assert resume_run(task, wanted, kept).config == wanted


def test_a_run_of_other_settings_is_not_taken_for_this_one() -> None:
    for task, config in ((CLASSIFIER, MOONS), (FLOW, BLOBS)):
        kept = keep_run(task, config, *run(task, config))
        for change in ({"seed": 1}, {"hidden": (8, 9)}, {"activation": "elu"}):
            with pytest.raises(ValueError, match="other settings than those of this page"):
                resume_run(task, replace(config, **change), kept)
    with pytest.raises(ValueError, match="its format is not"):
        resume_run(CLASSIFIER, MOONS, kept)
    kept = keep_run(IMAGES, DIGITS, *run(IMAGES, DIGITS, 1))
    with pytest.raises(ValueError, match="other settings than those of this page"):
        resume_run(IMAGES, replace(DIGITS, seed=1), kept)


def test_data_of_the_users_own_come_out_of_the_file_because_the_page_has_lost_them() -> None:
    for task, own, default in (
        (CLASSIFIER, replace(MOONS, data=DRAWING), TrainConfig()),
        (FLOW, replace(BLOBS, target=STROKES), CNFConfig()),
    ):
        kept = keep_run(task, own, *run(task, own))
        assert resume_run(task, default, kept).config == own


def test_a_long_history_is_thinned_and_ends_where_the_run_stands() -> None:
    state, rows = run(CLASSIFIER, MOONS)
    long = [{**rows[0], "iteration": float(k)} for k in range(3 * MAX_ROWS)] + [rows[-1]]
    found = resume_run(CLASSIFIER, MOONS, keep_run(CLASSIFIER, MOONS, state, long)).chunk.rows
    assert 100 < len(found) <= MAX_ROWS
    assert found[-1]["iteration"] == rows[-1]["iteration"]


def test_a_net_that_is_too_large_is_not_kept() -> None:
    large = replace(BLOBS, flow="realnvp", depth=12, hyper_hidden=128)
    state, rows = run(FLOW, large, 1)
    with pytest.raises(ValueError, match="too large to be kept"):
        keep_run(FLOW, large, state, rows)


def test_a_run_without_training_keeps_nothing() -> None:
    with pytest.raises(ValueError, match="nothing is kept"):
        keep_run("node_core.studies.resnets.limit:advance", MOONS, b"N.", ())
    with pytest.raises(ValueError, match="nothing is kept"):
        resume_run("node_core.studies.resnets.limit:advance", MOONS, b"anything")


def tampered(raw: bytes, header: dict[str, str] | None = None, **arrays: Any) -> bytes:
    """The file with these strings and arrays in place of its own."""
    length = int.from_bytes(raw[:8], "little")
    strings = json.loads(raw[8 : 8 + length])["__metadata__"] | (header or {})
    return save_arrays(load_arrays(raw) | arrays, strings)


def f32(*shape: int, value: float = 0.0) -> np.ndarray:
    return np.full(shape, value, np.float32)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut short": (lambda raw: raw[:-10], "damaged"),
    "nothing": (lambda raw: b"", "damaged"),
    "a pickle": (lambda raw: b"\x80\x04N.", "damaged"),
    "too large": (lambda raw: raw + bytes(MAX_BYTES), "at most 1,000,000 are read"),
    "of a newer version": (lambda raw: tampered(raw, {"format": "neural-ode-lab 9"}), "its format is not"),
    "more than is known": (lambda raw: tampered(raw, {"code": "1"}), "not exactly"),
    "an iteration before the first": (lambda raw: tampered(raw, {"iteration": "-3"}), "iteration is not"),
    "a history without columns": (lambda raw: tampered(raw, {"columns": "[]"}), "no table of at most"),
    "columns that are none": (lambda raw: tampered(raw, {"columns": "{}"}), "has no columns"),
    "a column twice": (lambda raw: tampered(raw, {"columns": '["a", "a"]'}), "has no columns"),
    "columns of numbers": (lambda raw: tampered(raw, {"columns": "[1]"}), "has no columns"),
    "columns without a history": (lambda raw: tampered(raw, {"columns": "["}), "JSON can't be read"),
    "a long history": (
        lambda raw: tampered(raw, {"columns": '["loss"]'}, history=f32(MAX_ROWS + 1, 1)),
        "no table of at most",
    ),
    "a history of other things": (
        lambda raw: tampered(raw, {"columns": '["loss"]'}, history=f32(3, 1)),
        "a row of its history lacks",
    ),
    "an infinite loss": (
        lambda raw: tampered(
            raw,
            {"columns": '["iteration", "loss", "nfe_forward", "nfe_backward"]'},
            history=f32(2, 4, value=np.inf),
        ),
        "a row of its history lacks",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_not_as_it_was_written_is_refused(name: str) -> None:
    attack, sentence = DAMAGE[name]
    for task, config in ((CLASSIFIER, MOONS), (IMAGES, DIGITS), (FLOW, BLOBS)):
        raw = keep_run(task, config, *run(task, config, 1))
        with pytest.raises(ValueError, match=sentence) as refused:
            resume_run(task, config, attack(raw))
        assert len(str(refused.value)) < 1000


def test_weights_that_cannot_be_drawn_are_refused_before_anything_is_lost() -> None:
    raw = keep_run(FLOW, BLOBS, *run(FLOW, BLOBS, 1))
    count = load_arrays(raw)["parameters"].size
    few: dict[str, Any] = {name: f32(count - 1) for name in ("parameters", "moment_1", "moment_2")}
    with pytest.raises(ValueError, match=f"it has {count - 1} weights, its flow {count}"):
        resume_run(FLOW, BLOBS, tampered(raw, **few))
    with pytest.raises(ValueError, match="lower the learning rate"):
        resume_run(FLOW, BLOBS, tampered(raw, parameters=f32(count, value=1e30)))


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"target.strokes": np.zeros((2, 2))}, "no list of rows"),
        ({"target.strokes": np.zeros((30_000, 3))}, "no list of rows"),
        ({"target.strokes": np.full((1, 3), np.nan)}, "not finite"),
        ({"target.strokes": np.full((1, 3), 99.0)}, "outside"),
        ({"target.strokes": np.zeros((0, 3))}, "the drawing is empty"),
        ({"target.image": f32(3)}, "not the bytes of a file"),
    ],
)
def test_a_drawing_that_is_none_is_refused(arrays: dict[str, Any], sentence: str) -> None:
    drawn = replace(BLOBS, target=STROKES)
    raw = keep_run(FLOW, drawn, *run(FLOW, drawn, 1))
    with pytest.raises(ValueError, match=sentence):
        resume_run(FLOW, CNFConfig(), tampered(raw, **arrays))
