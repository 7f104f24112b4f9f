"""Training iterations a second against the same training written with torchdiffeq's odeint_adjoint.

    OMP_NUM_THREADS=1 python -m benchmarks.train_step [--out train_step.json]

The same data (moons), net 2-48-48-2 with tanh, initial weights, dopri5, tolerances, batch, loss and Adam, on one
thread. The candidates take turns of ten iterations, as a chunk of a live run has them, so that a slow moment of the
machine hits all of them; the numbers are medians over the turns and, portable between machines, ratios to torchdiffeq's
adjoint. Ours includes everything the
live page records an iteration (every step, NFE, accuracy). As control the losses after the run are printed: the
gradients differ by the tolerance, the learning must not.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torchdiffeq
from torch import nn

from node_core.data.dataset import DataConfig
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer

CASES = ((32, 64, 1e-3), (32, 256, 1e-3), (48, 256, 1e-3), (48, 256, 1e-5), (48, 500, 1e-3))
"""(width of both hidden layers, batch, tolerance)"""
TURN = 10  # iterations


class PeerField(nn.Module):
    """The field as a user of torchdiffeq writes it."""

    def __init__(self, hidden: tuple[int, ...]) -> None:
        super().__init__()
        a, b = hidden
        self.net = nn.Sequential(nn.Linear(2, a), nn.Tanh(), nn.Linear(a, b), nn.Tanh(), nn.Linear(b, 2))

    def forward(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Value f(y)."""
        return self.net(y)


def peer(config: TrainConfig, *, adjoint: bool) -> Callable[[], float]:
    """An iteration of the same training with torchdiffeq."""
    twin = Trainer(config)  # for its data and initial weights
    field, head = PeerField(config.hidden), nn.Linear(2, 2)
    with torch.no_grad():
        for own, other in zip(
            [*field.parameters(), *head.parameters()], twin.model.parameters(), strict=True
        ):
            own.copy_(other)
    x = torch.from_numpy(twin.data.x[twin.data.train])
    labels = torch.from_numpy(twin.data.labels[twin.data.train])
    adam = torch.optim.Adam([*field.parameters(), *head.parameters()], lr=config.lr)
    solve = torchdiffeq.odeint_adjoint if adjoint else torchdiffeq.odeint
    ts = torch.tensor([0.0, config.t1])
    done = 0

    def iterate() -> float:
        nonlocal done
        # The very batches that `Trainer` draws.
        rng = np.random.default_rng((config.seed, done, 1))
        chosen = torch.from_numpy(rng.choice(len(x), config.batch, replace=False))
        adam.zero_grad()
        ys = solve(field, x[chosen], ts, rtol=config.rtol, atol=config.atol, method="dopri5")
        loss = nn.functional.cross_entropy(head(ys[-1]), labels[chosen])
        loss.backward()
        adam.step()
        done += 1
        return loss.item()

    return iterate


def ours(config: TrainConfig) -> Callable[[], float]:
    """An iteration of `Trainer`."""
    trainer = Trainer(config)
    return lambda: trainer.iterate()["loss"]


def compare(config: TrainConfig, turns: int) -> dict[str, dict[str, float]]:
    """Median seconds an iteration, ratio to torchdiffeq's adjoint, and the mean of the last five losses."""
    candidates = {
        "torchdiffeq odeint_adjoint": peer(config, adjoint=True),
        "torchdiffeq odeint": peer(config, adjoint=False),
        "node_core": ours(config),
    }
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    losses: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(turns + 1):
        for name, iterate in candidates.items():
            start = time.perf_counter()
            losses[name] += [iterate() for _ in range(TURN)]
            if turn > 0:  # the first one warms up
                seconds[name].append((time.perf_counter() - start) / TURN)
    base = median(seconds["torchdiffeq odeint_adjoint"])
    return {
        name: {
            "seconds": median(values),
            "iterations_per_second": 1 / median(values),
            "ratio": base / median(values),
            "loss": float(np.mean(losses[name][-5:])),
        }
        for name, values in seconds.items()
    }


def main() -> None:
    """Print a table and, with --out, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report = {}
    for width, batch, tolerance in CASES:
        data = DataConfig("moons", n=2 * batch, noise=0.1)
        config = TrainConfig(
            data=data, hidden=(width, width), batch=batch, rtol=tolerance, atol=tolerance, lr=3e-3
        )
        title = f"width {width}, batch {batch}, tolerance {tolerance:g}"
        report[title] = compare(config, arguments.turns)
        print(f"{title:36s} iterations/s   ratio   loss")
        for name, row in report[title].items():
            print(f"  {name:32s} {row['iterations_per_second']:12.1f} {row['ratio']:7.1f} {row['loss']:7.4f}")
    if arguments.out:
        arguments.out.write_text(json.dumps({"torch": torch.__version__, "cases": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
