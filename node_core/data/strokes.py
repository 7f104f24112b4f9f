"""A digit drawn with the mouse, made into an image like those that a net was trained on. Loads no torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Strokes = tuple[tuple[tuple[float, float], ...], ...]

MAX_POINTS = 5000
PEN = 0.14  # width of the line, of the drawing's larger side: that of a digit in both sets
_FINE = 8  # samples along a pixel's side
_LEAST = 0.02  # of the square: less is a dot, and no drawing


def check_strokes(strokes: Strokes) -> None:
    """Refuse what is no drawing.

    Raises:
        ValueError: no point, too many, one that is no number from 0 to 1, or a dot.
    """
    points = [point for stroke in strokes for point in stroke]
    if not points:
        raise ValueError("nothing was drawn: draw a digit from 0 to 9.")
    if len(points) > MAX_POINTS:
        raise ValueError(
            f"the drawing has {len(points):,} points, at most {MAX_POINTS:,}: draw with fewer lines."
        )
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(f"the point ({x:g}, {y:g}) lies outside of the square from 0 to 1: draw inside.")
    xs, ys = zip(*points, strict=True)
    if max(max(xs) - min(xs), max(ys) - min(ys)) < _LEAST:
        raise ValueError("the drawing is no more than a dot: draw a digit, as large as the square.")


def rasterise(strokes: Strokes, side: int, *, fill: float = 1.0) -> NDArray[np.float32]:
    """The drawing as an image: cut to what was drawn, scaled, centred, and averaged over pixels.

    Args:
        strokes: lines of points (x, y) from 0 to 1, y downwards.
        side: pixels along a side.
        fill: the share of the side that the drawing's larger side takes: 1 for scikit-learn's digits, which fill
            their 8 x 8 pixels, 20 / 28 for MNIST.

    Returns:
        Brightness from 0 to 1, (side, side), row 0 on top.

    Raises:
        ValueError: it is no drawing, see `check_strokes`.
    """
    check_strokes(strokes)
    points = np.array([point for stroke in strokes for point in stroke])
    low, high = points.min(0), points.max(0)
    room = fill * (1 - PEN)
    scale = room / float((high - low).max())
    centre = (low + high) / 2
    fine = side * _FINE
    axis = (np.arange(fine) + 0.5) / fine
    x, y = np.meshgrid(axis, axis)
    nearest = np.full((fine, fine), np.inf)
    for stroke in strokes:
        line = (np.array(stroke, dtype=float).reshape(-1, 2) - centre) * scale + 0.5
        for start, end in zip(line, line[1:] if len(line) > 1 else line, strict=False):
            np.minimum(nearest, _squared_distance(x, y, start, end), out=nearest)
    inked = nearest <= (0.5 * PEN * fill) ** 2
    return inked.reshape(side, _FINE, side, _FINE).mean((1, 3)).astype(np.float32)


def _squared_distance(
    x: NDArray[np.float64], y: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of every sample from the line between two points."""
    (dx, dy), length = end - start, float(((end - start) ** 2).sum())
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / length if length > 0 else np.zeros_like(x)
    along = np.clip(along, 0.0, 1.0)
    return np.asarray((x - start[0] - along * dx) ** 2 + (y - start[1] - along * dy) ** 2)
