"""What a change of variables costs: a determinant for one map, a trace for a flow in time. Runs in a worker.

A map z + f(z) without special structure changes the log density by log |det(I + J)|: the Jacobian, dim products, and
an LU decomposition of order dim^3 a point. A continuous flow needs tr J: one product in closed form, dim products by
autograd, one for an estimate.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from node_core.cnf.divergence import Divergence
from node_core.fields.mlp.mlp import MLPField
from node_core.studies.cnf.cost_config import WAYS, CNFCostConfig, CNFCostResult


def run(config: CNFCostConfig) -> CNFCostResult:
    """Measure the ways in turn, in processor time, the least of the repeats: other programs' work does not count."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    worst = 0.0
    with torch.no_grad():
        for dim in config.dims:
            ways = _ways(dim, config)
            closed, by_autograd = ways[WAYS[1]](), ways[WAYS[2]]()
            scale = float(closed.abs().max()) + 1e-12
            worst = max(worst, float((closed - by_autograd).abs().max()) / scale)
            for way, value in _measure(ways, config.repeats).items():
                seconds[way].append(value)
    dims = np.array(config.dims)
    arrays = {way: np.array(values) for way, values in seconds.items()}
    half = len(dims) // 2
    slopes = {
        way: float(np.polyfit(np.log(dims[half:]), np.log(values[half:]), 1)[0])
        if len(dims) - half > 1
        else float("nan")
        for way, values in arrays.items()
    }
    return CNFCostResult(config, dims, arrays, slopes, worst)


def _ways(dim: int, config: CNFCostConfig) -> dict[str, Callable[[], Tensor]]:
    field = MLPField(dim, (config.width, config.width), seed=config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    z = torch.randn((config.batch, dim), generator=generator)
    compiled = field.compiled()
    exact, estimate = Divergence(), Divergence("hutchinson")
    noise = estimate.draw(z, config.seed)
    eye = torch.eye(dim)

    def bare(t: object, y: Tensor) -> Tensor:
        return field(0.0, y)

    return {
        WAYS[0]: lambda: torch.linalg.slogdet(compiled.jacobian(0.0, z) + eye).logabsdet,
        WAYS[1]: lambda: compiled.divergence(0.0, z),
        WAYS[2]: lambda: exact.measure(bare, 0.0, z, None).divergence,
        WAYS[3]: lambda: estimate.measure(bare, 0.0, z, noise).divergence,
    }


def _measure(ways: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, float]:
    times: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for way, call in ways.items():
            started = time.process_time()
            call()
            if repeat > 0:  # the first round warms up
                times[way].append(time.process_time() - started)
    return {way: min(values) for way, values in times.items()}
