"""How a solve will be run: the gradient mode, what it differentiates by, and the layout of its states."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from node_core.arguments import Asked, check_combination, find_parameters
from node_core.fields.columns import ColumnField, from_columns, to_columns
from node_core.fields.own import has_closed_form, is_autonomous, own_word
from node_core.fields.recalled import Recalled, without_autocast
from node_core.gradients import adjoint, adjoint_seminorm, backprop, checkpointed, interpolated
from node_core.gradients.event import with_derivatives
from node_core.gradients.generators import Generators
from node_core.gradients.mode import Request, run_through
from node_core.gradients.probe import Probe, shapes_of
from node_core.gradients.times import moved_outputs, moved_start
from node_core.gradients.watched import Watched
from node_core.solution import BackwardRecord
from node_core.solvers.dual import in_dual_level
from node_core.solvers.events import Event
from node_core.solvers.field_clock import FieldClock, TimedField
from node_core.solvers.per_sample import solve_per_sample
from node_core.solvers.problem import CountedField, Problem, TensorTime, field_clock
from node_core.solvers.results import version
from node_core.solvers.solve import Solved, solve
from node_core.solvers.tableaus.tableaus import TABLEAUS
from node_core.tangents import has_tangents
from node_core.time_type import TimeType, time_type

SHORT = 8  # evaluations of a field, up to which its closed form does not pay (benchmarks/series.py)
Mode = Callable[[Problem, Request], Solved]
MODES: dict[str, Mode] = {
    "backprop": backprop.solve_with_gradient,
    "adjoint": adjoint.solve_with_gradient,
    "adjoint_seminorm": adjoint_seminorm.solve_with_gradient,
    "checkpointed": checkpointed.solve_with_gradient,
    "interpolated": interpolated.solve_with_gradient,
}


@dataclass(frozen=True)
class Layout:
    """How the solver's states become the user's (\\*y0.shape): the identity, or columns turned over."""

    shape: torch.Size | None = None

    def restore(self, ys: Tensor) -> Tensor:
        """(rows, \\*state shape) -> (rows, \\*y0.shape)."""
        return ys if self.shape is None else from_columns(ys, self.shape)


@dataclass(frozen=True)
class Plan:
    """One solve, ready to run.

    Attributes:
        asked: what the user asked for.
        problem: the field, start, times and settings, in the layout that is solved in.
        request: what to record, and where to stop.
        mode: the gradient mode; None where nothing wants a gradient.
        layout: how states become the user's.
        around: the field as it is called outside of the solver; counts those calls.
        kind: the types of the times that the field and the event function are told.
        times: where it is called for the derivatives by ts: there, but on the inner side of a jump at either end.
        recalled: the field as it can be called again after the solve.
    """

    asked: Asked
    problem: Problem
    request: Request
    mode: Mode | None
    layout: Layout
    around: CountedField
    times: Sequence[float]
    kind: TimeType
    recalled: Callable[[Any, Tensor], Tensor]

    def finish(self, solved: Solved) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """ys in the user's layout, with their derivatives by their own times; (t_event, y_event) if there was one."""
        rows, crossing, asked = self.layout.restore(solved.ys), solved.crossing, self.asked
        ys = rows[:-1] if solved.ends_with_event else rows
        if asked.moves:
            ys = moved_outputs(self.around, ys, asked.ts, self.times, self.kind.field)
        if crossing is None or asked.event is None:
            return ys, None
        y, inner = rows[-1], _before(crossing.t, asked.times[0], self.problem.clock)
        if not solved.ends_with_event:
            y, inner = self.layout.restore(self.problem.y0[None])[0], self.times[0]
        t = torch.tensor(crossing.t, dtype=self.kind.event, device=asked.ts.device)
        # Where the type of the state blurs the times, so may that of ts.
        coarse = self.kind.event != asked.y0.dtype
        at = t if coarse else t.new_tensor(crossing.t, dtype=asked.ts.dtype)
        return ys, with_derivatives(asked.event, self.around, crossing.t, inner, y, at, t)

    def nfe(self, solved: Solved) -> int:
        """Evaluations of f, inside the solver and around it."""
        return solved.nfe + self.around.nfe


