"""Training on images: the same run however it is cut, what is learned, what a picture holds, what is refused."""

import pickle
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

from node_core.data.images import ImageData
from node_core.runs.snapshot import pack, unpack
from node_core.training.images import build, checkpoint, picture
from node_core.training.images.config import (
    LIVE_FIELDS,
    ImagesConfig,
    counts_of,
    iterations_of,
    needs_reset,
)
from node_core.training.images.make_checkpoints import COLUMNS, RUNS
from node_core.training.images.train import ImageTrainer, advance, train

SMALL = ImagesConfig(data=ImageData(train=60, test=40), hidden=8, channels=4, batch=20, iterations=6)
ROWS = {
    "MLP": replace(SMALL, model="mlp"),
    "MLP-1": replace(SMALL, model="mlp", hidden=1),
    "no block": replace(SMALL, model="resnet", layers=0),
    "ResNet-2": replace(SMALL, model="resnet", layers=2),
    "RK-Net": replace(SMALL, model="rknet", steps=1),
    "ODE-Net": SMALL,
    "adjoint": replace(SMALL, gradient="adjoint"),
    "Euler": replace(SMALL, method="euler"),
    "conv none": replace(SMALL, kind="conv", model="resnet", layers=0),
    "conv ResNet-2": replace(SMALL, kind="conv", model="resnet", layers=2),
    "conv RK-Net": replace(SMALL, kind="conv", model="rknet"),
    "conv ODE-Net": replace(SMALL, kind="conv", rtol=0.01, atol=0.01),
}


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "TIME_LIMIT", 600.0)


def run(config: ImagesConfig, chunks: list[int]) -> Any:
    ticks = count(1000)
    state = None
    for iterations in chunks:  # each look at the clock takes a second
        budget = iterations - 0.5 if iterations else 0.0
        snapshot, state = advance(config, state, budget, clock=lambda: float(next(ticks)))
        state = pickle.loads(pickle.dumps(state))
    return snapshot, state


@pytest.mark.parametrize("name", ROWS)
def test_a_run_is_the_same_however_it_is_cut_into_chunks(name: str) -> None:
    whole, end = run(ROWS[name], [4])
    pieces, same_end = run(ROWS[name], [0, 1, 3])
    assert end.iteration == same_end.iteration == 4
    for part in ("parameters", "moment_1", "moment_2"):
        np.testing.assert_array_equal(getattr(end, part), getattr(same_end, part))
    for key in ("loss", "accuracy", "nfe_forward", "nfe_backward"):
        assert whole.scalars[key] == pieces.scalars[key]


@pytest.mark.parametrize("name", ROWS)
def test_a_picture_travels_and_tells_what_the_page_shows(name: str) -> None:
    config = ROWS[name]
    snapshot, _ = run(config, [6])
    sent = unpack(pack(snapshot))
    paths, n = sent.arrays["trajectories"], 40
    assert paths.shape == (len(sent.arrays["trajectory_ts"]), n, 2)
    assert sent.arrays["trajectory_ts"][[0, -1]].tolist() == [0.0, 1.0]
    assert sent.arrays["labels"].shape == sent.arrays["predicted"].shape == (n,)
    scalars = sent.scalars
    wrong = float((sent.arrays["predicted"] != sent.arrays["labels"]).mean())
    assert scalars["test_error"] == pytest.approx(wrong)
    assert scalars["parameters"] == counts_of(config).total
    assert isinstance(scalars["seconds"], float)
    assert scalars["seconds"] > 0
    limit = scalars["extent"]
    assert isinstance(limit, list)
    assert np.abs(paths).max() <= limit[1]
    assert snapshot.finished
    nfe = {
        "MLP": None,
        "MLP-1": None,
        "no block": None,
        "ResNet-2": 2,
        "RK-Net": 4,
        "Euler": 4,
        "conv none": None,
    }
    nfe |= {"conv ResNet-2": 2, "conv RK-Net": 8}
    if name in nfe:
        assert scalars["nfe_forward"] == nfe[name]
        beginning, _ = run(config, [0])
        assert unpack(pack(beginning)).scalars["nfe_forward"] == nfe[name], "an untrained net costs as much"


def test_the_closed_forms_count_what_is_trained() -> None:
    for config in ROWS.values():
        parameters = sum(p.numel() for p in build.build_model(config).parameters())
        assert counts_of(config).total == parameters


def test_every_epoch_goes_through_the_images_in_a_new_order() -> None:
    trainer = ImageTrainer(SMALL)
    seen = []
    for iteration in range(6):
        trainer.iteration = iteration
        seen.append(trainer._batch())
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == list(range(60))
    assert not np.array_equal(first, second)
    assert iterations_of(SMALL, 5) == 15


def test_the_odenet_learns_the_digits_to_98_percent() -> None:
    *_, last = train(ImagesConfig(), every=440)
    assert last.scalars["parameters"] == 8_970
    error, nfe = last.scalars["test_error"], last.scalars["nfe_forward"]
    assert isinstance(error, float)
    assert isinstance(nfe, float)
    assert error <= 0.02
    assert 8 <= nfe <= 40
    assert f"{error:.1%} of 360" in str(last.scalars["message"])


