"""What needs no training, and is often forgotten: straight lines between observations, and splines."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, make_smoothing_spline

Floats = NDArray[np.floating]
Baseline = Literal["linear", "cubic", "smoothing"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
LABELS: dict[Baseline, str] = {
    "linear": "linear interpolation",
    "cubic": "cubic spline",
    "smoothing": "smoothing spline",
}
_FEWEST = {"linear": 1, "cubic": 2, "smoothing": 5}


def baseline(name: Baseline, t: Floats, x: Floats, ts: Floats) -> NDArray[np.float64]:
    """What a method without training says of one series at other times.

    - "linear": straight lines between observations; beyond them the first and the last value.
    - "cubic": the natural cubic spline through all observations; beyond them its straight ends go on.
    - "smoothing": the cubic smoothing spline whose weight generalised cross-validation chooses (Wahba 1990; SciPy's
      `make_smoothing_spline`); it goes on straight too. It is what noise asks for.

    Of fewer than 2 (cubic) or 5 (smoothing) observations of a value, straight lines are drawn.

    Args:
        name: one of `BASELINES`.
        t: times (n,), increasing.
        x: observations (n, dim), NaN where there is none; a value without any is NaN.
        ts: (m,) times at which to answer.

    Returns:
        (m, dim).
    """
    found = np.full((len(ts), x.shape[1]), np.nan)
    for j in range(x.shape[1]):
        seen = np.isfinite(x[:, j])
        count = int(seen.sum())
        if count:
            kind = name if count >= _FEWEST[name] else "linear"
            found[:, j] = _METHODS[kind](t[seen], x[seen, j], ts)
    return found


def recalled(name: Baseline, t: Floats, x: Floats, ts: Floats) -> NDArray[np.float64]:
    """`baseline`, remembered: a live picture asks for the same again and again. Not to be written into."""
    return _recalled(name, *(np.asarray(part, dtype=float).tobytes() for part in (t, x, ts)))


@functools.lru_cache(maxsize=64)
def _recalled(name: Baseline, *raw: bytes) -> NDArray[np.float64]:
    t, x, ts = (np.frombuffer(part) for part in raw)
    return baseline(name, t, x.reshape(len(t), -1), ts)


def _linear(t: Floats, x: Floats, ts: Floats) -> Floats:
    return np.interp(ts, t, x)


def _cubic(t: Floats, x: Floats, ts: Floats) -> Floats:
    spline = CubicSpline(t, x, bc_type="natural")
    inside = np.clip(ts, t[0], t[-1])
    # The natural spline's second derivative is zero at its ends: it goes on straight.
    return spline(inside) + spline(inside, 1) * (ts - inside)


def _smoothing(t: Floats, x: Floats, ts: Floats) -> Floats:
    # In units of the mean gap: the weights that cross-validation tries are not scaled by SciPy.
    unit = (t[-1] - t[0]) / (len(t) - 1)
    spline = make_smoothing_spline((t - t[0]) / unit, x)
    return spline((ts - t[0]) / unit)


_METHODS: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "linear": _linear,
    "cubic": _cubic,
    "smoothing": _smoothing,
}
