"""The few array operations in which numpy and torch differ, so that implicit steps are written once."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch

from node_core.solvers.dual import carries_tangent, is_recorded
from node_core.solvers.steppers.step import Array


class Stages(Protocol):
    """The stages k_0, k_1, ... of one step, filled one by one and then kept for dense output."""

    def append(self, stage: Array) -> None:
        """Add the next stage."""
        ...

    def combine(self, weights: Array) -> Array:
        """Return sum_j weights[m, j] k_j over the n stages so far, for weights (m, n): (m, \\*y.shape)."""
        ...


class NumpyStages:
    """Stages in one buffer: a combination is a single product."""

    def __init__(self, count: int, shape: tuple[int, ...], dtype: Any) -> None:
        self._buffer = np.empty((count, math.prod(shape)), dtype=dtype)
        self._shape, self._flat, self._n = shape, len(shape) == 1, 0

    def append(self, stage: np.ndarray) -> None:
        """Add the next stage."""
        self._buffer[self._n] = stage if self._flat else stage.ravel()
        self._n += 1

    def combine(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_j weights[m, j] k_j over the n stages so far, for weights (m, n): (m, \\*y.shape)."""
        sums = weights.dot(self._buffer[: self._n])
        return sums if self._flat else sums.reshape(-1, *self._shape)


class TorchStages:
    """Stages in a list, because autograd allows no writing into a buffer."""

    def __init__(self) -> None:
        self._list: list[torch.Tensor] = []

    def append(self, stage: torch.Tensor) -> None:
        """Add the next stage."""
        self._list.append(stage)

    def combine(self, weights: torch.Tensor) -> torch.Tensor:
        """Return sum_j weights[m, j] k_j over the n stages so far, for weights (m, n): (m, \\*y.shape)."""
        stacked = torch.stack(self._list)
        return (weights @ stacked.reshape(len(self._list), -1)).reshape(-1, *stacked.shape[1:])


class Algebra(Protocol):
    """What an implicit step needs of its arrays.

    A matrix acts on a whole state of n entries, shape (n, n), or on its independent blocks of m entries each, shape
    (..., m, m) with n / m blocks in the order of the entries.
    """

    epsilon: float

    def constant(self, values: Any) -> Array:
        """`values` as an array of the state's type."""
        ...

    def inverse(self, matrix: Array) -> Array:
        """Inverses of the matrices; not finite where a matrix is singular."""
        ...

    def apply(self, matrix: Array, vector: Array) -> Array:
        """Return matrix @ vector, block by block."""
        ...

    def shifted(self, shift: float, scale: float, matrix: Array) -> Array:
        """Return shift I + scale matrix."""
        ...

    def stages(self, count: int) -> Stages:
        """Room for the stages of one step."""
        ...

    def size(self, values: Array, reference: Array) -> float:
        """Largest |values| / (1 + |reference|)."""
        ...

    def probe(self, like: Array) -> Array:
        """Numbers without a pattern, the same at every call, shaped as `like`: what unknown matrices are tried with."""
        ...


