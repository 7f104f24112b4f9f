"""A limit in seconds counts what the solve computes: a busy machine makes no good solve fail."""

import itertools
from typing import Any

import pytest
import torch

from node_core import odeint
from node_core.solution import Status

WAYS: list[dict[str, Any]] = [
    {"method": "dopri5"},
    {"method": "dopri5", "batch": "per_sample"},
    {"method": "rk4", "dt": 0.1},
    {"method": "rodas5p"},
    {"method": "scipy_lsoda"},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_only_the_time_that_the_solve_computes_counts(
    way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wall, computed = itertools.count(), itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: 100.0 * next(wall))  # a machine that does much else
    monkeypatch.setattr("time.monotonic", lambda: 100.0 * next(wall))
    monkeypatch.setattr("time.thread_time", lambda: 0.0)
    y0, ts = torch.ones(2, 3, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)

    def solve() -> Status:
        return odeint(lambda t, y: -y, y0, ts, time_limit=0.5, on_error="return", **way).status

    assert solve() is Status.SUCCESS
    monkeypatch.setattr("time.thread_time", lambda: 0.4 * next(computed))
    assert solve() is Status.TIME_LIMIT
