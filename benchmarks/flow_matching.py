"""The same field, four trainings: likelihood, flow matching, flow matching with optimal-transport pairs, and reflow.

    OMP_NUM_THREADS=1 python -m benchmarks.flow_matching [--out benchmarks/results/flow_matching.json]

An MLP field 2-64-64-2 with time, batch 512, Adam from 0.005 down to a fiftieth of it by a cosine, dopri5 at 1e-3, one
thread, three seeds; medians, and below them the range. NLL is the cross entropy of 4,000 held-out samples (nats), less
the samples' own chance (see `node_core.training.flow.compared.nll_of`); ED the energy distance of 2,000 samples of the
flow to 2,000 of the target, without bias, and so now and then below zero: `chance` says what clouds of the target are.
Deviation is the straightness S of Liu et al. (2023): 0 for straight paths. NFE is that of one solve from data
to noise. Seconds are processor time; those of reflow include the flow matching before. `to` is the processor time until
the NLL of 1,000 held-out samples first came below the worst of the final ones plus 0.01.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from node_core.cnf.continuous import CNF
from node_core.cnf.straightness import energy_distance, euler_samples, straightness
from node_core.cnf.targets import TARGETS as DENSITIES
from node_core.runs.snapshot import Row
from node_core.runs.state import TrainState
from node_core.training.flow.build import entropy_of
from node_core.training.flow.compared import nll_of, trained_by
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import trained_flow
from node_core.training.flow.ways import TARGETS, WAYS, Way, recipe

SEEDS = (0, 1, 2)
SAMPLES, LIKELIHOODS = 2_000, 4_000
STEPS = (1, 4, 16)
_SEED = 90_001

Result = dict[str, Any]


@torch.no_grad()
def judged(config: CNFConfig, state: TrainState) -> Result:
    """What is told of a trained flow."""
    flow, target = trained_flow(config, state), DENSITIES[config.target.name]
    assert isinstance(flow, CNF)
    held_out = torch.from_numpy(target.sample(LIKELIHOODS, _SEED))
    back = flow.inverse(held_out)
    log_q = flow.base.log_prob(back.points) + back.log_det
    x, z = torch.from_numpy(target.sample(SAMPLES, _SEED + 1)), flow.base.sample(SAMPLES, _SEED + 2)
    found: Result = {
        "nll": nll_of(target, held_out, log_q, entropy_of(config.target)),
        "energy": energy_distance(flow.forward(z).points, x),
        "deviation": straightness(flow, z[:1000]),
        "nfe": back.solution.stats.nfe,
    }
    return found | {f"energy_{n}": energy_distance(euler_samples(flow, z, n), x) for n in STEPS}


def one(way: Way, target: str, seed: int, before: tuple[TrainState, list[Row]] | None) -> tuple[Result, Any]:
    """A way's training; `before` is that of flow matching, for reflow to go on from."""
    configs = recipe(way, target, seed)
    state, rows = (None, []) if before is None else before
    trainer, rows = trained_by(configs if before is None else configs[-1:], state, rows)
    state = trainer.export()
    curve = [(row["seconds"], row["nll"]) for row in rows]
    found = judged(configs[-1], state)
    return {"seconds": curve[-1][0], "iterations": state.iteration, **found, "curve": curve}, (state, rows)


def seconds_to(level: float, curve: Sequence[tuple[float, float]]) -> float | None:
    """Processor time until the NLL first was at most this."""
    return next((seconds for seconds, nll in curve if nll <= level), None)


def chance(target: str) -> float:
    """The largest energy distance among ten pairs of clouds of the target itself."""
    clouds = [torch.from_numpy(DENSITIES[target].sample(SAMPLES, _SEED + 10 + k)) for k in range(20)]
    return max(abs(energy_distance(a, b)) for a, b in zip(clouds[::2], clouds[1::2], strict=True))


def measure(target: str, seeds: Sequence[int]) -> Result:
    """All four with every seed."""
    found: dict[str, list[Result]] = {way.name: [] for way in WAYS}
    for seed in seeds:
        matched = None
        for way in WAYS:
            result, ended = one(way, target, seed, matched if way.objective == "reflow" else None)
            matched = ended if way.name == "matching" else matched
            found[way.name].append(result)
        level = 0.01 + max(results[-1]["nll"] for results in found.values())
        for results in found.values():
            results[-1]["to"] = seconds_to(level, results[-1].pop("curve"))
    return {"entropy": entropy_of(recipe(WAYS[0], target)[0].target), "chance": chance(target), "ways": found}


def show(target: str, found: Result) -> None:
    """The table of one target: medians, and the ranges of NLL and deviation."""
    print(f"\n{target}: entropy {found['entropy']:.3f}, chance {found['chance']:.4f}")
    print(
        "| | s | to | NLL | ED | ED, 1 / 4 / 16 Euler steps | deviation | NFE |\n|---|---|---|---|---|---|---|---|"
    )
    for way in WAYS:
        results = found["ways"][way.name]
        mid = {key: _median([r[key] for r in results]) for key in results[0]}
        nlls = [r["nll"] for r in results]
        steps = " / ".join(_short(mid[f"energy_{n}"]) for n in STEPS)
        to = "-" if mid["to"] is None else f"{mid['to']:.1f}"
        print(
            f"| {way.label} | {mid['seconds']:.1f} | {to} | {mid['nll']:.3f} ({min(nlls):.3f} to {max(nlls):.3f}) | "
            f"{_short(mid['energy'])} | {steps} | {mid['deviation']:.2g} | {mid['nfe']:.0f} |"
        )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if len(known) == len(values) else None


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 0.1 else f"{value:.2f}"


def main() -> None:
    """Measure, print the tables, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", default=TARGETS, help=", ".join(TARGETS))
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: Result = {"torch": torch.__version__, "machine": platform.machine(), "targets": {}}
    for target in arguments.targets:
        results["targets"][target] = measure(target, range(arguments.seeds))
        show(target, results["targets"][target])
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
