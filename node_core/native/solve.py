"""A solve by the compiled kernel where it can do what is asked for, and by torch where not.

The kernel takes an MLPField by an explicit method, on the CPU, in float32 or float64, outside of autograd; everything
else goes to `node_core.solvers`: events, jumps, rows with steps of their own, implicit methods, tangents, watchers. So
does a solve that cannot go on: torch makes it again, finds what is wrong, and says it in its own words.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from node_core.native.library import ACTIVATIONS, Functions, Job, Network, Tableau, functions
from node_core.native.tape import Tape, TapedSteps
from node_core.solution import Status
from node_core.solvers.controllers import SMALLEST_MEMORY, Controller
from node_core.solvers.dense import DenseSolution
from node_core.solvers.dual import is_recorded
from node_core.solvers.events import Event
from node_core.solvers.loop import Limits
from node_core.solvers.problem import CountedField, Problem, Settings
from node_core.solvers.reasons import out_of_time
from node_core.solvers.solve import Solved, solve
from node_core.solvers.steppers.explicit import ExplicitStepper, explicit_stepper
from node_core.solvers.steppers.step import Step
from node_core.solvers.tableaus.tableau import ButcherTableau

TAPE_BYTES = 64_000_000  # of activations; the way back makes the others again
NOTHING, STEPS, EVALUATIONS = range(3)  # what a solve keeps
DONE, OUT_OF_TIME = range(2)  # how it ended; else torch shall say
MOST_STAGES = 32  # of a step and its dense output, as way_back.hpp has room for
KNOWN = {"method", "rtol", "atol", "controller", "dt", "dt0", "max_step", "limits", "time_epsilon"}


def solve_fast(
    problem: Problem, *, keep: int, events: Sequence[Event] = (), f0: Tensor | None = None, bare: bool = False
) -> Solved:
    """Solve as `solvers.solve` does, by the kernel if it can.

    Args:
        keep: NOTHING; STEPS, for dense output and a way back that makes the activations again; or EVALUATIONS, with
            the activations where f can keep them.
        events, f0, bare: as there.
    """
    if not events and f0 is None and not is_recorded():
        kernel = _kernel_for(problem)
        solved = None if kernel is None else _solve(kernel, problem, keep)
        if solved is not None:
            return solved
    if keep == EVALUATIONS and hasattr(problem.f, "keep_evaluations"):
        problem.f.keep_evaluations(problem.y0.shape[-1])
    return solve(problem, keep_steps=keep != NOTHING, events=events, f0=f0, bare=bare)


def _kernel_for(problem: Problem) -> Functions | None:
    """The kernel, if this problem is one for it."""
    y0, settings = problem.y0, problem.settings
    network = getattr(problem.f, "snapshot", None)
    tableau = settings.method.tableau
    if network is None or problem.clock is not None or tableau is None or math.isinf(problem.ts[-1]):
        return None
    if len(tableau.dense_output().coefficients) > MOST_STAGES:
        return None
    if y0.device.type != "cpu" or y0.ndim != 2 or y0.shape[0] != network.dim or not y0.numel():
        return None
    if network.activation not in ACTIVATIONS or len(network.hidden) > 3 or network.flat.dtype != y0.dtype:
        return None
    return functions(y0.dtype) if _are_plain(settings) else None


def _are_plain(settings: Settings) -> bool:
    """Whether nothing is asked for that the kernel was not written for."""
    numbers = (settings.rtol, settings.atol, settings.max_step, settings.dt or 0.0, settings.dt0 or 0.0)
    others = [f for f in fields(settings) if f.name not in KNOWN]
    return (
        type(settings.limits) is Limits
        and type(settings.controller) in (Controller, type(None))
        and all(isinstance(x, (int, float)) for x in numbers)
        and (isinstance(settings.atol, (int, float)) and settings.atol > 0.0)
        and (settings.controller is None) == (settings.dt is not None)
        and all(getattr(settings, f.name) == f.default for f in others)
    )


class _Table:
    """A tableau in the kernel's form, with the memory that it points to."""

    def __init__(self, tableau: ButcherTableau, stepper: ExplicitStepper) -> None:
        dense = tableau.dense_output()
        total = len(dense.coefficients)
        a = np.zeros((total, total))
        for i, row in enumerate((*tableau.a, *dense.extra_a)):
            a[i, : len(row)] = row
        error = None if tableau.b_error is None else np.array(tableau.b_error, dtype=np.float64)
        c = np.array((*tableau.c, *dense.extra_c), dtype=np.float64)
        self.arrays = (a, np.array(tableau.b, dtype=np.float64), error, c, np.array(dense.coefficients))
        self.form = Tableau(
            tableau.stages,
            total,
            len(stepper.end.c),
            tableau.fsal,
            tableau.dense_needs_f1,
            tableau.error_order,
            dense.degree,
            *(None if array is None else array.ctypes.data for array in self.arrays),
        )


