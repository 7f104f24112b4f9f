"""Solver swap, computed: see `node_core.studies.solver_swap_config`."""

from __future__ import annotations

import torch
from torch import Tensor

from node_core.models.settings import SolverSettings
from node_core.solution import SolveError
from node_core.solvers.methods import METHODS
from node_core.studies.solver_swap_config import SolverSwapConfig, SolverSwapResult, SwapEntry
from node_core.studies.trained import Trained, trained_odenet
from node_core.training.build import accuracy_of, loss_of, solver_of

REFERENCE = SolverSettings("dopri5", 1e-5, 1e-5, max_steps=5000, time_limit=5.0)
_TOLERATED = 0.02  # of accuracy


def run(config: SolverSwapConfig) -> SolverSwapResult:
    """Train or load, then judge with every solver.

    Raises:
        ValueError: the training exploded, or the checkpoint is refused.
        SolveError: the reference gave up.
    """
    trained = trained_odenet(config.train, config.iterations, config.checkpoint)
    end = trained.config.t1
    reference_settings = SolverSettings(
        REFERENCE.method,
        REFERENCE.rtol,
        REFERENCE.atol,
        t1=end,
        max_steps=REFERENCE.max_steps,
        time_limit=5.0,
    )
    with torch.no_grad():
        final = trained.model.solve(trained.x, solver=reference_settings).ys[-1]
        reference = _judge(trained, reference_settings, final)
        own = _judge(trained, solver_of(trained.config), final)
        entries = tuple(
            _judge(trained, SolverSettings(method, t1=end, dt=min(dt, end)), final)
            for method in config.methods
            for dt in config.dts
        )
    lost = own.accuracy - reference.accuracy
    is_ode = lost <= _TOLERATED
    label = METHODS[own.method].label + ("" if own.dt is None else f" with steps of {own.dt:g}")
    sentence = (
        f"Trained with {label}: {own.accuracy:.0%} correct; solved accurately, the same weights reach "
        f"{reference.accuracy:.0%}. "
        + (
            "They describe the flow of an ODE."
            if is_ode
            else "What was learned belongs to the solver, it is no ODE."
        )
    )
    return SolverSwapResult(own, reference, entries, "ode" if is_ode else "not an ode", sentence)


def _judge(trained: Trained, settings: SolverSettings, final: Tensor) -> SwapEntry:
    try:
        solution = trained.model.solve(trained.x, solver=settings)
    except SolveError:
        nan = float("nan")
        return SwapEntry(settings.method, settings.dt, nan, nan, 0, nan)
    ys = solution.ys[-1]
    outputs = trained.model.read(ys)
    return SwapEntry(
        settings.method,
        settings.dt,
        accuracy_of(outputs, trained.labels, None),
        loss_of(outputs, trained.labels, None).item(),
        solution.stats.nfe,
        (ys - final).square().mean().sqrt().item(),
    )
