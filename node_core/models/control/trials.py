"""Trials of a controller: it is let loose on many starts, and judged by where they are in the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.models.control.controlled import Controlled
from node_core.settings import SolverSettings

Floats = NDArray[np.floating]

HELD = 1.0
"""Seconds at the end of a trial for which the plant must be at its target."""
EVERY = 0.05
"""Seconds between two looks at it."""


@dataclass(frozen=True, eq=False)
class Trials:
    """What became of n starts.

    Args:
        ts: (time,), from 0 to the end of the trial, however far the solver came.
        x: (time, n, dim); what was not reached is NaN.
        cost: J of each start, (n,); NaN without a cost or an end.
        arrived: whether a start is at its target at a time, (time, n).
        nfe: evaluations of the closed loop.
    """

    ts: Floats
    x: Floats
    cost: Floats
    arrived: NDArray[np.bool_]
    nfe: int

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Whether a start was at its target for the whole last second, (n,)."""
        return self.arrived[self.ts >= self.ts[-1] - HELD - 1e-9].all(0)

    @property
    def success(self) -> float:
        """The share of starts that succeeded."""
        return float(self.succeeded.mean())

    @property
    def times(self) -> Floats:
        """When a start came to its target to stay there until the end, (n,); infinite where it did not succeed."""
        # an entry is true from where on the start never left again
        stays = np.flip(np.logical_and.accumulate(np.flip(self.arrived, 0), 0), 0)
        first = self.ts[stays.argmax(0)]
        return np.where(self.succeeded, first, np.inf)


@torch.no_grad()
def run_trials(loop: Controlled, x: Tensor, seconds: float, solver: SolverSettings) -> Trials:
    """Let a closed loop go from the starts x (n, dim) for some seconds.

    What the solver can't follow counts as not arrived: a controller that flings its plant away has failed, and is no
    reason to stop judging others.
    """
    ts = torch.linspace(0.0, seconds, max(2, round(seconds / EVERY) + 1), dtype=torch.float64)
    solution = solver.solve(loop, loop.start(x), ts, dense=False, on_error="return")
    ys = solution.ys
    if len(ys) < len(ts):
        ys = torch.cat((ys, ys.new_full((len(ts) - len(ys), *ys.shape[1:]), np.nan)))
    plant = loop.plant.plant
    paths = ys[..., : plant.dim].numpy()
    cost = loop.total_cost(ys[-1], seconds) if loop.cost is not None else ys.new_full(x.shape[:1], np.nan)
    return Trials(ts.numpy(), paths, cost.numpy(), np.asarray(plant.arrived(paths)), solution.stats.nfe)
