"""Targets that users make: strokes drawn, grids painted, pictures uploaded; and `TargetConfig` for all.

Everything here comes from outside, so everything is bounded before work begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from node_core.cnf.densities import Cells, Floats, GaussianMixture
from node_core.cnf.pictures import ink
from node_core.cnf.targets import SQUARE, TARGETS, Target

MAX_STROKE_POINTS = 20_000
MAX_CENTRES = 600
MAX_GRID_SIDE = 512
HALF_SIDE = 3.2  # pictures leave a margin inside the window [-4, 4]

Stroke = tuple[tuple[float, float], ...]


def _resample(stroke: Floats, spacing: float) -> tuple[Floats, Floats]:
    """Points evenly along a polyline, and the length that each stands for (at least a dot's)."""
    lengths = np.linalg.norm(np.diff(stroke, axis=0), axis=1)
    total = float(lengths.sum())
    count = max(1, math.ceil(total / spacing))
    at = (np.arange(count) + 0.5) * total / count
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    points = np.stack([np.interp(at, along, stroke[:, 0]), np.interp(at, along, stroke[:, 1])], 1)
    return points, np.full(count, max(total, spacing) / count)


def strokes_target(strokes: Sequence[Sequence[Sequence[float]]], *, brush: float = 0.2) -> Target:
    """The density a pen leaves: every stretch of line weighs the same, blurred by a Gaussian brush.

    A stroke of one point is a dot. The log density is exact (a mixture of Gaussians along the strokes).

    Args:
        strokes: polylines of (x, y) within [-4, 4].
        brush: standard deviation of the brush, 0.05 to 1.

    Raises:
        ValueError: nothing was drawn, too much was drawn, a point is outside or not finite, or a bad brush.
    """
    if not 0.05 <= brush <= 1.0:
        raise ValueError(f"brush = {brush}: choose a width from 0.05 to 1.")
    try:
        lines = [np.array(stroke, dtype=float).reshape(-1, 2) for stroke in strokes if len(stroke)]
    except (TypeError, ValueError, OverflowError) as error:  # words, a point of three numbers, 401 digits
        raise ValueError("a stroke is no list of points (x, y): draw inside the frame.") from error
    if not lines:
        raise ValueError("the drawing is empty: draw at least one stroke.")
    points = np.concatenate(lines)
    if len(points) > MAX_STROKE_POINTS:
        raise ValueError(f"the drawing has {len(points)} points: draw at most {MAX_STROKE_POINTS}.")
    outside = np.flatnonzero(~(np.abs(points) <= 4.0).all(axis=1))  # NaN compares false: it counts as outside
    if outside.size:
        raise ValueError(f"point {points[outside[0]].tolist()} is outside [-4, 4]: draw inside the frame.")
    if len(lines) > MAX_CENTRES:
        raise ValueError(f"the drawing has {len(lines)} strokes: draw at most {MAX_CENTRES}.")
    length = sum(float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines)
    # Half a brush apart looks like a line; very long drawings get fewer centres, so that pages stay fast.
    spacing = max(brush / 2, length / MAX_CENTRES)
    parts = [_resample(line, spacing) for line in lines]
    weights = np.concatenate([weight for _, weight in parts])
    mixture = GaussianMixture(np.concatenate([p for p, _ in parts]), brush, weights / weights.sum())
    half = 4.0 + 4 * brush
    return Target("drawn", "Your drawing", mixture, extent=((-half, half), (-half, half)))


def grid_target(mass: ArrayLike, *, name: str = "drawn", label: str = "Your drawing") -> Target:
    """A painted grid as a density: constant in each cell, the longer side 6.4 wide, centred.

    Args:
        mass: (rows, columns) of amounts >= 0, any scale; row 0 is the top row, as in a picture.
        name: name of the target.
        label: label of the target.

    Raises:
        ValueError: not a grid, too large, empty (all zero), negative, or not finite.
    """
    amounts = np.asarray(mass, dtype=float)
    if amounts.ndim != 2 or amounts.size == 0 or max(amounts.shape) > MAX_GRID_SIDE:
        raise ValueError(
            f"a grid of shape {amounts.shape}: give rows and columns, at most {MAX_GRID_SIDE} each."
        )
    if not np.isfinite(amounts).all() or amounts.min() < 0:
        raise ValueError("the grid holds a negative amount or one that is not finite: give numbers from 0.")
    total = float(amounts.sum())
    if not 0 < total < math.inf:
        raise ValueError("the drawing is empty: paint at least one cell.")
    rows, columns = amounts.shape
    x, y = HALF_SIDE * columns / max(amounts.shape), HALF_SIDE * rows / max(amounts.shape)
    return Target(name, label, Cells(amounts[::-1] / total, ((-x, x), (-y, y))), extent=SQUARE, smooth=False)


def image_target(data: bytes, *, invert: bool = False, paper: bool = False) -> Target:
    """A picture as a density: dark is dense (light, if inverted).

    Args:
        data: content of a PNG or JPEG file, see `node_core.cnf.pictures`; shrunk to 128 pixels a side.
        invert: take light as dense, for pictures on black.
        paper: keep only what stands out from the paper, for the photo of a drawing.

    Raises:
        ValueError: too large, not a picture, or blank.
    """
    return grid_target(ink(data, invert=invert, paper=paper), name="image", label="Your picture")


@dataclass(frozen=True)
class TargetConfig:
    """Everything that determines a target, hashable and picklable: what pages send to workers.

    Args:
        name: a key of `TARGETS`, "drawn" or "image".
        strokes: the drawing, for "drawn".
        brush: width of its pen.
        image: content of a PNG or JPEG file, for "image".
        invert: whether light is dense in that picture.
        paper: whether it is the photo of a drawing on paper, whose shade is to be removed.
    """

    name: str = "eight_gaussians"
    strokes: tuple[Stroke, ...] = ()
    brush: float = 0.2
    image: bytes = b""
    invert: bool = False
    paper: bool = False


def make_target(config: TargetConfig) -> Target:
    """The target of a config.

    Raises:
        ValueError: unknown name, or a drawing or picture that cannot be used.
    """
    if config.name == "drawn":
        return strokes_target(config.strokes, brush=config.brush)
    if config.name == "image":
        return image_target(config.image, invert=config.invert, paper=config.paper)
    if config.name not in TARGETS:
        raise ValueError(
            f"target {config.name!r} is unknown: choose one of {', '.join(TARGETS)}, drawn, image."
        )
    return TARGETS[config.name]
