"""Gradients of an ODE solve: every mode of node_core against torchdiffeq, torchode and diffrax, and their memory.

dopri5, tanh MLP 2-64-64-2, float32, t in [0, 1], rtol = atol = 1e-5, one thread; L = mean of all outputs squared.
Speed is a ratio to torchdiffeq's adjoint (and to its backpropagation) in the same run; memory is the peak of a process
of its own above what it held before the gradient.

    python -m benchmarks.gradients --out benchmarks/results/gradients.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torchdiffeq
from torch import Tensor, nn

from benchmarks.peers import (
    HIDDEN,
    SAME_STEPS,
    SPAN,
    TOLERANCE,
    Diffrax,
    Net,
    missing,
    start,
    torchode_solver,
)
from benchmarks.timing import Candidate, interleaved, report
from node_core import MLPField, odeint

MODES = ("backprop", "checkpointed", "adjoint", "adjoint_seminorm", "interpolated")
OPTIONS: dict[str, Any] = {"rtol": TOLERANCE, "atol": TOLERANCE}
MEMORY_BATCH = 4096
MEMORY_SPAN = 10.0


def gradient_of(field: nn.Module, solve: Callable[[], Tensor]) -> Candidate:
    """One gradient by the parameters of the field."""

    def run() -> None:
        for p in field.parameters():
            p.grad = None
        solve()[1:].square().mean().backward()

    return run


def by_mode(field: nn.Module, y0: Tensor, ts: Tensor, mode: str) -> Callable[[], Tensor]:
    """ys of one gradient mode."""
    return lambda: odeint(field, y0, ts, gradient=mode, **SAME_STEPS).ys


def candidates(batch: int, ts: Tensor) -> dict[str, Candidate]:
    """Everything that is timed at one batch size."""
    net, field, y0 = Net(), MLPField(2, HIDDEN), start(batch)
    found: dict[str, Candidate] = {
        "torchdiffeq adjoint": gradient_of(net, lambda: torchdiffeq.odeint_adjoint(net, y0, ts, **OPTIONS)),
        "torchdiffeq backprop": gradient_of(net, lambda: torchdiffeq.odeint(net, y0, ts, **OPTIONS)),
    }
    for mode in MODES:
        found[f"module, {mode}"] = gradient_of(net, by_mode(net, y0, ts, mode))
        found[f"MLPField, {mode}"] = gradient_of(field, by_mode(field, y0, ts, mode))
    absent = missing()
    if "torchode" not in absent:
        solve = torchode_solver(net)
        found["torchode backprop"] = gradient_of(net, lambda: solve(y0, ts))
    if "diffrax" not in absent:
        jitted = Diffrax(net, ts)
        found["diffrax checkpointed, warm"] = lambda: jitted.gradient(y0)
    return found


def measure(rounds: int) -> dict[str, Any]:
    """Times and ratios at three batch sizes, at 100 output times, and memory."""
    results: dict[str, Any] = {"missing": missing(), "speed": [], "cold": cold_seconds(), "memory": []}
    cases = [(batch, 2) for batch in (64, 256, 1024)] + [(64, 100), (256, 100)]
    for batch, outputs in cases:
        ts = torch.linspace(*SPAN, outputs)
        seconds = interleaved(candidates(batch, ts), rounds if outputs == 2 else max(3, rounds // 4))
        for name, value in seconds.items():
            results["speed"].append(
                {
                    "batch": batch,
                    "outputs": outputs,
                    "candidate": name,
                    "ms": 1e3 * value,
                    "against_adjoint": seconds["torchdiffeq adjoint"] / value,
                    "against_backprop": seconds["torchdiffeq backprop"] / value,
                }
            )
    for mode in ("backprop", "checkpointed", "adjoint"):
        for field in ("module", "MLPField"):
            results["memory"].append({"field": field, "mode": mode, "MiB": peak_memory(field, mode)})
    return results


def cold_seconds() -> dict[str, float]:
    """The first gradient of a process, compilation included."""
    if "diffrax" in missing():
        return {}
    y0, ts = start(256), torch.linspace(*SPAN, 2)
    started = time.perf_counter()
    Diffrax(Net(), ts).gradient(y0)
    diffrax_cold = time.perf_counter() - started
    field = MLPField(2, HIDDEN)
    started = time.perf_counter()
    gradient_of(field, lambda: odeint(field, y0, ts, **SAME_STEPS).ys)()
    return {"diffrax": diffrax_cold, "MLPField, backprop": time.perf_counter() - started}


def peak_memory(field: str, mode: str) -> float:
    """MiB that a gradient adds to the peak of a fresh process."""
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.gradient_memory",
            field,
            mode,
            str(MEMORY_BATCH),
            str(MEMORY_SPAN),
        ],
        check=True,
        # Freed memory goes back to the system at once: the peak is what is in use, not what malloc hoards.
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
    )
    return float(json.loads(found.stdout)["MiB"])


def show(results: dict[str, Any]) -> None:
    """Print the tables."""
    if results["missing"]:
        print(f"not installed, not measured: {', '.join(results['missing'])}")
    for row in results["speed"]:
        print(
            f"B={row['batch']:<5} {row['outputs']:>3} outputs  {row['candidate']:<28} {row['ms']:>9.2f} ms "
            f"{row['against_adjoint']:>7.2f}x adjoint {row['against_backprop']:>7.2f}x backprop"
        )
    for name, seconds in results["cold"].items():
        print(f"first gradient, {name}: {seconds:.2f} s")
    for row in results["memory"]:
        print(
            f"peak at B={MEMORY_BATCH}, T={MEMORY_SPAN:g}: {row['field']:<9} {row['mode']:<13} {row['MiB']:7.1f} MiB"
        )


if __name__ == "__main__":
    report(__doc__, measure, show)
