"""The frozen `DataConfig` that names a data set, and the validated `DataSet` that comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole

MIN_POINTS = 4
MAX_POINTS = 20_000
MAX_NOISE = 2.0
MAX_TEST_FRACTION = 0.9
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class DataConfig:
    """Everything that determines a data set, hashable, so that equal configs mean equal points.

    Args:
        name: a key of `node_core.data.toy.DATASETS`, or "drawn" or "csv" for a user's own points.
        n: number of points, training and test together.
        noise: standard deviation of the Gaussian jitter, in the units of the plane (about [-2, 2]).
        seed: seed of points, noise and split.
        test_fraction: share of each class that is kept for testing, 0 to 0.9.
        points: the user's own points, n rows of dim numbers; only for "drawn" and "csv"
            (`drawn_config` and `CsvTable.config` fill it in).
        labels: their classes 0, 1, ...

    Raises:
        ValueError: a value is out of bounds; the sentence names it and the remedy.
    """

    name: str = "circles"
    n: int = 400
    noise: float = 0.05
    seed: int = 0
    test_fraction: float = 0.2
    points: tuple[tuple[float, ...], ...] = ()
    labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not MIN_POINTS <= self.n <= MAX_POINTS:
            raise ValueError(f"n = {self.n} points: choose {MIN_POINTS} to {MAX_POINTS}.")
        check_number("noise", self.noise, 0, MAX_NOISE)
        check_number("test_fraction", self.test_fraction, 0, MAX_TEST_FRACTION)
        check_whole("seed", self.seed, 0, MAX_SEED)
        if len(self.points) != len(self.labels):
            raise ValueError(
                f"{len(self.points)} points but {len(self.labels)} labels: give each point exactly one label."
            )
        if self.points and len(self.points) != self.n:
            raise ValueError(f"n = {self.n} but {len(self.points)} points were given: set n to their number.")


@dataclass(frozen=True, eq=False)
class DataSet:
    """Points with classes and a split.

    Args:
        x: points, (n, dim) float32.
        labels: class of each point, (n,) int64, 0 to n_classes - 1.
        n_classes: number of classes.
        train: indices of the training points, (n_train,) int64.
        test: indices of the test points, (n_test,) int64, empty if test_fraction is 0.
        name: key of the set.
        targets: what a regression should map x to, (n, dim) float32, or None where that has no meaning.

    Raises:
        ValueError: no points, a number that is not finite, a label out of range, or fewer than two classes.
    """

    x: NDArray[np.float32]
    labels: NDArray[np.int64]
    n_classes: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    name: str
    targets: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.x.shape[0] == 0:
            raise ValueError(f"data of shape {self.x.shape}: give at least one point as a row of numbers.")
        if self.labels.shape != self.x.shape[:1]:
            raise ValueError(
                f"{self.labels.size} labels for {len(self.x)} points: give each point one label."
            )
        bad = np.flatnonzero(~np.isfinite(self.x).all(axis=1))
        if bad.size:
            raise ValueError(
                f"point {bad[0] + 1} is {self.x[bad[0]].tolist()}: every coordinate must be finite; "
                "remove that point."
            )
        if self.labels.min() < 0 or self.labels.max() >= self.n_classes:
            raise ValueError(
                f"labels from {self.labels.min()} to {self.labels.max()} for {self.n_classes} classes: "
                f"number the classes 0 to {self.n_classes - 1}."
            )
        if np.unique(self.labels).size < 2:
            raise ValueError("all points have the same class: add points of a second class.")

    @property
    def dim(self) -> int:
        """Number of coordinates of a point."""
        return int(self.x.shape[1])

    @property
    def extent(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of each coordinate with a margin of a tenth: the view a picture should show."""
        low, high = self.x.min(axis=0).astype(float), self.x.max(axis=0).astype(float)
        margin = np.maximum(0.1 * (high - low), 0.1)
        return tuple(zip((low - margin).tolist(), (high + margin).tolist(), strict=True))


def split(
    labels: NDArray[np.int64], test_fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split class by class, so that each class keeps its share in both parts and at least one training point.

    Args:
        labels: (n,) classes.
        test_fraction: share of each class for testing.
        rng: source of the shuffle.

    Returns:
        Sorted indices (train, test); together they are 0 to n - 1.
    """
    test_parts = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        test_parts.append(members[: min(round(test_fraction * members.size), members.size - 1)])
    test = np.sort(np.concatenate(test_parts)).astype(np.int64)
    return np.setdiff1d(np.arange(labels.size, dtype=np.int64), test), test
