"""Table 1 on images that come along, and one ODE-Net iteration against torchdiffeq's.

    python -m benchmarks.table1 dense conv peer [--seeds 3] [--out benchmarks/results/table1.json]
    python -m benchmarks.table1 mnist --data FOLDER      # MNIST's files; its t10k pair alone is split 8,000 / 2,000

`dense`, `conv`: every row on scikit-learn's digits, from random weights. `mnist`: convolutional rows on 14 x 14 pixels.
`peer`: the authors' own field (examples/odenet_mnist.py of torchdiffeq: time concatenated as a channel) with the same
weights, images and loss; both take the same steps where `rk4_38` does, and the same tolerance where `dopri5` does.
Beside the times stands how far the gradients are off: the cotangent of a mean over a batch is smaller than the absolute
tolerance of an adjoint solve that does not scale it. All on one thread, in processor time: other work on the machine
does not count.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torchdiffeq
from torch import Tensor, nn
from torch.nn import functional

from node_core.data.images import ImageData, image_set
from node_core.models.images.blocks import ConvField, TimeConv
from node_core.models.images.classifiers import ConvODENet
from node_core.settings import SolverSettings
from node_core.studies.architectures.table import row_memory, train_entry
from node_core.studies.architectures.table_config import TableConfig, TableEntry, as_text, rows_of
from node_core.training.images.config import ImagesConfig, iterations_of

CONV = ImagesConfig(kind="conv", channels=16, rtol=1e-2, atol=1e-2)
CASES = ((14, 32, 128, 1e-2), (28, 64, 32, 1e-2))
"""(pixels along a side, channels, batch, tolerance)"""
DT = 0.25

Gradients = tuple[Tensor, ...]


class ConcatConv(nn.Module):
    """A convolution of the state with the time as one more channel, as the authors wrote it."""

    def __init__(self, own: TimeConv) -> None:
        super().__init__()
        channels = own.weight.shape[0]
        self.layer = nn.Conv2d(channels + 1, channels, 3, 1, 1)
        with torch.no_grad():
            self.layer.weight.copy_(torch.cat((own.time_weight, own.weight), 1))
            assert self.layer.bias is not None
            self.layer.bias.copy_(own.bias)

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        """The convolution of [t, x]."""
        return self.layer(torch.cat((torch.ones_like(x[:, :1]) * t, x), 1))


class PeerField(nn.Module):
    """The authors' ODEfunc with the weights of ours."""

    def __init__(self, own: ConvField) -> None:
        super().__init__()
        self.norm_1, self.norm_2, self.norm_3 = (
            copy.deepcopy(part) for part in (own.norm_1, own.norm_2, own.norm_3)
        )
        self.relu = nn.ReLU(inplace=True)
        self.conv_1, self.conv_2 = ConcatConv(own.conv_1), ConcatConv(own.conv_2)
        self.nfe = 0

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        """Value f(t, x); counts."""
        self.nfe += 1
        out = self.conv_1(t, self.relu(self.norm_1(x)))
        return self.norm_3(self.conv_2(t, self.relu(self.norm_2(out))))


class Duel:
    """One iteration of the ODE-Net, forward and backward, by either library."""

    def __init__(self, side: int, channels: int, batch: int, tolerance: float) -> None:
        generator = torch.Generator().manual_seed(0)
        self.model = ConvODENet(side, channels=channels, seed=0)
        field = self.model.field
        assert isinstance(field, ConvField)
        self.field, self.peer, self.tolerance = field, PeerField(field), tolerance
        self.x = torch.rand(batch, side, side, generator=generator)
        self.labels = torch.randint(0, 10, (batch,), generator=generator)

    def ours(self, gradient: str, method: str = "dopri5", tolerance: float = 0.0) -> tuple[int, int]:
        """Evaluations forward and backward of one iteration of ours."""
        tolerance = tolerance or self.tolerance
        dt = None if method == "dopri5" else DT
        self.model.zero_grad()
        answer = self.model.classify(self.x, SolverSettings(method, tolerance, tolerance, dt, gradient))
        functional.cross_entropy(answer.logits, self.labels).backward()
        return answer.solution.stats.nfe, answer.solution.backward_stats.nfe

    def theirs(self, *, adjoint: bool, method: str = "dopri5") -> tuple[int, int]:
        """The same of torchdiffeq's."""
        options = {} if method == "dopri5" else {"options": {"step_size": DT}}
        solve = torchdiffeq.odeint_adjoint if adjoint else torchdiffeq.odeint
        self.model.zero_grad()
        self.peer.zero_grad()
        self.peer.nfe = 0
        ts, tolerance = torch.tensor([0.0, 1.0]), self.tolerance
        y = solve(
            self.peer, self.model.lift(self.x), ts, rtol=tolerance, atol=tolerance, method=method, **options
        )[-1]
        forward, self.peer.nfe = self.peer.nfe, 0
        functional.cross_entropy(self.model.read(y), self.labels).backward()
        return forward, self.peer.nfe or forward

    def gradient(self, *, peer: bool) -> Tensor:
        """By the weights of stem and field, flat; the time's own left out."""
        if peer:
            convs = [conv.layer.weight for conv in (self.peer.conv_1, self.peer.conv_2)]
        else:
            convs = [conv.weight for conv in (self.field.conv_1, self.field.conv_2)]
        parts = [part.grad for part in (*convs, *self.model.stem.parameters())]
        channels = self.model.channels  # the time's own column is the first, if there is one
        whole = [
            part[:, -channels:] if k < len(convs) else part
            for k, part in enumerate(parts)
            if part is not None
        ]
        return torch.cat([part.flatten() for part in whole]).clone()


