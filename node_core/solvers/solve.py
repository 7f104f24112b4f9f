"""One solve: picks the stepper for the method, runs the loop, and returns what it computed.

The gradient modes call this for the forward solve and for the augmented one backward; it knows nothing of either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.solution import Status
from node_core.solvers.dense import DenseSolution
from node_core.solvers.events import Crossing, Event
from node_core.solvers.explicit import explicit_stepper
from node_core.solvers.explicit_numpy import numpy_stepper
from node_core.solvers.implicit import ImplicitEuler, Trapezoid
from node_core.solvers.jacobian import Jacobian, jacobian_of, numpy_field
from node_core.solvers.loop import LoopResult, Observer, Row, integrate
from node_core.solvers.norms import NumpyNorm, TorchNorm
from node_core.solvers.problem import CountedField, Problem, Settings
from node_core.solvers.rosenbrock import RosenbrockStepper
from node_core.solvers.scipy_reference import scipy_solve
from node_core.solvers.step import Array, Field, Step, Stepper


@dataclass
class Solved:
    """What a solve computed.

    Attributes:
        ys: states at the first ys.shape[0] output times.
        t_end: where it ended.
        rows: every attempt.
        nfe, n_jacobians: its cost.
        steps, stepper: the accepted steps if they were kept, and what made them.
        dense: y at given times, if the steps were kept.
    """

    ys: Tensor
    t_end: float
    rows: list[Row]
    nfe: int
    status: Status
    message: str
    n_jacobians: int = 0
    steps: list[Step] = field(default_factory=list)
    stepper: Stepper | None = None
    dense: Callable[[Sequence[float]], Tensor] | None = None
    crossing: Crossing | None = None


class LeadingNorm(TorchNorm):
    """Measures only the first entries of a flat state: the seminorm of Kidger, Chen and Lyons 2021."""

    def __init__(self, rtol: float, atol: float, entries: int) -> None:
        super().__init__(rtol, atol)
        self._entries = entries

    def __call__(self, x: Array, a: Array, b: Array) -> float:
        """Return the norm of the leading entries of x."""
        n = self._entries
        return super().__call__(x[:n], a[:n], b[:n])


def solve(
    problem: Problem,
    *,
    keep_steps: bool = False,
    event: Event | None = None,
    observe: Observer | None = None,
    f0: Tensor | None = None,
    measured: int | None = None,
    numpy: bool = False,
) -> Solved:
    """Solve a problem; differentiable where torch's grad mode is on and the method is our own.

    Args:
        observe: called with (t, y) after every accepted step.
        f0: f(ts[0], y0) where it is known (its evaluation is not counted here).
        numpy: a single small trajectory may run in numpy; its steps are not kept then, only its dense output.
        measured: number of leading entries of a flat state that the error norm looks at (None: all).
    """
    settings = problem.settings
    if settings.method.family == "scipy":
        return _solve_by_scipy(problem, event, observe)
    if numpy and _runs_in_numpy(problem, observe):
        return _solve_in_numpy(problem, keep_steps, event, f0)
    y0 = problem.y0
    f = CountedField(problem.f, y0)
    stepper, jacobian = make_stepper(settings, problem.f, y0)
    norm = (
        LeadingNorm(settings.rtol, settings.atol, measured)
        if measured
        else TorchNorm(settings.rtol, settings.atol)
    )
    result = _run(stepper, f, y0, problem, norm, keep_steps, event, observe, f0)
    dense = DenseSolution(stepper, problem.f, result.steps, y0, result.t, torch.stack) if keep_steps else None
    return _solved(result, torch.cat(result.ys), f.nfe, stepper, jacobian, dense)


def make_stepper(settings: Settings, f: Field, y0: Tensor) -> tuple[Stepper, Jacobian | None]:
    """The stepper of the method, and the Jacobian it uses, if any."""
    method = settings.method
    if method.tableau is not None:
        return explicit_stepper(method.tableau, y0.dtype, y0.device), None
    jacobian = jacobian_of(f, settings.jacobian)
    if method.name == "rodas5p":
        return RosenbrockStepper(jacobian), jacobian
    return (ImplicitEuler if method.name == "implicit_euler" else Trapezoid)(jacobian), jacobian


def _run(
    stepper: Stepper,
    f: Field,
    y0: Array,
    problem: Problem,
    norm: NumpyNorm,
    keep_steps: bool,
    event: Event | None,
    observe: Observer | None = None,
    f0: Array | None = None,
) -> LoopResult:
    settings = problem.settings
    return integrate(
        stepper,
        f,
        y0,
        problem.ts,
        norm=norm,
        dt=settings.dt if settings.controller is None else settings.dt0,
        controller=settings.controller,
        limits=settings.limits,
        keep_steps=keep_steps,
        event=event,
        observe=observe,
        f0=f0,
    )


def _solved(
    result: LoopResult,
    ys: Tensor,
    nfe: int,
    stepper: Stepper,
    jacobian: Jacobian | None,
    dense: Callable[[Sequence[float]], Tensor] | None,
) -> Solved:
    return Solved(
        ys=ys,
        t_end=result.t,
        rows=result.rows,
        nfe=nfe,
        status=result.status,
        message=result.message,
        n_jacobians=jacobian.calls if jacobian is not None else 0,
        steps=result.steps,
        stepper=stepper,
        dense=dense,
        crossing=result.crossing,
    )


def _runs_in_numpy(problem: Problem, observe: Observer | None) -> bool:
    """A single small trajectory: numpy's calls cost a fraction of torch's.

    An explicit method calls f so often that its conversion would eat the gain: there f must know numpy itself.
    """
    y0 = problem.y0
    knows_numpy = bool(getattr(problem.f, "accepts_numpy", False))
    return (
        (knows_numpy or problem.settings.method.family == "implicit")
        and observe is None
        and not torch.is_grad_enabled()
        and y0.ndim == 1
        and y0.dtype == torch.float64
        and y0.device.type == "cpu"
        and (problem.settings.jacobian is None or knows_numpy)
    )


def _solve_in_numpy(problem: Problem, keep_steps: bool, event: Event | None, f0: Tensor | None) -> Solved:
    bare = numpy_field(problem.f)
    y0 = problem.y0.detach().numpy()
    calls = 0

    def f(t: float, y: Array) -> Array:
        nonlocal calls
        calls += 1
        if calls == 1 and bare is not problem.f:
            with torch.no_grad():  # the first result of a torch field is checked, as everywhere
                return CountedField(problem.f, problem.y0)(t, torch.from_numpy(y)).numpy()
        return bare(t, y)

    tableau = problem.settings.method.tableau
    stepper: Stepper
    if tableau is not None:
        stepper, jacobian = numpy_stepper(tableau), None
    else:
        stepper, jacobian = make_stepper(problem.settings, bare, problem.y0)
    norm = NumpyNorm(problem.settings.rtol, problem.settings.atol)
    numpy_event: Event | None = None
    if event is not None:
        numpy_event = lambda t, y: event(t, torch.from_numpy(y))  # noqa: E731
    start = None if f0 is None else f0.detach().numpy()
    result = _run(stepper, f, y0, problem, norm, keep_steps, numpy_event, f0=start)
    dense = None
    if keep_steps:
        inner = DenseSolution(stepper, bare, result.steps, y0, result.t, np.stack)
        dense = lambda times: torch.from_numpy(inner(times))  # noqa: E731
    solved = _solved(result, torch.from_numpy(np.concatenate(result.ys)), calls, stepper, jacobian, dense)
    # Kept steps hold numpy states here: nobody outside may take them for tensors.
    solved.steps = []
    if solved.crossing is not None:
        solved.crossing = Crossing(solved.crossing.t, torch.from_numpy(solved.crossing.y))
    return solved


def _solve_by_scipy(problem: Problem, event: Event | None, observe: Observer | None) -> Solved:
    """One of SciPy's solvers, on float64 arrays: no gradients, and tensors come back in the state's own type."""
    settings, y0 = problem.settings, problem.y0.detach()
    bare, checked = numpy_field(problem.f), CountedField(problem.f, y0)
    jacobian = settings.jacobian
    if jacobian is None and bare is problem.f:
        jacobian = getattr(bare, "jacobian", None)

    def to_tensor(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(dtype=y0.dtype, device=y0.device)

    def f(t: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        if bare is problem.f:
            return np.asarray(bare(t, y))
        with torch.no_grad():
            return np.asarray(checked(t, to_tensor(y)).cpu().numpy(), dtype=np.float64)

    result = scipy_solve(
        settings.method.name,
        f,
        y0.cpu().numpy(),
        problem.ts,
        settings.rtol,
        settings.atol,
        settings.limits.max_steps,
        jacobian,
        None if event is None else lambda t, y: event(t, to_tensor(y)),
        settings.limits.time_limit,
    )
    if observe is not None and result.rows:
        ends = [t + dt for t, dt, _, _ in result.rows[:-1]] + [result.t_end]
        for t, y in zip(ends, to_tensor(result.dense(ends)), strict=True):
            observe(t, y)
    return Solved(
        ys=to_tensor(result.ys),
        t_end=result.t_end,
        rows=list(result.rows),
        nfe=result.nfe,
        status=result.status,
        message=result.message,
        n_jacobians=result.n_jacobians,
        dense=lambda times: to_tensor(result.dense(times)),
        crossing=Crossing(result.t_end, to_tensor(result.y_end)) if result.status is Status.EVENT else None,
    )
