"""How large an error is: the root mean square over all entries, in units of the tolerance.

It bounds the mean over all entries, not each of them: in a batch of n rows, one row's error may be sqrt(n) times the
tolerance while the others' are far below it, and what is accepted for one row depends on the others. Steps of their own
(`per_sample`) are measured row by row.

A solve's states are all of one kind, torch or numpy, so it picks one of the two norms at its start.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from node_core.solvers.steppers.step import Array

# Up to so many numbers Python's own arithmetic is faster than the calls of a library.
SMALL = 8
# One for the whole state, or one for each entry; and a measure of one's own of error / tolerance.
Tolerance = float | Tensor
OwnNorm = Callable[[Tensor], Any]
_NUMPY_TYPES = (torch.float32, torch.float64)


class Norm(Protocol):
    """Measures a state against the tolerance."""

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the root mean square of x / (atol + rtol max(|a|, |b|))."""
        ...

    def is_finite(self, y: Array) -> bool:
        """Whether every entry of y is a finite number."""
        ...

    def is_unreachable(self, y: Array) -> bool:
        """Whether the rounding of y alone is larger than the tolerance."""
        ...


def least(tolerance: Tolerance) -> float:
    """The smallest of the tolerances."""
    return float(tolerance.min()) if isinstance(tolerance, Tensor) else tolerance


def measured(norm: OwnNorm, ratio: Tensor) -> float:
    """The user's norm of an error in units of the tolerance.

    Raises:
        ValueError: it is no number of at least zero.
    """
    with torch.no_grad():
        found = norm(ratio)
    if (isinstance(found, Tensor) and found.numel() != 1) or not isinstance(found, (Tensor, Real)):
        what = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"norm(error) returned {what}: return one number, for example error.abs().max()")
    number = float(found)
    if number < 0.0:
        raise ValueError(f"norm(error) is {number:g}: a norm is never negative")
    return number


class NumpyNorm:
    """`||x / (atol + rtol max(|a|, |b|))||` for numpy arrays."""

    def __init__(self, rtol: Tolerance, atol: Tolerance, own: OwnNorm | None = None) -> None:
        self._least = least(rtol)
        self.rtol, self.atol, self._own = self._held(rtol), self._held(atol), own
        self._plain = own is None and not isinstance(rtol, Tensor) and not isinstance(atol, Tensor)

    @staticmethod
    def _held(tolerance: Tolerance) -> Any:
        """The tolerance as states are."""
        # A float32 of NumPy's would make all that is computed with it float32.
        return tolerance.numpy() if isinstance(tolerance, Tensor) else float(tolerance)

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the norm of x for a step from a to b (Hairer, Norsett, Wanner, "Solving ODEs I", II.4, (4.11)).

        Infinite if a or b is not finite: such a state would make its own tolerance infinite, and be accepted.
        """
        if self._plain and x.size <= SMALL:
            return self._of_few(x.ravel().tolist(), a.ravel().tolist(), b.ravel().tolist())
        scale = np.maximum(np.abs(a), np.abs(b))
        scale *= self.rtol
        scale += self.atol
        if not float(scale.max(initial=0.0)) < math.inf:
            return math.inf
        ratio = x / scale
        if self._own is not None:
            return measured(self._own, torch.from_numpy(ratio))
        ratio = ratio.ravel()
        return math.sqrt(float(ratio @ ratio) / max(ratio.size, 1))

    def _of_few(self, x: list[float], a: list[float], b: list[float]) -> float:
        """The same for a few numbers."""
        rtol, atol, total = self.rtol, self.atol, 0.0
        for error, start, end in zip(x, a, b, strict=True):
            ratio = error / (atol + rtol * max(abs(start), abs(end)))
            # Zero times a state that is not finite is NaN.
            total += ratio * ratio + 0.0 * (start + end)
        return math.sqrt(total / len(x)) if total == total else math.inf

    @staticmethod
    def is_finite(y: Array) -> bool:
        """Whether every entry of y is finite."""
        return math.isfinite(float(y.sum()))

    def is_unreachable(self, y: Array) -> bool:
        """Whether the rounding of y alone is larger than the tolerance."""
        unit = self._precision(y) / 2
        return self._least < unit and self(y * unit, y, y) > 1.0

    @staticmethod
    def _precision(y: Array) -> float:
        return float(np.finfo(y.dtype).eps)


class TorchNorm(NumpyNorm):
    """The same for tensors.

    Small tensors on the CPU are measured through numpy's view of their memory: its calls cost a third of torch's, and
    the norm is the dearest part of a step besides f itself.
    """

    @staticmethod
    def _held(tolerance: Tolerance) -> Any:
        """The tolerance as states are."""
        if not isinstance(tolerance, Tensor):
            return float(tolerance)
        return (
            tolerance.numpy()
            if tolerance.device.type == "cpu" and tolerance.dtype in _NUMPY_TYPES
            else tolerance
        )

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the norm of x for a step from a to b."""
        if x.requires_grad or a.requires_grad or b.requires_grad:
            x, a, b = x.detach(), a.detach(), b.detach()
        if x.device.type == "cpu" and x.dtype in _NUMPY_TYPES:
            return super().__call__(x.numpy(), a.numpy(), b.numpy())
        with torch.no_grad():
            scale = torch.maximum(a.abs(), b.abs()).mul_(self.rtol).add_(self.atol)
            if not bool(torch.isfinite(scale).all()):
                return math.inf
            if self._own is not None:
                return measured(self._own, x / scale)
            return math.sqrt(float((x / scale).square().mean()))

    @staticmethod
    def is_finite(y: Array) -> bool:
        """Whether every entry of y is finite."""
        y = y.detach()
        if y.device.type == "cpu" and y.dtype in _NUMPY_TYPES:
            return math.isfinite(float(y.numpy().sum()))
        return math.isfinite(float(y.sum()))

    @staticmethod
    def _precision(y: Array) -> float:
        return torch.finfo(y.dtype).eps


class LeadingNorm(TorchNorm):
    """Measures only the first entries of a flat state: the seminorm of Kidger, Chen and Lyons 2021."""

    def __init__(self, rtol: Tolerance, atol: Tolerance, entries: int) -> None:
        super().__init__(rtol, atol)
        self._entries = entries

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the norm of the leading entries of x."""
        n = self._entries
        return super().__call__(x[:n], a[:n], b[:n])
