"""The one front door: solve an ODE, differentiate through it, and see every step that was tried.

Check what was asked for (`node_core.arguments`), plan how to do it (`node_core.plan`), solve, hand over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Never

from torch import Tensor

from node_core.arguments import check_arguments
from node_core.foreign import explain_calls, refuse_arguments
from node_core.gradients.dense import DenseOutput
from node_core.plan import Plan, make_plan, run
from node_core.solution import Solution, SolveError, SolveStats, StepLog
from node_core.solvers.solve import Solved


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
    max_step: float | None = None,
    jumps: Any = None,
    max_steps: int = 10_000,
    time_limit: float | None = None,
    gradient: str = "backprop",
    params: Any = None,
    record_adjoint: bool = False,
    batch: str = "shared",
    event: Callable[[Any, Tensor], Any] | None = None,
    direction: int | None = None,
    jacobian: Callable[[Any, Tensor], Tensor] | None = None,
    dense: bool | None = None,
    on_error: str = "raise",
    **foreign: Never,
) -> Solution:
    """Solve dy/dt = f(t, y), y(ts[0]) = y0.

    Args:
        f: the field, any callable or nn.Module, (t, y) -> dy/dt of y's shape; t is a 0-d tensor (a float for this
            library's own fields) of y0's type, or of float64 where that type could not tell the times of ts apart.
        y0: initial state, a floating-point tensor of any shape (..., dim).
        ts: at least two output times, strictly increasing or decreasing; steps are not tied to them.
        method: "euler", "midpoint", "heun", "ralston", "rk4", "rk4_38" with a fixed `dt`; adaptive "bosh3",
            "fehlberg45", "dopri5", "tsit5", "dopri8"; implicit "implicit_euler", "trapezoid" (fixed `dt`), "rodas5p"
            (adaptive, stiff); SciPy's "scipy_lsoda", "scipy_radau", "scipy_adams".
        rtol, atol: a step is accepted when the root mean square of error / (atol + rtol max(|y|, |y1|)) is at most 1,
            over all entries of y. That bounds their mean, not each of them: among n calm rows of a batch one row's
            error may be sqrt(n) times the tolerance. batch="per_sample" holds every row to it.
        controller: "i", "pi" or "pid", of the adaptive methods.
        dt: step of the fixed-step methods, positive.
        dt0: first step of the adaptive methods; chosen by Hairer's rule if None.
        max_step: longest step of the adaptive methods. A solver sees f only where it asks it: what is over within a
            step, a short pulse after a long rest, can be stepped over unseen, and without a warning.
        jumps: times at which f jumps in time (or has a kink), in any order. A step ends exactly at each, and the solve
            begins anew behind it with f on its other side: right across the jump, in dense output and gradients too.
        max_steps: most attempts before giving up.
        time_limit: most seconds of processor time before giving up: a busy machine makes no solve fail. Time in
            which f only waits does not count.
        gradient: how `.backward()` on ys works: "backprop" (through the accepted steps), "adjoint" (the paper's
            Algorithm 1), "adjoint_seminorm", "checkpointed" (exact, O(steps) states), "interpolated".
            "backprop" and "checkpointed" can be differentiated again (create_graph=True), the others refuse that;
            "backprop" alone carries the tangents of torch.autograd.forward_ad, but for SciPy's methods.
        params: tensors to differentiate by; None means f.parameters() of an nn.Module.
        record_adjoint: keep a(t) of the backward pass in `Solution.adjoint` (costs O(steps) memory).
        batch: "shared": all of y0 takes the same steps; "per_sample": each row y0[i] its own, so that
            what comes out for a row depends on that row alone (adaptive explicit methods, gradient="backprop", no
            event, no dense output; f gets t of shape (rows, 1)).
        event: a scalar function of (t, y); the solve stops at the first time at which it reaches or crosses zero, to
            be found in `t_event` and `y_event`. Both have total derivatives in every mode (the implicit function
            theorem; first derivatives), unless event does not compute with tensors, or only touches zero.
        direction: -1: only where the event function falls through zero as the solve goes on, 1: only where it rises,
            0: both. An event that is zero at the start stops there for 0; for -1 and 1 it stops there if the function
            leaves zero to that side (a ball that lies on the floor, -1), and goes on if to the other (one thrown from
            it). None: `event.direction` where there is one, SciPy's convention, else 0.
        jacobian: df/dy for the implicit methods, of shape (..., dim, dim) where the rows of y0 are independent, else
            (\\*y0.shape, \\*y0.shape); compared with f once. None: derived from f, and what is coupled found out.
        dense: keep what `Solution(t)` needs. None: yes, unless gradients are recorded or batch="per_sample".
            What `Solution(t)` returns has the gradients that ys have, in every mode, and those by t.
        on_error: "raise" a SolveError, or "return" what was computed, with its status.

    Returns:
        The `Solution`: ys (time, \\*y0.shape), every attempted step, costs, status.

    Raises:
        ValueError: an argument that makes no sense, with what to do instead.
        TypeError: an argument that there is not, with what another library's name for it is here.
        SolveError: the solve could not go on (unless on_error="return"); it holds the partial solution.
    """
    if foreign:
        refuse_arguments(foreign, tuple(odeint.__kwdefaults__ or ()))
    asked = check_arguments(
        f,
        y0,
        ts,
        method=method,
        rtol=rtol,
        atol=atol,
        controller=controller,
        dt=dt,
        dt0=dt0,
        max_step=max_step,
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
        on_error=on_error,
    )
    started = time.perf_counter()
    try:
        plan = make_plan(asked)
        solution = _hand_over(plan, run(plan), started)
    except TypeError as error:
        explain_calls({"f": f, "event": event, "jacobian": jacobian}, error)
        raise
    if not solution.status.ok and on_error == "raise":
        raise SolveError(f"{solution.message} (method={method!r})", solution)
    return solution


def _hand_over(plan: Plan, solved: Solved, started: float) -> Solution:
    """The solution in the user's layout, its times differentiable where ts were."""
    (ys, event), ts = plan.finish(solved), plan.asked.ts
    steps = StepLog.from_rows(solved.rows)
    dense = None
    if solved.dense is not None and plan.request.keep_dense:
        tracking, restore = plan.mode is not None, plan.layout.restore
        dense = DenseOutput(
            solved, plan.problem, tracking, restore, plan.around, plan.kind.field, plan.times[0]
        )
    wall_time = time.perf_counter() - started
    return Solution(
        ts=ts[: len(ys)].clone(),
        ys=ys,
        steps=steps,
        stats=SolveStats(plan.nfe(solved), steps.n_accepted, steps.n_rejected, wall_time, solved.n_jacobians),
        status=solved.status,
        message=solved.message,
        method=plan.asked.settings.method.name,
        t_event=event[0] if event is not None else None,
        y_event=event[1] if event is not None else None,
        dense=dense,
        backward_record=plan.request.record,
    )
