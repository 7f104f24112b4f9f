"""Rodas5P against SciPy's Radau on stiff problems, at the same achieved error.

Both get the same numpy field and the same analytic Jacobian. Each solves at a ladder of tolerances, interleaved; the
time of each is read off its own work-precision line (log time over log error) at our errors.

    python -m benchmarks.stiff
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp

from node_core.fields.systems.system import SystemField
from node_core.fields.systems.systems import SYSTEMS
from node_core.odeint import odeint

TOLERANCES = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
COMPARED = (1e-6, 1e-7, 1e-8)
ROUNDS = 7


@dataclass(frozen=True)
class StiffProblem:
    """A classical system, the end of its time span, and atol / rtol."""

    label: str
    field: SystemField
    end: float
    atol_factor: float


PROBLEMS = (
    StiffProblem("Van der Pol, mu = 1000", SYSTEMS["van_der_pol"].field(mu=1000.0), 2000.0, 1.0),
    StiffProblem("Robertson", SYSTEMS["robertson"].field(), 1e4, 1e-4),
)


def measure() -> dict[str, Any]:
    """Run everything: for each problem the work-precision points and the ratio of times at equal error."""
    torch.set_num_threads(1)
    return {problem.label: _measure(problem) for problem in PROBLEMS}


def _measure(problem: StiffProblem) -> dict[str, Any]:
    y0 = np.array(problem.field.system.y0)
    if problem.field.system.key == "van_der_pol":
        y0 = np.array([2.0, 0.0])
    exact = _by_radau(problem, y0, 1e-12)
    solvers: dict[str, Callable[[StiffProblem, np.ndarray, float], np.ndarray]] = {
        "rodas5p": _by_rodas5p,
        "radau": _by_radau,
    }
    times: dict[tuple[str, float], list[float]] = {(n, tol): [] for n in solvers for tol in TOLERANCES}
    errors: dict[tuple[str, float], float] = {}
    for _ in range(ROUNDS):
        for tolerance in TOLERANCES:
            for name, solver in solvers.items():
                started = time.perf_counter()
                end = solver(problem, y0, tolerance)
                times[name, tolerance].append(time.perf_counter() - started)
                errors[name, tolerance] = float(np.max(np.abs(end - exact) / (np.abs(exact) + 1e-5)))
    points = {
        name: [
            {"tolerance": t, "error": errors[name, t], "seconds": statistics.median(times[name, t])}
            for t in TOLERANCES
        ]
        for name in solvers
    }
    lines = {name: _line(rows) for name, rows in points.items()}
    at = [errors["rodas5p", tolerance] for tolerance in COMPARED]
    ratios = {f"{error:.1e}": lines["radau"](error) / lines["rodas5p"](error) for error in at}
    return {"points": points, "radau_over_rodas5p_at_equal_error": ratios}


def _line(rows: list[dict[str, float]]) -> Callable[[float], float]:
    """Seconds for an error: a straight line through log error, log time."""
    fit = np.polyfit(np.log([r["error"] for r in rows]), np.log([r["seconds"] for r in rows]), 1)
    return lambda error: float(np.exp(np.polyval(fit, np.log(error))))


def _by_rodas5p(problem: StiffProblem, y0: np.ndarray, tolerance: float) -> np.ndarray:
    with torch.no_grad():
        solution = odeint(
            problem.field,
            torch.from_numpy(y0),
            torch.tensor([0.0, problem.end], dtype=torch.float64),
            method="rodas5p",
            rtol=tolerance,
            atol=tolerance * problem.atol_factor,
        )
    return np.asarray(solution.ys[-1])


def _by_radau(problem: StiffProblem, y0: np.ndarray, tolerance: float) -> np.ndarray:
    solution = solve_ivp(
        problem.field,
        (0.0, problem.end),
        y0,
        method="Radau",
        rtol=tolerance,
        atol=tolerance * problem.atol_factor,
        jac=problem.field.jacobian,
    )
    return np.asarray(solution.y[:, -1])


def main() -> None:
    """Print a table."""
    for label, result in measure().items():
        print(label)
        for name, rows in result["points"].items():
            for row in rows:
                print(
                    f"  {name:8s} tolerance {row['tolerance']:.0e}  error {row['error']:.1e}  "
                    f"{1e3 * row['seconds']:8.1f} ms"
                )
        for error, ratio in result["radau_over_rodas5p_at_equal_error"].items():
            print(f"  at error {error}: Radau takes {ratio:.1f} times as long")


if __name__ == "__main__":
    main()
