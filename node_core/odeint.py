"""The one front door: solve an ODE, differentiate through it, and see every step that was tried."""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from node_core import arguments
from node_core.fields.columns import ColumnField, from_columns, to_columns
from node_core.gradients import adjoint, adjoint_seminorm, backprop, checkpointed, interpolated
from node_core.gradients.mode import Request
from node_core.solution import BackwardRecord, Solution, SolveError, SolveStats, StepLog
from node_core.solvers.controllers import controller_named
from node_core.solvers.events import Event
from node_core.solvers.loop import Limits
from node_core.solvers.methods import method_named
from node_core.solvers.per_sample import solve_per_sample
from node_core.solvers.problem import CountedField, Problem, Settings, TensorTime
from node_core.solvers.solve import Solved, solve

GRADIENTS: dict[str, Callable[[Problem, Request], Solved]] = {
    "backprop": backprop.solve_with_gradient,
    "adjoint": adjoint.solve_with_gradient,
    "adjoint_seminorm": adjoint_seminorm.solve_with_gradient,
    "checkpointed": checkpointed.solve_with_gradient,
    "interpolated": interpolated.solve_with_gradient,
}


def odeint(
    f: Callable[[Any, Tensor], Tensor],
    y0: Tensor,
    ts: Any,
    *,
    method: str = "dopri5",
    rtol: float = 1e-6,
    atol: float = 1e-6,
    controller: str = "pi",
    dt: float | None = None,
    dt0: float | None = None,
    max_steps: int = 10_000,
    time_limit: float | None = None,
    gradient: str = "backprop",
    params: Any = None,
    record_adjoint: bool = False,
    batch: str = "shared",
    event: Callable[[Any, Tensor], Any] | None = None,
    jacobian: Callable[[Any, Tensor], Tensor] | None = None,
    dense: bool | None = None,
    on_error: str = "raise",
) -> Solution:
    """Solve dy/dt = f(t, y), y(ts[0]) = y0.

    Args:
        f: the field, any callable or nn.Module, (t, y) -> dy/dt of y's shape; t is a 0-d tensor (a float for this
            library's own fields).
        y0: initial state, a floating-point tensor of any shape (..., dim).
        ts: at least two output times, strictly increasing or decreasing; steps are not tied to them.
        method: "euler", "midpoint", "heun", "ralston", "rk4", "rk4_38" with a fixed `dt`; adaptive "bosh3",
            "fehlberg45", "dopri5", "tsit5", "dopri8"; implicit "implicit_euler", "trapezoid" (fixed `dt`), "rodas5p"
            (adaptive, stiff); SciPy's "scipy_lsoda", "scipy_radau", "scipy_adams".
        rtol, atol: a step is accepted when the root mean square of error / (atol + rtol max(|y|, |y1|)) is at most 1.
        controller: "i", "pi" or "pid", of the adaptive methods.
        dt: step of the fixed-step methods, positive.
        dt0: first step of the adaptive methods; chosen by Hairer's rule if None.
        max_steps: most attempts before giving up.
        time_limit: most seconds of wall time before giving up.
        gradient: how `.backward()` on ys works: "backprop" (through the accepted steps), "adjoint" (the paper's
            Algorithm 1), "adjoint_seminorm", "checkpointed" (exact, O(steps) states), "interpolated".
        params: tensors to differentiate by; None means f.parameters() of an nn.Module.
        record_adjoint: keep a(t) of the backward pass in `Solution.adjoint` (costs O(steps) memory).
        batch: "shared": all of y0 takes the same steps; "per_sample": each row y0[i] its own (adaptive explicit).
        event: a scalar function of (t, y); where it crosses zero the solve stops. Where it stopped is a constant to
            autograd: t_event has no gradient.
        jacobian: df/dy, shape (..., dim, dim), for the implicit methods; derived from f if None.
        dense: keep what `Solution(t)` needs. None: yes, unless gradients are recorded or batch="per_sample".
            Only ys have gradients in every mode; what `Solution(t)` returns has them under "backprop" alone.
        on_error: "raise" a SolveError, or "return" what was computed, with its status.

    Returns:
        The `Solution`: ys (time, \\*y0.shape), every attempted step, costs, status.

    Raises:
        ValueError: an argument that makes no sense, with what to do instead.
        SolveError: the solve could not go on (unless on_error="return"); it holds the partial solution.
    """
    arguments.check_callable("f", f, "the field as f(t, y), which returns dy/dt")
    if event is not None:
        arguments.check_callable("event", event, "a function of (t, y) that crosses zero where to stop")
    if jacobian is not None:
        arguments.check_callable("jacobian", jacobian, "a function of (t, y) that returns df/dy")
    y0 = arguments.check_state(y0)
    ts_tensor, times = arguments.check_times(ts, y0)
    chosen = method_named(method)
    arguments.check_choice("gradient", gradient, tuple(GRADIENTS))
    arguments.check_choice("batch", batch, ("shared", "per_sample"))
    arguments.check_choice("on_error", on_error, ("raise", "return"))
    limits = Limits(arguments.check_positive_int("max_steps", max_steps), time_limit)
    arguments.check_steps(chosen, dt, dt0, rtol, atol, times, limits)
    judge = controller_named(controller)
    settings = Settings(
        method=chosen,
        rtol=rtol,
        atol=atol,
        controller=judge if chosen.adaptive else None,
        dt=dt,
        dt0=dt0,
        limits=limits,
        jacobian=jacobian,
    )
    started = time.perf_counter()
    taken = f if getattr(f, "accepts_float_time", False) else TensorTime(f, y0)
    moving = torch.is_grad_enabled() and ts_tensor.requires_grad
    around = CountedField(taken, y0)  # the calls outside of the solver
    start = _moved_start(around, y0, ts_tensor) if moving else y0
    found = arguments.find_parameters(f, params) if torch.is_grad_enabled() else ()
    tracking = torch.is_grad_enabled() and (start.requires_grad or bool(found))
    problem = Problem(taken, start, times, found, settings)
    f0: Tensor | None = None
    blind = gradient != "backprop" and params is None  # whatever a function holds gets no gradient: say so
    if torch.is_grad_enabled() and not isinstance(f, nn.Module) and (blind or not tracking):
        f0 = around(times[0], start.detach())
        tracking = tracking or f0.requires_grad
        if f0.requires_grad and gradient != "backprop":
            raise ValueError(
                f"f depends on tensors that require gradients, but gradient={gradient!r} cannot see them inside a "
                "function: pass them as params=, for example params=net.parameters(), or params=() to want none"
            )
    arguments.check_combination(chosen, gradient, batch, event, dense, y0, tracking)
    request = Request(
        record=BackwardRecord(),
        record_adjoint=record_adjoint,
        keep_dense=not tracking if dense is None else dense,
        event=_float_event(event, start),
        f0=f0,
    )
    with torch.set_grad_enabled(tracking):
        solved, layout = _solve(problem, request, GRADIENTS[gradient] if tracking else None, batch, f)
    ys = layout.restore(solved.ys)
    if moving:
        ys = _moved_outputs(around, ys, ts_tensor)
    solved.nfe += around.nfe
    solution = _solution(solved, layout, request, ys, ts_tensor, method, time.perf_counter() - started)
    if not solution.status.ok and on_error == "raise":
        raise SolveError(f"{solution.message} (method={method!r})", solution)
    return solution


