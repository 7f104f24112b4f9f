"""The order in which causes are looked for: first what needs the fewest questions, and leaves no doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from node_core.fields.recalled import without_autocast
from node_core.solution import Cause, Diagnosis, Status, StepLog
from node_core.solvers.diagnosis.blow_up import overflow, singularity
from node_core.solvers.diagnosis.field_faults import no_derivative, noise, nowhere_at_start, undefined
from node_core.solvers.diagnosis.fixed_step import too_long
from node_core.solvers.diagnosis.jumps import jump
from node_core.solvers.diagnosis.scene import Asking, Dense, Finding, Scene, SpentError, flat
from node_core.solvers.diagnosis.step_faults import length, limited, rounding, stiffness, too_short
from node_core.solvers.problem import Problem, Settings
from node_core.solvers.solve import Solved

# Attempts; attempts, and the share of them that is rejected: a solve that crawls.
MANY, SEVERAL, OFTEN = 500, 50, 0.4
SHARE = 0.25  # of a solve's own time is what its diagnosis may take, where there was a limit
HARDLY = 0.25  # s that it may take in any case

Fault = Callable[[Scene], Finding | None]
OF_THE_FIELD: tuple[Fault, ...] = (nowhere_at_start, noise, undefined, no_derivative)
OF_THE_SOLUTION: tuple[Fault, ...] = (undefined, singularity, overflow)
OF_THE_STEPS: tuple[Fault, ...] = (
    singularity,
    overflow,
    limited,
    jump,
    stiffness,
    rounding,
    too_short,
    length,
)


@dataclass(frozen=True)
class Record:
    """What a diagnosis needs of a solve, without its graph.

    Attributes:
        log: every attempt.
        status, t, y, sample: how and where it ended, and in which row where each has its own steps.
        dense: states at times that were passed, if they were kept.
        seconds: how long it took.
    """

    log: StepLog
    status: Status
    t: float
    y: Tensor
    sample: int | None = None
    dense: Dense | None = None
    seconds: float = 0.0

    @classmethod
    def of(
        cls,
        solved: Solved,
        restore: Callable[[Tensor], Tensor] = lambda y: y,
        dense: Dense | None = None,
        seconds: float = 0.0,
    ) -> Record:
        """The record of a solve; of the row that failed or tried most, where each has its own steps.

        Args:
            restore: states in the layout of the problem that will be asked.
        """
        log, t = StepLog.from_rows(solved.rows), solved.t_end
        y = restore(solved.ys[-1:] if solved.y_end is None else solved.y_end[None])[0]
        if solved.y_end is None:
            t = solved.times[-1]
        sample = solved.sample
        if sample is not None:
            log, y = log.of(sample), y[sample : sample + 1]
            t = _end_of(log, t)
        return cls(log, solved.status, t, y.detach(), sample, dense, seconds)


def _end_of(log: StepLog, start: float) -> float:
    """Where a row stands."""
    if not len(log):
        return start
    return float(log.t[-1] + log.dt[-1] * log.accepted[-1])


def crawls(log: StepLog) -> bool:
    """Whether a solve took many steps, or had many of them rejected."""
    return len(log) >= MANY or (len(log) >= SEVERAL and log.n_rejected >= OFTEN * len(log))


def diagnose(problem: Problem, record: Record) -> Diagnosis:
    """Say why a solve failed, or crawled; f is asked at most `MOST_EVALUATIONS` times more, in `Diagnosis.nfe`.

    Nothing is asked of a solve that ended well with few attempts. The random numbers that f draws here leave torch's
    generator on the CPU as it was.

    Args:
        problem: in the layout of `record`.
        record: how it ended.
    """
    if record.status.ok and not crawls(record.log):
        return _told(Finding(Cause.NONE, "nothing is wrong: few attempts reached the end", {}, ""), record, 0)
    scene = _scene(problem, record)
    aside = without_autocast(record.y.device.type)
    with aside, torch.random.fork_rng(devices=[]), np.errstate(all="ignore"):
        try:
            found = _first(scene, problem)
        except SpentError:
            found = length(scene)
        except (
            Exception
        ):  # of a field in a state that no solve has seen: the failure itself must be told all the same
            found = None
    return _told(found or _unknown(scene), record, scene.ask.nfe)


def _first(scene: Scene, problem: Problem) -> Finding | None:
    """The first fault that is found."""
    for fault in OF_THE_FIELD:
        found = fault(scene)
        if found is not None:
            return found
    if not problem.settings.method.adaptive:
        return too_long(scene, problem, OF_THE_SOLUTION) or length(scene)
    for fault in OF_THE_STEPS:
        for place in _places(scene) if fault is stiffness else (scene,):
            found = fault(place)
            if found is not None:
                return found
    return None


def _places(scene: Scene) -> Iterator[Scene]:
    """Where the solve stands and, where its states were kept, where it stood after most of its steps."""
    yield scene
    accepted = np.flatnonzero(scene.log.accepted)
    for share in (0.8, 0.5) if scene.dense is not None and len(accepted) > 2 else ():
        i = int(accepted[int(share * len(accepted))])
        t = float(scene.log.t[i])
        y = scene.state_at(t)
        if y is not None and np.isfinite(y).all():
            yield replace(scene, t=t, y=y, log=scene.log[: i + 1], status=Status.MAX_STEPS)


def _scene(problem: Problem, record: Record) -> Scene:
    settings, start, end = _settings(problem, record), problem.ts[0], problem.ts[-1]
    limit = settings.limits.time_limit
    ask = Asking(
        _row_field(problem, record),
        record.y,
        None if limit is None else max(HARDLY, SHARE * limit),
    )
    start_state = problem.y0 if record.sample is None else problem.y0[record.sample : record.sample + 1]
    return Scene(
        ask, record.y.shape, record.t, flat(record.y), record.log, record.status, settings, start, end,
        flat(start_state), record.dense, record.sample, record.seconds,
    )  # fmt: skip


def _settings(problem: Problem, record: Record) -> Settings:
    """How it was solved; for one row, with its own tolerances."""
    settings, i = problem.settings, record.sample

    def own(tolerance: Any) -> Any:
        rows = isinstance(tolerance, Tensor) and tolerance.ndim == problem.y0.ndim and len(tolerance) > 1
        return tolerance[i : i + 1] if rows and i is not None else tolerance

    return replace(settings, rtol=own(settings.rtol), atol=own(settings.atol))


def _row_field(problem: Problem, record: Record) -> Callable[[float, Tensor], Tensor]:
    """f on the piece where the solve stands; for one row, with its time as f knows it."""
    f, clock, y = problem.f, problem.clock, record.y
    if clock is not None:
        clock.enter(record.t, problem.ts[-1] - record.t)
    if record.sample is None:
        return f
    shape = (1, *[1] * (y.ndim - 1))
    return lambda t, y: f(y.new_full(shape, t if clock is None else clock(t)), y)


def _unknown(scene: Scene) -> Finding:
    if scene.status.ok:
        return Finding(
            Cause.NONE,
            f"nothing is wrong: accuracy holds the steps, {scene.log.n_accepted} of {len(scene.log)} attempts were "
            "accepted",
            {"attempts": float(len(scene.log)), "rejected": float(scene.log.n_rejected)},
            "",
        )
    return Finding(
        Cause.UNKNOWN,
        f"neither its record nor f around y = {_short(scene)} tells why",
        {"attempts": float(len(scene.log)), "rejected": float(scene.log.n_rejected)},
        "look at sol.steps and at f there, and try another method or tolerance",
    )


def _short(scene: Scene) -> str:
    return np.array2string(scene.y[:4], precision=4) + ("" if scene.y.size <= 4 else "...")


def _told(found: Finding, record: Record, nfe: int) -> Diagnosis:
    return Diagnosis(
        found.cause,
        found.evidence,
        {name: float(value) for name, value in found.numbers.items()},
        found.remedy,
        dict(found.changes),
        record.t,
        record.sample,
        nfe,
    )