def make_plan(asked: Asked) -> Plan:
    """Decide what is differentiated, by which mode, and in which layout; from a copy of y0, which stays the user's.

    Raises:
        ValueError: what was asked for does not go together.
    """
    # to read the generators takes longer than a short solve's step
    generators = None if asked.gradient == "backprop" else Generators(asked.y0.device)
    kind = time_type(asked)
    params = find_parameters(asked.f, asked.params) if torch.is_grad_enabled() else ()
    timed = bool(asked.jumps) and not is_autonomous(asked.f)
    tangents = has_tangents(asked, kind.field)
    closed = asked.batch == "shared" and not (timed or tangents) and _has_closed_form(asked, params)
    recalled = _recalled(asked, closed)
    taken = _at_floats(recalled, asked, kind)
    around = CountedField(taken, asked.y0)
    around.nfe = kind.trials + in_dual_level()
    clock = field_clock(asked.jumps, kind.field) if asked.jumps else None
    times = _inner_times(asked, clock)
    start = asked.y0.clone()
    if asked.moves:
        start = moved_start(around, asked.y0, asked.ts, times[0], kind.field)
    tracking = torch.is_grad_enabled() and (start.requires_grad or bool(params))
    probe = None if closed else _probe(asked, around, times[0], start, params, tracking)
    tracking = tracking or (probe is not None and asked.params is None and bool(probe.others))
    check_combination(asked, tracking)
    hidden = tracking and not closed and asked.gradient != "backprop"
    if not closed and not own_word(asked.f, "accepts_numpy"):
        unknown = torch.is_grad_enabled() and asked.params is None and (hidden or not tracking)
        late = in_dual_level() and not tangents and (hidden or asked.settings.method.family == "scipy")
        if unknown or late:
            taken = _at_floats(Watched(recalled, params if unknown else None, late), asked, kind)
    request = Request(
        record=BackwardRecord(),
        record_adjoint=asked.record_adjoint,
        keep_dense=not tracking if asked.dense is None else asked.dense,
        event=None
        if asked.event is None
        else Event(_float_event(asked.event, start, kind.event), asked.direction),
        f0=None if probe is None or tangents else _known_slope(asked, probe, tracking and not hidden),
        named=asked.params is not None,
        probe=probe if hidden else None,
        generators=generators if hidden else None,
    )
    settings = replace(asked.settings, time_epsilon=torch.finfo(kind.field).eps)
    problem = Problem(taken, start, asked.times, params, settings, clock)
    if clock is not None and timed:
        problem = _timed(problem, clock)
    mode = MODES[asked.gradient] if tracking else None
    plan = Plan(asked, problem, request, mode, Layout(), around, times, kind, recalled)
    return _in_columns(plan) if closed else plan


def run(plan: Plan) -> Solved:
    """Run the gradient mode or, without one, the bare solve; f is held to what it was from then on."""
    with torch.set_grad_enabled(plan.mode is not None), without_autocast(plan.problem.y0.device.type):
        solved = _run(plan)
    if isinstance(plan.recalled, Recalled) and (plan.mode is not None or plan.request.keep_dense):
        plan.recalled.hold()
    return solved


def _run(plan: Plan) -> Solved:
    problem, request = plan.problem, plan.request
    if plan.asked.batch == "per_sample":
        if plan.mode is None or not request.named:
            return solve_per_sample(problem)
        return run_through(backprop.GraphRun(problem, request, solve_per_sample), problem)
    if plan.mode is not None:
        return plan.mode(problem, request)
    return solve(problem, keep_steps=request.keep_dense, event=request.event, f0=request.f0, bare=True)


def _at_floats(
    f: Callable[[Any, Tensor], Tensor], asked: Asked, kind: TimeType
) -> Callable[[Any, Tensor], Tensor]:
    """The field as one that is told the time as a float."""
    return f if own_word(asked.f, "accepts_float_time") else TensorTime(f, asked.y0, kind.field)


def _recalled(asked: Asked, closed: bool) -> Callable[[Any, Tensor], Tensor]:
    """The field as it can be called again after the solve; a closed form does not run under autocast."""
    kind = asked.y0.device.type
    autocast = not closed and torch.is_autocast_enabled(kind)
    return Recalled(asked.f, kind, autocast) if autocast or isinstance(asked.f, nn.Module) else asked.f


def _probe(
    asked: Asked, around: CountedField, t0: float, start: Tensor, params: Sequence[Tensor], tracking: bool
) -> Probe | None:
    """f(t0, y0), where it has to tell what f depends on: in the modes that do not see it, or if nothing else tracks."""
    hidden = asked.gradient != "backprop"
    wanted = hidden or not tracking if asked.params is None else hidden and tracking
    if not (torch.is_grad_enabled() and wanted):
        return None
    t: Any = t0
    if asked.batch == "per_sample":
        t = start.new_full((len(start), *[1] * (start.ndim - 1)), t0)
    probe = Probe.of(around, t, start, params, hidden)
    if hidden and asked.params is None and probe.others:
        whose = "its own parameters" if isinstance(asked.f, nn.Module) else "what is passed to it"
        raise ValueError(
            f"f depends on tensors that require gradients (shapes {shapes_of(probe.others)}) beside {whose}, which "
            f"gradient={asked.gradient!r} cannot see: pass them as params=, for example params=net.parameters(), or "
            "params=() to want none; gradient='backprop' sees them all"
        )
    return probe