@cache
def _table(stepper: ExplicitStepper) -> _Table:
    return _Table(stepper.tableau, stepper)


def _solve(kernel: Functions, problem: Problem, keep: int) -> Solved | None:
    """What the kernel computed; None where it could not go on."""
    settings, y0, network = problem.settings, problem.y0, problem.f.snapshot  # type: ignore[attr-defined]
    tableau = settings.method.tableau
    assert tableau is not None
    stepper = explicit_stepper(tableau, y0.dtype, y0.device)
    start, ts, table = y0.detach().T.contiguous(), np.array(problem.ts), _table(stepper)
    ys = start.new_empty(len(ts), *start.shape)
    job = Job(
        Network(
            network.dim,
            network.time_dependent,
            len(network.hidden),
            ACTIVATIONS.index(network.activation),
            network.hidden,
            network.flat.data_ptr(),
        )
    )
    job.tableau = ctypes.addressof(table.form)
    job.y0, job.ys, job.ts = start.data_ptr(), ys.data_ptr(), ts.ctypes.data
    job.batch, job.n_ts, job.tape_bytes, job.keep = len(start), len(ts), TAPE_BYTES, keep
    slope = torch.empty_like(start)
    job.slope = slope.data_ptr()
    _set_steps(job, settings)
    handle = kernel.solve(ctypes.addressof(job))
    if not handle:
        return None
    tape = Tape(kernel, handle, job, y0.detach(), tableau.stages, tableau.fsal)
    if job.status not in (DONE, OUT_OF_TIME):
        return None
    solved = Solved(
        ys=ys[: job.n_outputs].transpose(1, 2),
        times=problem.ts[: job.n_outputs],
        t_end=job.t_end,
        rows=tape.rows(),
        nfe=job.nfe,
        status=Status.SUCCESS,
        message="reached the end of the time span",
        stepper=stepper,
        slope=slope.T,
        engine="native",
    )
    if job.status == OUT_OF_TIME:
        message = out_of_time(settings.limits.time_limit, job.t_end, problem.ts[-1])
        solved = replace(solved, status=Status.TIME_LIMIT, message=message)
    if keep == NOTHING:
        return solved
    steps = TapedSteps(tape)
    dense = _Dense(steps, stepper, problem, job.t_end)
    return replace(solved, steps=steps, dense=dense, tape=tape)


def _set_steps(job: Job, settings: Settings) -> None:
    """Tolerances, step sizes, controller and limits."""
    controller, limit = settings.controller, settings.limits.time_limit
    job.rtol, job.atol, job.max_step = settings.rtol, settings.atol, settings.max_step
    job.dt, job.dt0 = settings.dt or 0.0, settings.dt0 or 0.0
    job.max_steps, job.time_limit = settings.limits.max_steps, math.inf if limit is None else limit
    if controller is not None:
        job.beta, job.safety, job.floor = controller.beta, controller.safety, SMALLEST_MEMORY
        job.smallest, job.largest = controller.smallest, controller.largest


class _Dense:
    """Dense output from a tape's steps, made when it is first asked for."""

    def __init__(
        self, steps: Sequence[Step], stepper: ExplicitStepper, problem: Problem, t_end: float
    ) -> None:
        self._steps, self._stepper, self._problem, self._t_end = steps, stepper, problem, t_end

    def __call__(self, times: Sequence[float]) -> Tensor:
        """Return y at each time."""
        return self._made(times)

    @cached_property
    def _made(self) -> DenseSolution:
        problem = self._problem
        with torch.no_grad():  # as the solve was
            own = CountedField(problem.f, problem.y0)
            return DenseSolution(self._stepper, own, self._steps, problem.y0, self._t_end, torch.cat)
