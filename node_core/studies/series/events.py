"""How well the rate of events is known: a latent ODE beside moving averages of counts (Chen et al. 2018, Fig. 7)."""

from __future__ import annotations

import pickle

import numpy as np
import torch

from node_core.studies.series.questions_config import EventsConfig, EventsResult, Floats
from node_core.training.series.picture import MOST_TESTED, predict
from node_core.training.series.train import trained_model


def run(asked: EventsConfig, state: bytes) -> EventsResult:
    """Compare with the true rates, where events were given.

    Args:
        asked: the configuration.
        state: of its run, pickled.

    Raises:
        SolveError: the solver gave up.
        ValueError: the state is that of another run.
    """
    config = asked.run
    model, data = trained_model(config, pickle.loads(state))
    rows = data.test[:MOST_TESTED]
    given = data.given(rows, config.observations)
    inside = (data.observed.times <= data.split + 1e-9).numpy()
    with torch.no_grad():
        log_rates = predict(model, config, data, given, data.observed.times)
    true = data.truth[torch.from_numpy(rows)].exp().double().numpy()[:, inside, 0] / data.unit
    found = log_rates.exp().double().numpy()[:, inside, 0] / data.unit
    counts = data.observed.values[torch.from_numpy(rows)].double().numpy()[:, inside, 0]
    seen = (data.ranks[torch.from_numpy(rows)] < config.observations).numpy()[:, inside]
    width = data.width * data.unit
    averages = tuple(_rms(_average(counts, seen, round(w / width)) / width - true) for w in asked.widths)
    constant = (counts * seen).sum(1, keepdims=True) / seen.sum(1, keepdims=True) / width
    return EventsResult(asked, _rms(found - true), averages, _rms(constant - true), len(rows))


def _average(counts: Floats, seen: np.ndarray, size: int) -> Floats:
    """Mean count of the intervals that were given among `size` around each; of a whole series where there are none."""
    kernel = np.ones(max(1, size))
    total = np.stack([np.convolve(row, kernel, "same") for row in counts * seen])
    number = np.stack([np.convolve(row, kernel, "same") for row in seen.astype(float)])
    mean = (counts * seen).sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    return np.where(number > 0, total / np.maximum(number, 1), mean)


def _rms(off: Floats) -> float:
    return float(np.sqrt(np.mean(off**2)))
