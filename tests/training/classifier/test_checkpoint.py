"""Checkpoints: a resumed run is the uninterrupted one, and a file that somebody tampered with is refused."""

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from node_core.data.dataset import DataConfig
from node_core.data.drawn import drawn_config
from node_core.data.toy import make_dataset
from node_core.runs.state import TrainState
from node_core.training.checkpoint import MAX_BYTES
from node_core.training.classifier import checkpoint
from node_core.training.classifier.checkpoint import (
    check_size,
    load,
    pretrained,
    pretrained_for,
    pretrained_history,
    save,
)
from node_core.training.classifier.config import (
    ModelName,
    TrainConfig,
    needs_reset,
    parameter_shapes,
    structure,
)
from node_core.training.classifier.picture import extent_of, frame_of
from node_core.training.classifier.train import Trainer, advance

CONFIG = TrainConfig(data=DataConfig("moons", n=60), hidden=(8, 8), batch=32, lr=0.02)


def trained(config: TrainConfig, iterations: int, state: TrainState | None = None) -> TrainState:
    trainer = Trainer(config, state)
    for _ in range(iterations):
        trainer.iterate()
    return trainer.export()


@pytest.fixture(scope="module")
def raw() -> bytes:
    return save(CONFIG, trained(CONFIG, 3))


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, augment=2, time_dependent=True, steer=0.2, kinetic=0.5),
        replace(CONFIG, model="resnet", layers=3),
        TrainConfig(data=drawn_config([(0.1, 0.2), (1, 0), (0, 1), (1, 1)], [0, 2, 0, 2]), hidden=(4,)),
        TrainConfig(data=DataConfig("sign_flip"), loss="flow_map", hidden=(4,)),
    ],
)
def test_resuming_from_a_file_is_the_uninterrupted_run(config: TrainConfig) -> None:
    found = load(save(config, trained(config, 3)))
    assert found.config == config
    assert found.state.iteration == 3
    resumed, whole = trained(config, 4, found.state), trained(config, 7)
    np.testing.assert_array_equal(resumed.parameters, whole.parameters)
    np.testing.assert_array_equal(resumed.moment_2, whole.moment_2)


def test_a_checkpoint_is_a_plain_safetensors_file(raw: bytes, tmp_path: Any) -> None:
    path = tmp_path / "run.safetensors"
    path.write_bytes(raw)
    with safe_open(path, "numpy") as file:
        assert json.loads(file.metadata()["config"])["hidden"] == [8, 8]
        assert file.get_tensor("fields.0.weight_1").shape == (8, 2)


