"""Peak memory of every gradient mode, each measured in a fresh process of its own.

A server process imports torch once and forks a child for each measurement: the child's resident memory is read before
the solve, its peak after the way back (`ru_maxrss`, which the kernel keeps). Nothing is estimated.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from node_core.odeint import odeint
from node_core.studies.gradients.config import MODES, MemoryConfig, MemoryCurve, MemoryResult

LIMIT_SECONDS = 80.0
WIDTH = 32
_ROOT = Path(__file__).resolve().parents[3]


class _Net(nn.Module):
    """Any module: no closed form, so that backprop keeps autograd's whole graph."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 2))

    def forward(self, t: Any, y: torch.Tensor) -> torch.Tensor:
        return self.layers(y)


def run(config: MemoryConfig) -> MemoryResult:
    """Measure every mode at every number of steps.

    Raises:
        ValueError: the measuring process failed (out of time, or a system without `fork`).
    """
    if not hasattr(os, "fork"):
        raise ValueError(
            "Memory is measured by forking processes, which this system can't: use Linux or macOS."
        )
    environment = os.environ | {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "node_core.studies.gradients.memory"],
            input=json.dumps(asdict(config)),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            env=environment,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            "Measuring the memory took too long: the machine is busy, try again in a moment."
        ) from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"The process that measures the memory failed ({reason[:120]}).") from None
    peaks = json.loads(done.stdout)
    steps = np.array(config.steps, dtype=float)
    curves = tuple(MemoryCurve(mode, MODES[mode], steps, np.array(peaks[mode])) for mode in config.modes)
    return MemoryResult(config, curves, config.batch * 2 * 4 / 2**20)


def measure(mode: str, steps: int, batch: int) -> float:
    """MiB by which this process grows at most while it solves and goes back once, with rk4 and `steps` steps."""
    torch.manual_seed(0)
    net, y0 = _Net(), torch.randn(batch, 2)
    before = _peak()
    solved = odeint(net, y0, [0.0, 1.0], method="rk4", dt=1.0 / steps, gradient=mode, max_steps=10_000)
    (solved.ys[-1] ** 2).mean().backward()
    return _peak() - before


def _peak() -> float:
    """Largest resident memory so far, MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _in_child(mode: str, steps: int, batch: int) -> float:
    """`measure` in a forked child, whose memory starts where this process's stands."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            measure(mode, 2, 4)  # touches the pages that every child copies from its parent
            os.write(writer, repr(measure(mode, steps, batch)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    if not text:
        raise RuntimeError(f"{mode} with {steps} steps did not finish")
    return float(text)


def _peak_of(mode: str, steps: int, batch: int) -> float:
    """The larger of two children's peaks: on a busy machine the kernel takes pages away, and one reads too low."""
    return max(_in_child(mode, steps, batch) for _ in range(2))


def _serve() -> None:
    torch.set_num_threads(1)
    asked = json.loads(sys.stdin.read())
    for mode in MODES:  # what the first call of each mode loads or caches is not its memory
        measure(mode, 2, 4)
    peaks = {
        mode: [_peak_of(mode, steps, asked["batch"]) for steps in asked["steps"]] for mode in asked["modes"]
    }
    sys.stdout.write(json.dumps(peaks))


if __name__ == "__main__":
    _serve()
