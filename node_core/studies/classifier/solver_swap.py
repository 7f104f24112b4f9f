"""Solver swap, computed: see `node_core.studies.classifier.solver_swap_config`."""

from __future__ import annotations

import torch
from torch import Tensor

from node_core.settings import SolverSettings
from node_core.solution import SolveError
from node_core.solvers.methods import METHODS
from node_core.studies.classifier.solver_swap_config import (
    SolverSwapConfig,
    SolverSwapResult,
    SwapEntry,
    Verdict,
)
from node_core.studies.classifier.trained import Trained, trained_odenet
from node_core.training.classifier.build import accuracy_of, loss_of, solver_of

REFERENCE = SolverSettings("dopri5", 1e-5, 1e-5, max_steps=5000, time_limit=5.0)
TOLERATED = 0.02  # of accuracy


def run(config: SolverSwapConfig) -> SolverSwapResult:
    """Train or load, then judge with every solver.

    Raises:
        ValueError: the training exploded, or the checkpoint is refused.
        SolveError: the reference gave up.
    """
    trained = trained_odenet(config.train, config.iterations, config.checkpoint)
    end = trained.config.t1
    with torch.no_grad():
        final = trained.model.solve(trained.x, solver=REFERENCE).ys[-1]
        reference = _judge(trained, REFERENCE, final)
        own = _judge(trained, solver_of(trained.config), final)
        entries = tuple(
            _judge(trained, SolverSettings(method, dt=min(dt, end)), final)
            for method in config.methods
            for dt in config.dts
        )
    return SolverSwapResult(own, reference, entries, *verdict_on(own, reference))


def verdict_on(own: SwapEntry, reference: SwapEntry) -> tuple[Verdict, str]:
    """Whether the accuracy at the training's step is (nearly) that of the accurate solve, and that as a sentence.

    That the accuracy tends to the reference's as h falls would tell nothing: it does so for whatever was learned.
    """
    is_ode = abs(own.accuracy - reference.accuracy) <= TOLERATED
    label = METHODS[own.method].label + ("" if own.dt is None else f" with steps of {own.dt:g}")
    sentence = (
        f"Trained with {label}: {own.accuracy:.0%} correct; solved accurately, the same weights reach "
        f"{reference.accuracy:.0%}. "
        + (
            f"The same within {100 * TOLERATED:.0f} points: as far as the classes tell, the flow of an ODE."
            if is_ode
            else "What was learned belongs to the solver, it is no ODE."
        )
    )
    return "ode" if is_ode else "not an ode", sentence


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
