"""The registry of data sets and `make_dataset`, the one way from a `DataConfig` to points.

Every toy set lives in about [-2, 2] per axis, has balanced classes, and adds Gaussian jitter of the
config's `noise`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.data.dataset import DataConfig, DataSet, split

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Sampler = Callable[[np.random.Generator, Labels], Floats]

USER_SETS = {"drawn": "Your own points", "csv": "Your CSV file"}


@dataclass(frozen=True)
class ToySpec:
    """One toy set: what to call it, what to look for, and how to draw its noiseless points.

    `sample(rng, labels)` returns (n, dim) points for given classes (n,).
    """

    name: str
    label: str
    look_for: str
    dim: int
    n_classes: int
    noise: float
    sample: Sampler


def _polar(radius: Floats, angle: Floats) -> Floats:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _circles(rng: np.random.Generator, labels: Labels) -> Floats:
    return _polar(np.where(labels == 0, 0.7, 1.5), rng.uniform(0, 2 * np.pi, labels.size))


def _annulus(rng: np.random.Generator, labels: Labels) -> Floats:
    inner, outer = np.where(labels == 0, 0.0, 1.0), np.where(labels == 0, 0.5, 1.5)
    # Uniform in area: the squared radius is uniform.
    radius = np.sqrt(rng.uniform(inner**2, outer**2))
    return _polar(radius, rng.uniform(0, 2 * np.pi, labels.size))


def _moons(rng: np.random.Generator, labels: Labels) -> Floats:
    points = _polar(np.ones(labels.size), rng.uniform(0, np.pi, labels.size)) - np.array([0.5, 0.25])
    return np.where(labels[:, None] == 0, points, -points)


def _spirals(arms: int) -> Sampler:
    def sample(rng: np.random.Generator, labels: Labels) -> Floats:
        # The square root spreads the points evenly along the arm instead of crowding them in the middle.
        s = np.sqrt(rng.uniform(0.02, 1.0, labels.size))
        return _polar(1.8 * s, 1.5 * 2 * np.pi * s + 2 * np.pi * labels / arms)

    return sample


def _xor(rng: np.random.Generator, labels: Labels) -> Floats:
    x = rng.uniform(0.15, 1.5, (labels.size, 2)) * np.where(rng.random((labels.size, 1)) < 0.5, -1, 1)
    x[:, 1] *= np.where(labels == 0, 1, -1)
    return x


def _blobs(rng: np.random.Generator, labels: Labels) -> Floats:
    centres = _polar(np.full(3, 1.2), np.pi / 2 + 2 * np.pi * np.arange(3) / 3)
    return centres[labels] + 0.25 * rng.standard_normal((labels.size, 2))


def _sign_flip(_: np.random.Generator, labels: Labels) -> Floats:
    return np.where(labels == 1, -1.0, 1.0)[:, None]


_SPECS = (
    ToySpec(
        "circles",
        "Two circles",
        "One ring inside another: the flow must pull one ring through the other, but paths cannot cross.",
        dim=2,
        n_classes=2,
        noise=0.05,
        sample=_circles,
    ),
    ToySpec(
        "annulus",
        "Annulus (a ball in a shell)",
        "A disc enclosed by a shell: no flow of the plane frees it; one more dimension does.",
        dim=2,
        n_classes=2,
        noise=0.0,
        sample=_annulus,
    ),
    ToySpec(
        "moons",
        "Two moons",
        "Two interlocking arcs: a gentle flow slides one past the other.",
        dim=2,
        n_classes=2,
        noise=0.1,
        sample=_moons,
    ),
    ToySpec(
        "two_spirals",
        "Two spirals",
        "Two arms wound one and a half times: the flow unwinds them.",
        dim=2,
        n_classes=2,
        noise=0.02,
        sample=_spirals(2),
    ),
    ToySpec(
        "three_spirals",
        "Three spirals",
        "Three wound arms: three classes at once.",
        dim=2,
        n_classes=3,
        noise=0.02,
        sample=_spirals(3),
    ),
    ToySpec(
        "xor",
        "XOR",
        "Opposite quadrants share a class: no straight line separates them.",
        dim=2,
        n_classes=2,
        noise=0.05,
        sample=_xor,
    ),
    ToySpec(
        "blobs",
        "Three blobs",
        "Already separable: a flow has next to nothing to do.",
        dim=2,
        n_classes=3,
        noise=0.0,
        sample=_blobs,
    ),
    ToySpec(
        "sign_flip",
        "Sign flip in one dimension",
        "x = -1 must go to +1 and +1 to -1: in one dimension the two paths would have to cross.",
        dim=1,
        n_classes=2,
        noise=0.05,
        sample=_sign_flip,
    ),
)

DATASETS: dict[str, ToySpec] = {spec.name: spec for spec in _SPECS}


def _generate(config: DataConfig, rng: np.random.Generator) -> tuple[Floats, Labels, int]:
    if config.name in USER_SETS:
        if not config.points:
            raise ValueError(
                "the drawing is empty: add points of two classes, or choose one of the ready-made sets."
            )
        if len({len(p) for p in config.points}) != 1:
            raise ValueError("the points have different numbers of coordinates: give each the same number.")
        labels = np.array(config.labels, dtype=np.int64)
        return np.array(config.points, dtype=float), labels, int(labels.max()) + 1
    if config.name not in DATASETS:
        raise ValueError(
            f"data set {config.name!r} is unknown: choose one of {', '.join([*DATASETS, *USER_SETS])}."
        )
    if config.points:
        raise ValueError(
            f"data set {config.name!r} makes its own points: use name='drawn' or 'csv' for given ones."
        )
    spec = DATASETS[config.name]
    labels = rng.permutation(np.arange(config.n, dtype=np.int64) % spec.n_classes)
    x = spec.sample(rng, labels)
    return x + config.noise * rng.standard_normal(x.shape), labels, spec.n_classes


def make_dataset(config: DataConfig) -> DataSet:
    """The data set of a config: the same config gives the same points and the same split, on every machine.

    A user's own points ("drawn", "csv") are taken as they are; `noise` is not added to them.

    For `sign_flip` (Dupont, Doucet and Teh 2019, "Augmented Neural ODEs": the map g with g(-1) = 1 and
    g(1) = -1) class 1 is x = -1, class 0 is x = +1, and `targets` holds g. As a *classification* it is easy
    even in one dimension, because a linear head may have a negative weight; as a *regression* of the flow
    itself it is impossible.

    Raises:
        ValueError: unknown name, empty drawing, one class only, or a coordinate that is not finite.
    """
    point_seed, split_seed = np.random.SeedSequence(config.seed).spawn(2)
    x, labels, n_classes = _generate(config, np.random.default_rng(point_seed))
    train, test = split(labels, config.test_fraction, np.random.default_rng(split_seed))
    targets = None
    if config.name == "sign_flip":
        targets = np.where(labels == 1, 1.0, -1.0).astype(np.float32)[:, None]
    return DataSet(x.astype(np.float32), labels, n_classes, train, test, config.name, targets)
