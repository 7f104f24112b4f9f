"""Points that a user draws: checked here, then a `DataConfig` like any other."""

from __future__ import annotations

from collections.abc import Sequence

from node_core.data.dataset import MAX_POINTS, MIN_POINTS, DataConfig

MAX_CLASSES = 10
MAX_COORDINATE = 10.0


def drawn_config(
    points: Sequence[Sequence[float]], labels: Sequence[int], *, seed: int = 0, test_fraction: float = 0.0
) -> DataConfig:
    """The config of a drawing.

    Classes keep the numbers (colours) they were drawn with, also if one in between was not used.

    Args:
        points: rows (x, y), each within +-10.
        labels: one class 0 to 9 a point.
        seed: seed of the split.
        test_fraction: share of each class kept for testing; 0 because drawings are small.

    Raises:
        ValueError: the drawing is empty, too small or too large, has one class only, or holds a bad point
            or label.
    """
    if len(points) == 0:
        raise ValueError("the drawing is empty: click into the plane to add points of two classes.")
    if not MIN_POINTS <= len(points) <= MAX_POINTS:
        raise ValueError(f"the drawing has {len(points)} points: draw {MIN_POINTS} to {MAX_POINTS}.")
    for i, point in enumerate(points, start=1):
        if len(point) != 2 or not all(abs(v) <= MAX_COORDINATE for v in point):  # NaN compares false
            raise ValueError(
                f"point {i} of the drawing is ({', '.join(map(_shown, point))}): give two numbers within "
                f"+-{MAX_COORDINATE:g}, or remove it."
            )
    for i, label in enumerate(labels, start=1):
        if label not in range(MAX_CLASSES):
            raise ValueError(
                f"class {_shown(label)} of point {i}: choose a whole number from 0 to {MAX_CLASSES - 1}."
            )
    if len(set(labels)) < 2:
        raise ValueError(
            "the drawing has one class only: choose another colour and add points of a second class."
        )
    return DataConfig(
        name="drawn",
        n=len(points),
        noise=0.0,
        seed=seed,
        test_fraction=test_fraction,
        points=tuple((float(x), float(y)) for x, y in points),
        labels=tuple(int(label) for label in labels),
    )


def _shown(value: float) -> str:
    """A number in a sentence; an int of thousands of digits can't even be printed."""
    return str(value) if abs(value) < 1e15 or isinstance(value, float) else "a number of many digits"
