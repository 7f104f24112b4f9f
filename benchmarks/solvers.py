"""Solving without gradients: node_core against its peers, solver overhead, stiff problems and work against precision.

dopri5, tanh MLP 2-64-64-2, float32, t in [0, 1], rtol = atol = 1e-5, one thread, every step recorded.

    python -m benchmarks.solvers --out benchmarks/results/solvers.json
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
import torchdiffeq
from torch import Tensor

from benchmarks import stiff
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
from node_core import SYSTEMS, MLPField, odeint
from node_core.solvers.methods import METHODS

OPTIONS: dict[str, Any] = {"rtol": TOLERANCE, "atol": TOLERANCE}
DIAGRAM = Path(__file__).parent / "results" / "work_precision.html"


class Recorder(torch.nn.Module):
    """A net that notes torchdiffeq's steps through its callbacks: all that it tells of them."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.log: list[tuple[float, float, bool]] = []

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """dy/dt."""
        return self.net(t, y)

    def callback_accept_step(self, t: Tensor, y: Tensor, dt: Tensor) -> None:
        """Note an accepted step."""
        self.log.append((float(t), float(dt), True))

    def callback_reject_step(self, t: Tensor, y: Tensor, dt: Tensor) -> None:
        """Note a rejected step."""
        self.log.append((float(t), float(dt), False))


def candidates(batch: int) -> dict[str, Candidate]:
    """Everything that is timed at one batch size."""
    net, field, y0, ts = Net(), MLPField(2, HIDDEN), start(batch), torch.tensor(SPAN)
    recorder = Recorder(net)
    found: dict[str, Candidate] = {
        "torchdiffeq, steps recorded": lambda: torchdiffeq.odeint(recorder, y0, ts, **OPTIONS),
        "torchdiffeq": lambda: torchdiffeq.odeint(net, y0, ts, **OPTIONS),
        "node_core, module": lambda: odeint(net, y0, ts, **SAME_STEPS),
        "node_core, MLPField": lambda: odeint(field, y0, ts, **SAME_STEPS),
    }
    absent = missing()
    if "torchode" not in absent:
        solve = torchode_solver(net)
        found["torchode"] = lambda: solve(y0, ts)
    if "diffrax" not in absent:
        jitted = Diffrax(net, ts)
        found["diffrax, warm"] = lambda: jitted.solve(y0)
    return found


def measure(rounds: int) -> dict[str, Any]:
    """All tables."""
    results: dict[str, Any] = {"missing": missing(), "speed": []}
    with torch.no_grad():
        for batch in (64, 256, 1024):
            seconds = interleaved(candidates(batch), rounds)
            results["speed"] += [
                {
                    "batch": batch,
                    "candidate": name,
                    "ms": 1e3 * value,
                    "ratio": seconds["torchdiffeq, steps recorded"] / value,
                }
                for name, value in seconds.items()
            ]
        results["overhead_us"] = overhead(rounds)
    results["stiff"] = stiff.measure()
    results["work_precision"] = work_precision()
    return results


def overhead(rounds: int) -> dict[str, float]:
    """Microseconds a function evaluation beyond f itself, for a field that costs next to nothing."""
    y0, ts = start(64), torch.tensor([0.0, 10.0])

    class Cheap(torch.nn.Module):
        accepts_float_time = True

        def forward(self, t: Any, y: Tensor) -> Tensor:
            return torch.sin(y)

    f = Cheap()
    tolerance: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-6}
    nfe = odeint(f, y0, ts, **tolerance).stats.nfe
    counter = [0]

    def counted(t: Any, y: Tensor) -> Tensor:
        counter[0] += 1
        return torch.sin(y)

    torchdiffeq.odeint(counted, y0, ts, **tolerance)
    seconds = interleaved(
        {
            "node_core": lambda: odeint(f, y0, ts, **tolerance),
            "torchdiffeq": lambda: torchdiffeq.odeint(f, y0, ts, **tolerance),
            "f": lambda: [f(0.0, y0) for _ in range(100)],
        },
        rounds,
    )
    alone = seconds["f"] / 100
    return {
        "node_core": 1e6 * (seconds["node_core"] / nfe - alone),
        "torchdiffeq": 1e6 * (seconds["torchdiffeq"] / counter[0] - alone),
    }


def work_precision() -> list[dict[str, Any]]:
    """Error at the end, NFE and time of every method on the pendulum, over steps or tolerances."""
    system = SYSTEMS["pendulum"]
    field, y0 = system.field(), torch.tensor(system.y0, dtype=torch.float64)
    ts = torch.tensor([0.0, 10.0], dtype=torch.float64)
    exact = odeint(field, y0, ts, method="dopri8", rtol=1e-13, atol=1e-13).ys[-1]
    rows = []
    for method in METHODS.values():
        values = (
            [10.0 ** -(k / 2) for k in range(6, 22, 2)] if method.adaptive else [0.5**k for k in range(1, 10)]
        )
        for value in values:
            options = {"rtol": value, "atol": value} if method.adaptive else {"dt": value}
            times = []
            for _ in range(3):
                started = time.perf_counter()
                sol = odeint(field, y0, ts, method=method.name, on_error="return", **options)  # type: ignore[arg-type]
                times.append(time.perf_counter() - started)
            if sol.status.ok:
                error = float((sol.ys[-1] - exact).abs().max())
                rows.append(
                    {
                        "method": method.name,
                        "error": error,
                        "nfe": sol.stats.nfe,
                        "ms": 1e3 * float(np.median(times)),
                    }
                )
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Error against NFE and against time, one line a method, into an HTML file."""
    figure = go.Figure().set_subplots(
        1, 2, subplot_titles=("function evaluations", "milliseconds"), shared_yaxes=True
    )
    for name, method in METHODS.items():
        mine = [row for row in rows if row["method"] == name]
        for column, key in ((1, "nfe"), (2, "ms")):
            figure.add_scatter(
                x=[row[key] for row in mine],
                y=[row["error"] for row in mine],
                name=method.label,
                legendgroup=name,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log").update_yaxes(type="log", title_text="error at t = 10", col=1)
    path.parent.mkdir(exist_ok=True)
    figure.write_html(path, include_plotlyjs="directory")


def show(results: dict[str, Any]) -> None:
    """Print the tables and draw the diagram."""
    if results["missing"]:
        print(f"not installed, not measured: {', '.join(results['missing'])}")
    for row in results["speed"]:
        print(f"B={row['batch']:<5} {row['candidate']:<28} {row['ms']:>8.2f} ms {row['ratio']:>6.2f}x")
    for name, value in results["overhead_us"].items():
        print(f"overhead a function evaluation: {name:<12} {value:6.1f} us")
    for label, found in results["stiff"].items():
        for error, ratio in found["radau_over_rodas5p_at_equal_error"].items():
            print(f"{label}, error {error}: SciPy's Radau takes {ratio:.1f} times as long as rodas5p")
    draw(results["work_precision"], DIAGRAM)
    print(f"work against precision: {len(results['work_precision'])} points, drawn in {DIAGRAM.name}")


if __name__ == "__main__":
    report(__doc__, measure, show)
