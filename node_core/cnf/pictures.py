"""Users' pictures: a PNG or JPEG, bounded before it is unpacked, becomes a small grid of ink.

A file passes twice: `shrunk` makes a small PNG of what somebody uploads (in a worker: a photo takes seconds to
unpack), and `ink` reads how dense each pixel is. Where there is no ink, there is no density.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageOps

from node_core.cnf.densities import Floats

MAX_IMAGE_BYTES = 12_000_000
MAX_IMAGE_PIXELS = 16_000_000
MAX_PHOTO_PIXELS = 80_000_000  # of a JPEG, which is unpacked at an eighth of its size
IMAGE_SIDE = 128

_HAZE = 0.06  # paper is never quite white in a JPEG: its haze is not part of the shape
_ONE_TONE = 0.1  # a shape whose shades differ less is one of one tone
_WINDOW = 0.4  # of the longer side: what is narrower is drawn on the paper, what is wider is a shade of it
_CONTRAST = 0.15  # by which a pen must stand out from the paper


@dataclass(frozen=True)
class SmallPicture:
    """What is kept of an uploaded picture.

    Args:
        image: a PNG of at most 128 pixels a side, grey with transparency.
        on_paper: whether it looks like the photo of a drawing, grey all over with a few darker lines.
    """

    image: bytes
    on_paper: bool


class _TooManyPixelsError(Exception):
    """The header promises more than we want to unpack."""


def shrunk(data: bytes) -> SmallPicture:
    """A small copy of a picture, and whether it looks like a drawing on paper.

    Args:
        data: content of a PNG (at most 16 megapixels) or JPEG (80), at most 12 MB.

    Raises:
        ValueError: too large, or not a picture.
    """
    small = _open_small(data)
    out = io.BytesIO()
    small.save(out, "PNG")
    tone = np.asarray(small, dtype=float)[..., 0] / 255
    return SmallPicture(out.getvalue(), _looks_drawn(tone))


def ink(data: bytes, *, invert: bool = False, paper: bool = False) -> Floats:
    """How dense each pixel of a picture is, 0 to 1, row 0 at the top: dark is dense (light, if inverted).

    What is transparent is empty; if all the rest has one tone (white on nothing, say), it is the shape.

    Args:
        data: content of a PNG or JPEG file, see `shrunk`.
        invert: take light as dense, for pictures on black.
        paper: divide by the shade of the paper and keep what stands out: for the photo of a drawing, where
            light falls unevenly.

    Raises:
        ValueError: too large, not a picture, or blank.
    """
    pixels = np.asarray(_open_small(data), dtype=float) / 255
    tone, there = pixels[..., 0], pixels[..., 1]
    tone = 1 - tone if invert else tone
    if paper:
        return _lines_on_paper(tone * there + 1 - there)
    found = (1 - tone) * there
    opaque = there > 0.5
    if (there < 0.5).mean() > 0.01 and opaque.any() and np.ptp(tone[opaque]) < _ONE_TONE:
        found = there
    found = np.where(found < _HAZE, 0.0, found)
    if not found.any():
        colour, remedy, other = ("black", "white", "dark") if invert else ("white", "black", "light")
        raise ValueError(
            f"the picture is all {colour}: give one with something {remedy} on it, or take {other} as dense "
            f"(invert={not invert})."
        )
    return found


def _open_small(data: bytes) -> Image.Image:
    """Grey with transparency ("LA") of a PNG or JPEG, upright, at most 128 pixels a side."""
    if len(data) > MAX_IMAGE_BYTES:
        raise ValueError(
            f"the picture has {len(data):,} bytes: at most {MAX_IMAGE_BYTES:,}; give a smaller one."
        )
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        width, height = image.size
        most = MAX_PHOTO_PIXELS if image.format == "JPEG" else MAX_IMAGE_PIXELS
        if width * height > most:  # known from the header, before anything is decoded
            raise _TooManyPixelsError(
                f"the picture has {width} x {height} pixels: give a picture of at most {most:,} pixels"
            )
        image.draft("L", (2 * IMAGE_SIDE, 2 * IMAGE_SIDE))
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip it at 255
            image = Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).astype(np.uint8))
        image.thumbnail((2 * IMAGE_SIDE, 2 * IMAGE_SIDE))  # shrink early: the steps below hold several copies
        if image.mode != "L" or "transparency" in image.info:
            image = image.convert("RGBA")
        small = image.convert("LA")
        small.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    except _TooManyPixelsError as error:
        raise ValueError(f"{error}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{error}: give a picture of at most {MAX_IMAGE_PIXELS:,} pixels.") from error
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise ValueError("the file cannot be read as a picture: give a complete PNG or JPEG file.") from error
    return small


def _lines_on_paper(tone: Floats) -> Floats:
    """What stands out from the paper's shade, with the pen's usual darkness as 1."""
    darkness, threshold = _darkness(tone)
    marked = darkness > threshold
    if not marked.any() or darkness[marked].mean() - darkness[~marked].mean() < _CONTRAST:
        raise ValueError("no drawing stands out from the paper: use a darker pen, or more light.")
    full = float(darkness[marked].mean())
    return np.where(darkness < 0.7 * threshold, 0.0, np.minimum(darkness / full, 1.0))


def _looks_drawn(tone: Floats) -> bool:
    """Grey nearly everywhere, but even once it is divided by its shade, except for some darker lines."""
    if (1 - tone > _HAZE).mean() < 0.6 or _shade(tone).min() < 0.12:
        return False
    darkness, threshold = _darkness(tone)
    marked = darkness > threshold
    if not 0.003 < marked.mean() < 0.4:
        return False
    contrast = darkness[marked].mean() - darkness[~marked].mean()
    return bool(contrast > _CONTRAST and np.quantile(darkness[~marked], 0.95) < 0.25 * contrast)


def _darkness(tone: Floats) -> tuple[Floats, float]:
    """How much darker than the paper each pixel is, 0 to 1, and the value that best parts pen from paper."""
    ratio = tone / np.maximum(_shade(tone), 1 / 255)
    darkness = np.clip(1 - ratio / max(float(np.median(ratio)), 1 / 255), 0.0, 1.0)
    return darkness, _otsu(darkness)


def _shade(tone: Floats) -> Floats:
    """The paper's own brightness: a grey closing, which fills what is narrower than its window and dark.

    Slopes and the edges of wide shadows stay as they are, so the light may change from corner to corner.
    """
    side = 2 * int(_WINDOW * max(tone.shape) / 2) + 1
    smooth = np.pad(tone, side + 1, mode="edge")
    for axis in (0, 1):  # noise would lift the maximum
        smooth = (np.roll(smooth, 1, axis) + smooth + np.roll(smooth, -1, axis)) / 3
    for axis in (0, 1):
        smooth = sliding_window_view(smooth, side, axis).max(-1)
    for axis in (0, 1):
        smooth = sliding_window_view(smooth, side, axis).min(-1)
    return smooth[2:-2, 2:-2]


def _otsu(values: Floats) -> float:
    """The threshold that parts numbers from 0 to 1 into the two groups furthest apart (Otsu 1979)."""
    counts, edges = np.histogram(values, 128, (0.0, 1.0))
    moments = counts * (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts)[:-1], np.cumsum(moments)[:-1]
    above, rest = counts.sum() - below, moments.sum() - sums
    between = below * above * (sums / np.maximum(below, 1) - rest / np.maximum(above, 1)) ** 2
    return float(edges[1 + int(between.argmax())])
