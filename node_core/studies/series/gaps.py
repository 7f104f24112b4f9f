"""Models of series beside straight lines and splines, on the same observations: who is how far off in the gaps?"""

from __future__ import annotations

import pickle

import numpy as np
import torch
from torch import Tensor

from node_core.models.series.baselines import BASELINES, Baseline, baseline
from node_core.models.series.observed import Observed
from node_core.studies.series.gaps_config import GapsConfig, GapsResult, Score
from node_core.training.series.picture import predict, rmse, tested
from node_core.training.series.train import trained_model

MOST = 40  # series: a smoothing spline chooses its weight by trying


def run(asked: GapsConfig, *states: bytes) -> GapsResult:
    """Score all on the series for testing; models that are fitted to one series, on that one.

    Args:
        asked: the configurations.
        states: of their runs, pickled.

    Raises:
        SolveError: a solver gave up.
        ValueError: a state is that of another run.
    """
    models = [trained_model(each, pickle.loads(raw)) for each, raw in zip(asked.runs, states, strict=True)]
    direct = [each.direct for each in asked.runs]
    first = direct.index(True) if any(direct) else 0
    config, data = asked.runs[first], models[first][1]
    rows, observed = tested(config, data)
    rows, given = rows[:MOST], Observed(observed.times, observed.values[:MOST], observed.mask[:MOST])
    ts = data.observed.times

    def score(name: str, said: Tensor) -> Score:
        inside, beyond = rmse(said, config, data, rows, given).values()
        return Score(name, *(value if isinstance(value, float) else None for value in (inside, beyond)))

    with torch.no_grad():
        found = [
            score(each.model, predict(model, each, own, given, ts))
            for each, (model, own) in zip(asked.runs, models, strict=True)
        ]
    plain = () if data.width else tuple(score(name, said_by(name, given, ts)) for name in BASELINES)
    return GapsResult(tuple(found), plain, len(rows), bool((~data.truth[rows].isnan()).any()))


def said_by(name: Baseline, given: Observed, ts: Tensor) -> Tensor:
    """What a method without training says of a batch at times ts (T,): (B, T, D), in the models' units."""
    x = torch.where(given.mask, given.values, torch.nan).numpy()
    t = given.times.numpy()
    return torch.from_numpy(np.stack([baseline(name, t, each, ts.numpy()) for each in x]))
