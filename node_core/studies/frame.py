"""The limits of a picture: the reference is seen whole, and what explodes runs out of the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


ASPECT = 1.5
"""Width over height of a picture of the plane."""


def equal_units(
    x: tuple[float, float], y: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float], bool]:
    """Limits of a plane in which a circle is a circle, and whether they are: not where one axis is far longer."""
    width, height = x[1] - x[0], y[1] - y[0]
    if not 0.5 <= width / height <= 2.0:
        return x, y, False
    more_x, more_y = max(0.0, ASPECT * height - width) / 2, max(0.0, width / ASPECT - height) / 2
    return (x[0] - more_x, x[1] + more_x), (y[0] - more_y, y[1] + more_y), True


def framed(
    reference: Floats, others: list[Floats], *, reach: float = 0.45, margin: float = 0.06
) -> tuple[float, float]:
    """Limits that show the reference fully and let the others leave it by at most `reach` of its width.

    So a solution that explodes runs out of the picture, and one that is merely wrong is seen whole. Without a
    reference (an empty array) the first of the others with finite values takes its place.
    """
    base = reference[np.isfinite(reference)]
    for other in others:
        if base.size:
            break
        base = other[np.isfinite(other)]
    if not base.size:
        return -1.0, 1.0
    low, high = float(base.min()), float(base.max())
    width = high - low
    if width <= 1e-9 * max(1.0, abs(low), abs(high)):
        width = max(1.0, abs(low)) * 0.5 if abs(low) > 1e-3 else max(4.0 * abs(low), 1e-3)
    allowed_low, allowed_high = low - reach * width, high + reach * width
    for other in others:
        seen = other[np.isfinite(other)]
        if seen.size:
            low = max(allowed_low, min(low, float(seen.min())))
            high = min(allowed_high, max(high, float(seen.max())))
    return low - margin * width, high + margin * width
