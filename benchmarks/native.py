"""The compiled solve with and without: one gradient, and one training step, against torchdiffeq's adjoint.

    OMP_NUM_THREADS=1 python -m benchmarks.native --out benchmarks/results/native.json

Gradient: dopri5, tanh MLP 2-64-64-2, float32, t in [0, 1], rtol = atol = 1e-5, L = mean of the last output squared.
Training step: as in benchmarks/train_step.py, width 32, tolerance 1e-3. Processor time of the thread, medians of
interleaved rounds: a shared machine takes time away, but no processor time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch
import torchdiffeq

from benchmarks.gradients import OPTIONS, gradient_of
from benchmarks.peers import HIDDEN, SPAN, Net, start
from benchmarks.timing import Candidate, report
from benchmarks.train_step import ours, peer
from node_core import MLPField, odeint
from node_core.data.dataset import DataConfig
from node_core.native.library import SWITCH, functions
from node_core.training.classifier.config import TrainConfig

CALLS = 3


def switched(on: bool, call: Candidate) -> Candidate:
    """The call with the kernel, or without it."""

    def run() -> None:
        os.environ[SWITCH] = "1" if on else "0"
        call()

    return run


def processor_time(candidates: Mapping[str, Candidate], rounds: int) -> dict[str, float]:
    """Median seconds of processor time a call."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, call in candidates.items():
            started = time.thread_time()
            for _ in range(CALLS):
                call()
            if turn > 0:
                times[name].append((time.thread_time() - started) / CALLS)
    return {name: median(values) for name, values in times.items()}


def gradients(batch: int) -> dict[str, Candidate]:
    """One gradient by the parameters."""
    net, field, y0, ts = Net(), MLPField(2, HIDDEN), start(batch), torch.linspace(*SPAN, 2)
    found = {
        "torchdiffeq adjoint": gradient_of(net, lambda: torchdiffeq.odeint_adjoint(net, y0, ts, **OPTIONS))
    }
    for mode in ("backprop", "checkpointed"):
        one = gradient_of(field, lambda mode=mode: odeint(field, y0, ts, gradient=mode, **OPTIONS).ys)  # type: ignore[misc]
        found[f"{mode}, torch"], found[f"{mode}, kernel"] = switched(False, one), switched(True, one)
    return found


def training_steps(batch: int) -> dict[str, Candidate]:
    """One iteration of the same training."""
    data = DataConfig("moons", n=2 * batch, noise=0.1)
    config = TrainConfig(data=data, hidden=(32, 32), batch=batch, rtol=1e-3, atol=1e-3, lr=3e-3)
    return {
        "torchdiffeq adjoint": peer(config, adjoint=True),
        "torch": switched(False, ours(config)),
        "kernel": switched(True, ours(config)),
    }


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds, and ratios to torchdiffeq's adjoint."""
    if functions(torch.float32) is None:
        raise SystemExit("the kernel is not compiled here: python node_core/native/build.py")
    cases = {f"gradient, batch {batch}": gradients(batch) for batch in (64, 256, 1024)}
    cases |= {f"training step, batch {batch}": training_steps(batch) for batch in (64, 256)}
    results: dict[str, Any] = {}
    for title, candidates in cases.items():
        seconds = processor_time(candidates, rounds)
        base = seconds["torchdiffeq adjoint"]
        results[title] = {name: {"ms": 1e3 * s, "ratio": base / s} for name, s in seconds.items()}
    return {"cases": results}


def show(results: dict[str, Any]) -> None:
    """Print the table."""
    for title, rows in results["cases"].items():
        print(f"{title:26s}         ms   ratio")
        for name, row in rows.items():
            print(f"  {name:28s} {row['ms']:8.2f} {row['ratio']:7.1f}")


if __name__ == "__main__":
    report(__doc__, measure, show)
