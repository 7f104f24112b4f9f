"""How far off trained models are when they are given fewer observations, or more, than they learned with."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import torch

from node_core.studies.series.questions_config import ObservationsConfig, ObservationsResult
from node_core.training.series.picture import MOST_TESTED, errors
from node_core.training.series.train import trained_model


def run(asked: ObservationsConfig, *states: bytes) -> ObservationsResult:
    """Give each model so many observations of every series for testing.

    Args:
        asked: the configurations.
        states: of their runs, pickled.

    Raises:
        SolveError: a solver gave up.
        ValueError: a state is that of another run.
    """
    inside = np.full((len(asked.runs), len(asked.counts)), np.nan)
    beyond = inside.copy()
    count = 0
    for i, (config, raw) in enumerate(zip(asked.runs, states, strict=True)):
        model, data = trained_model(config, pickle.loads(raw))
        count = min(MOST_TESTED, len(data.test))
        for j, observations in enumerate(asked.counts):
            with torch.no_grad():
                found = errors(model, replace(config, observations=observations), data)
            for table, name in ((inside, "rmse_inside"), (beyond, "rmse_beyond")):
                value = found[name]
                table[i, j] = value if isinstance(value, float) else np.nan
    return ObservationsResult(asked, inside, beyond, count)