def _inner_times(asked: Asked, clock: FieldClock | None) -> Sequence[float]:
    """The output times, but for a jump at the first or the last: that is left for its inner side."""
    if clock is None:
        return asked.times
    first, *between, last = asked.times
    inner = clock.copy()
    inner.enter(first, last - first)
    return (inner(first), *between, _before(last, first, clock))


def _before(t: float, start: float, clock: FieldClock | None) -> float:
    """The time t, but for a jump there: that is left to the side on which a solve comes from its start."""
    if clock is None:
        return t
    clock = clock.copy()
    clock.enter(t, start - t)
    return clock(t)


def _timed(problem: Problem, clock: FieldClock) -> Problem:
    """The same problem with a field, and a Jacobian, that are asked at the clock's times."""
    given = problem.settings.jacobian
    settings = problem.settings
    if given is not None:
        settings = replace(settings, jacobian=lambda t, y: given(clock(t), y))
    return replace(problem, f=TimedField(problem.f, clock), settings=settings)


def _known_slope(asked: Asked, probe: Probe, in_graph: bool) -> Tensor | None:
    """Return f(t0, y0) for the solve to begin with, unless it begins on one side of a jump, or row by row."""
    if asked.batch == "per_sample" or asked.times[0] in asked.jumps:
        return None
    return probe.value if in_graph else probe.value.detach()


def _in_columns(plan: Plan) -> Plan:
    """The same solve on feature-major states, for a field that brings its own derivatives."""
    problem, request = plan.problem, plan.request
    shape = problem.y0.shape
    layout = Layout(shape)
    field = ColumnField(plan.asked.f, bool(problem.params), plan.recalled)
    event = request.event
    if event is not None:
        inner = event.function
        rows = event._replace(function=lambda t, y: inner(t, from_columns(y[None], shape)[0]))
        request = replace(request, event=rows)
    return replace(
        plan,
        problem=replace(problem, f=field, y0=to_columns(problem.y0)),
        request=replace(request, restore=layout.restore),
        layout=layout,
    )


def _has_closed_form(asked: Asked, params: Sequence[Tensor]) -> bool:
    """Whether f brings its own derivatives, for just the parameters that are asked for, and the method can use them."""
    if asked.settings.method.family != "explicit" or _is_short(asked):
        return False
    if not has_closed_form(asked.f, "compiled"):
        return False
    own = tuple(asked.f.parameters()) if isinstance(asked.f, nn.Module) else ()
    same = not params or (len(own) == len(params) and all(a is b for a, b in zip(own, params, strict=True)))
    return same and all(p.dtype == asked.y0.dtype and p.device == asked.y0.device for p in own)


def _is_short(asked: Asked) -> bool:
    """Whether autograd is through before a closed form's weights are laid out: a few fixed steps, as of an ODE-RNN."""
    dt = asked.settings.dt
    if dt is None or asked.gradient != "backprop" or asked.record_adjoint or not torch.is_grad_enabled():
        return False
    length = abs(asked.times[-1] - asked.times[0])
    return math.ceil(length / dt) * len(TABLEAUS[asked.settings.method.name].c) <= SHORT


def _float_event(
    event: Callable[[Any, Tensor], Any], like: Tensor, dtype: torch.dtype
) -> Callable[[float, Tensor], float]:
    """The event as a function of floats and states to floats, outside of autograd."""

    def value(t: float, y: Tensor) -> float:
        before = version(y)
        with torch.no_grad():
            found = event(torch.tensor(t, dtype=dtype, device=like.device), y.detach())
        if version(y) != before:
            raise ValueError("event(t, y) changed y in place: work on a copy, for example y.clone()")
        if isinstance(found, Tensor) and found.numel() != 1:
            raise ValueError(
                f"event(t, y) returned shape {tuple(found.shape)}: return one number, the solve stops where it "
                "crosses zero"
            )
        truth = found.dtype is torch.bool if isinstance(found, Tensor) else isinstance(found, bool | np.bool_)
        if truth or not isinstance(found, Tensor | numbers.Real):
            raise ValueError(
                f"event(t, y) returned {found!r}: return a number that changes its sign where to stop, for example "
                "y[0] - 0.5"
            )
        number = float(found)
        if math.isnan(number):
            raise ValueError(f"event(t, y) is NaN at t = {t:.6g}: it must be a number all along the solution")
        return number

    return value