def test_a_plane_is_that_of_the_largest_variance_and_rests() -> None:
    rng = np.random.default_rng(0)
    states = rng.standard_normal((3, 50, 6)).astype(np.float32) * np.array([1, 9, 1, 5, 1, 1], np.float32)
    first = picture.plane_of(states)
    np.testing.assert_allclose(first.axes @ first.axes.T, np.eye(2), atol=1e-5)
    assert np.abs(first.axes[0]).argmax() == 1
    assert np.abs(first.axes[1]).argmax() == 3
    turned = first.axes[::-1] * np.array([[1], [-1]], np.float32)
    again = picture.plane_of(states + 0.01, before=turned)
    np.testing.assert_allclose(again.axes, turned, atol=1e-5)
    np.testing.assert_allclose(again.of(again.centre[None]), [[0, 0]], atol=1e-5)
    wide = rng.standard_normal((400, 30)).astype(np.float32) * np.linspace(1, 6, 30, dtype=np.float32)
    rows = wide - wide.mean(0)
    _, _, exact = np.linalg.svd(rows, full_matrices=False)
    share = np.linalg.norm(picture.plane_of(wide).axes @ exact[:2].T)
    assert share == pytest.approx(np.sqrt(2), rel=0.02)  # directions 2 and 3 are all but equal


def test_states_read_as_the_net_reads() -> None:
    for config in ROWS.values():
        trainer = ImageTrainer(config)
        x = trainer._x[:7]
        with torch.no_grad():
            _, states, _ = build.states_of(trainer.model, x, 5)
            logits = build.read(trainer.model, states[-1])
            torch.testing.assert_close(logits, build.ask(trainer.model, x).logits, rtol=1e-4, atol=1e-4)


def test_what_may_change_while_a_run_goes_on() -> None:
    assert {"lr", "rtol", "gradient", "batch"} <= set(LIVE_FIELDS)
    assert "device" not in LIVE_FIELDS
    assert not needs_reset(SMALL, replace(SMALL, lr=0.1, rtol=0.1, steps=3))
    for change in ({"seed": 1}, {"layers": 3}, {"data": ImageData()}, {"model": "mlp"}, {"kind": "conv"}):
        assert needs_reset(SMALL, replace(SMALL, **change))
    _, state = run(SMALL, [1])
    with pytest.raises(ValueError, match="another images, net or seed"):
        ImageTrainer(replace(SMALL, seed=1), state)


@pytest.mark.parametrize("name", RUNS)
def test_a_shipped_beginning_is_as_good_as_it_is_said_and_is_kept_by_playing_on(name: str) -> None:
    saved, _, rows = checkpoint.pretrained(name)
    config = replace(saved, start=name)
    assert checkpoint.pretrained_for(saved) == name
    assert len(rows) > 100
    assert set(rows[0]) == set(COLUMNS)
    trainer = ImageTrainer(config)
    before = trainer.snapshot().scalars["test_error"]
    assert isinstance(before, float)
    assert before <= 0.02
    for _ in range(3):
        trainer.iterate()
    after = trainer.snapshot().scalars["test_error"]
    assert isinstance(after, float)
    assert after <= before + 0.006  # two images


def test_a_checkpoint_comes_back_and_fits_only_its_own_split() -> None:
    config = replace(SMALL, data=ImageData())
    trainer = ImageTrainer(config)
    rows = [trainer.iterate() for _ in range(2)]
    raw = checkpoint.save(config, trainer.export(), rows)
    again, state, history = checkpoint.load(raw)
    assert again == config
    assert (state.iteration, state.begun) == (2, 0)
    np.testing.assert_array_equal(state.parameters, trainer.export().parameters)
    assert history[1]["loss"] == pytest.approx(rows[1]["loss"], rel=1e-6)
    with pytest.raises(ValueError, match="learned from other images"):
        ImageTrainer(replace(RUNS["conv_rknet"], start="conv_rknet", data=ImageData(seed=1)))
    with pytest.raises(ValueError, match="There is no pre-trained net 'conv'"):
        ImageTrainer(replace(SMALL, start="conv"))
    with pytest.raises(ValueError, match="trained on 'folder'"):
        checkpoint.save(replace(config, data=ImageData("folder", folder="x")), state)


def test_a_damaged_checkpoint_is_refused() -> None:
    config = replace(SMALL, data=ImageData())
    trainer = ImageTrainer(config)
    raw = checkpoint.save(config, trainer.export())
    with pytest.raises(ValueError, match="can't be used"):
        checkpoint.load(raw[:-4])
    wrong = raw.replace(b'\\"hidden\\": 8', b'\\"hidden\\": 9')
    assert wrong != raw
    with pytest.raises(ValueError, match="can't be used: parameters is"):
        checkpoint.load(wrong)
    other = raw.replace(b'\\"data\\": 0', b'\\"data\\": {')
    with pytest.raises(ValueError, match="can't be used"):
        checkpoint.load(other)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "cnn"}, "model 'cnn' is unknown"),
        ({"kind": "cov"}, "did you mean 'conv'"),
        ({"channels": 6}, "channels = 6: choose a multiple of 4"),
        ({"layers": -1}, "layers = -1"),
        ({"hidden": 0}, "hidden = 0"),
        ({"lr": 0.0}, "lr = 0"),
        ({"noise": 2.0}, "noise = 2"),
        ({"gradient": "magic"}, "gradient 'magic'"),
        ({"method": "scipy_lsoda"}, "no stages to differentiate through"),
        ({"start": "../x"}, "give a checkpoint's name"),
        ({"batch": 0}, "batch = 0"),
    ],
)
def test_a_bad_configuration_is_refused_in_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(SMALL, **change)


def test_a_net_that_is_too_large_or_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 2,000,000"):
        build.build_model(replace(SMALL, kind="conv", channels=128, model="resnet", layers=100))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no GPU"):
            ImageTrainer(replace(SMALL, device="cuda"))
