"""Images: the digits that come along, and every way in which MNIST's files can be wrong."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node_core.data import idx, images
from node_core.data.images import ImageData, image_set

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 28, 28)).astype(np.uint8)
LABELS = (np.arange(40) % 10).astype(np.uint8)


def images_file(pixels: np.ndarray = PIXELS, magic: int = 0x803) -> bytes:
    return struct.pack(">4I", magic, *pixels.shape) + pixels.tobytes()


def labels_file(labels: np.ndarray = LABELS, magic: int = 0x801) -> bytes:
    return struct.pack(">2I", magic, len(labels)) + labels.tobytes()


def pair(
    part: str = "t10k", images: bytes | None = None, labels: bytes | None = None
) -> tuple[tuple[str, bytes], ...]:
    return (
        (f"{part}-images-idx3-ubyte", images_file() if images is None else images),
        (f"{part}-labels-idx1-ubyte", labels_file() if labels is None else labels),
    )


def files(*named: tuple[str, bytes], **more: Any) -> ImageData:
    return ImageData("files", files=named, **more)


def test_the_digits_are_scikit_learns() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    found, theirs = image_set(ImageData()), datasets.load_digits()
    order = np.random.default_rng(0).permutation(1797)
    order = np.concatenate((order[360:], order[:360]))
    np.testing.assert_array_equal(found.x * 16, theirs.images[order])
    np.testing.assert_array_equal(found.labels, theirs.target[order])
    assert (len(found.train), len(found.test), found.side) == (1437, 360, 8)


def test_the_split_is_seeded_and_shares_no_image() -> None:
    first, other = image_set(ImageData()), image_set(ImageData(seed=1))
    assert not set(first.train) & set(first.test)
    assert sorted([*first.train, *first.test]) == list(range(1797))
    assert not np.array_equal(first.x[first.test], other.x[other.test])


def test_files_plain_and_packed_are_read_alike() -> None:
    plain = image_set(files(*pair("train"), *pair("t10k")))
    packed = image_set(
        files(*((f"{name}.gz", gzip.compress(raw)) for name, raw in (*pair("t10k"), *pair("train"))))
    )
    np.testing.assert_array_equal(plain.x, packed.x)
    np.testing.assert_array_equal(plain.x[plain.train], PIXELS / np.float32(255))
    np.testing.assert_array_equal(plain.labels[plain.test], LABELS)
    assert plain.x.max() <= 1


def test_one_part_alone_is_split_and_images_are_shrunk_by_their_means() -> None:
    found = image_set(files(*pair("t10k"), shrink=2, train=20, test=5))
    assert (len(found.train), len(found.test), found.side) == (20, 5, 14)
    assert found.note == "20 training and 5 test images of 14 x 14 pixels: one part alone, split with seed 0."
    order = np.random.default_rng(0).permutation(40)
    first = PIXELS[order[8]].astype(np.float64)
    expected = first.reshape(14, 2, 14, 2).mean((1, 3)) / 255
    np.testing.assert_allclose(found.x[0], expected, rtol=1e-6)


def test_a_folder_is_read_and_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, raw in pair("train"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(raw))
    for name, raw in pair("t10k"):
        (tmp_path / name).write_bytes(raw)
        (tmp_path / f"{name}.gz").write_bytes(b"the plain one is taken")
    (tmp_path / "readme.txt").write_text("not of MNIST")
    direct = image_set(ImageData("folder", folder=str(tmp_path)))
    assert (len(direct.train), len(direct.test)) == (40, 40)
    monkeypatch.setenv("NODE_DATA", str(tmp_path))
    image_set.cache_clear()
    np.testing.assert_array_equal(image_set(ImageData("folder")).x, direct.x)
    monkeypatch.delenv("NODE_DATA")
    image_set.cache_clear()
    with pytest.raises(ValueError, match="set the environment variable NODE_DATA"):
        image_set(ImageData("folder"))


IMAGES, TAGS = pair()
WRONG = [
    ((("t10k-images-idx3-ubyte", labels_file()), TAGS), "magic number 0x00000801, a file of images"),
    ((("t10k-images-idx3-ubyte", images_file(magic=0xD03)), TAGS), "magic number 0x00000d03"),
    ((IMAGES, ("t10k-labels-idx1-ubyte", labels_file(LABELS[:30]))), "40 images, but .* 30 labels"),
    ((("t10k-images.gz", gzip.compress(images_file())[:-900]), TAGS), "cut short or damaged"),
    ((("t10k-images.gz", gzip.compress(images_file())[:-2]), TAGS), "cut short or damaged"),
    ((("t10k-images.gz", b"\x1f\x8b" + b"rubbish" * 9), TAGS), "cut short or damaged"),
    ((("t10k-images", images_file()[:-1]), TAGS), "cut short: 31,360 bytes should follow"),
    ((("t10k-images", images_file() + b"?"), TAGS), "more than its header says"),
    ((("t10k-images", b""), TAGS), "0 bytes, which is no file of images"),
    ((IMAGES, ("t10k-labels", labels_file(np.where(LABELS == 3, 12, LABELS)))), "label of image 4 is 12"),
    ((("t10k-images", struct.pack(">4I", 0x803, 2**31, 28, 28)), TAGS), "says that it holds 2,147,483,648"),
    ((("t10k-images", images_file(PIXELS[:, :20])), TAGS), "20 x 28 pixels"),
    ((("t10k-images", images_file(PIXELS[:, :4, :4])), TAGS), "4 x 4 pixels"),
    ((IMAGES,), "no labels: give t10k-labels"),
    ((TAGS,), "no images: give t10k-images"),
    ((IMAGES, TAGS, IMAGES), "the same part"),
    ((IMAGES, TAGS, ("cats.zip", b"")), "The file cats.zip is none of the files"),
    (pair(images=images_file(PIXELS[:12]), labels=labels_file(LABELS[:12])), "12 images are too few"),
    (pair(labels=labels_file(np.zeros(40, np.uint8))), "the same digit"),
]


@pytest.mark.parametrize(("given", "sentence"), WRONG)
def test_a_wrong_file_is_refused_in_a_sentence(given: tuple[tuple[str, bytes], ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        image_set(files(*given))


def test_train_and_test_must_be_of_one_size() -> None:
    small = pair("train", images=images_file(PIXELS[:, :14, :14]))
    with pytest.raises(ValueError, match="differ in size"):
        image_set(files(*small, *pair()))


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = tmp_path / "t10k-images-idx3-ubyte"
    with huge.open("wb") as file:
        file.truncate(2**30)  # takes no room on the disk
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(labels_file())
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path.name} was read"))
    with pytest.raises(ValueError, match="1,073,741,824 bytes, at most 100,000,000"):
        image_set(ImageData("folder", folder=str(tmp_path)))


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(ValueError, match="can't be read: Permission denied"):
        image_set(ImageData("folder", folder=str(tmp_path)))


def test_a_small_gzip_of_a_gigabyte_is_unpacked_no_further_than_its_header_says() -> None:
    bomb = gzip.compress(images_file() + bytes(30_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="more than its header says"):
        idx.read_idx("images", "t10k-images.gz", bomb)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: image_set(ImageData("folder", folder=str(folder))), "holds no images"),
        (lambda folder: image_set(ImageData("folder", folder=str(folder / "no"))), "There is no folder"),
        (lambda _: ImageData("mnist"), "image data 'mnist' is unknown"),
        (lambda _: ImageData("files"), "no files were given"),
        (lambda _: ImageData(files=pair()), "takes no files"),
        (lambda _: ImageData(folder="x"), "takes no folder"),
        (lambda _: ImageData(shrink=2), "8 x 8 pixels only"),
        (lambda _: ImageData(shrink=3), "choose 1, 2 or 4"),
        (lambda _: ImageData(train=3), "at least 10 images"),
        (lambda _: ImageData(seed=-1), "seed = -1"),
    ],
)
def test_what_does_not_go_together_is_refused(make, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        make(tmp_path)


def test_the_digest_tells_sets_apart_and_is_short() -> None:
    sets = [ImageData(), ImageData(seed=1), ImageData(train=100), files(*pair()), files(*pair("train"))]
    digests = {data.digest for data in sets}
    assert len(digests) == len(sets)
    assert all(len(digest) == 16 for digest in digests)


def test_a_file_that_was_written_is_read() -> None:
    again = idx.read_pair(("i", idx.write_idx(PIXELS)), ("l", idx.write_idx(LABELS)))
    np.testing.assert_array_equal(again[0], PIXELS)
    np.testing.assert_array_equal(again[1], LABELS)
    assert idx.write_idx(PIXELS) == idx.write_idx(PIXELS)


def test_a_page_keeps_the_first_images_at_half_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "KEPT_TRAIN", 20)
    monkeypatch.setattr(images, "KEPT_TEST", 5)
    given = (*pair("train"), *pair("t10k"))
    kept, whole = images.kept_files(given), image_set(files(*given, train=20, test=5, shrink=2))
    found = image_set(kept)
    assert (len(found.train), len(found.test), found.side) == (20, 5, 14)
    np.testing.assert_allclose(found.x, whole.x, atol=0.51 / 255)
    np.testing.assert_array_equal(found.labels, whole.labels)


def test_small_images_are_kept_whole() -> None:
    small = RNG.integers(0, 256, (40, 8, 8)).astype(np.uint8)
    found = image_set(images.kept_files(pair(images=images_file(small))))
    assert (found.side, len(found.train), len(found.test)) == (8, 32, 8)


def test_a_folder_is_kept_alike(tmp_path: Path) -> None:
    for name, raw in pair():
        (tmp_path / name).write_bytes(raw)
    assert images.kept_folder(str(tmp_path).encode()) == images.kept_files(pair())
    with pytest.raises(ValueError, match="There is no folder"):
        images.kept_folder(str(tmp_path / "none").encode())
