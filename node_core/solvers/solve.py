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
from node_core.solvers.dense import DenseSolution
from node_core.solvers.dual import is_recorded
from node_core.solvers.events import Crossing, Event
from node_core.solvers.field_clock import FieldClock
from node_core.solvers.fixed import integrate_fixed
from node_core.solvers.loop import LoopResult, Observer, Row, integrate
from node_core.solvers.methods import Method
from node_core.solvers.norms import NumpyNorm, TorchNorm
from node_core.solvers.problem import CountedField, Problem, Settings, TensorTime
from node_core.solvers.steppers.explicit import ExplicitStepper, explicit_stepper
from node_core.solvers.steppers.explicit_numpy import numpy_stepper
from node_core.solvers.steppers.implicit import ImplicitEuler, Trapezoid
from node_core.solvers.steppers.jacobian import Jacobian, NumpyField, numpy_field
from node_core.solvers.steppers.rosenbrock import RosenbrockStepper
from node_core.solvers.steppers.scipy_reference import scipy_solve
from node_core.solvers.steppers.step import Array, Field, Step, Stepper


@dataclass
class Solved:
    """What a solve computed.

    Attributes:
        ys: states at `times`.
        times: the output times that were reached, then the time of an event after the start.
        t_end: where it ended.
        rows: every attempt.
        nfe, n_jacobians: its cost.
        steps, stepper: the accepted steps if they were kept, and what made them.
        dense: y at given times, if the steps were kept.
        slope: f at the start, where steps were kept, or SciPy took them, and something had evaluated it.
        run: the `Run` that hid the solve from autograd, if one did.
    """

    ys: Tensor
    times: tuple[float, ...]
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
    slope: Tensor | None = None
    run: Any = None

    @property
    def ends_with_event(self) -> bool:
        """Whether the last row of ys is the state at the event."""
        return self.crossing is not None and self.crossing.theta > 0.0


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
    bare: bool = False,
) -> Solved:
    """Solve a problem; differentiable where torch's grad mode is on and the method is our own.

    Args:
        observe: called with (t, y) after every accepted step.
        f0: f(ts[0], y0) where it is known (its evaluation is not counted here).
        bare: nobody outside needs the steps, only dense output: fixed steps are made by the bare formulas, and a single
            small trajectory may run in numpy.
        measured: number of leading entries of a flat state that the error norm looks at (None: all).
    """
    settings = problem.settings
    if settings.method.family == "scipy":
        return _solve_by_scipy(problem, event, observe)
    if bare and _runs_in_numpy(problem, observe):
        return _solve_in_numpy(problem, keep_steps, event, f0)
    y0 = problem.y0
    f = CountedField(problem.f, y0)
    stepper, jacobian = make_stepper(settings, problem.f, y0, problem.params, problem.clock)
    norm = (
        LeadingNorm(settings.rtol, settings.atol, measured)
        if measured
        else TorchNorm(settings.rtol, settings.atol)
    )
    plain = bare and event is None and problem.clock is None
    if plain and isinstance(stepper, ExplicitStepper) and not stepper.adaptive:
        result, f = _run_bare(stepper, problem, keep_steps, f0)
    else:
        result = _run(stepper, f, y0, problem, norm, keep_steps, event, observe, f0)
    dense = None
    if keep_steps:
        own = CountedField(problem.f, y0)
        dense = DenseSolution(stepper, own, result.steps, y0, result.t, torch.stack, problem.clock)
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
        clock=problem.clock,
        max_step=settings.max_step,
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
        times=_times(problem, result.n_outputs, result.crossing),
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
        slope=_first_slope(problem.settings.method, result.steps),
    )


def _first_slope(method: Method, steps: Sequence[Step]) -> Tensor | None:
    """f where the first step begins; None where nothing evaluated it."""
    if not steps:
        return None
    found, stages = steps[0].f0, steps[0].result.stages
    if found is None:
        # Rosenbrock methods are always given it.
        found = stages if method.tableau is None else stages[0]
    return torch.from_numpy(found) if isinstance(found, np.ndarray) else found


def _chunks(result: LoopResult) -> list[Array]:
    """The chunks of ys, with the state at an event after the start."""
    crossing = result.crossing
    return result.ys if crossing is None or crossing.theta == 0.0 else [*result.ys, crossing.y[None]]


def _times(problem: Problem, outputs: int, crossing: Crossing | None) -> tuple[float, ...]:
    """The times of the rows of ys."""
    event = () if crossing is None or crossing.theta == 0.0 else (crossing.t,)
    return problem.ts[:outputs] + event


