"""Audit of a flow: does its density sum to 1, does it find back, is the estimated trace right? Runs in a worker."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from node_core.cnf.continuous import CNF, Flowed
from node_core.cnf.divergence import Divergence
from node_core.cnf.flow import Flow
from node_core.cnf.targets import Target
from node_core.runs.state import TrainState
from node_core.solvers.methods import METHODS
from node_core.studies.cnf.audit_config import Band, Check, CNFAuditConfig, CNFAuditResult
from node_core.training.flow import picture
from node_core.training.flow.build import entropy_of, target_of
from node_core.training.flow.config import CNFConfig, cnf_structure
from node_core.training.flow.train import initial_state, trained_flow

TIGHT = 1e-5

_SEED = 7_001  # samples that no iteration has seen


def run(config: CNFAuditConfig, state: bytes | None = None) -> CNFAuditResult:
    """Audit the flow of `config.run`.

    Args:
        config: what to look at.
        state: a live run's state, as its worker pickled it; None for the run's beginning.

    Raises:
        ValueError: the state belongs to a run of another structure.
        SolveError: the solver gave up.
    """
    found = state_for(config.run, state)
    flow, target = trained_flow(config.run, found), target_of(config.run.target)
    x = torch.from_numpy(target.sample(config.samples, _SEED))
    with torch.no_grad():
        likelihood = float(flow.log_prob(x).mean())
        checks = [_check(flow, target, x, config.cells, _label(config.run))]
        if isinstance(flow, CNF):
            own = flow.solver
            flow.solver = replace(own, method="dopri5", rtol=TIGHT, atol=TIGHT, dt=None)
            checks.append(_check(flow, target, x, config.cells, f"Dormand-Prince, tolerance {TIGHT:g}"))
            flow.solver = own
        band = _band(flow, config) if isinstance(flow, CNF) else None
    best = entropy_of(config.run.target)
    return CNFAuditResult(
        config,
        found.iteration,
        tuple(checks),
        likelihood,
        None if best is None else -best,
        band,
    )


def state_for(run: CNFConfig, state: bytes | None) -> TrainState:
    """A live run's state, as its worker pickled it; None for the run's beginning.

    Raises:
        ValueError: it belongs to a run of another structure.
    """
    found = initial_state(run) if state is None else pickle.loads(state)
    assert isinstance(found, TrainState)
    if found.structure != cnf_structure(run):
        raise ValueError(
            "the run has just begun anew with another target, flow or seed: look again in a moment."
        )
    return found


def _check(flow: Flow, target: Target, x: Tensor, cells: int, label: str) -> Check:
    there = flow.inverse(x)
    distance = (flow.forward(there[0])[0] - x).norm(dim=1)
    nfe = there.solution.stats.nfe if isinstance(there, Flowed) else 0
    integral = picture.integral(flow, target, cells)
    return Check(label, integral, np.sort(distance.double().numpy()), nfe)


def _label(run: CNFConfig) -> str:
    if run.flow != "cnf":
        return "its explicit layers and their inverse"
    method = METHODS[run.method]
    return f"{method.label}, " + (f"tolerance {run.rtol:g}" if method.adaptive else f"h = {run.dt:g}")


def _band(flow: CNF, config: CNFAuditConfig) -> Band:
    """One path from the noise; the estimates are integrated along it by the trapezoidal rule, as the exact trace is."""
    start = flow.base.sample(1, _SEED)
    path = flow.trajectory(start, config.times)
    ts = path.ts.double().numpy()
    rule = Divergence("hutchinson", "gaussian")
    noise = rule.draw(start.expand(config.draws, -1), _SEED)
    accepts_float = getattr(flow.field, "accepts_float_time", False)
    rates = []
    for t, z in zip(ts.tolist(), path.z, strict=True):
        time = t if accepts_float else z.new_tensor(t)
        rates.append(rule.measure(flow.field, time, z.expand(config.draws, -1), noise).divergence)
    estimated = -torch.stack(rates, 1).double().numpy()
    exact = -path.divergence[:, 0].double().numpy()
    first = float(path.log_prob[0, 0])
    return Band(ts, first + _integrated(exact[None], ts)[0], first + _integrated(estimated, ts))


def _integrated(rates: np.ndarray, ts: np.ndarray) -> np.ndarray:
    """Integral from ts[0] to each time, by the trapezoidal rule: (rows, times)."""
    parts = 0.5 * (rates[:, 1:] + rates[:, :-1]) * np.diff(ts)
    return np.concatenate([np.zeros((len(rates), 1)), parts.cumsum(1)], 1)
