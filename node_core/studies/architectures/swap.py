"""Other tolerances and solvers after the training, computed: see `SwapConfig`."""

from __future__ import annotations

import math
import time

import torch

from node_core.settings import SolverSettings
from node_core.solution import SolveError
from node_core.studies.architectures.net import Trained, trained_net
from node_core.studies.architectures.questions_config import SwapConfig, SwapEntry, SwapResult
from node_core.training.images.build import MAX_STEPS, PART, ask, solver_of


def run(config: SwapConfig) -> SwapResult:
    """Judge the net with every solver.

    Raises:
        ValueError: the net can't be had.
    """
    net, own = trained_net(config.net), solver_of(config.net.train)
    others = [SolverSettings("dopri5", rtol, rtol, max_steps=MAX_STEPS) for rtol in config.rtols]
    others += [SolverSettings(method, dt=dt) for method, dt in config.fixed]
    entries = [_judge(net, own, trained=True)]
    entries += [_judge(net, other) for other in others if _steps_of(other) != _steps_of(own)]
    return SwapResult(tuple(entries), len(net.x))


def _steps_of(solver: SolverSettings) -> tuple[object, ...]:
    """What determines its way forward."""
    return (solver.method, solver.dt) if solver.dt is not None else (solver.method, solver.rtol, solver.atol)


def _judge(net: Trained, solver: SolverSettings, *, trained: bool = False) -> SwapEntry:
    """All test images, part by part; the evaluations are those of the part that needs the most."""
    wrong, nfe, started = 0, 0, time.process_time()
    rtol = math.nan if solver.dt is not None else solver.rtol
    dt = math.nan if solver.dt is None else solver.dt
    try:
        with torch.no_grad():
            for x, labels in zip(net.x.split(PART), net.labels.split(PART), strict=True):
                answer = ask(net.model, x, solver)
                assert answer.solution is not None
                wrong += int((answer.logits.argmax(1) != labels).sum())
                nfe = max(nfe, answer.solution.stats.nfe)
    except SolveError:
        return SwapEntry(solver.method, rtol, dt, math.nan, 0, math.nan, trained)
    seconds = time.process_time() - started
    return SwapEntry(solver.method, rtol, dt, wrong / len(net.x), nfe, seconds, trained)
