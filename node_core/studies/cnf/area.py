"""The field's Jacobian where a particle is, of the net that is being trained. Runs in a worker.

    det(I + eps J) = 1 + eps tr J + eps^2 det J + ...        (the last term, in the plane)

so that the density, which falls as areas grow, changes by -tr J in time (Chen et al. 2018, Theorem 1).
"""

from __future__ import annotations

import torch

from node_core.cnf.continuous import CNF
from node_core.studies.cnf.area_config import AreaConfig, AreaResult
from node_core.studies.cnf.audit import state_for
from node_core.training.flow.config import PARTICLES
from node_core.training.flow.train import trained_flow


def run(config: AreaConfig, state: bytes | None = None) -> AreaResult:
    """Follow the particle to the time, and differentiate the field there.

    Args:
        config: where to look.
        state: a live run's state, as its worker pickled it; None for the run's beginning.

    Raises:
        ValueError: the state belongs to a run of another structure.
        SolveError: the solver gave up.
    """
    found = state_for(config.run, state)
    flow = trained_flow(config.run, found)
    assert isinstance(flow, CNF)
    start = flow.base.sample(PARTICLES, config.run.seed)[config.particle : config.particle + 1]
    ts = sorted({flow.t0, config.t, flow.t1})
    z = flow.trajectory(start, ts).z[ts.index(config.t), 0]
    time = z.new_tensor(config.t)

    def f(y: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(flow.field(time, y[None])[0])

    jacobian = torch.autograd.functional.jacobian(f, z)
    return AreaResult(config, found.iteration, z.double().numpy(), jacobian.detach().double().numpy())
