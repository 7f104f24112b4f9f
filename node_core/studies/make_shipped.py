"""Compute the answers that come with the project (see `node_core.runs.shipped`).

    python -m node_core.studies.make_shipped [LESSON or LESSON/NAME ...]    # all: some minutes

A lesson's questions stand in `node_core/studies/LESSON/shipped.py`. What has no times in it is the same on every
machine, up to rounding; for what has, use a machine that does nothing else.
"""

from __future__ import annotations

import importlib
import os
import pickle
import pkgutil
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import node_core.studies
from node_core.assets import ASSETS
from node_core.runs.chunk import advance_chunk
from node_core.runs.shipped import Beginning, Shipped, write

PICTURE = ":advance"  # ends the name of a live run's task


def questions() -> dict[str, tuple[str, Any]]:
    """All questions: (task, configuration) by LESSON/NAME."""
    found: dict[str, tuple[str, Any]] = {}
    for lesson in pkgutil.iter_modules(node_core.studies.__path__):
        if not lesson.ispkg:
            continue
        try:
            module = importlib.import_module(f"node_core.studies.{lesson.name}.shipped")
        except ModuleNotFoundError:  # a lesson that ships nothing
            continue
        found |= {f"{lesson.name}/{name}": asked for name, asked in module.QUESTIONS.items()}
    return found


def answer(task: str, config: Any) -> Any:
    """What a worker would answer."""
    if task.endswith(PICTURE):
        chunk = advance_chunk(task, config, None, 0.0)
        return Beginning(chunk.snapshot, pickle.loads(chunk.state), chunk.rows, chunk.finished)
    module, _, name = task.partition(":")
    return getattr(importlib.import_module(module), name)(config)


def path_of(name: str) -> Path:
    """Where the answer to the question LESSON/NAME lies."""
    lesson, _, stem = name.partition("/")
    return ASSETS / lesson / "shipped" / f"{stem}.npz"


def machine() -> str:
    """What computed them, and when: said wherever a page shows their times."""
    return f"{os.cpu_count()} processors ({platform.machine()}), {datetime.now(UTC):%B %Y}"


def main() -> None:
    """Make those that are named, or all."""
    torch.set_num_threads(1)  # as in a worker
    wanted = sys.argv[1:]
    for name, (task, config) in questions().items():
        if wanted and name not in wanted and name.partition("/")[0] not in wanted:
            continue
        started = time.perf_counter()
        write(path_of(name), Shipped(task, config, answer(task, config), machine()))
        size = path_of(name).stat().st_size
        print(f"{name}: {size / 1000:.0f} kB in {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
