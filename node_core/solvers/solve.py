"""One solve: picks the stepper for the method, runs the loop, and returns what it computed.

The gradient modes call this for the forward solve and for the augmented one backward; it knows nothing of either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.fields.own import own_method
from node_core.solution import Status
from node_core.solvers.array_calls import CountedArrays
from node_core.solvers.dense import DenseSolution
from node_core.solvers.dual import is_recorded
from node_core.solvers.events import Crossing, Event, Passed, adapted, with_passed
from node_core.solvers.field_clock import FieldClock
from node_core.solvers.fixed import integrate_fixed
from node_core.solvers.loop import LoopResult, Observer, Row, integrate
from node_core.solvers.methods import Method
from node_core.solvers.norms import LeadingNorm, NumpyNorm, Tolerance, TorchNorm, least
from node_core.solvers.problem import CountedField, Problem, Settings, TensorTime
from node_core.solvers.steppers.explicit import ExplicitStepper, explicit_stepper
from node_core.solvers.steppers.explicit_numpy import numpy_stepper
from node_core.solvers.steppers.implicit import ImplicitEuler, Trapezoid
from node_core.solvers.steppers.jacobian import LARGEST_DENSE, Jacobian, NumpyField, numpy_field
from node_core.solvers.steppers.rosenbrock import RosenbrockStepper
from node_core.solvers.steppers.scipy_reference import scipy_solve
from node_core.solvers.steppers.step import Array, Field, Step, Stepper
from node_core.solvers.steppers.symplectic import SymplecticStepper


@dataclass
class Solved:
    """What a solve computed.

    Attributes:
        ys: states at `times`.
        times: the output times that were reached, with the times of crossings that did not stop the solve, in their
            order; then the time of the event that did, if it came after the start.
        t_end: where it ended.
        rows: every attempt.
        nfe, n_jacobians: its cost.
        steps, stepper: the accepted steps if they were kept, and what made them.
        dense: y at given times, if the steps were kept.
        crossing, passed: the event that stopped the solve, and those that did not.
        row_status: how each row ended, where they have steps of their own.
        slope: f at the start, where steps were kept, or SciPy took them, and something had evaluated it.
        run: the `Run` that hid the solve from autograd, if one did.
        y_end: the state where it ended, if that is none of ys; of all rows where each has its own steps.
        sample: the row that failed, or else took the most steps, where each has its own.
        engine: what computed it (see `SolveStats`).
        tape: of a compiled solve, its own way back (see `node_core.native`).
    """

    ys: Tensor
    times: tuple[float, ...]
    t_end: float
    rows: list[Row]
    nfe: int
    status: Status
    message: str
    n_jacobians: int = 0
    steps: Sequence[Step] = field(default_factory=list)
    stepper: Stepper | None = None
    dense: Callable[[Sequence[float]], Tensor] | None = None
    crossing: Crossing | None = None
    passed: Sequence[Passed] = ()
    slope: Tensor | None = None
    row_status: tuple[Status, ...] | None = None
    run: Any = None
    y_end: Tensor | None = None
    sample: int | None = None
    engine: str = "torch"
    tape: Any = None

    @property
    def ends_with_event(self) -> bool:
        """Whether the last row of ys is the state at the event."""
        return self.crossing is not None and self.crossing.theta > 0.0


def solve(
    problem: Problem,
    *,
    keep_steps: bool = False,
    events: Sequence[Event] = (),
    observe: Observer | None = None,
    f0: Tensor | None = None,
    measured: int | None = None,
    bare: bool = False,
    stepper: Stepper | None = None,
) -> Solved:
    """Solve a problem; differentiable where torch's grad mode is on and the method is our own.

    Args:
        observe: called with (t, y) after every accepted step.
        f0: f(ts[0], y0) where it is known (its evaluation is not counted here).
        bare: nobody outside needs the steps, only dense output: fixed steps are made by the bare formulas, and a single
            small trajectory may run in numpy.
        measured: number of leading entries of a flat state that the error norm looks at (None: all).
        stepper: what makes the steps; None: the method's own.
    """
    settings = problem.settings
    if settings.method.family == "scipy":
        return _solve_by_scipy(problem, events, observe)
    if bare and _runs_in_numpy(problem, observe):
        return _solve_in_numpy(problem, keep_steps, events, f0)
    y0 = problem.y0
    f = CountedField(problem.f, y0)
    jacobian = None
    if stepper is None:
        stepper, jacobian = make_stepper(settings, problem.f, y0, problem.params, problem.clock)
    norm = (
        LeadingNorm(settings.rtol, settings.atol, measured)
        if measured
        else TorchNorm(settings.rtol, settings.atol, settings.norm)
    )
    plain = bare and not events and problem.clock is None
    if plain and isinstance(stepper, ExplicitStepper) and not stepper.adaptive:
        result, f = _run_bare(stepper, problem, keep_steps, f0)
    else:
        result = _run(stepper, f, y0, problem, norm, keep_steps, events, observe, f0)
    dense = None
    if keep_steps:
        own = CountedField(problem.f, y0)
        dense = DenseSolution(stepper, own, result.steps, y0, result.t, torch.cat, problem.clock)
    return _solved(problem, result, torch.cat(_chunks(result)), f.nfe, stepper, jacobian, dense)


def make_stepper(
    settings: Settings,
    f: Field,
    y0: Tensor,
    params: Sequence[Tensor] = (),
    clock: FieldClock | None = None,
) -> tuple[Stepper, Jacobian | None]:
    """The stepper of the method, and the Jacobian it uses, if any.

    Args:
        f: the field as the stepper will call it.
        params: what f is differentiated by.
        clock: of a field that jumps.
    """
    method = settings.method
    if method.tableau is not None:
        return explicit_stepper(method.tableau, y0.dtype, y0.device), None
    if method.splitting is not None:
        return SymplecticStepper(method.splitting, anew=clock is not None), None
    jacobian = Jacobian(f, settings.jacobian)
    if method.name == "rodas5p":
        return RosenbrockStepper(jacobian, time_epsilon=settings.time_epsilon), jacobian
    kind = ImplicitEuler if method.name == "implicit_euler" else Trapezoid
    return kind(jacobian, params, clock), jacobian


def _run(
    stepper: Stepper,
    f: Field,
    y0: Array,
    problem: Problem,
    norm: NumpyNorm,
    keep_steps: bool,
    events: Sequence[Event],
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
        events=events,
        observe=observe,
        f0=f0,
        clock=problem.clock,
        max_step=settings.max_step,
        min_step=settings.min_step,
    )


def _run_bare(
    stepper: ExplicitStepper, problem: Problem, keep_steps: bool, f0: Tensor | None
) -> tuple[LoopResult, CountedField]:
    """The bare fixed steps, and the field that counted them."""
    settings, field, dtype = problem.settings, problem.f, None
    assert settings.dt is not None, "the front door checks dt"
    if isinstance(field, TensorTime):
        dtype, field = field.dtype, field.field
    f = CountedField(field, problem.y0)
    result = integrate_fixed(
        stepper,
        f,
        problem.y0,
        problem.ts,
        settings.dt,
        limits=settings.limits,
        time_dtype=dtype,
        keep_steps=keep_steps,
        f0=f0,
    )
    return result, f


def _solved(
    problem: Problem,
    result: LoopResult,
    ys: Tensor,
    nfe: int,
    stepper: Stepper,
    jacobian: Jacobian | None,
    dense: Callable[[Sequence[float]], Tensor] | None,
) -> Solved:
    return Solved(
        ys=ys,
        times=_times(problem, result),
        t_end=result.t,
        rows=result.rows,
        nfe=nfe + (jacobian.nfe if jacobian is not None else 0),
        status=result.status,
        message=result.message,
        n_jacobians=jacobian.calls if jacobian is not None else 0,
        steps=result.steps,
        stepper=stepper,
        dense=dense,
        crossing=result.crossing,
        passed=result.passed,
        slope=_first_slope(problem.settings.method, result.steps),
        y_end=torch.from_numpy(result.y) if isinstance(result.y, np.ndarray) else result.y.detach(),
        engine="closed form" if getattr(problem.f, "closed_form", False) else "torch",
    )


def _first_slope(method: Method, steps: Sequence[Step]) -> Tensor | None:
    """f where the first step begins; None where nothing evaluated it."""
    if not steps:
        return None
    found, stages = steps[0].f0, steps[0].result.stages
    if found is None and method.splitting is not None:
        return None  # it asks for the forces alone
    if found is None:
        # Rosenbrock methods are always given it.
        found = stages if method.tableau is None else stages[0]
    return torch.from_numpy(found) if isinstance(found, np.ndarray) else found


def _chunks(result: LoopResult) -> list[Array]:
    """The chunks of ys, with the state at an event after the start."""
    crossing = result.crossing
    return result.ys if crossing is None or crossing.theta == 0.0 else [*result.ys, crossing.y[None]]


def _times(problem: Problem, result: LoopResult) -> tuple[float, ...]:
    """The times of the rows of ys."""
    crossing = result.crossing
    event = () if crossing is None or crossing.theta == 0.0 else (crossing.t,)
    return with_passed(problem.ts[: result.n_outputs], result.passed) + event


def _runs_in_numpy(problem: Problem, observe: Observer | None) -> bool:
    """A single small trajectory: numpy's calls cost a fraction of torch's.

    An explicit method calls f so often that its conversion would eat the gain: there f must know numpy itself.
    """
    y0 = problem.y0
    knows_numpy = bool(getattr(problem.f, "accepts_numpy", False))
    return (
        (knows_numpy or (problem.settings.method.family == "implicit" and y0.numel() <= LARGEST_DENSE))
        and problem.settings.method.family != "symplectic"  # it asks a `CountedField` for its halves
        and observe is None
        and not is_recorded()
        and y0.ndim == 1
        and y0.dtype == torch.float64
        and y0.device.type == "cpu"
        and (problem.settings.jacobian is None or knows_numpy)
    )


def _solve_in_numpy(problem: Problem, keep_steps: bool, events: Sequence[Event], f0: Tensor | None) -> Solved:
    bare, y0 = numpy_field(problem.f), problem.y0.detach().numpy()
    asked: Field = getattr(bare, "function", bare)
    if bare is not problem.f:
        checked = CountedField(problem.f, problem.y0)

        def asked(t: float, y: Array) -> Array:
            with torch.no_grad():
                return checked(t, torch.from_numpy(y)).numpy()

    f, later = CountedArrays(asked, y0.shape), CountedArrays(asked, y0.shape)
    tableau = problem.settings.method.tableau
    stepper: Stepper
    if tableau is not None:
        stepper, jacobian = numpy_stepper(tableau), None
    else:
        stepper, jacobian = make_stepper(problem.settings, bare, problem.y0)
    norm = NumpyNorm(problem.settings.rtol, problem.settings.atol, problem.settings.norm)
    numpy_events = adapted(events, lambda g: lambda t, y: g(t, torch.from_numpy(y)))
    start = None if f0 is None else f0.detach().numpy()
    result = _run(stepper, f, y0, problem, norm, keep_steps, numpy_events, f0=start)
    dense = None
    if keep_steps:
        inner = DenseSolution(stepper, later, result.steps, y0, result.t, np.concatenate, problem.clock)
        dense = lambda times: torch.from_numpy(inner(times))  # noqa: E731
    calls = f.nfe + (bare.nfe if isinstance(bare, NumpyField) else 0)
    ys = torch.from_numpy(np.concatenate(_chunks(result)))
    solved = _solved(problem, result, ys, calls, stepper, jacobian, dense)
    # Kept steps hold numpy states here: nobody outside may take them for tensors.
    solved.steps, solved.engine = [], "numpy"
    if solved.crossing is not None:
        solved.crossing = solved.crossing._replace(y=torch.from_numpy(solved.crossing.y))
    return solved


def _flat(tolerance: Tolerance, y0: Tensor) -> float | NDArray[np.float64]:
    """A tolerance for each entry of the flat state."""
    if not isinstance(tolerance, Tensor):
        return tolerance
    return np.asarray(tolerance.expand(y0.shape).reshape(-1).double().cpu().numpy())


def _solve_by_scipy(problem: Problem, events: Sequence[Event], observe: Observer | None) -> Solved:
    """One of SciPy's solvers, on float64 arrays: no gradients, and tensors come back in the state's own type."""
    settings, y0 = problem.settings, problem.y0.detach()
    bare, checked = numpy_field(problem.f), CountedField(problem.f, y0)
    jacobian = settings.jacobian
    if bare is problem.f:
        jacobian = jacobian or own_method(bare, "jacobian")
    matrix = Jacobian(problem.f, jacobian)
    arrays = CountedArrays(getattr(bare, "function", bare), tuple(y0.shape))
    if bare is not problem.f and jacobian is not None:
        jacobian = lambda t, y: to_numpy(matrix(t, to_tensor(y)))  # noqa: E731

    def to_numpy(values: Tensor) -> NDArray[np.float64]:
        return np.asarray(values.double().cpu().numpy())

    def to_tensor(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(dtype=y0.dtype, device=y0.device)

    def f(t: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        if bare is problem.f:
            return arrays.lend(t, y)
        with torch.no_grad():
            return to_numpy(checked(t, to_tensor(y)))

    result = scipy_solve(
        settings.method.name,
        f,
        to_numpy(y0),
        problem.ts,
        least(settings.rtol),
        _flat(settings.atol, y0),
        settings.limits.max_steps,
        jacobian,
        adapted(events, lambda g: lambda t, y: g(t, to_tensor(y))),
        settings.limits.time_limit,
        problem.clock,
        settings.max_step,
        settings.dt0,
    )
    if observe is not None and result.rows:
        ends = [t + dt for t, dt, _, _ in result.rows[:-1]] + [result.t_end]
        for t, y in zip(ends, to_tensor(result.dense(ends)), strict=True):
            observe(t, y)
    crossing = None
    if result.status is Status.EVENT:
        theta = float(result.t_end != problem.ts[0])
        crossing = Crossing(result.t_end, to_tensor(result.y_end), theta, result.stopped_by)
    ys, times = to_tensor(result.ys), result.times
    if crossing is not None and crossing.theta > 0.0:
        times, ys = (*times, crossing.t), torch.cat((ys, crossing.y[None]))
    return Solved(
        ys=ys,
        times=times,
        t_end=result.t_end,
        rows=list(result.rows),
        nfe=result.nfe + matrix.nfe,
        status=result.status,
        message=result.message,
        n_jacobians=result.n_jacobians,
        dense=lambda times: to_tensor(result.dense(times)),
        crossing=crossing,
        passed=result.passed,
        slope=None if result.slope is None else to_tensor(result.slope),
        y_end=to_tensor(result.y_end),
        engine="scipy",
    )