def header_and_body(raw: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def with_header(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def changed_arrays(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[bytes], bytes]:
    def attack(raw: bytes) -> bytes:
        arrays = {name: array.copy() for name, array in load_arrays(raw).items()}
        change(arrays)
        return save_arrays(arrays, header_and_body(raw)[0]["__metadata__"])

    return attack


def changed_config(**values: Any) -> Callable[[bytes], bytes]:
    def attack(raw: bytes) -> bytes:
        header, body = header_and_body(raw)
        config = json.loads(header["__metadata__"]["config"]) | values
        header["__metadata__"]["config"] = json.dumps(config)
        return with_header(header, body)

    return attack


def changed_metadata(**values: Any) -> Callable[[bytes], bytes]:
    def attack(raw: bytes) -> bytes:
        header, body = header_and_body(raw)
        header["__metadata__"] |= values
        return with_header(header, body)

    return attack


def without_field(raw: bytes) -> bytes:
    header, body = header_and_body(raw)
    config = json.loads(header["__metadata__"]["config"])
    del config["lr"]
    header["__metadata__"]["config"] = json.dumps(config)
    return with_header(header, body)


class Bomb:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a checkpoint was unpickled",))


W, MEAN, SQUARE = "fields.0.weight_1", "adam.mean", "adam.square"
ATTACKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda raw: b"", "no safetensors"),
    "pickle": (lambda raw: pickle.dumps(Bomb()), "no safetensors"),
    "pickle as body": (lambda raw: raw[:8] + pickle.dumps(Bomb()) + raw[8:], "can't be"),
    "oversize": (lambda raw: raw + bytes(MAX_BYTES), "at most 1,000,000"),
    "cut short": (lambda raw: raw[:-4], "damaged"),
    "trailing bytes": (lambda raw: raw + b"1234", "damaged"),
    "huge header": (lambda raw: (2**60).to_bytes(8, "little") + raw[8:], "no safetensors"),
    "deep JSON": (lambda raw: (90_000).to_bytes(8, "little") + b"[" * 90_000, "JSON can't be read"),
    "no metadata": (lambda raw: save_arrays(load_arrays(raw)), "header"),
    "another format": (changed_metadata(format="model 2"), "format"),
    "more metadata": (changed_metadata(code="import os"), "header"),
    "iteration is negative": (changed_metadata(iteration="-1"), "iteration"),
    "iteration is huge": (changed_metadata(iteration="9" * 5000), "iteration"),
    "iteration is a number": (changed_metadata(iteration=3), "can't be used"),
    "config is no JSON": (changed_metadata(config="{"), "JSON"),
    "config is a list": (changed_metadata(config="[]"), "exactly the known fields"),
    "config is deep": (changed_metadata(config="[" * 90_000), "JSON"),
    "missing field": (without_field, "exactly the known fields"),
    "unknown field": (changed_config(evil=1), "exactly the known fields"),
    "string for number": (changed_config(lr="0.1"), "lr of the configuration is of the wrong type"),
    "bool for number": (changed_config(lr=True), "wrong type"),
    "float for whole number": (changed_config(augment=1.5), "wrong type"),
    "NaN": (changed_config(lr=float("nan")), "lr = nan"),
    "out of range": (changed_config(hidden=[8, 100_000]), "hidden"),
    "nested widths": (changed_config(hidden=[[8], 8]), "wrong type"),
    "data is no record": (changed_config(data=[]), "the data has not exactly"),
    "path as start": (changed_config(start="../x"), "checkpoint's name"),
    "other widths": (changed_config(hidden=[8, 9]), "instead of float32"),
    "other data set": (
        changed_config(data={**json.loads(json.dumps(DataConfig("blobs", n=60).__dict__))}),
        "head",
    ),
    "missing array": (changed_arrays(lambda a: a.pop(W)), "exactly the arrays"),
    "extra array": (changed_arrays(lambda a: a.update(extra=np.zeros(3, "f4"))), "exactly the arrays"),
    "wrong shape": (changed_arrays(lambda a: a.update({W: a[W].T.copy()})), "weight_1 is float32"),
    "flat shape": (changed_arrays(lambda a: a.update({W: a[W].reshape(-1)})), "weight_1 is float32"),
    "float64": (changed_arrays(lambda a: a.update({W: a[W].astype("f8")})), "weight_1 is float64"),
    "NaN weight": (changed_arrays(lambda a: a[W].__setitem__((0, 0), np.nan)), "not finite"),
    "infinite moment": (changed_arrays(lambda a: a[MEAN].__setitem__(0, np.inf)), "not finite"),
    "negative square": (changed_arrays(lambda a: a[SQUARE].__setitem__(0, -1.0)), "negative"),
    "labels without points": (
        changed_arrays(lambda a: a.update({"data.labels": np.zeros(4, "i4")})),
        "together",
    ),
    "points for a toy set": (
        changed_arrays(
            lambda a: a.update({"data.labels": np.zeros(4, "i4"), "data.points": np.zeros((4, 2))})
        ),
        "can't be used",
    ),
    "NaN point": (
        changed_arrays(
            lambda a: a.update({"data.labels": np.zeros(60, "i4"), "data.points": np.full((60, 2), np.nan)})
        ),
        "not finite",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_file_that_is_not_what_it_should_be_is_refused(name: str, raw: bytes) -> None:
    attack, sentence = ATTACKS[name]
    load(raw)
    with pytest.raises(ValueError, match=sentence) as refused:
        load(attack(raw))
    assert len(str(refused.value)) < 1000


def test_a_run_too_large_for_a_file_is_not_saved() -> None:
    n = 20_000
    points = tuple((0.001 * i, 0.0, 1.0, 2.0, 3.0, 4.0) for i in range(n))
    data = DataConfig("csv", n, points=points, labels=(0, 1) * (n // 2))
    config = replace(CONFIG, data=data)
    with pytest.raises(ValueError, match="use fewer points"):
        save(config, trained(config, 0))
    with pytest.raises(ValueError, match=r"its 20,000 points: the file would have [\d,]+ bytes"):
        check_size(config)


@pytest.mark.parametrize("points", [0, 5_000, 20_000])
@pytest.mark.parametrize("model", ["odenet", "resnet"])
def test_a_size_that_is_accepted_makes_a_file_that_can_be_read(points: int, model: ModelName) -> None:
    rows = tuple((0.001 * i, 1.0, 2.0, 3.0, 4.0, 5.0) for i in range(points))
    labels = tuple(i % 2 for i in range(points))
    data = DataConfig("csv", points, points=rows, labels=labels) if points else DataConfig()
    config = replace(CONFIG, data=data, hidden=(24, 24), model=model, layers=50)
    weights = sum(math.prod(shape) for shape in parameter_shapes(config).values())
    flat = np.zeros(weights, dtype=np.float32)
    state = TrainState(9_999_999, flat, flat, flat, structure(config))
    try:
        check_size(config)
    except ValueError:
        assert points == 20_000
        return
    raw = save(config, state)
    assert len(raw) < MAX_BYTES
    assert load(raw).config == config


def test_a_checkpoint_begins_another_run_of_its_model_only() -> None:
    found = load(save(CONFIG, trained(CONFIG, 3)))
    other = replace(CONFIG, data=DataConfig("circles", n=80), lr=0.1)
    assert needs_reset(CONFIG, other)
    snapshot, state = advance(other, found.state_for(other), 0.0)
    assert state.iteration == 3
    assert np.isfinite(snapshot.scalars["full_loss"])  # type: ignore[arg-type]
    for wrong in (
        replace(CONFIG, augment=1),
        replace(CONFIG, activation="elu"),
        replace(CONFIG, model="resnet"),
    ):
        with pytest.raises(ValueError, match="not this model"):
            found.state_for(wrong)


def test_an_unknown_pretrained_name_is_refused() -> None:
    for name in ("no_such", "../config"):
        with pytest.raises(ValueError, match="no checkpoint"):
            pretrained(name)


@pytest.mark.parametrize("path", sorted(checkpoint.FOLDER.glob("*.safetensors")), ids=lambda path: path.stem)
def test_a_pretrained_checkpoint_is_valid_and_draws_at_once(path: Any) -> None:
    found = pretrained(path.stem)
    config = replace(found.config, start=path.stem)
    snapshot, state = advance(config, None, 0.0)
    assert state.iteration == found.state.iteration > 0
    assert path.stat().st_size < 100_000
    accuracy, loss = snapshot.scalars["accuracy"], snapshot.scalars["full_loss"]
    assert isinstance(accuracy, float) and isinstance(loss, float)
    if path.stem == "sign_flip":  # it can't be learned on a line: all end at 0, on either side of it
        assert loss == pytest.approx(1.0, abs=0.05)
    else:
        assert accuracy > 0.9


def test_a_pretrained_net_is_found_by_its_model_and_data_alone() -> None:
    asked = TrainConfig(data=DataConfig("circles", n=300, noise=0.1, seed=4), lr=0.5, seed=4)
    assert pretrained_for(asked) == "circles"
    assert pretrained_for(replace(asked, augment=1)) == "circles_augmented"
    assert pretrained_for(replace(asked, hidden=(31, 32))) == ""
    assert pretrained_for(replace(asked, time_dependent=True)) == ""
    drawn = drawn_config([(0.1, 0.2), (1, 0), (0, 1), (1, 1)], [0, 1, 0, 1])
    assert pretrained_for(replace(asked, data=drawn)) == ""


def test_a_pretrained_beginning_brings_its_curves_and_its_boundary() -> None:
    found = pretrained("circles")
    snapshot, state = advance(replace(found.config, start="circles"), None, 0.0)
    assert len(snapshot.rows) > 50
    assert snapshot.rows[0]["iteration"] < 10 < snapshot.rows[-1]["iteration"] == state.iteration
    assert snapshot.scalars["extent"] == state.kept.scalars["extent"]
    assert {"forward_t", "forward_dt"} <= set(
        snapshot.arrays
    )  # the solver's steps are drawn before any iteration
    assert snapshot.scalars["nfe_backward"] == snapshot.rows[-1]["nfe_backward"] > 0
    assert state.kept.time == 0.0, "the boundary was drawn again"
    after, _ = advance(replace(found.config, start="circles"), state, 0.0)
    assert after.rows == ()
    # Other points have another frame: the boundary that came along would be drawn in the wrong place.
    elsewhere = replace(found.config, data=replace(found.config.data, seed=5), start="circles")
    assert advance(elsewhere, None, 0.0)[1].kept.time > 0


def test_the_annulus_shows_what_the_page_says_of_it() -> None:
    """In the plane the evaluations explode; with one more dimension they rest, and no point is lost."""
    plain, lifted = pretrained_history("annulus"), pretrained_history("annulus_augmented")
    late = [(a["nfe_forward"], b["nfe_forward"]) for a, b in zip(plain, lifted, strict=True)][-30:]
    assert max(a for a, _ in late) > 2 * max(b for _, b in late)
    assert {b for _, b in late} == {late[0][1]}
    assert plain[-1]["loss"] > 100 * lifted[-1]["loss"]
    assert lifted[-1]["test_accuracy"] == 1.0 > plain[-1]["test_accuracy"]


def test_the_frame_grows_until_most_ends_are_seen_and_never_shrinks() -> None:
    data = make_dataset(DataConfig("circles", n=200))
    x0, x1, y0, y1 = extent_of(data)
    near = np.zeros((3, 50, 2))
    assert frame_of(data, near) == pytest.approx((x0, x1, y0, y1))
    far = near.copy()
    far[-1, :10, 0] = 1.3 * x1
    wide = frame_of(data, far)
    assert wide[1] > 1.3 * x1
    assert frame_of(data, near, wide) == pytest.approx(wide)
    far[-1, :10, 0] = 1e6  # a few that fly off would leave nothing of the rest
    assert frame_of(data, far)[1] - frame_of(data, far)[0] < 2 * (x1 - x0)
    one = make_dataset(DataConfig("sign_flip", n=60))
    assert len(frame_of(one, np.zeros((3, 5, 1)))) == 4