@dataclass(frozen=True)
class Layout:
    """How the solver's states become the user's (\\*y0.shape): the identity, or columns turned over."""

    shape: torch.Size | None = None

    def restore(self, ys: Tensor) -> Tensor:
        """(rows, \\*state shape) -> (rows, \\*y0.shape)."""
        return ys if self.shape is None else from_columns(ys, self.shape)


def _solve(
    problem: Problem,
    request: Request,
    mode: Callable[[Problem, Request], Solved] | None,
    batch: str,
    f: object,
) -> tuple[Solved, Layout]:
    """Choose the layout, and run the gradient mode or, without one, the bare solve."""
    if batch == "per_sample":
        return solve_per_sample(problem), Layout()
    layout = Layout()
    if _has_closed_form(problem, f):
        shape = problem.y0.shape
        layout = Layout(shape)
        problem = replace(problem, f=ColumnField(f, bool(problem.params)), y0=to_columns(problem.y0))
        event = request.event
        if event is not None:
            request = replace(request, event=lambda t, y: event(t, from_columns(y[None], shape)[0]))
        request = replace(request, restore=layout.restore)
    if mode is not None:
        return mode(problem, request), layout
    keep = request.keep_dense
    return solve(problem, keep_steps=keep, event=request.event, f0=request.f0, numpy=True), layout