def peer_case(side: int, channels: int, batch: int, tolerance: float, rounds: int) -> dict[str, Any]:
    """Median processor seconds, evaluations and gradient errors of all candidates, which take turns."""
    duel = Duel(side, channels, batch, tolerance)
    candidates: dict[str, Callable[[], tuple[int, int]]] = {
        "backprop, dopri5": lambda: duel.ours("backprop"),
        "torchdiffeq backprop, dopri5": lambda: duel.theirs(adjoint=False),
        "backprop, rk4_38": lambda: duel.ours("backprop", "rk4_38"),
        "torchdiffeq backprop, rk4": lambda: duel.theirs(adjoint=False, method="rk4"),
        "checkpointed, dopri5": lambda: duel.ours("checkpointed"),
        "adjoint, dopri5": lambda: duel.ours("adjoint"),
        "adjoint_seminorm, dopri5": lambda: duel.ours("adjoint_seminorm"),
        "torchdiffeq adjoint, dopri5": lambda: duel.theirs(adjoint=True),
        "adjoint, rk4_38": lambda: duel.ours("adjoint", "rk4_38"),
        "torchdiffeq adjoint, rk4": lambda: duel.theirs(adjoint=True, method="rk4"),
    }
    duel.ours("backprop", tolerance=1e-6)
    exact = duel.gradient(peer=False)
    found: dict[str, Any] = {}
    for name, iterate in candidates.items():
        forward, backward = iterate()
        off = duel.gradient(peer=name.startswith("torchdiffeq")) - exact
        found[name] = {
            "nfe_forward": forward,
            "nfe_backward": backward,
            "gradient_error": float(off.norm() / exact.norm()),
        }
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, iterate in candidates.items():
            started = time.process_time()
            iterate()
            seconds[name].append(time.process_time() - started)
    for name, values in seconds.items():
        found[name]["seconds"] = median(values)
    return {
        "side": side,
        "channels": channels,
        "batch": batch,
        "tolerance": tolerance,
        "candidates": found,
        "speedups": {
            "backprop, dopri5": _ratio(found, "torchdiffeq backprop, dopri5", "backprop, dopri5"),
            "backprop, rk4": _ratio(found, "torchdiffeq backprop, rk4", "backprop, rk4_38"),
            "adjoint, dopri5": _ratio(found, "torchdiffeq adjoint, dopri5", "adjoint, dopri5"),
            "adjoint_seminorm, dopri5": _ratio(
                found, "torchdiffeq adjoint, dopri5", "adjoint_seminorm, dopri5"
            ),
            "adjoint, rk4": _ratio(found, "torchdiffeq adjoint, rk4", "adjoint, rk4_38"),
        },
    }


def table(train: ImagesConfig, seeds: int) -> dict[str, Any]:
    """Every row with every seed, and the memory of its step."""
    config = TableConfig(train, seeds=seeds, memory=True)
    started, entries = time.perf_counter(), list[TableEntry]()
    for name, training in config.runs():
        entries.append(train_entry(training))
        print(f"  {name}, seed {training.seed}: {asdict(entries[-1])}", flush=True)
    rows = rows_of(entries, row_memory(config))
    print(as_text(rows), flush=True)
    return {
        "train": asdict(train) | {"data": image_set(train.data).note},
        "entries": [asdict(entry) for entry in entries],
        "rows": [_plain(asdict(row)) for row in rows],
        "wall_seconds": time.perf_counter() - started,
    }


def mnist(folder: str, epochs: int) -> ImagesConfig:
    """Convolutional nets on MNIST's files, shrunk to 14 x 14 pixels."""
    train = replace(CONV, data=ImageData("folder", folder=folder, shrink=2), channels=32, hidden=64)
    return replace(train, iterations=iterations_of(train, epochs))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what was not measured is null."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()
    }


def _ratio(found: dict[str, Any], peer: str, ours: str) -> float:
    return float(found[peer]["seconds"] / found[ours]["seconds"])


def _show(case: dict[str, Any]) -> None:
    title = f"{case['side']} x {case['side']}, {case['channels']} channels, {case['batch']} images"
    print(f"{title:34s}  NFE        ms an iteration   gradient off by")
    for name, row in case["candidates"].items():
        nfe = f"{row['nfe_forward']} + {row['nfe_backward']}"
        print(f"  {name:32s} {nfe:10s} {1e3 * row['seconds']:10.1f} {row['gradient_error']:14.1%}")
    print("  times faster:", ", ".join(f"{name} {value:.2f}" for name, value in case["speedups"].items()))


def _write(out: Path | None, results: dict[str, Any]) -> None:
    """Save after each part: the next one may be stopped."""
    if out is not None:
        out.write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    """Measure what is named, print it and, with --out, add it to a JSON file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="+", choices=("dense", "conv", "mnist", "peer"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8, help="of mnist")
    parser.add_argument("--rounds", type=int, default=5, help="of peer")
    parser.add_argument("--data", default="", help="folder with MNIST's files")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    if arguments.out and arguments.out.is_file():
        results = json.loads(arguments.out.read_text())
    results |= {"torch": torch.__version__, "machine": platform.machine()}
    for part in arguments.parts:
        print(part, flush=True)
        if part == "peer":
            results[part] = []
            for case in CASES:
                results[part].append(peer_case(*case, arguments.rounds))
                _show(results[part][-1])
                _write(arguments.out, results)
        else:
            train = {"dense": ImagesConfig(), "conv": CONV}.get(part) or mnist(
                arguments.data, arguments.epochs
            )
            results[part] = table(train, arguments.seeds)
            _write(arguments.out, results)


if __name__ == "__main__":
    main()