class NumpyAlgebra:
    """Algebra of numpy arrays. Inverses up to 3 x 3 are explicit, because numpy's own is slow for those."""

    def __init__(self, like: np.ndarray) -> None:
        self.epsilon = float(np.finfo(like.dtype).eps)
        self._dtype, self._shape, self._flat = like.dtype, like.shape, like.ndim == 1
        self._eye = np.eye(0)

    def constant(self, values: Any) -> np.ndarray:
        """`values` as an array of the state's type."""
        return np.array(values, dtype=self._dtype)

    def inverse(self, matrix: np.ndarray) -> np.ndarray:
        """Inverses of the matrices; not finite where a matrix is singular."""
        if self._flat and matrix.shape[-1] <= 3:
            return np.array(small_inverse(matrix.tolist()), dtype=self._dtype)
        try:
            return np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            return np.full_like(matrix, np.nan)

    def apply(self, matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Return matrix @ vector, block by block."""
        if self._flat:
            return matrix.dot(vector)
        return np.matmul(matrix, vector.reshape(*matrix.shape[:-1], 1)).reshape(vector.shape)

    def shifted(self, shift: float, scale: float, matrix: np.ndarray) -> np.ndarray:
        """Return shift I + scale matrix."""
        if len(self._eye) != matrix.shape[-1]:
            self._eye = np.eye(matrix.shape[-1], dtype=self._dtype)
        return shift * self._eye + scale * matrix

    def stages(self, count: int) -> Stages:
        """Room for the stages of one step."""
        return NumpyStages(count, self._shape, self._dtype)

    def size(self, values: np.ndarray, reference: np.ndarray) -> float:
        """Largest |values| / (1 + |reference|)."""
        return float((np.abs(values) / (1.0 + np.abs(reference))).max())

    def probe(self, like: np.ndarray) -> np.ndarray:
        """Numbers without a pattern, the same at every call, shaped as `like`."""
        return self.constant(draw(like.size)).reshape(like.shape)


class TorchAlgebra:
    """Algebra of torch tensors; everything but `size` can be differentiated."""

    def __init__(self, like: torch.Tensor) -> None:
        self.epsilon = torch.finfo(like.dtype).eps
        self._dtype, self._device = like.dtype, like.device
        self._eye = like.new_empty(0)

    def constant(self, values: Any) -> torch.Tensor:
        """`values` as an array of the state's type."""
        return torch.as_tensor(values, dtype=self._dtype, device=self._device)

    def inverse(self, matrix: torch.Tensor) -> torch.Tensor:
        """Inverses of the matrices; not finite where a matrix is singular."""
        inverse, info = torch.linalg.inv_ex(matrix)
        return torch.where((info == 0)[..., None, None], inverse, torch.nan)

    def apply(self, matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Return matrix @ vector, block by block."""
        return torch.matmul(matrix, vector.reshape(*matrix.shape[:-1], 1)).reshape(vector.shape)

    def shifted(self, shift: float, scale: float, matrix: torch.Tensor) -> torch.Tensor:
        """Return shift I + scale matrix."""
        if len(self._eye) != matrix.shape[-1]:
            self._eye = torch.eye(matrix.shape[-1], dtype=self._dtype, device=self._device)
        return shift * self._eye + scale * matrix

    def stages(self, count: int) -> Stages:
        """Room for the stages of one step."""
        return TorchStages()

    def size(self, values: torch.Tensor, reference: torch.Tensor) -> float:
        """Largest |values| / (1 + |reference|)."""
        return float((values.detach().abs() / (1.0 + reference.detach().abs())).max())

    def probe(self, like: torch.Tensor) -> torch.Tensor:
        """Numbers without a pattern, the same at every call, shaped as `like`."""
        return self.constant(draw(like.numel())).reshape(like.shape)


def algebra_of(y: Array) -> Algebra:
    """The algebra for states like y, shape (..., dim).

    Raises:
        ValueError: if y has no dimension for the components of the state.
    """
    if y.ndim == 0:
        raise ValueError(
            "y0 is a single number: implicit methods need a state of shape (..., dim), use [y0]."
        )
    return TorchAlgebra(y) if isinstance(y, torch.Tensor) else NumpyAlgebra(y)


@lru_cache(maxsize=8)
def draw(n: int) -> np.ndarray:
    """n normal numbers, always the same."""
    return np.random.default_rng(0).standard_normal(n)


def wants_gradient(*arrays: Any) -> bool:
    """Whether torch records operations on any of these arrays, or carries a tangent along."""
    tensors = [x for x in arrays if isinstance(x, torch.Tensor)] if is_recorded() else []
    return carries_tangent(*tensors) or (torch.is_grad_enabled() and any(x.requires_grad for x in tensors))


def small_inverse(m: list[list[float]]) -> list[list[float]]:
    """Inverse of a 1 x 1, 2 x 2 or 3 x 3 matrix of Python floats by cofactors; NaN if it is singular."""
    if len(m) == 1:
        return [[_reciprocal(m[0][0])]]
    if len(m) == 2:
        (a, b), (c, d) = m
        r = _reciprocal(a * d - b * c)
        return [[d * r, -b * r], [-c * r, a * r]]
    (a, b, c), (d, e, f), (g, h, i) = m
    p, q, s = e * i - f * h, f * g - d * i, d * h - e * g
    r = _reciprocal(a * p + b * q + c * s)
    return [
        [p * r, (c * h - b * i) * r, (b * f - c * e) * r],
        [q * r, (a * i - c * g) * r, (c * d - a * f) * r],
        [s * r, (b * g - a * h) * r, (a * e - b * d) * r],
    ]


def _reciprocal(x: float) -> float:
    return 1.0 / x if x else float("nan")
