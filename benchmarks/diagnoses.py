"""A hundred labelled failures: which cause `sol.diagnosis` names, against the one that it must name.

Half of them (`benchmarks.failures`) the thresholds of the diagnosis were fitted on; the other half
(`benchmarks.failures_held_out`) was written afterwards, and counts apart.

    python -m benchmarks.diagnoses --out benchmarks/results/diagnoses.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.failures import FITTED, Failure
from benchmarks.failures_held_out import HELD_OUT
from benchmarks.timing import report
from node_core.odeint import odeint


def measure(rounds: int) -> dict[str, Any]:
    """Diagnose every failure once; the rounds of other benchmarks mean nothing here."""
    parts = {"fitted": _asked(FITTED), "held out": _asked(HELD_OUT)}
    return {
        "right": {part: sum(row["right"] for row in rows) for part, rows in parts.items()},
        "of": {part: len(rows) for part, rows in parts.items()},
        "failures": [{"part": part, **row} for part, rows in parts.items() for row in rows],
    }


def _asked(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    return [_diagnosed(failure) for failure in failures]


def _diagnosed(failure: Failure) -> dict[str, Any]:
    torch.manual_seed(0)
    y0 = torch.tensor(failure.y0, dtype=failure.dtype)
    with torch.no_grad():
        solution = odeint(failure.f, y0, list(failure.span), on_error="return", **failure.options)
    found = solution.diagnosis
    return {
        "name": failure.name,
        "origin": failure.origin,
        "wanted": failure.cause.value,
        "found": found.cause.value,
        "right": found.cause is failure.cause,
        "status": solution.status.value,
        "evidence": found.evidence,
        "nfe": solution.stats.nfe,
        "nfe_of_diagnosis": found.nfe,
    }


def show(results: dict[str, Any]) -> None:
    """Print how many are right, the confusion table, and what went wrong."""
    for part, right in results["right"].items():
        print(f"{part}: {right} of {results['of'][part]} right")
    rows = results["failures"]
    table = Counter((row["wanted"], row["found"]) for row in rows)
    print(f"\n{'wanted':30s} {'found':30s} times")
    for (wanted, found), count in sorted(table.items()):
        print(f"{wanted:30s} {found:30s} {count:5d}{'' if wanted == found else '  <- wrong'}")
    for row in rows:
        if not row["right"]:
            print(
                f"\n{row['part']}: {row['name']}: {row['found']} instead of {row['wanted']}\n  {row['evidence']}"
            )
    asked = sorted(row["nfe_of_diagnosis"] for row in rows)
    print(f"\nevaluations that a diagnosis took: median {asked[len(asked) // 2]}, most {asked[-1]}")


if __name__ == "__main__":
    report(__doc__, measure, show)
