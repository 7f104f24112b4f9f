"""Which pairs of noise and data an iteration of flow matching joins, by the objective."""

from __future__ import annotations

import functools
from dataclasses import fields, replace

import numpy as np
import torch

from node_core.cnf.bases import Base
from node_core.cnf.continuous import CNF
from node_core.cnf.matching import Pairs, independent_pairs, reflow_pairs, transport_pairs
from node_core.cnf.targets import Target
from node_core.training.flow.build import build_flow, solver_of
from node_core.training.flow.config import STRUCTURE, CNFConfig
from node_core.training.trainer import adopt

REFLOW_PAIRS = 20_000
REFLOW_TOLERANCE = 1e-4
_REFLOW = 3  # a stream of random numbers of its own: the particles of a picture are not learned by heart


def sampled_pairs(config: CNFConfig, target: Target, base: Base, seeds: tuple[int, int]) -> Pairs:
    """A batch of noise and of the target, joined as they come or by optimal transport.

    Args:
        config: of the training.
        target: what is learned.
        base: the density of the noise.
        seeds: of the samples and of the noise.
    """
    x = torch.from_numpy(target.sample(config.batch, seeds[0]))
    z = base.sample(config.batch, seeds[1])
    return transport_pairs(z, x) if config.objective == "ot_flow_matching" else independent_pairs(z, x)


def own_pairs(config: CNFConfig, teacher: np.ndarray, rng: np.random.Generator) -> Pairs:
    """A batch of the `REFLOW_PAIRS` pairs that a flow with the teacher's weights joins.

    Raises:
        SolveError: that flow can't be solved.
    """
    z, x = _all_pairs(_what_matters(config), np.ascontiguousarray(teacher, dtype=np.float32).tobytes())
    chosen = torch.from_numpy(rng.integers(len(z), size=config.batch))
    return Pairs(z[chosen], x[chosen])


@functools.lru_cache(maxsize=4)
def _all_pairs(config: CNFConfig, teacher: bytes) -> Pairs:
    """All of them, kept for the next chunk in this worker; another one makes them anew from the teacher."""
    flow = build_flow(config)
    assert isinstance(flow, CNF)
    adopt(flow, torch.from_numpy(np.frombuffer(teacher, dtype=np.float32).copy()))
    flow.solver = replace(
        solver_of(config), method="dopri5", rtol=REFLOW_TOLERANCE, atol=REFLOW_TOLERANCE, dt=None
    )
    seed = np.random.SeedSequence((config.seed, _REFLOW)).generate_state(1)[0]
    return reflow_pairs(flow, REFLOW_PAIRS, int(seed))


def _what_matters(config: CNFConfig) -> CNFConfig:
    """The configuration with everything as by default that has no part in a flow's paths."""
    plain = CNFConfig()
    kept = {*STRUCTURE, "t1"}
    other = {f.name: getattr(plain, f.name) for f in fields(config) if f.name not in kept}
    return replace(config, **{**other, "start": "", "objective": plain.objective})
