"""How the benchmarks measure: candidates in turn, medians, ratios, one table and one JSON file."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch

Candidate = Callable[[], object]


def interleaved(candidates: Mapping[str, Candidate], rounds: int, calls: int = 1) -> dict[str, float]:
    """Median seconds a call of each candidate; they take turns, so that a slow minute slows them all."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, call in candidates.items():
            started = time.perf_counter()
            for _ in range(calls):
                call()
            if turn > 0:  # the first round warms up
                times[name].append((time.perf_counter() - started) / calls)
    return {name: median(values) for name, values in times.items()}


def report(
    description: str | None, measure: Callable[[int], dict[str, Any]], show: Callable[[dict[str, Any]], None]
) -> None:
    """Command line of a benchmark: measure on one thread, print the table, write the JSON that --out names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=15, help="counted rounds")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = {"torch": torch.__version__, "machine": platform.machine(), **measure(arguments.rounds)}
    show(results)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")
