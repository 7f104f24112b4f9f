"""MNIST's file format (IDX), plain or gzip: read whole and checked, or refused with the file's name.

A file is a magic number (two zero bytes, the type of its numbers, the number of its axes), the lengths of its axes as
big-endian uint32, then its bytes: http://yann.lecun.com/exdb/mnist. Nothing is believed that was not checked, and no
more is unpacked than the header calls for: a small gzip can hold a gigabyte of zeros.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MAX_FILE = 100_000_000
MAX_IMAGES = 100_000
MIN_SIDE, MAX_SIDE = 8, 64
N_CLASSES = 10

Kind = Literal["images", "labels"]
Part = Literal["train", "t10k"]
Named = tuple[str, bytes]
Stream = gzip.GzipFile | io.BytesIO

_MAGIC: dict[Kind, int] = {"images": 0x00000803, "labels": 0x00000801}
_GZIP = b"\x1f\x8b"
_NAME = re.compile(r"(train|t10k)[-_. ]?(images|labels)", re.IGNORECASE)
EXPECTED = "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k, plain or .gz"


def read_pair(images: Named, labels: Named) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (n, side, side) and their labels (n,), from the (name, bytes) of the two files.

    Raises:
        ValueError: a file is damaged, too large or of another kind, or the two don't belong together.
    """
    pixels, classes = read_idx("images", *images), read_idx("labels", *labels)
    if len(pixels) != len(classes):
        raise ValueError(
            f"The file {images[0]} holds {len(pixels):,} images, but {labels[0]} {len(classes):,} labels: take both "
            "files from the same set."
        )
    wrong = np.flatnonzero(classes >= N_CLASSES)
    if wrong.size:
        raise ValueError(
            f"In the file {labels[0]} the label of image {wrong[0] + 1:,} is {classes[wrong[0]]}, but there are the "
            f"classes 0 to {N_CLASSES - 1} only."
        )
    return pixels, classes


def read_idx(kind: Kind, name: str, raw: bytes) -> NDArray[np.uint8]:
    """The numbers of one file: images (n, side, side), or labels (n,).

    Args:
        kind: what it should hold.
        name: of the file, for the sentence.
        raw: its content.

    Raises:
        ValueError: it is too large, damaged, or holds something else.
    """
    _check_size(name, len(raw))
    packed = raw[:2] == _GZIP
    stream: Stream = gzip.GzipFile(fileobj=io.BytesIO(raw)) if packed else io.BytesIO(raw)
    try:
        shape = _shape(kind, name, stream)
        content = stream.read(prod(shape))
        more = stream.read(1)  # the end of a gzip is where its checksum is compared
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"The file {name} is cut short or damaged: its gzip can't be unpacked. Download it again."
        ) from error
    if len(content) < prod(shape):
        raise ValueError(
            f"The file {name} is cut short: {prod(shape):,} bytes should follow its header, there are "
            f"{len(content):,}. Download it again."
        )
    if more:
        raise ValueError(
            f"The file {name} holds more than its header says ({shape[0]:,} {kind}): download it again."
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def write_idx(values: NDArray[np.uint8]) -> bytes:
    """A file of images (n, side, side) or labels (n,), packed by gzip; the same ones give the same bytes."""
    kind: Kind = "images" if values.ndim == 3 else "labels"
    head = struct.pack(f">{1 + values.ndim}I", _MAGIC[kind], *values.shape)
    return gzip.compress(head + values.tobytes(), mtime=0)


def sort_files(files: Iterable[Named]) -> dict[Part, tuple[Named, Named]]:
    """Which files are the pair of which part: {"train": (images, labels), "t10k": ...}, told by their names.

    Args:
        files: (name, bytes), such as a visitor uploads.

    Raises:
        ValueError: a name tells nothing, one comes twice, or a pair is not complete.
    """
    found: dict[tuple[str, str], Named] = {}
    for name, raw in files:
        match = _NAME.search(name)
        if match is None:
            raise ValueError(f"The file {name} is none of the files of MNIST: give {EXPECTED}.")
        part, kind = match[1].lower(), match[2].lower()
        if (part, kind) in found:
            raise ValueError(
                f"The files {found[part, kind][0]} and {name} are the same part of MNIST: give it once."
            )
        found[part, kind] = (name, raw)
    return _pairs(found)


def folder_files(folder: Path) -> tuple[Named, ...]:
    """(name, bytes) of the MNIST files in a folder; where one is there both plain and as gzip, the plain one.

    Raises:
        ValueError: there is no such folder or none of the files in it, a file is too large, or can't be read.
    """
    try:
        if not folder.is_dir():
            raise ValueError(f"There is no folder {folder}: give one that holds {EXPECTED}.")
        chosen: dict[tuple[str, str], Path] = {}
        for path in sorted(folder.iterdir(), key=lambda path: path.suffix == ".gz"):
            match = _NAME.match(path.name)
            if match and path.is_file():
                chosen.setdefault((match[1].lower(), match[2].lower()), path)
        if not chosen:
            raise ValueError(f"The folder {folder} holds no images: put {EXPECTED} into it.")
        for path in chosen.values():
            _check_size(path.name, path.stat().st_size)
        return tuple((path.name, path.read_bytes()) for path in chosen.values())
    except OSError as error:
        raise ValueError(f"The folder {folder} can't be read: {error.strerror}.") from error


def _pairs(found: Mapping[tuple[str, str], Named]) -> dict[Part, tuple[Named, Named]]:
    if not found:
        raise ValueError(f"No files were given: give {EXPECTED}.")
    pairs: dict[Part, tuple[Named, Named]] = {}
    parts: tuple[Part, ...] = ("train", "t10k")
    for part in parts:
        images, labels = found.get((part, "images")), found.get((part, "labels"))
        if images and labels:
            pairs[part] = (images, labels)
        elif images or labels:
            here, missing = ("images", "labels") if images else ("labels", "images")
            raise ValueError(f"The {here} of the {part} part have no {missing}: give {part}-{missing} too.")
    return pairs


def _check_size(name: str, size: int) -> None:
    if size > MAX_FILE:
        raise ValueError(
            f"The file {name} has {size:,} bytes, at most {MAX_FILE:,} are read: MNIST's have 47 million."
        )


def _shape(kind: Kind, name: str, stream: Stream) -> tuple[int, ...]:
    """The lengths of the axes, from the header."""
    axes = 3 if kind == "images" else 1
    head = stream.read(4 * (1 + axes))
    if len(head) < 4 * (1 + axes):
        raise ValueError(
            f"The file {name} has {len(head)} bytes, which is no file of {kind}: give {EXPECTED}."
        )
    magic, *shape = struct.unpack(f">{1 + axes}I", head)
    if magic != _MAGIC[kind]:
        raise ValueError(
            f"The file {name} begins with the magic number {magic:#010x}, a file of {kind} with "
            f"{_MAGIC[kind]:#010x}: give {EXPECTED}."
        )
    if not 1 <= shape[0] <= MAX_IMAGES:
        raise ValueError(
            f"The file {name} says that it holds {shape[0]:,} {kind}: 1 to {MAX_IMAGES:,} can be read."
        )
    if kind == "images" and (shape[1] != shape[2] or not MIN_SIDE <= shape[1] <= MAX_SIDE):
        raise ValueError(
            f"The images of the file {name} have {shape[1]} x {shape[2]} pixels: give squares of {MIN_SIDE} to "
            f"{MAX_SIDE} pixels."
        )
    return tuple(shape)
