"""What the coordinates of a latent ODE's z0 mean: curves as one of them is varied (Chen et al. 2018, Figure 9)."""

from __future__ import annotations

import pickle

import numpy as np
import torch

from node_core.models.series.latent import LatentODE
from node_core.studies.series.questions_config import LatentConfig, LatentResult
from node_core.training.series.build import solver_of
from node_core.training.series.picture import MOST_TESTED, given_of, index_of
from node_core.training.series.train import trained_model

TIMES = 121


def run(asked: LatentConfig, state: bytes) -> LatentResult:
    """Encode the series that is shown, move one coordinate, and decode.

    Args:
        asked: the configuration.
        state: of its run, pickled.

    Raises:
        SolveError: the solver gave up.
        ValueError: the state is that of another run.
    """
    config = asked.run
    model, data = trained_model(config, pickle.loads(state))
    assert isinstance(model, LatentODE)
    ts = torch.linspace(0.0, data.end, TIMES, dtype=torch.float64)
    offsets = torch.linspace(-asked.reach, asked.reach, asked.steps)
    with torch.no_grad():
        many = model.encode(data.given(data.test[:MOST_TESTED], config.observations), 0.0)
        spread = many.mean.std(0, unbiased=False)
        z = model.encode(given_of(config, data), 0.0).mean
        moved = z.repeat(asked.steps, 1)
        moved[:, asked.coordinate] += offsets * spread[asked.coordinate]
        # one solve for what is shown, and for each coordinate a step to both sides
        sides = torch.cat([z + sign * torch.diag(spread) for sign in (1.0, -1.0)])
        values = model.decode(torch.cat((moved, sides)), ts, solver_of(config)).values.transpose(0, 1)
    up, down = values[asked.steps :].chunk(2)
    influence = (0.5 * (up - down)).square().mean((1, 2)).sqrt()
    i, t = index_of(config, data), ts.numpy()
    return LatentResult(
        asked,
        offsets.double().numpy(),
        data.times(i, t),
        data.to_data(i, t, values[: asked.steps].double().numpy()),
        spread.double().numpy(),
        many.log_std.exp().mean(0).double().numpy(),
        np.asarray(influence.double().numpy()),
    )
