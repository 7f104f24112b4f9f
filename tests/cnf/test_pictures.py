"""Users' pictures: what is ink in a graphic, on transparency and in the photo of a drawing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from node_core.cnf.densities import Floats
from node_core.cnf.pictures import IMAGE_SIDE, MAX_PHOTO_PIXELS, ink, shrunk


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def drawing(side: int = 400, width: int = 10) -> Floats:
    """A ring and a bar on white paper, 1 is white."""
    paper = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(paper)
    pen.ellipse((0.2 * side, 0.2 * side, 0.8 * side, 0.8 * side), outline=0, width=width)
    pen.line((0.3 * side, 0.4 * side, 0.7 * side, 0.65 * side), fill=0, width=width)
    return np.asarray(paper) / 255


def photo(clean: Floats, pen: float, noise: float = 0.03) -> np.ndarray:
    """The drawing under a lamp at the left and in the shadow of a hand at the right; `pen`: the ink's brightness."""
    side = len(clean)
    y, x = np.mgrid[:side, :side] / side
    light = np.where(x + 0.3 * y > 0.9, 0.75, 1.0) * (0.85 - 0.45 * x - 0.1 * y)
    seen = light * (pen + (1 - pen) * clean) + noise * np.random.default_rng(0).normal(size=clean.shape)
    return (255 * np.clip(seen, 0, 1)).astype(np.uint8)


def distance(first: Floats, second: Floats) -> float:
    """Total variation between two pictures read as densities, 0 to 1."""
    return 0.5 * float(np.abs(first / first.sum() - second / second.sum()).sum())


@pytest.mark.parametrize("pen", [0.2, 0.5, 0.65])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_drawing_is_found_on_its_photo(pen: float, kind: str) -> None:
    data = encoded(photo(drawing(), pen), kind)
    truth = ink(encoded((255 * drawing()).astype(np.uint8)))
    assert distance(ink(data), truth) > 0.85, "as it is, the paper's grey is most of the density"
    assert distance(ink(data, paper=True), truth) < 0.1
    assert shrunk(data).on_paper


def test_chalk_on_a_board_is_found_too() -> None:
    data = encoded(255 - photo(drawing(), 0.3))
    truth = ink(encoded((255 * drawing()).astype(np.uint8)))
    assert distance(ink(data, invert=True, paper=True), truth) < 0.1


def test_a_filled_shape_on_a_photo_stays_filled() -> None:
    y, x = np.mgrid[:400, :400]
    clean = np.where((x - 150) ** 2 + (y - 180) ** 2 < 70**2, 0.0, 1.0)
    truth = ink(encoded((255 * clean).astype(np.uint8)))
    assert distance(ink(encoded(photo(clean, 0.3)), paper=True), truth) < 0.1


def test_what_is_no_drawing_on_paper_is_not_taken_for_one() -> None:
    ramp = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (200, 1))
    y, x = np.mgrid[:300, :300] / 300
    shades = 255 * (0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y) + 0.15 * np.sin(40 * x * y))
    for pixels in (ramp, shades.astype(np.uint8), (255 * drawing()).astype(np.uint8)):
        assert not shrunk(encoded(pixels)).on_paper


def test_an_empty_sheet_is_refused_with_the_remedy() -> None:
    data = encoded(photo(np.ones((400, 400)), 1.0))
    assert not shrunk(data).on_paper
    with pytest.raises(ValueError, match="no drawing stands out from the paper: use a darker pen"):
        ink(data, paper=True)


@pytest.mark.parametrize("tone", [0, 128, 255])
@pytest.mark.parametrize("invert", [False, True])
def test_a_shape_of_one_tone_on_transparency_is_the_density_whatever_its_colour(
    tone: int, invert: bool
) -> None:
    layers = np.full((60, 60, 4), tone, dtype=np.uint8)
    layers[..., 3] = 0
    layers[10:30, 10:40, 3] = 255
    layers[:, 50, :3] = 77  # colour where nothing is seen
    found = ink(encoded(layers), invert=invert)
    assert found[12:28, 12:38].min() > 0.95
    found[9:31, 9:41] = 0
    assert found.max() == 0


def test_shades_on_transparency_stay_shades() -> None:
    layers = np.zeros((60, 60, 4), dtype=np.uint8)
    layers[:, 10:50, 3] = 255
    layers[:, 10:30, :3] = 200
    found = ink(encoded(layers))
    assert found[:, 12:28].mean() == pytest.approx(55 / 255, abs=0.01)
    assert found[:, 32:48].mean() == pytest.approx(1, abs=0.01)
    assert found[:, :9].max() == found[:, 51:].max() == 0


def test_a_small_copy_gives_the_same_ink_as_the_file_itself() -> None:
    for pixels in (
        photo(drawing(), 0.4),
        np.dstack([photo(drawing(), 0.4)] * 3 + [np.full((400, 400), 200)]),
    ):
        data = encoded(pixels.astype(np.uint8))
        small = shrunk(data)
        assert len(small.image) < 20_000
        assert max(Image.open(io.BytesIO(small.image)).size) == IMAGE_SIDE
        np.testing.assert_array_equal(ink(small.image, paper=True), ink(data, paper=True))


def test_the_photo_of_a_telephone_is_upright_and_taken_at_any_size_up_to_80_megapixels() -> None:
    upright = drawing(1200)
    turned = Image.fromarray(photo(np.rot90(upright), 0.3))
    turned.info["exif"] = turned.getexif()
    turned.getexif()[0x0112] = 6  # turn by 90 degrees clockwise
    out = io.BytesIO()
    turned.save(out, "JPEG", exif=turned.getexif())
    truth = ink(encoded((255 * upright).astype(np.uint8)))
    assert distance(ink(out.getvalue(), paper=True), truth) < 0.1
    large = encoded(np.zeros((5000, 6000), dtype=np.uint8), "JPEG")
    assert ink(large).shape == (107, 128)
    assert MAX_PHOTO_PIXELS == 80_000_000


def test_16_bits_are_read_at_their_full_range_at_any_size() -> None:
    pixels = np.full((1500, 1500), 65535, dtype=np.uint16)
    pixels[:, :750] = 16384
    found = ink(encoded(pixels))
    assert found[:, :60].mean() == pytest.approx(0.75, abs=0.01)
    assert found[:, 70:].max() == 0


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA"])
def test_transparency_is_found_however_a_png_holds_it(mode: str) -> None:
    shape = Image.new("LA", (60, 60), (255, 0))
    ImageDraw.Draw(shape).rectangle((10, 10, 39, 29), fill=(250, 255))
    out = io.BytesIO()
    if mode in ("L", "P"):
        flat = shape.convert("L").convert(mode)
        clear = flat.getpixel((0, 0))
        flat.save(out, "PNG", transparency=clear)
    else:
        shape.convert(mode).save(out, "PNG")
    found = ink(out.getvalue())
    assert found[15:25, 15:35].min() > 0.95
    found[9:31, 9:41] = 0
    assert found.max() == 0
