"""Controllers trained through the solver: how soon they succeed, what they pay, and iterations a second.

    OMP_NUM_THREADS=1 python -m benchmarks.control [speed pendulum balance fixed wide] [--seeds 5] [--out FILE]

FILE keeps what was measured before and is not measured now.

Learning: every case with seeds 0 to 4, judged every 25 iterations on 100 held-out starts (at the target for the whole
last second). Seconds are processor time of training alone, judging left out. "Worst" is over the seeds. The cost at the
end is compared with iLQR's on 20 of these starts, each planned three times: from nothing, from what the net does and
from what LQR does, the cheapest taken; a ratio of 1.05 means that the net pays 5 % more than the best plan found.

Speed: the same trials of a pendulum (T = 5 s, batch 64, net of 32 tanh units, running cost as a state, dopri5 at 1e-3,
Adam) with torchdiffeq, by backpropagation and by its adjoint. The candidates take turns, so that a slow moment of the
machine hits all of them; figures are medians of processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torchdiffeq
from torch import Tensor, nn

from node_core.models.control.lqr import lqr_policy
from node_core.models.control.trials import run_trials
from node_core.studies.control.rivals import planned, policies_of
from node_core.training.control.build import draw_starts, held_out, judge_of, loop_of, plant_of
from node_core.training.control.config import ControlConfig
from node_core.training.control.make_checkpoints import RUNS
from node_core.training.control.train import ControlTrainer

BALANCE = replace(RUNS["cart_pole_balance"], iterations=250)
CASES = {  # swing-up; balance from 0.5 rad, the same with a fixed horizon, and from 1.0 rad
    "pendulum": RUNS["pendulum_swing_up"],
    "balance": BALANCE,
    "fixed": replace(BALANCE, curriculum="fixed"),
    "wide": replace(BALANCE, spread=2.0, hidden=64, horizon=4.0, grow=400, iterations=1500),
}
LOOK = 25  # iterations between two judgements
PLANNED = 20  # starts for which iLQR plans
ENOUGH = 0.95
TURN = 3  # iterations of a candidate in a row
SPEED = ControlConfig(horizon=5.0, batch=64, curriculum="fixed")


def learn(config: ControlConfig) -> dict[str, Any]:
    """Train once, judged now and then."""
    trainer, seconds, reached = ControlTrainer(config), 0.0, None
    x, judge = held_out(config), judge_of(config)
    success: list[float] = []
    while trainer.iteration < config.iterations:
        started = time.process_time()
        for _ in range(min(LOOK, config.iterations - trainer.iteration)):
            trainer.iterate()
        seconds += time.process_time() - started
        trials = run_trials(loop_of(config, trainer.policy), x, config.judged, judge)
        success.append(trials.success)
        if reached is None and trials.success >= ENOUGH:
            reached = seconds
    plans = planned(config, policies_of(config, trainer.policy), x[:PLANNED].double().numpy(), 40)
    paid = trials.cost[:PLANNED].astype(float)
    good = trials.succeeded[:PLANNED]
    return {
        "seed": config.seed,
        "seconds_to_95": reached,
        "seconds": seconds,
        "success": success,
        "final": success[-1],
        "cost": float(np.mean(paid)),
        "ilqr": float(np.mean(plans.cost)),
        "ratio": float(np.sum(paid[good]) / np.sum(plans.cost[good])) if good.any() else None,
    }


class PeerLoop(nn.Module):
    """The pendulum, its policy and its cost as a user of torchdiffeq writes them."""

    def __init__(self, config: ControlConfig) -> None:
        super().__init__()
        self.policy = nn.Sequential(
            nn.Linear(3, config.hidden), nn.Tanh(), nn.Linear(config.hidden, 1), nn.Tanh()
        )
        self.limit, self.weights, self.effort = config.limit, config.cost.weights, config.effort

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """D/dt of (theta, omega, J)."""
        theta, omega = y[:, 0], y[:, 1]
        seen = torch.stack((torch.sin(theta), torch.cos(theta), omega / 4.0), 1)
        share = self.policy(seen)[:, 0]
        cost = (
            2 * self.weights[0] * (1 - torch.cos(theta)) + self.weights[1] * omega**2 + self.effort * share**2
        )
        return torch.stack((omega, 9.81 * torch.sin(theta) + self.limit * share, cost), 1)


def peer(config: ControlConfig, adjoint: bool) -> Callable[[], float]:
    """An iteration of the same training with torchdiffeq."""
    twin, loop = ControlTrainer(config), PeerLoop(config)
    with torch.no_grad():
        for own, other in zip(loop.parameters(), twin.policy.parameters(), strict=True):
            own.copy_(other)
    adam = torch.optim.Adam(loop.parameters(), lr=config.lr)
    solve = torchdiffeq.odeint_adjoint if adjoint else torchdiffeq.odeint
    ts, done = torch.tensor([0.0, config.horizon]), 0

    def iterate() -> float:
        nonlocal done
        x = draw_starts(config, config.batch, np.random.default_rng((config.seed, done, 1)))
        adam.zero_grad()
        y0 = nn.functional.pad(x, (0, 1))
        ys = solve(loop, y0, ts, rtol=config.rtol, atol=config.atol, method="dopri5")
        loss = ys[-1, :, 2].mean() / config.horizon
        loss.backward()
        nn.utils.clip_grad_norm_(loop.parameters(), config.clip)
        adam.step()
        done += 1
        return float(loss.item())

    return iterate


def ours(config: ControlConfig) -> Callable[[], float]:
    """An iteration of `ControlTrainer`."""
    trainer = ControlTrainer(config)
    return lambda: trainer.iterate()["loss"]


def speed(turns: int) -> dict[str, Any]:
    """Iterations a second of processor time, and the losses of the first iterations, which must agree."""
    candidates = {
        "node_core, backprop": ours(SPEED),
        "node_core, adjoint": ours(replace(SPEED, gradient="adjoint")),
        "torchdiffeq, backprop": peer(SPEED, adjoint=False),
        "torchdiffeq, adjoint": peer(SPEED, adjoint=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    losses: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(turns + 1):
        for name, iterate in candidates.items():
            started = time.process_time()
            losses[name] += [iterate() for _ in range(TURN)]
            if turn > 0:  # the first one warms up
                seconds[name].append((time.process_time() - started) / TURN)
    return {
        name: {"iterations_per_second": 1 / median(values), "first_losses": losses[name][:3]}
        for name, values in seconds.items()
    }


def classical(config: ControlConfig) -> float:
    """The share of the same starts from which the saturated LQR succeeds."""
    policy = lqr_policy(plant_of(config), config.cost)
    return run_trials(loop_of(config, policy), held_out(config), config.judged, judge_of(config)).success


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Over the seeds."""
    reached = [run["seconds_to_95"] for run in runs]
    ratios = [run["ratio"] for run in runs if run["ratio"] is not None]
    return {
        "seconds_to_95": [None if value is None else round(value, 2) for value in reached],
        "final": [run["final"] for run in runs],
        "worst": min(run["final"] for run in runs),
        "cost_over_ilqr": [round(ratio, 4) for ratio in ratios],
        "runs": runs,
    }


def main() -> None:
    """Print the tables and, with --out, write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", metavar="what", help=", ".join(("speed", *CASES)))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    out, chosen = arguments.out, arguments.what or ("speed", *CASES)
    report: dict[str, Any] = json.loads(out.read_text()) if out and out.exists() else {"cases": {}}
    report |= {"torch": torch.__version__}
    if "speed" in chosen:
        report["speed"] = speed(arguments.turns)
        for name, row in report["speed"].items():
            print(f"{name:28s} {row['iterations_per_second']:8.1f} iterations/s", flush=True)
    for case in (case for case in CASES if case in chosen):
        runs = []
        for seed in range(arguments.seeds):
            runs.append(learn(replace(CASES[case], seed=seed)))
            told = ", ".join(f"{key} {value}" for key, value in runs[-1].items() if key != "success")
            print(f"{case}: {told}", flush=True)
            load, rival = round(os.getloadavg()[0], 1), classical(CASES[case])
            report["cases"][case] = {"load": load, "lqr": rival, **summary(runs)}
            if out:
                out.write_text(json.dumps(report, indent=1) + "\n")
    if out:
        out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
