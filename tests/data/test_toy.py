"""Toy sets: seeded, validated, and of the shape their names promise."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from node_core.data.dataset import DataConfig, DataSet, split
from node_core.data.toy import DATASETS, make_dataset


@pytest.mark.parametrize("name", DATASETS)
def test_a_set_has_the_promised_shape_types_and_balanced_classes(name: str) -> None:
    spec = DATASETS[name]
    data = make_dataset(DataConfig(name, n=300, noise=spec.noise))
    assert data.x.shape == (300, spec.dim)
    assert data.x.dtype == np.float32
    assert data.labels.dtype == np.int64
    assert data.n_classes == spec.n_classes
    counts = np.bincount(data.labels, minlength=spec.n_classes)
    assert counts.max() - counts.min() <= 1
    assert np.abs(data.x).max() < 3


@pytest.mark.parametrize("name", DATASETS)
def test_equal_configs_give_equal_points_and_another_seed_gives_others(name: str) -> None:
    first, again = make_dataset(DataConfig(name, seed=3)), make_dataset(DataConfig(name, seed=3))
    other = make_dataset(DataConfig(name, seed=4))
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.x, other.x)


def test_making_a_set_leaves_the_global_random_state_alone() -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    make_dataset(DataConfig("moons"))
    assert np.random.random() == expected


def test_the_split_is_a_partition_that_keeps_each_class_share() -> None:
    data = make_dataset(DataConfig("three_spirals", n=300, test_fraction=0.3))
    np.testing.assert_array_equal(np.sort(np.concatenate([data.train, data.test])), np.arange(300))
    np.testing.assert_array_equal(np.bincount(data.labels[data.test]), [30, 30, 30])


def test_the_split_never_takes_the_last_training_point_of_a_class() -> None:
    labels = np.array([0, 0, 0, 0, 1], dtype=np.int64)
    train, _ = split(labels, 0.9, np.random.default_rng(0))
    assert set(labels[train]) == {0, 1}


def test_without_a_test_fraction_every_point_is_for_training() -> None:
    data = make_dataset(DataConfig("blobs", n=50, test_fraction=0.0))
    assert data.test.size == 0
    assert data.train.size == 50


def test_noiseless_circles_lie_on_two_radii() -> None:
    data = make_dataset(DataConfig("circles", noise=0.0))
    radius = np.linalg.norm(data.x, axis=1)
    np.testing.assert_allclose(radius, np.where(data.labels == 0, 0.7, 1.5), rtol=1e-5)


def test_the_noise_is_a_standard_deviation() -> None:
    quiet = make_dataset(DataConfig("circles", n=5000, noise=0.0, seed=1))
    noisy = make_dataset(DataConfig("circles", n=5000, noise=0.3, seed=1))
    assert np.std(noisy.x - quiet.x) == pytest.approx(0.3, rel=0.03)


def test_the_ball_of_the_annulus_is_enclosed_by_a_shell_all_around() -> None:
    data = make_dataset(DataConfig("annulus", n=2000, noise=0.0))
    radius = np.linalg.norm(data.x, axis=1)
    assert radius[data.labels == 0].max() <= 0.5
    assert radius[data.labels == 1].min() >= 1.0 - 1e-6
    angles = np.sort(np.arctan2(data.x[:, 1], data.x[:, 0])[data.labels == 1])
    assert np.diff(angles).max() < 0.1


def test_xor_classes_are_told_by_the_sign_of_the_product() -> None:
    data = make_dataset(DataConfig("xor", noise=0.0))
    np.testing.assert_array_equal(data.x[:, 0] * data.x[:, 1] > 0, data.labels == 0)


def test_the_sign_flip_asks_minus_one_to_become_plus_one() -> None:
    data = make_dataset(DataConfig("sign_flip", noise=0.0))
    assert data.x.shape[1] == 1
    assert data.targets is not None
    np.testing.assert_array_equal(data.targets, -data.x)
    np.testing.assert_array_equal(data.labels == 1, data.x[:, 0] == -1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n": 3}, "n = 3 points: choose 4 to"),
        ({"n": 10**6}, "choose 4 to 20000"),
        ({"noise": -0.1}, "noise = -0.1: choose"),
        ({"noise": float("nan")}, "noise = nan"),
        ({"test_fraction": 1.0}, "test_fraction = 1.0: choose 0 to 0.9"),
        ({"seed": -1}, "seed = -1"),
        ({"points": ((0.0, 0.0),)}, "1 points but 0 labels"),
        ({"points": ((0.0, 0.0),), "labels": (0,)}, "set n to their number"),
    ],
)
def test_a_config_out_of_bounds_names_the_value_and_the_remedy(values: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DataConfig(**values)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'cirles' is unknown: choose one of circles, .*drawn"):
        make_dataset(DataConfig("cirles"))


def test_an_empty_drawing_is_refused() -> None:
    with pytest.raises(ValueError, match="drawing is empty"):
        make_dataset(DataConfig("drawn"))


def test_a_data_set_refuses_what_cannot_be_trained_on() -> None:
    index = np.arange(4)
    labels, empty = np.array([0, 1, 0, 1]), np.array([], dtype=np.int64)
    x = np.zeros((4, 2), dtype=np.float32)
    holed = x.copy()
    holed[2, 0] = np.nan
    with pytest.raises(ValueError, match="point 3 is"):
        DataSet(holed, labels, 2, index, empty, "drawn")
    with pytest.raises(ValueError, match="same class"):
        DataSet(x, np.zeros(4, dtype=np.int64), 2, index, empty, "drawn")
    with pytest.raises(ValueError, match="number the classes"):
        DataSet(x, labels + 1, 2, index, empty, "drawn")


def test_the_view_contains_all_points() -> None:
    data = make_dataset(DataConfig("moons"))
    for axis, (low, high) in enumerate(data.extent):
        assert low < data.x[:, axis].min()
        assert data.x[:, axis].max() < high


def test_the_data_room_and_the_targets_load_no_torch() -> None:
    code = (
        "import sys, node_core.data.toy, node_core.data.csv, node_core.data.drawn, node_core.cnf.painted; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
