"""Fixed steps without gradients against torchdiffeq: 1,000 steps of Euler, midpoint and a fourth-order method.

Both take the same steps of the same torch function; torchdiffeq's "rk4" is the 3/8 rule, here "rk4_38", and beside it
stands the classical one. Processor time of one thread, medians of interleaved rounds; `field` is that of the
evaluations alone, which no solver can save.

    python -m benchmarks.fixed_step
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torchdiffeq import odeint as peer_odeint

from benchmarks.timing import report
from node_core import odeint

STEPS = 1000
# ours, torchdiffeq's, evaluations a step
METHODS = (("euler", "euler", 1), ("midpoint", "midpoint", 2), ("rk4_38", "rk4", 4), ("rk4", "rk4", 4))


def _fields() -> dict[str, tuple[Callable[[Any, Tensor], Tensor], Tensor]]:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(2, 2, generator=generator)
    net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 2))
    batch = torch.randn(64, 2, generator=generator)
    return {
        "decay, 2 numbers": (lambda t, y: -y, torch.tensor([1.0, 0.5])),
        "matrix, 64 x 2": (lambda t, y: y @ matrix, batch),
        "net 2-32-2, 64 x 2": (lambda t, y: net(y), batch),
    }


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds a solve, and how many times as long torchdiffeq takes."""
    rows = []
    with torch.no_grad():
        for label, (f, y0) in _fields().items():
            for ours, theirs, evaluations in METHODS:
                rows.append(
                    {"field": label, "method": ours, **_row(f, y0, ours, theirs, evaluations, rounds)}
                )
    return {"steps": STEPS, "rows": rows}


def _row(
    f: Callable[[Any, Tensor], Tensor], y0: Tensor, ours: str, theirs: str, evaluations: int, rounds: int
) -> dict[str, float]:
    ts, step = torch.tensor([0.0, 1.0]), 1.0 / STEPS

    def alone() -> None:
        for _ in range(STEPS * evaluations):
            f(ts[0], y0)

    candidates: dict[str, Callable[[], object]] = {
        "ours": lambda: odeint(f, y0, ts, method=ours, dt=step, dense=False),
        "ours_dense": lambda: odeint(f, y0, ts, method=ours, dt=step),
        "torchdiffeq": lambda: peer_odeint(f, y0, ts, method=theirs, options={"step_size": step}),
        "field": alone,
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, call in candidates.items():
            started = time.process_time()
            call()
            if turn > 0:  # the first round warms up
                times[name].append(1e3 * (time.process_time() - started))
    found = {name: median(values) for name, values in times.items()}
    return {
        **{f"{name}_ms": value for name, value in found.items()},
        "ratio": found["torchdiffeq"] / found["ours"],
        "ratio_dense": found["torchdiffeq"] / found["ours_dense"],
    }


def show(results: dict[str, Any]) -> None:
    """Print the table."""
    print(
        f"{results['steps']} steps, milliseconds; ratio: torchdiffeq over ours (without, with dense output)"
    )
    for row in results["rows"]:
        print(
            f"{row['field']:20} {row['method']:9} ours {row['ours_ms']:7.2f}  dense {row['ours_dense_ms']:7.2f}  "
            f"torchdiffeq {row['torchdiffeq_ms']:7.2f}  f alone {row['field_ms']:7.2f}  "
            f"ratio {row['ratio']:.2f} {row['ratio_dense']:.2f}"
        )


if __name__ == "__main__":
    report(__doc__, measure, show)
