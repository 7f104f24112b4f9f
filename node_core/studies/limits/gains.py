"""What continuous depth buys, measured on a trained net: see `GainsConfig`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from node_core.models.odenet import ODENet
from node_core.settings import SolverSettings
from node_core.studies.limits.gains_config import GainsConfig, GainsResult
from node_core.training.classifier.build import accuracy_of, dataset, trained_model
from node_core.training.classifier.checkpoint import pretrained

RTOLS = (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-5)
TIGHT = 1e-6


@torch.no_grad()
def run(config: GainsConfig) -> GainsResult:
    """Solve the net's points in several ways.

    Raises:
        ValueError: there is no such net.
    """
    saved = pretrained(config.net)
    data, model = dataset(saved.config.data), trained_model(saved.config, saved.state).double()
    assert isinstance(model, ODENet)
    x, labels = torch.from_numpy(data.x).double(), torch.from_numpy(data.labels)
    own = SolverSettings("dopri5", config.rtol, config.rtol)
    ts = torch.linspace(0.0, model.t1, config.times, dtype=torch.float64)
    tight = model.solve(x, ts, SolverSettings("dopri5", TIGHT, TIGHT)).ys
    once, asked = model.solve(x, solver=own), model.solve(x, ts, own)
    alone = model.solve(x, solver=replace(own, batch="per_sample"))
    steps = np.bincount(alone.steps.sample, minlength=len(x))
    nfes, accuracies = [], []
    for rtol in RTOLS:
        solution = model.solve(x, solver=SolverSettings("dopri5", rtol, rtol))
        nfes.append(solution.stats.nfe)
        accuracies.append(accuracy_of(model.read(solution.ys[-1]), labels, None))
    errors = (asked.ys - tight).norm(dim=-1).amax(1) / tight.norm(dim=-1).max()
    return GainsResult(
        config,
        float(errors.max()),
        float(errors[-1]),
        once.stats.nfe,
        asked.stats.nfe,
        int(steps.min()),
        int(steps.max()),
        np.array(RTOLS),
        np.array(nfes),
        np.array(accuracies),
    )