def _runs_in_numpy(problem: Problem, observe: Observer | None) -> bool:
    """A single small trajectory: numpy's calls cost a fraction of torch's.

    An explicit method calls f so often that its conversion would eat the gain: there f must know numpy itself.
    """
    y0 = problem.y0
    knows_numpy = bool(getattr(problem.f, "accepts_numpy", False))
    return (
        (knows_numpy or problem.settings.method.family == "implicit")
        and observe is None
        and not is_recorded()
        and y0.ndim == 1
        and y0.dtype == torch.float64
        and y0.device.type == "cpu"
        and (problem.settings.jacobian is None or knows_numpy)
    )


def _solve_in_numpy(problem: Problem, keep_steps: bool, event: Event | None, f0: Tensor | None) -> Solved:
    bare, checked = numpy_field(problem.f), CountedField(problem.f, problem.y0)
    y0 = problem.y0.detach().numpy()
    calls = 0

    def own(t: float, y: Array) -> Array:
        if bare is not problem.f:
            with torch.no_grad():
                return checked(t, torch.from_numpy(y)).numpy()
        dy = np.array(bare(t, y))  # see `CountedField`
        if dy.shape != y.shape:
            raise ValueError(
                f"f(t, y) returned shape {dy.shape} for a state of shape {y.shape}: return dy/dt"
            )
        return dy

    def f(t: float, y: Array) -> Array:
        nonlocal calls
        calls += 1
        return own(t, y)

    tableau = problem.settings.method.tableau
    stepper: Stepper
    if tableau is not None:
        stepper, jacobian = numpy_stepper(tableau), None
    else:
        stepper, jacobian = make_stepper(problem.settings, bare, problem.y0)
    norm = NumpyNorm(problem.settings.rtol, problem.settings.atol)
    numpy_event: Event | None = None
    if event is not None:
        numpy_event = event._replace(function=lambda t, y: event.function(t, torch.from_numpy(y)))
    start = None if f0 is None else f0.detach().numpy()
    result = _run(stepper, f, y0, problem, norm, keep_steps, numpy_event, f0=start)
    dense = None
    if keep_steps:
        inner = DenseSolution(stepper, own, result.steps, y0, result.t, np.stack, problem.clock)
        dense = lambda times: torch.from_numpy(inner(times))  # noqa: E731
    if isinstance(bare, NumpyField):
        calls += bare.nfe
    solved = _solved(
        problem, result, torch.from_numpy(np.concatenate(_chunks(result))), calls, stepper, jacobian, dense
    )
    # Kept steps hold numpy states here: nobody outside may take them for tensors.
    solved.steps = []
    if solved.crossing is not None:
        solved.crossing = solved.crossing._replace(y=torch.from_numpy(solved.crossing.y))
    return solved


def _solve_by_scipy(problem: Problem, event: Event | None, observe: Observer | None) -> Solved:
    """One of SciPy's solvers, on float64 arrays: no gradients, and tensors come back in the state's own type."""
    settings, y0 = problem.settings, problem.y0.detach()
    bare, checked = numpy_field(problem.f), CountedField(problem.f, y0)
    jacobian = settings.jacobian
    if bare is problem.f:
        jacobian = jacobian or own_method(bare, "jacobian")
    matrix = Jacobian(problem.f, jacobian)
    if bare is not problem.f and jacobian is not None:
        jacobian = lambda t, y: to_numpy(matrix(t, to_tensor(y)))  # noqa: E731

    def to_numpy(values: Tensor) -> NDArray[np.float64]:
        return np.asarray(values.double().cpu().numpy())

    def to_tensor(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(dtype=y0.dtype, device=y0.device)

    def f(t: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        if bare is problem.f:
            return np.asarray(bare(t, y))
        with torch.no_grad():
            return to_numpy(checked(t, to_tensor(y)))

    result = scipy_solve(
        settings.method.name,
        f,
        to_numpy(y0),
        problem.ts,
        settings.rtol,
        settings.atol,
        settings.limits.max_steps,
        jacobian,
        None if event is None else event._replace(function=lambda t, y: event.function(t, to_tensor(y))),
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
        crossing = Crossing(result.t_end, to_tensor(result.y_end), float(result.t_end != problem.ts[0]))
    ys, times = to_tensor(result.ys), _times(problem, len(result.ys), crossing)
    return Solved(
        ys=ys if len(times) == len(ys) else torch.cat((ys, to_tensor(result.y_end)[None])),
        times=times,
        t_end=result.t_end,
        rows=list(result.rows),
        nfe=result.nfe + matrix.nfe,
        status=result.status,
        message=result.message,
        n_jacobians=result.n_jacobians,
        dense=lambda times: to_tensor(result.dense(times)),
        crossing=crossing,
        slope=None if result.slope is None else to_tensor(result.slope),
    )
