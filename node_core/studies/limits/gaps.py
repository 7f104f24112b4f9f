"""Filling the gaps of a series, and going on after it: a cubic spline, a GRU and a latent ODE. See `GapsConfig`."""

from __future__ import annotations

import time

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from node_core.models.classifier import count_parameters
from node_core.models.series.observed import Observed
from node_core.studies.limits.gaps_config import SERIES_LABELS, GapsConfig, GapsResult, GapsWay
from node_core.training.series.data import Prepared, prepared
from node_core.training.series.picture import predict
from node_core.training.series.train import SeriesTrainer


def run(config: GapsConfig) -> GapsResult:
    """Fit or train every way, and judge it on the series for testing.

    Raises:
        ValueError: a training exploded.
        SolveError: the solver gave up.
    """
    data = prepared(config.train("latent_ode"))
    given = data.given(data.test, config.observations)
    ways = tuple(
        _spline(data, given) if name == "spline" else _net(config, name, data, given)
        for name in SERIES_LABELS
    )
    return GapsResult(config, ways, len(data.test))


def _net(config: GapsConfig, name: str, data: Prepared, given: Observed) -> GapsWay:
    train = config.train(name)
    trainer = SeriesTrainer(train)
    started = time.process_time()
    for _ in range(config.iterations):
        trainer.iterate()
    seconds = time.process_time() - started
    with torch.no_grad():
        predicted = predict(trainer.model, train, data, given, data.observed.times)
    return GapsWay(name, *_errors(data, given, predicted), seconds, count_parameters([trainer.model]))


def _spline(data: Prepared, given: Observed) -> GapsWay:
    """A natural cubic spline through each series' observations, which goes on as its last piece does."""
    started = time.process_time()
    ts, seen = given.times.double().numpy(), given.mask.any(-1).numpy()
    curves = [
        CubicSpline(ts[rows], values[rows].double().numpy(), bc_type="natural")(data.observed.times.numpy())
        for rows, values in zip(seen, given.values, strict=True)
    ]
    seconds = time.process_time() - started
    predicted = torch.from_numpy(np.stack(curves))
    return GapsWay("spline", *_errors(data, given, predicted), seconds, 0)


def _errors(data: Prepared, given: Observed, predicted: Tensor) -> tuple[float, float]:
    """Root mean squares in the data's unit, from each series' first observation to the split, and after it."""
    ts = data.observed.times
    first = torch.where(given.mask.any(-1), given.times, torch.inf).amin(1)
    off = (predicted - data.truth[torch.from_numpy(data.test)]) * torch.from_numpy(data.scale.std)
    off = torch.where((ts >= first.unsqueeze(1) - 1e-9).unsqueeze(-1), off, torch.nan)
    late = ts > data.split + 1e-9
    return _rms(off[:, ~late]), _rms(off[:, late])


def _rms(off: Tensor) -> float:
    return float(off.square().nanmean().sqrt())
