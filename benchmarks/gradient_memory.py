"""Peak memory of one gradient, in a process of its own: prints a JSON line. Called by benchmarks.gradients."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import torch

from benchmarks.peers import HIDDEN, TOLERANCE, Net, start
from node_core import MLPField, odeint


def resident(what: str) -> float:
    """Resident memory of this process in MiB, now (VmRSS) or at its peak (VmHWM), as Linux tells it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{what} is not told here: measure memory on Linux")


def reset_peak() -> float:
    """Forget the peak so far, which is that of importing torch; return what is resident now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def main() -> None:
    """Measure `field mode batch span`."""
    kind, mode, batch, span = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    torch.set_num_threads(1)
    field = Net() if kind == "module" else MLPField(2, HIDDEN)
    y0, ts = start(batch), torch.tensor([0.0, span])

    def gradient(horizon: torch.Tensor) -> None:
        sol = odeint(field, y0, horizon, gradient=mode, rtol=TOLERANCE, atol=TOLERANCE)
        sol.ys[-1].square().mean().backward()

    # A single short step first: libraries load, workspaces are made, and what they hold is not counted.
    odeint(field, y0, ts * 1e-3, gradient=mode, method="rk4", dt=1.0).ys[-1].square().mean().backward()
    before = reset_peak()
    gradient(ts)
    print(json.dumps({"MiB": resident("VmHWM") - before}))


if __name__ == "__main__":
    main()
