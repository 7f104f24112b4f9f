"""Table 2 of Chen et al. 2018 on spirals: a latent ODE and an RNN, by the number of observations and the noise.

    python -m benchmarks.table2 [--seconds 20] [--seeds 3] [--out benchmarks/results/table2.json]

1,000 spirals to learn from and 200 to test on, 125 times each. Of the first 100 so many are observed, at random; the
other 25 lie beyond. Errors are root mean squares over both coordinates, of the test spirals without noise: "inside"
from a spiral's first observation to the 100th time, "beyond" the 25 after it, which no model ever saw. The RNN is a GRU
that reads the gaps and foresees; beyond its last observation it reads its own predictions. Both have 25 hidden units,
batches of 64, the same rate (a cosine from 0.02 to 0.0004) and the same processor seconds; the likelihood's noise is
the data's. Seeds go one after the other through all settings, and the file is written after each run: what was cut
short is whole as far as it goes, and it says how many seeds there are.

The paper's table is printed beside it. Its errors are "on 100 time points extending beyond those that were used for
training", of spirals of 100 times with noise whose size it does not say: neither "inside" nor "beyond" here is exactly
that.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from node_core.training.adam import annealed
from node_core.training.series import picture
from node_core.training.series.config import SeriesConfig
from node_core.training.series.data import prepared
from node_core.training.series.presets import SPIRALS, with_model
from node_core.training.series.train import SeriesTrainer

PAPER = {"gru": {30: 0.3937, 50: 0.3202, 100: 0.1813}, "latent_ode": {30: 0.1642, 50: 0.1502, 100: 0.1346}}
MODELS = ("latent_ode", "gru")
OBSERVATIONS, NOISES = (30, 50, 100), (0.3, 0.1)
LR, LR_END = 0.02, 0.02


class Timed(SeriesTrainer):
    """A training by the clock: its rate falls by the processor seconds that are over."""

    seconds = 1.0

    def learning_rate(self) -> float:
        """A cosine from LR to LR times LR_END."""
        return annealed(LR, LR_END, self.row.get("seconds", 0.0) / self.seconds)


def config_of(model: str, observations: int, noise: float, seed: int) -> SeriesConfig:
    """What is trained; the likelihood's noise is in standard deviations of the data."""
    config = with_model(replace(SPIRALS, data_noise=noise, seed=seed, observations=observations), model)
    return replace(config, noise=noise / float(prepared(config).scale.std.mean()))


def run(config: SeriesConfig, seconds: float) -> dict[str, Any]:
    """Train for so many processor seconds, then test."""
    trainer = Timed(config)
    trainer.seconds = seconds
    started = time.process_time()
    while (spent := time.process_time() - started) < seconds:
        row = trainer.iterate()
        trainer.row = {**row, "seconds": spent}
    found = picture.errors(trainer.model, config, trainer.data)
    return {
        "model": config.model,
        "observations": config.observations,
        "data_noise": config.data_noise,
        "seed": config.seed,
        "iterations": trainer.iteration,
        "loss": trainer.row["loss"],
        **found,
    }


def show(results: dict[str, Any]) -> None:
    """The table, mean and standard deviation over the seeds that are there."""
    print(f"{results['seconds']:g} processor seconds a run; RMSE inside / beyond, mean +- sd over seeds")
    for noise in NOISES:
        print(f"\nnoise {noise:g}" + "".join(f"{n:>34} points" for n in OBSERVATIONS))
        for model in MODELS:
            cells = [_cell(results["runs"], model, n, noise) for n in OBSERVATIONS]
            print(f"  {model:10}" + "".join(f"{cell:>41}" for cell in cells))
    print("\nthe paper (its noise, its time)")
    for model in MODELS:
        print(f"  {model:10}" + "".join(f"{PAPER[model][n]:>41.4f}" for n in OBSERVATIONS))


def _cell(runs: list[dict[str, Any]], model: str, observations: int, noise: float) -> str:
    key = (model, observations, noise)
    found = [run for run in runs if (run["model"], run["observations"], run["data_noise"]) == key]
    parts = []
    for name in ("rmse_inside", "rmse_beyond"):
        values = [run[name] for run in found]
        spread = f" +- {stdev(values):.3f}" if len(values) > 1 else ""
        parts.append(f"{mean(values):.3f}{spread}" if values else "-")
    return " / ".join(parts) + f" ({len(found)})"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="processor seconds of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file to write; runs that it has are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "seconds": arguments.seconds,
        "paper": PAPER,
        "runs": [],
    }
    if arguments.out is not None and arguments.out.exists():
        before = json.loads(arguments.out.read_text())
        if before["seconds"] == arguments.seconds:
            results["runs"] = before["runs"]
    done = {(r["model"], r["observations"], r["data_noise"], r["seed"]) for r in results["runs"]}
    for seed in range(arguments.seeds):
        for noise in NOISES:
            for observations in OBSERVATIONS:
                for model in MODELS:
                    if (model, observations, noise, seed) in done:
                        continue
                    results["runs"].append(
                        run(config_of(model, observations, noise, seed), arguments.seconds)
                    )
                    print(results["runs"][-1], flush=True)
                    if arguments.out is not None:
                        arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    show(results)


if __name__ == "__main__":
    main()
