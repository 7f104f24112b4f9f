"""Which part of the interaction a universal ODE has learned, beside that of a fit of Lotka-Volterra."""

from __future__ import annotations

import pickle

import numpy as np
import torch

from node_core.models.series.mechanistic import DirectFit, UniversalODE
from node_core.studies.series.questions_config import (
    Floats,
    InteractionConfig,
    InteractionResult,
    RatesConfig,
)
from node_core.studies.series.rates import best_fit, curve, observations
from node_core.training.series.train import trained_model

MARGIN = 0.5  # of the logarithms, around the path
TIMES = 121


def run(asked: InteractionConfig, state: bytes) -> InteractionResult:
    """Look at the net along the fitted path, and in the plane around it.

    Args:
        asked: the configuration.
        state: of its run, pickled.

    Raises:
        ValueError: the state is that of another run, or the series can't be fitted.
    """
    model, data = trained_model(asked.run, pickle.loads(state))
    assert isinstance(model, DirectFit) and isinstance(model.field, UniversalODE)
    net = model.field.net
    t, logs, split = observations(RatesConfig(asked.run), data.series)
    fit = best_fit(t[t <= split], logs[t <= split], 4, asked.seed)
    _, beta, _, delta = np.exp(fit.theta[:4])
    path = curve(fit.theta, np.linspace(t[0], split, TIMES))
    low, high = path.min(0) - MARGIN, path.max(0) + MARGIN
    axes = [np.linspace(a, b, asked.cells) for a, b in zip(low, high, strict=True)]
    plane = np.stack(np.meshgrid(*axes, indexing="ij"), -1)

    def learned(at: Floats) -> Floats:
        u = data.scale.to_model(np.zeros(at.shape[:-1]).reshape(-1), np.exp(at.reshape(-1, 2)))
        with torch.no_grad():
            found = net(0.0, torch.from_numpy(u).float()).double().numpy()
        return found.reshape(at.shape) / data.unit

    def fitted(at: Floats) -> Floats:
        x, y = np.exp(at[..., 0]), np.exp(at[..., 1])
        return np.stack((-beta * y, delta * x), -1)

    one, other = learned(path), fitted(path)
    means = one.mean(0), other.mean(0)
    one, other = one - means[0], other - means[1]
    wide, true = learned(plane) - means[0], fitted(plane) - means[1]
    return InteractionResult(
        asked,
        np.exp(axes[0]),
        np.exp(axes[1]),
        wide,
        true,
        np.exp(path),
        one,
        other,
        (one * other).mean(0) / np.maximum(one.std(0) * other.std(0), 1e-12),
        _rms(one - other) / _rms(other),
        _rms(wide - true) / _rms(true),
    )


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
