"""The one front door: solve an ODE, differentiate through it, and see every step that was tried.

Check what was asked for (`node_core.arguments`), plan how to do it (`node_core.plan`), solve, hand over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Never

from torch import Tensor

from node_core.arguments.asked import check_arguments
from node_core.arguments.backward import Backward
from node_core.arguments.events import named_events
from node_core.arguments.resumed import resumed
from node_core.foreign import explain_calls, refuse_arguments
from node_core.gradients.dense import DenseOutput
from node_core.plan import Plan, make_plan, run
from node_core.solution import Solution, SolveError, SolveStats, StepLog
from node_core.solvers.controllers import Controller
from node_core.solvers.diagnosis.diagnose import Record, diagnose
from node_core.solvers.solve import Solved
from node_core.solvers.tableaus.tableau import ButcherTableau
from node_core.structure import Structure


def odeint(
    f: Callable[[Any, Any], Any],
    y0: Any,
    ts: Any,
    *,
    method: str | ButcherTableau = "dopri5",
    rtol: Any = 1e-6,
    atol: Any = 1e-6,
    norm: Callable[[Tensor], Any] | None = None,
    controller: str | Controller = "pi",
    dt: float | Sequence[float] | str | None = None,
    dt0: float | None = None,
    max_step: float | None = None,
    min_step: float | None = None,
    jumps: Any = None,
    max_steps: int = 10_000,
    time_limit: float | None = None,
    gradient: str = "backprop",
    params: Any = None,
    record_adjoint: bool = False,
    batch: str = "shared",
    event: Callable[[Any, Any], Any] | Sequence[Callable[[Any, Any], Any]] | None = None,
    direction: int | None = None,
    jacobian: Callable[[Any, Any], Any] | None = None,
    dense: bool | None = None,
    backward: Backward | None = None,
    lift: bool = True,
    on_error: str = "raise",
    **foreign: Never,
) -> Solution:
    """Solve dy/dt = f(t, y), y(ts[0]) = y0.

    Args:
        f: the field, any callable or nn.Module, (t, y) -> dy/dt of y's shape; t is a 0-d tensor (a float for this
            library's own fields) of y0's type, or of float64 where that type could not tell the times of ts apart.
        y0: initial state, a floating-point tensor of any shape (..., dim); or a number (0-d), a complex tensor, or any
            nesting of tuples, lists, dicts and dataclasses of such tensors, of one number type: f then gets and returns
            the same, and so do event, ys, y_event, `Solution(t)` and the adjoint (`node_core.structure`). The gradient
            by a complex tensor is torch's, dL/d(real) + i dL/d(imaginary). A NumPy array is solved in NumPy's float64:
            f and event get floats and arrays, and what comes back are arrays, without gradients. Or a `Solution`, also
            one from a pickle, to go on from its end with its last step size: ts are then those times of which it has
            not reached all.
        ts: at least two output times, strictly increasing or decreasing; steps are not tied to them. Where an event
            stops the solve the last may be infinite, [0.0, math.inf]: it ends at the event, or after max_steps.
        method: "euler", "midpoint", "heun", "ralston", "heun3", "rk4", "rk4_38" with a fixed `dt`; adaptive
            "bosh3", "fehlberg45", "dopri5", "tsit5", "dopri8"; symplectic "semi_implicit_euler",
            "leapfrog", "yoshida4" (fixed `dt`, f a `Separable`); implicit "implicit_euler", "trapezoid" (fixed `dt`),
            "rodas5p" (adaptive, stiff); SciPy's "scipy_lsoda", "scipy_radau", "scipy_adams". Other libraries' names
            are answered with ours. Or a `ButcherTableau` of your own, whose order conditions are checked up to the
            order that it claims; without `b_error` it takes `dt`.
        rtol, atol: a step is accepted when the root mean square of error / (atol + rtol max(|y|, |y1|)) is at most 1,
            over all entries of y, of all its leaves. That bounds their mean, not each of them: among n calm rows of a
            batch one row's error may be sqrt(n) times the tolerance. batch="per_sample" holds every row to it.
            Tensors that broadcast to y0 hold each entry to its own (SciPy's methods take such an atol, the continuous
            adjoints none, nor a norm). One of the two may be zero.
        norm: another measure, error / (atol + rtol max(|y|, |y1|)) -> number, such as lambda e: e.abs().max().
        controller: "i", "pi" or "pid", of the adaptive methods, or a `Controller` of one's own.
        dt: step of the fixed-step methods, positive. Or the times at which steps end, at least from the first of ts to
            its last; "ts": one step from each output to the next.
        dt0: first step of the adaptive methods; chosen by Hairer's rule if None.
        max_step: longest step of the adaptive methods. A solver sees f only where it asks it: what is over within a
            step, a short pulse after a long rest, can be stepped over unseen, and without a warning.
        min_step: shortest step of the adaptive methods: where the tolerance asks for a shorter one the solve fails, as
            SciPy's does (diffrax and torchdiffeq would go on and miss the tolerance). What is left of a piece up to its
            end may be shorter.
        jumps: times at which f jumps in time (or has a kink), in any order. A step ends exactly at each, and the solve
            begins anew behind it with f on its other side: right across the jump, in dense output and gradients too.
        max_steps: most attempts before giving up.
        time_limit: most seconds of processor time before giving up: a busy machine makes no solve fail. Time in
            which f only waits does not count.
        gradient: how `.backward()` on ys works: "backprop" (through the accepted steps), "adjoint" (the paper's
            Algorithm 1), "adjoint_seminorm", "checkpointed" (exact, O(steps) states), "interpolated", "reversible"
            (exact in O(1) states: the explicit method's steps are made such that they can be undone, which costs twice
            the evaluations and is stable only over short spans of a field that contracts; without gradients the method
            alone runs). "backprop", "checkpointed" and "reversible" can be differentiated again (create_graph=True),
            the others refuse that;
            "backprop" alone carries the tangents of torch.autograd.forward_ad, but for SciPy's methods.
        params: tensors to differentiate by; None means f.parameters() of an nn.Module.
        record_adjoint: keep a(t) of the backward pass in `Solution.adjoint` (costs O(steps) memory).
        batch: "shared": all of y0 takes the same steps; "per_sample": each row y0[i] its own, so that
            what comes out for a row depends on that row alone (adaptive explicit methods, gradient="backprop", no
            event, no dense output; f gets t of shape (rows, 1)). One that fails does so alone: `row_status`.
            The rows of a nesting are the first axis of all its leaves; t has as many axes as the largest of them.
        event: a scalar function of (t, y); the solve stops at the first time at which it reaches or crosses zero, to
            be found in `t_event` and `y_event`. Or several in a list, `Event(function, direction, terminal)` where they
            are not to stop the solve, or only where they rise or fall; attributes of a function's own, `direction` and
            `terminal`, say the same (SciPy's convention, but that an event is terminal unless it says otherwise).
            `events` has all crossings of each, `stopped_by` the number of the one that stopped the solve. Their times
            and states have total derivatives in every mode (the implicit function theorem; first derivatives), unless
            an event does not compute with tensors, or only touches zero.
        direction: -1: only where the event function falls through zero as the solve goes on, 1: only where it rises,
            0: both. An event that is zero at the start stops there for 0; for -1 and 1 it stops there if the function
            leaves zero to that side (a ball that lies on the floor, -1), and goes on if to the other (one thrown from
            it). None: `event.direction` where there is one, else 0. Events in a list have directions of their own.
        jacobian: df/dy for the implicit methods, of shape (..., dim, dim) where the rows of y0 are independent, else
            (\\*y0.shape, \\*y0.shape); compared with f once. None: derived from f, and what is coupled found out.
        dense: keep what `Solution(t)` needs. None: yes, unless gradients are recorded or batch="per_sample".
            What `Solution(t)` returns has the gradients that ys have, in every mode, and those by t.
        backward: `Backward(method, rtol, atol, dt)`, how "adjoint", "adjoint_seminorm" and "interpolated" solve
            backward. None: as forward.
        lift: solve an nn.Module that is a chain of Linear and tanh, softplus, ELU, sigmoid or ReLU layers, of y or of y
            and t joined, by the closed form of `MLPField`: the same to rounding, and faster. `stats.engine` says if it
            did, `stats.engine_reason` why not. False: call f as it is.
        on_error: "raise" a SolveError, or "return" what was computed, with its status.

    A ball that bounces, each time with the share e of its speed, and how the time of its last bounce depends on e:

        y, t = torch.stack((height, speed)), 0.0
        for _ in range(bounces):
            sol = odeint(fall, y, [t, math.inf], event=Event(lambda t, y: y[0], direction=-1))
            t, y = sol.t_event, sol.y_event * torch.stack((torch.ones(()), -e))
        t.backward()

    Returns:
        The `Solution`: ys (time, \\*y0.shape), every attempted step, costs, status.

    Raises:
        ValueError: an argument that makes no sense, with what to do instead.
        TypeError: an argument that there is not, with what another library's name for it is here.
        SolveError: the solve could not go on (unless on_error="return"); it holds the partial solution.
    """
    if foreign:
        refuse_arguments(foreign, tuple(odeint.__kwdefaults__ or ()))
    if isinstance(y0, Solution):
        named = method.name if isinstance(method, ButcherTableau) else method
        y0, ts, dt0 = resumed(y0, ts, named, batch, dt0, min_step)
    asked = check_arguments(
        f,
        y0,
        ts,
        method=method,
        rtol=rtol,
        atol=atol,
        norm=norm,
        controller=controller,
        dt=dt,
        dt0=dt0,
        max_step=max_step,
        min_step=min_step,
        jumps=jumps,
        max_steps=max_steps,
        time_limit=time_limit,
        gradient=gradient,
        params=params,
        record_adjoint=record_adjoint,
        batch=batch,
        event=event,
        direction=direction,
        jacobian=jacobian,
        dense=dense,
        backward=backward,
        lift=lift,
        on_error=on_error,
    )
    started = time.perf_counter()
    try:
        plan = make_plan(asked)
        solution = _hand_over(plan, run(plan), started)
    except TypeError as error:
        explain_calls({"f": f, **named_events(event), "jacobian": jacobian}, error)
        raise
    if not solution.status.ok and on_error == "raise":
        raise SolveError(f"{solution.message} (method={solution.method!r})", solution)
    return solution


def _hand_over(plan: Plan, solved: Solved, started: float) -> Solution:
    """The solution in the user's layout, its times differentiable where ts were."""
    (ys, happened), ts = plan.finish(solved), plan.asked.ts
    stop = happened[-1] if solved.crossing is not None else None
    steps = StepLog.from_rows(solved.rows)
    dense = None
    if solved.dense is not None and plan.request.keep_dense:
        tracking, restore = plan.mode is not None, plan.layout.restore
        dense = DenseOutput(
            solved, plan.problem, tracking, restore, plan.around, plan.kind.field, plan.times[0]
        )
    wall_time = time.perf_counter() - started
    reason = plan.reason if solved.engine == "torch" else ""
    stats = SolveStats(
        plan.nfe(solved),
        steps.n_accepted,
        steps.n_rejected,
        wall_time,
        solved.n_jacobians,
        solved.engine,
        reason,
    )
    record = Record.of(solved, plan.layout.restore, dense, wall_time)
    solution = Solution(
        ts=ts[: len(ys)].clone(),
        ys=ys,
        steps=steps,
        stats=stats,
        status=solved.status,
        message=solved.message,
        method=plan.asked.settings.method.name,
        t_event=None if stop is None else stop.t,
        y_event=None if stop is None else stop.y,
        stopped_by=None if stop is None else stop.event,
        events=plan.sorted_by_event(happened, ys),
        row_status=solved.row_status,
        dense=dense,
        backward_record=plan.request.record,
        diagnose=cache(partial(diagnose, plan.asking, record)),
    )
    if not solution.status.ok:
        solution.message = f"{solved.message}: {solution.diagnosis}"
    if plan.asked.arrays is not None:
        return plan.asked.arrays.restore(solution)
    structure = plan.asked.structure
    return solution if structure is None else _unflattened(solution, structure)


def _unflattened(solution: Solution, structure: Structure) -> Solution:
    """The same in the structure of the user's state."""
    y_event = solution.y_event
    return replace(
        solution,
        ys=structure.unflatten(solution.ys),
        y_event=y_event if y_event is None else structure.unflatten(y_event),
        events=tuple(replace(one, y=structure.unflatten(one.y)) for one in solution.events),
        structure=structure,
    )
