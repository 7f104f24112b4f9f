"""How large an error is: the root mean square over all entries, in units of the tolerance.

It bounds the mean over all entries, not each of them: in a batch of n rows, one row's error may be sqrt(n) times the
tolerance while the others' are far below it, and what is accepted for one row depends on the others. Steps of their own
(`per_sample`) are measured row by row.

A solve's states are all of one kind, torch or numpy, so it picks one of the two norms at its start.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from node_core.solvers.steppers.step import Array

_NUMPY_TYPES = (torch.float32, torch.float64)


class NumpyNorm:
    """`||x / (atol + rtol max(|a|, |b|))||` for numpy arrays."""

    def __init__(self, rtol: float, atol: float) -> None:
        self.rtol, self.atol = rtol, atol

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the norm of x for a step from a to b (Hairer, Norsett, Wanner, "Solving ODEs I", II.4, (4.11)).

        Infinite if a or b is not finite: such a state would make its own tolerance infinite, and be accepted.
        """
        scale = np.maximum(np.abs(a), np.abs(b))
        scale *= self.rtol
        scale += self.atol
        ratio = (x / scale).ravel()
        mean = float(ratio @ ratio) / max(ratio.size, 1)
        return math.sqrt(mean) if float(scale.max(initial=0.0)) < math.inf else math.inf

    @staticmethod
    def is_finite(y: Array) -> bool:
        """Whether every entry of y is finite."""
        return math.isfinite(float(y.sum()))

    def is_unreachable(self, y: Array) -> bool:
        """Whether the rounding of y alone is larger than the tolerance."""
        unit = self._precision(y) / 2
        return self.rtol < unit and self(y * unit, y, y) > 1.0

    @staticmethod
    def _precision(y: Array) -> float:
        return float(np.finfo(y.dtype).eps)


class TorchNorm(NumpyNorm):
    """The same for tensors.

    Small tensors on the CPU are measured through numpy's view of their memory: its calls cost a third of torch's, and
    the norm is the dearest part of a step besides f itself.
    """

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the norm of x for a step from a to b."""
        if x.requires_grad or a.requires_grad or b.requires_grad:
            x, a, b = x.detach(), a.detach(), b.detach()
        if x.device.type == "cpu" and x.dtype in _NUMPY_TYPES:
            return super().__call__(x.numpy(), a.numpy(), b.numpy())
        with torch.no_grad():
            scale = torch.maximum(a.abs(), b.abs()).mul_(self.rtol).add_(self.atol)
            mean = float((x / scale).square().mean())
            return math.sqrt(mean) if bool(torch.isfinite(scale).all()) else math.inf

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
