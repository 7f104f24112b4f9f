"""Compute the race of planar and continuous flows that the CNF page shows (Chen et al. 2018, Figs. 4 and 5).

    python -m node_core.studies.cnf.make_race

Six flows fit one unnormalised density by KL(q || p), all with as many iterations, samples and the same optimiser; a
planar flow of 32 layers learns two sets of samples beside the pre-trained CNFs. About ten minutes.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from node_core.cnf import energies
from node_core.cnf.continuous import CNF
from node_core.cnf.flow import Flow
from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS, Target, entropy
from node_core.studies.cnf.race_config import (
    CELLS,
    FILE,
    LEARNED,
    RACE_TARGET,
    SIZES,
    TIMES,
    CNFRace,
    Learned,
    Picture,
    Runner,
    to_text,
)
from node_core.training.flow.build import log_target
from node_core.training.flow.checkpoint import load_flow
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import FlowTrainer, trained_flow

ITERATIONS = 1200
BATCH = 256
JUDGED = 4000  # samples for the last number
STRETCH = 20  # iterations a point of the curve
EXTENT = 4.0


def race_config(flow: str, size: int, target: str = RACE_TARGET) -> CNFConfig:
    """How a runner of the race is trained; the CNF's field is the paper's, of `size` hidden units."""
    shared = {"batch": BATCH, "lr": 0.01, "lr_end": 0.05, "iterations": ITERATIONS}
    if flow == "planar":
        return CNFConfig(TargetConfig(target), "planar", depth=size, objective="reverse_kl", **shared)  # type: ignore[arg-type]
    return CNFConfig(
        TargetConfig(target),
        field="hypernetwork",
        width=size,
        objective="reverse_kl",
        **shared,  # type: ignore[arg-type]
    )


def log_normaliser(target: Target, cells: int = 400) -> float:
    """Log Z of an energy with its walls, by the midpoint rule."""
    half = energies.WINDOW + 1.0
    middle = torch.linspace(-half, half, cells + 1, dtype=torch.float64)[:-1] + half / cells
    x = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), -1).reshape(-1, 2)
    return float(torch.logsumexp(log_target(target, x), 0)) + 2 * float(np.log(2 * half / cells))


def run_one(flow: str, size: int, offset: float, iterations: int = ITERATIONS) -> Runner:
    """Train one flow; `offset` is log Z, so that the curve is the divergence itself."""
    config = race_config(flow, size)
    trainer = FlowTrainer(config)
    started = time.perf_counter()
    losses = np.array([trainer.iterate()["loss"] for _ in range(iterations)]) + offset
    seconds = time.perf_counter() - started
    parts = np.array_split(losses, max(1, iterations // STRETCH))
    ends = np.cumsum([len(part) for part in parts]).astype(float)
    with torch.no_grad():
        x, log_q = trainer.flow.sample_with_log_prob(JUDGED, 1)
        kl = float((log_q - log_target(trainer.target, x)).mean()) + offset
    count = sum(p.numel() for p in trainer.flow.parameters())
    picture = density(trainer.flow)
    means = np.array([part.mean() for part in parts])
    return Runner("planar" if flow == "planar" else "cnf", size, count, seconds, ends, means, kl, picture)


def learn(name: str, iterations: int = ITERATIONS) -> Learned:
    """The pre-trained CNF and a planar flow on samples of one target."""
    config, state = load_flow(name)
    cnf = trained_flow(config, state)
    assert isinstance(cnf, CNF)
    planar = FlowTrainer(
        CNFConfig(TargetConfig(name), "planar", depth=32, lr=0.01, lr_end=0.05, iterations=iterations)
    )
    for _ in range(iterations):
        planar.iterate()
    target = TARGETS[name]
    least = entropy(target)
    judged = torch.from_numpy(target.sample(JUDGED, 99))
    with torch.no_grad():
        found = [-float(flow.log_prob(judged).mean()) - least for flow in (cnf, planar.flow)]
    movie = tuple(density(cnf, t * cnf.t1) for t in TIMES)
    return Learned(name, truth(target), movie, density(planar.flow), (found[0], found[1]))


def density(flow: Flow, t: float | None = None) -> Picture:
    """A flow's density over its own maximum; a CNF's also at a time before the end."""
    extent = ((-EXTENT, EXTENT), (-EXTENT, EXTENT))
    grid = flow.density_grid(extent, CELLS, t) if isinstance(flow, CNF) else flow.density_grid(extent, CELLS)
    return _over_maximum(grid.numpy())


def truth(target: Target) -> Picture:
    """The target's own density, over its maximum."""
    return _over_maximum(target.normalised_on_grid(CELLS))


def _over_maximum(values: NDArray[np.floating]) -> Picture:
    clean = np.nan_to_num(values, posinf=0.0)
    return np.round(255 * clean / max(float(clean.max()), 1e-30)).clip(0, 255).astype(np.uint8)


def make(file: Path = FILE) -> None:
    """Compute everything and write the file."""
    target = TARGETS[RACE_TARGET]
    offset = log_normaliser(target)
    runners = []
    for flow in ("planar", "cnf"):
        for size in SIZES:
            runners.append(run_one(flow, size, offset))
            print(f"{flow} {size}: KL {runners[-1].kl:.3f} in {runners[-1].seconds:.0f} s", flush=True)
    learned = []
    for name in LEARNED:
        learned.append(learn(name))
        print(f"{name}: gaps {learned[-1].gaps}", flush=True)
    race = CNFRace(RACE_TARGET, truth(target), ITERATIONS, EXTENT, tuple(runners), tuple(learned))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(to_text(race), encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make()
