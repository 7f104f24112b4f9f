"""Calls a field on NumPy's arrays, as `CountedField` (`problem`) does on tensors: counted, and every result checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
FLOAT64 = np.dtype(np.float64)


class CountedArrays:
    """A field of arrays with the number of its calls.

    Args:
        f: f(t, y) with t a float; it may return the same array again and again.
        shape: of the state.

    Attributes:
        nfe: calls so far.

    Raises:
        ValueError: f returned something of another shape than the state, or no real numbers, or wrote into y.
    """

    def __init__(self, f: Callable[[float, Vector], Any], shape: tuple[int, ...]) -> None:
        self._f, self._shape = f, shape
        self.nfe = 0

    def __call__(self, t: float, y: Vector) -> Vector:
        """Return f(t, y), in memory of its own."""
        return np.array(self.lend(t, y))

    def lend(self, t: float, y: Vector) -> Vector:
        """Return f(t, y), which may change with the next call: for who has done with it before that."""
        n = self.nfe = self.nfe + 1
        # To look at every call costs too much: whoever writes into y does so at one of these, too.
        before = y.copy() if not n & (n - 1) else None
        try:
            dy = self._f(t, y)
        except (TypeError, AttributeError) as error:
            if not any(word in str(error) for word in ("numpy", "Tensor")):
                raise
            raise ValueError(
                f"f cannot take arrays of NumPy's ({error}), but y0 is one: for an f that computes with tensors, pass "
                "torch.from_numpy(y0)"
            ) from error
        if type(dy) is not np.ndarray or dy.dtype is not FLOAT64 or dy.shape != self._shape:
            dy = self._as_slope(dy)
        if before is not None and not np.array_equal(before, y, equal_nan=True):
            raise ValueError(
                "f(t, y) changed y in place, but the solver goes on from that very y: make a new array, for example "
                "begin with y = y.copy()"
            )
        return dy

    def _as_slope(self, dy: Any) -> Vector:
        """What f returned as an array of float64."""
        if dy is None:
            raise ValueError("f(t, y) returned None: return dy/dt as an array like y")
        dy = np.asarray(dy)
        if dy.dtype.kind not in "fiu":
            raise ValueError(
                f"f(t, y) returned an array of {dy.dtype}: return dy/dt as an array of real numbers"
            )
        if dy.shape != self._shape:
            raise ValueError(wrong_shape(dy.shape, self._shape))
        return dy.astype(np.float64)


def wrong_shape(found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """What to say of a result that has not the shape of the state."""
    return f"f(t, y) returned shape {found} for a state of shape {wanted}: dy/dt must have the shape of y"
