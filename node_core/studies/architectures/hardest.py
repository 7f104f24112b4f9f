"""Which images are hard for an ODE-Net, computed: see `HardestConfig`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from node_core.models.depth import Continuous
from node_core.solution import StepLog
from node_core.solvers.methods import METHODS
from node_core.studies.architectures.net import trained_net
from node_core.studies.architectures.questions_config import Floats, HardestConfig, HardestResult
from node_core.training.images.build import PART, ask, solver_of

CLEAR = 0.2  # rank correlations below it are called none


def run(config: HardestConfig) -> HardestResult:
    """Solve every image with steps of its own.

    Raises:
        ValueError: the net can't be had.
        SolveError: the solver gave up.
    """
    net = trained_net(config.net)
    assert isinstance(net.model, Continuous)
    x, labels = net.x[: config.images], net.labels[: config.images]
    solver = replace(solver_of(config.net.train), batch="per_sample", rtol=config.rtol, atol=config.rtol)
    logits, costs = [], []
    with torch.no_grad():
        for part in x.split(PART):
            answer = ask(net.model, part, solver)
            assert answer.solution is not None
            logits.append(answer.logits)
            costs.append(costs_of_rows(answer.solution.steps, len(part), config.net.train.method))
    outputs, (nfe, accepted, rejected) = torch.cat(logits), np.concatenate(costs, 1)
    loss = functional.cross_entropy(outputs, labels, reduction="none").double().numpy()
    # hardest first; equals as they come: by their loss, those that are judged badly would look hard
    order = np.argsort(-nfe, kind="stable")
    predicted, right = outputs.argmax(1).numpy(), labels.numpy()
    pixels = net.data.x[net.data.test[: config.images]]
    found = rank_correlation(nfe, loss)
    return HardestResult(
        nfe[order],
        accepted[order],
        rejected[order],
        loss[order],
        (predicted != right)[order],
        right[order],
        predicted[order],
        pixels[order[: config.kept]],
        pixels[order[::-1][: config.kept]],
        np.array([nfe[right == digit].mean() if (right == digit).any() else math.nan for digit in range(10)]),
        found,
        _sentence(nfe, predicted != right, found),
    )


def costs_of_rows(steps: StepLog, rows: int, method: str) -> NDArray[np.float64]:
    """(nfe, accepted, rejected) of every row of a solve with steps of their own, (3, rows).

    An attempt costs all stages but the first, which is known; a method whose last stage is not the next first one
    evaluates that after each accepted step.
    """
    tableau = METHODS[method].tableau
    assert tableau is not None
    accepted = np.bincount(steps.sample[steps.accepted], minlength=rows).astype(float)
    attempts = np.bincount(steps.sample, minlength=rows).astype(float)
    nfe = 1 + (len(tableau.b) - 1) * attempts + (0 if tableau.fsal else accepted)
    return np.stack([nfe, accepted, attempts - accepted])


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's: that of the ranks, equal values sharing theirs; nan where all are equal."""
    ranks = []
    for values in (a, b):
        _, group, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[group])
    first, second = (rank - rank.mean() for rank in ranks)
    size = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size > 0 else math.nan


def _sentence(nfe: Floats, wrong: NDArray[np.bool_], correlation: float) -> str:
    low, high = int(nfe.min()), int(nfe.max())
    text = (
        f"An image takes {low} to {high} evaluations."
        if low < high
        else f"Every image takes {low} evaluations."
    )
    if low < high:
        values, counts = np.unique(nfe, return_counts=True)
        most = f"{counts.max()} of {len(nfe)} take {values[counts.argmax()]:.0f}"
        text += f" {most}: equals stand in the order of the data."
    if math.isfinite(correlation):
        if abs(correlation) < CLEAR:
            text += f" What is costly is not what is judged badly (rank correlation {correlation:.2f})."
        else:
            how = "worse" if correlation > 0 else "better"
            text += f" Costly images are judged {how} (rank correlation {correlation:.2f})."
    if wrong.any() and low < high:
        text += f" Those put into the wrong class take {nfe[wrong].mean():.0f}, the others {nfe[~wrong].mean():.0f}."
    return text
