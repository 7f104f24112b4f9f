"""Images of digits: the 1,797 of scikit-learn that come with the project, or MNIST and what is stored like it.

The digits (assets/architectures/digits.npz) are the test part of "Optical Recognition of Handwritten Digits" by E.
Alpaydin and C. Kaynak, UCI Machine Learning Repository, licence CC BY 4.0, as scikit-learn gives them: 8 x 8 pixels of
0 to 16. Nothing here loads torch or scikit-learn.
"""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from node_core.assets import ASSETS
from node_core.checks import check_choice, check_whole
from node_core.data.dataset import MAX_SEED
from node_core.data.idx import MAX_IMAGES, N_CLASSES, folder_files, read_pair, sort_files, write_idx

NAMES = ("digits", "folder", "files")
VARIABLE = "NODE_DATA"
TEST_PART = 5
MIN_TRAIN, MIN_SIDE = 10, 7
KEPT_TRAIN, KEPT_TEST = 4000, 1000
_LARGE = 28  # pixels along a side, from which half of them are enough to train in front of somebody

Floats32 = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ImageData:
    """Everything that determines a set of images, hashable.

    Args:
        name: "digits" (8 x 8, the project's own); "folder": MNIST's files in a folder; "files": those given here.
        folder: of "folder"; "" for the one that the environment variable NODE_DATA names.
        files: of "files", (name, bytes) of two or four IDX files, plain or gzip (Fashion-MNIST's and KMNIST's too).
        shrink: 1, 2 or 4: squares of so many pixels become one, by their mean (28 x 28 becomes 14 x 14, or 7 x 7).
        train, test: at most so many images of each part, the first ones; 0 for all.
        seed: of the split, where the files bring none.

    Raises:
        ValueError: a value is out of range, or files are given where none are asked for.
    """

    name: str = "digits"
    folder: str = ""
    files: tuple[tuple[str, bytes], ...] = ()
    shrink: int = 1
    train: int = 0
    test: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("image data", self.name, NAMES)
        if self.shrink not in (1, 2, 4):
            raise ValueError(f"shrink = {self.shrink}: choose 1, 2 or 4.")
        check_whole("train", self.train, 0, MAX_IMAGES)
        check_whole("test", self.test, 0, MAX_IMAGES)
        check_whole("seed", self.seed, 0, MAX_SEED)
        if 0 < self.train < MIN_TRAIN:
            raise ValueError(f"train = {self.train}: take at least {MIN_TRAIN} images, or 0 for all.")
        if self.files and self.name != "files":
            raise ValueError(f"image data {self.name!r} takes no files: take name = 'files'.")
        if self.folder and self.name != "folder":
            raise ValueError(f"image data {self.name!r} takes no folder: take name = 'folder'.")
        if self.name == "files" and not self.files:
            raise ValueError("no files were given: upload MNIST's images and labels, two or four files.")
        if self.name == "digits" and self.shrink != 1:
            raise ValueError(f"shrink = {self.shrink}: the digits have 8 x 8 pixels only, take shrink = 1.")

    @property
    def digest(self) -> str:
        """A few characters that differ where the images differ; long files make no long names."""
        files = tuple((name, hashlib.sha256(raw).hexdigest()) for name, raw in self.files)
        plain = (self.name, self.folder, files, self.shrink, self.train, self.test, self.seed)
        return hashlib.sha256(repr(plain).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with their classes and a split.

    Attributes:
        x: brightness from 0 to 1, (n, side, side) float32.
        labels: (n,) int64, 0 to 9.
        train, test: indices into them, without a common one.
        note: a sentence: what they are and how they were split.
    """

    x: Floats32
    labels: Indices
    train: Indices
    test: Indices
    note: str

    @property
    def side(self) -> int:
        """Pixels along an edge."""
        return int(self.x.shape[1])

    @property
    def n_classes(self) -> int:
        """Ten, whether all of them occur or not."""
        return N_CLASSES


def data_folder() -> str:
    """The folder that NODE_DATA names; "" where it names none."""
    return os.environ.get(VARIABLE, "").strip()


@functools.lru_cache(maxsize=2)
def image_set(config: ImageData) -> ImageSet:
    """The images of a configuration, kept for the next call; the same in every process.

    Raises:
        ValueError: they can't be had: no folder is named, a file is absent or damaged, or too little is left.
    """
    if config.name == "digits":
        return _digits(config)
    files = folder_files(_folder(config)) if config.name == "folder" else config.files
    pairs = {part: read_pair(*pair) for part, pair in sort_files(files).items()}
    sides = {images.shape[1] for images, _ in pairs.values()}
    if len(sides) > 1:
        raise ValueError("The images of the train part and of the t10k part differ in size: take one set.")
    x = np.concatenate([images for images, _ in pairs.values()])
    labels = np.concatenate([classes for _, classes in pairs.values()]).astype(np.int64)
    if len(pairs) == 2:
        n = len(pairs["train"][1])
        train, test = np.arange(n), np.arange(n, len(labels))
        how = "as the files split them"
    else:
        train, test = _split(labels, config.seed)
        how = f"one part alone, split with seed {config.seed}"
    return _finish(config, x, 255, labels, train, test, how)


def kept_files(files: tuple[tuple[str, bytes], ...]) -> ImageData:
    """Somebody's files as a page trains on them: the first images of each part, large ones at half their size.

    A run carries its images from worker to worker, so they should be few.

    Args:
        files: (name, bytes) of two or four IDX files, as in `ImageData`.

    Raises:
        ValueError: as `image_set`.
    """
    found = image_set(ImageData("files", files=files, train=KEPT_TRAIN, test=KEPT_TEST))
    x = found.x
    if found.side >= _LARGE and found.side % 2 == 0:
        half = found.side // 2
        x = x.reshape(len(x), half, 2, half, 2).mean((2, 4))
    pixels, labels = np.round(255 * x).astype(np.uint8), found.labels.astype(np.uint8)
    written = [
        (f"{part}-{kind}", write_idx(values[chosen]))
        for part, chosen in (("train", found.train), ("t10k", found.test))
        for kind, values in (("images", pixels), ("labels", labels))
    ]
    return ImageData("files", files=tuple(written))


def kept_folder(folder: bytes) -> ImageData:
    """The same of a folder's files; `folder` is its path.

    Raises:
        ValueError: as `image_set`.
    """
    return kept_files(folder_files(Path(folder.decode()).expanduser()))


def _digits(config: ImageData) -> ImageSet:
    with np.load(ASSETS / "architectures" / "digits.npz") as found:
        x, labels = found["images"], found["labels"].astype(np.int64)
    train, test = _split(labels, config.seed)
    return _finish(
        config,
        x,
        16,
        labels,
        train,
        test,
        f"scikit-learn's digits, 8 x 8 pixels, split with seed {config.seed}",
    )


def _split(labels: Indices, seed: int) -> tuple[Indices, Indices]:
    """A fifth for testing, drawn whatever the class: 1,437 and 360 of the digits."""
    if len(labels) < 2 * MIN_TRAIN:
        raise ValueError(
            f"{len(labels)} images are too few to train and test: give at least {2 * MIN_TRAIN}."
        )
    order = np.random.default_rng(seed).permutation(len(labels))
    cut = -(-len(labels) // TEST_PART)
    return order[cut:], order[:cut]


def _folder(config: ImageData) -> Path:
    named = config.folder or data_folder()
    if not named:
        raise ValueError(
            f"No folder is named: set the environment variable {VARIABLE} to the folder with MNIST's files, and start "
            "again."
        )
    return Path(named).expanduser()


def _finish(
    config: ImageData,
    x: NDArray[np.uint8],
    white: int,
    labels: Indices,
    train: Indices,
    test: Indices,
    how: str,
) -> ImageSet:
    """Cut to what was asked for, and averaged over squares."""
    train, test = train[: config.train or None], test[: config.test or None]
    if len(train) < MIN_TRAIN or len(test) < 1:
        raise ValueError(
            f"{len(train)} images to train and {len(test)} to test with: give at least {MIN_TRAIN} and 1."
        )
    if len(np.unique(labels[train])) < 2:
        raise ValueError("All training images show the same digit: give a second class.")
    side = x.shape[1] // config.shrink
    if side * config.shrink != x.shape[1] or side < MIN_SIDE:
        raise ValueError(
            f"shrink = {config.shrink}: images of {x.shape[1]} pixels can't be made smaller so; take shrink = 1."
        )
    kept = np.concatenate((train, test))
    small = (
        x[kept].reshape(len(kept), side, config.shrink, side, config.shrink).mean((2, 4), dtype=np.float32)
    )
    n = np.arange(len(kept))
    note = f"{len(train):,} training and {len(test):,} test images of {side} x {side} pixels: {how}."
    return ImageSet(small / np.float32(white), labels[kept], n[: len(train)], n[len(train) :], note)
