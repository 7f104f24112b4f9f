"""Peak memory of training steps, each measured in a fresh process of its own.

A server process imports torch once and forks a child for each measurement; the child's resident memory is read before
the step, its peak after it (`ru_maxrss`, which the kernel keeps). The allocator gives freed blocks back to the system
at once (MALLOC_MMAP_THRESHOLD_): else small blocks that are kept would split large ones that are free, and the peak
would be that of the holes.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from node_core.data.images import image_set
from node_core.studies.architectures.memory_config import MemoryConfig, MemoryResult
from node_core.training.images.build import ask, build_model, inputs, solver_of
from node_core.training.images.config import ImagesConfig

LIMIT_SECONDS = 240.0
HONEST = {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
_ROOT = Path(__file__).resolve().parents[3]
_TIMED = 2  # steps after the first, of which the faster one counts
_TRIES = 2


def run(config: MemoryConfig) -> MemoryResult:
    """Measure every training's step.

    Raises:
        ValueError: the images can't be had, or the measuring process failed (out of time, a system without `fork`).
    """
    if not hasattr(os, "fork"):
        raise ValueError(
            "Memory is measured by forking processes, which this system can't: use Linux or macOS."
        )
    for train in config.trains:
        image_set(train.data)  # what can't be had is said here, with its own sentence
    try:
        done = subprocess.run(
            [sys.executable, "-m", "node_core.studies.architectures.memory"],
            input=pickle.dumps(config.trains),
            capture_output=True,
            timeout=LIMIT_SECONDS,
            env=os.environ | HONEST | {"PYTHONPATH": str(_ROOT)},
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            "Measuring the memory took too long: take fewer or smaller nets, or try again in a moment."
        ) from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"The process that measures the memory failed ({reason[:160]}).") from None
    table = np.array(json.loads(done.stdout), dtype=np.float64)
    return MemoryResult(config, table[:, 0], table[:, 1], table[:, 2])


def measure(config: ImagesConfig) -> tuple[float, float, float]:
    """MiB by which this process grows at most in one training step, seconds and evaluations of a step."""
    side = image_set(config.data).side
    rng = np.random.default_rng(config.seed)
    x = inputs(config, rng.random((config.batch, side, side), dtype=np.float32))
    labels = torch.from_numpy(rng.integers(0, 10, config.batch))
    model = build_model(config)
    solver = solver_of(config) if config.model in ("odenet", "rknet") else None
    parameters = list(model.parameters())

    def step() -> float:
        answer = ask(model, x, solver)
        torch.autograd.grad(functional.cross_entropy(answer.logits, labels), parameters)
        if answer.solution is None:
            return float(config.layers if config.model == "resnet" else 0)
        return float(answer.solution.stats.nfe + answer.solution.backward_stats.nfe)

    before = _peak()
    nfe = step()
    grown = _peak() - before
    times = []
    for _ in range(_TIMED):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return grown, min(times), nfe


def _peak() -> float:
    """Largest resident memory so far, MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _in_child(config: ImagesConfig, small: ImagesConfig) -> list[float]:
    """`measure` in a forked child, whose memory starts where this process's stands."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            measure(small)  # touches the pages that every child copies from its parent
            os.write(writer, json.dumps(measure(config)).encode())
        except Exception as error:
            os.write(writer, json.dumps(str(error)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    found = json.loads(text or '"it ran out of memory"')
    if isinstance(found, str):
        raise RuntimeError(f"{config.model}: {found}")
    return [float(value) for value in found]


def _serve() -> None:
    torch.set_num_threads(1)
    trains: tuple[ImagesConfig, ...] = pickle.loads(sys.stdin.buffer.read())
    table = []
    for train in trains:
        small = _small(train)
        measure(small)  # what the first call of each kind loads or caches is not its memory
        tries = [_in_child(train, small) for _ in range(_TRIES)]
        # On a busy machine the kernel takes pages away, and one reads too low.
        table.append([max(t[0] for t in tries), min(t[1] for t in tries), tries[0][2]])
    sys.stdout.write(json.dumps(table))


def _small(train: ImagesConfig) -> ImagesConfig:
    """The same kind of training on so few images that its memory does not matter."""
    return replace(train, batch=2, layers=min(train.layers, 1), dt=1.0, steps=1)


if __name__ == "__main__":
    _serve()
