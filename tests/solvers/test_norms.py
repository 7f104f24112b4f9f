"""The error norm: a few numbers are measured as many are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from node_core.solvers.norms import SMALL, NumpyNorm, TorchNorm

RTOL, ATOL = 1e-3, 1e-6


@pytest.mark.parametrize("size", [1, 3, SMALL, SMALL + 1, 40])
def test_the_norm_is_the_root_mean_square_over_the_tolerance(size: int) -> None:
    x, a, b = np.random.default_rng(size).normal(size=(3, size))
    known = np.sqrt(np.mean((x / (ATOL + RTOL * np.maximum(np.abs(a), np.abs(b)))) ** 2))
    assert NumpyNorm(RTOL, ATOL)(x, a, b) == pytest.approx(known, rel=1e-14)
    tensors = (torch.from_numpy(part) for part in (x, a, b))
    assert TorchNorm(RTOL, ATOL)(*tensors) == pytest.approx(known, rel=1e-14)


@pytest.mark.parametrize("size", [2, SMALL + 1])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_what_is_not_finite_is_never_within_the_tolerance(size: int, bad: float, where: int) -> None:
    parts = np.ones((3, size))
    parts[where, -1] = bad
    assert not NumpyNorm(RTOL, ATOL)(*parts) < 1e300