def _has_closed_form(problem: Problem, f: object) -> bool:
    """Whether f brings its own derivatives, for just the parameters that are asked for, and the method can use them."""
    if problem.settings.method.family != "explicit" or not hasattr(f, "compiled"):
        return False
    own = tuple(f.parameters()) if isinstance(f, nn.Module) else ()
    same = not problem.params or (
        len(own) == len(problem.params) and all(a is b for a, b in zip(own, problem.params, strict=True))
    )
    return same and all(p.dtype == problem.y0.dtype and p.device == problem.y0.device for p in own)


def _float_event(event: Callable[[Any, Tensor], Any] | None, like: Tensor) -> Event | None:
    """The event as a function of floats and states to floats, outside of autograd."""
    if event is None:
        return None

    def value(t: float, y: Tensor) -> float:
        with torch.no_grad():
            found = event(like.new_tensor(t), y.detach())
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


def _dense_output(
    inner: Callable[[Sequence[float]], Tensor], layout: Layout, tracking: bool
) -> Callable[[Sequence[float]], Tensor]:
    """y(t) in the user's layout; it may call f, and records no more of that than the solve itself did."""

    def dense(times: Sequence[float]) -> Tensor:
        with torch.set_grad_enabled(tracking and torch.is_grad_enabled()):
            return layout.restore(inner(times))

    return dense


def _moved_start(f: Callable[[Any, Tensor], Tensor], y0: Tensor, ts: Tensor) -> Tensor:
    """y0 with the derivative of the solution by its start time, dy(t)/dt0 = -(dy(t)/dy0) f(t0, y0); its value is y0."""
    with torch.no_grad():
        slope = f(float(ts[0]), y0)
    return y0 - (ts[0] - ts[0].detach()).to(y0.dtype) * slope


def _moved_outputs(f: Callable[[Any, Tensor], Tensor], ys: Tensor, ts: Tensor) -> Tensor:
    """ys with the derivative by their own times, dy(t)/dt = f(t, y(t)); their values are unchanged."""
    with torch.no_grad():
        times = ts[: len(ys)].tolist()
        slopes = torch.stack([f(t, y) for t, y in zip(times, ys.detach(), strict=True)])
    shift = (ts - ts.detach())[: len(ys)].to(ys.dtype)
    return ys + shift.view(-1, *[1] * (ys.ndim - 1)) * slopes


def _solution(
    solved: Solved, layout: Layout, request: Request, ys: Tensor, ts: Tensor, method: str, wall_time: float
) -> Solution:
    """Put the pieces together in the user's layout."""
    steps = StepLog.from_rows(solved.rows)
    crossing, inner = solved.crossing, solved.dense
    dense = None
    if inner is not None and request.keep_dense:
        dense = _dense_output(inner, layout, ys.requires_grad)
    return Solution(
        ts=ts[: len(ys)],
        ys=ys,
        steps=steps,
        stats=SolveStats(solved.nfe, steps.n_accepted, steps.n_rejected, wall_time, solved.n_jacobians),
        status=solved.status,
        message=solved.message,
        method=method,
        t_event=ts.detach().new_tensor(crossing.t) if crossing is not None else None,
        y_event=layout.restore(crossing.y[None])[0] if crossing is not None else None,
        dense=dense,
        backward_record=request.record,
    )
