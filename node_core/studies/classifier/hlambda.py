"""The cloud of h lambda, computed: see `node_core.studies.classifier.hlambda_config`."""

from __future__ import annotations

import numpy as np
import torch

from node_core.studies.classifier.hlambda_config import HLambdaConfig, HLambdaResult
from node_core.studies.classifier.trained import trained_odenet
from node_core.training.classifier.build import solver_of


def run(config: HLambdaConfig) -> HLambdaResult:
    """Follow the points with the training's solver, and take the field's Jacobian where each step begins.

    Raises:
        ValueError: the training exploded, or the checkpoint is refused.
        SolveError: the solver gave up.
    """
    trained = trained_odenet(config.train, config.iterations, config.checkpoint)
    model, settings = trained.model, solver_of(trained.config)
    x = trained.x[: config.points]
    with torch.no_grad():
        steps = model.solve(x, solver=settings).steps
        t, dt = steps.t[steps.accepted], steps.dt[steps.accepted]
        # The same steps again, now with an output where each begins: outputs don't move the steps.
        ts = torch.tensor([*t.tolist(), model.t1], dtype=torch.float64)
        ys = model.solve(x, ts, settings).ys[:-1]
        times = torch.tensor(t, dtype=ys.dtype).view(-1, 1, 1).expand(*ys.shape[:-1], 1)
        jacobians = model.field.jacobian(times, ys).double().numpy()
    eigenvalues = np.asarray(np.linalg.eigvals(jacobians), dtype=np.complex128)
    h_lambda = np.asarray(dt[:, None, None] * eigenvalues, dtype=np.complex128)
    labels = trained.labels[: config.points].numpy()
    return HLambdaResult(trained.config.method, t, dt, h_lambda, labels, float(np.abs(h_lambda).max()))
