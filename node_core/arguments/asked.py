"""What `odeint` is asked: its arguments, checked one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from node_core.arguments.backward import check_backward
from node_core.arguments.events import check_events
from node_core.arguments.state import check_no_jacobian, check_start
from node_core.arguments.steps import check_steps
from node_core.arguments.times import check_jumps, check_times
from node_core.arguments.tolerances import check_norm, check_tolerances
from node_core.arguments.values import check_callable, check_choice, check_positive_int
from node_core.arrays import ArrayState
from node_core.fields.own import is_autonomous
from node_core.foreign import check_order
from node_core.gradients.names import GRADIENTS
from node_core.solvers.controllers import Controller, controller_named
from node_core.solvers.dual import carries_tangent
from node_core.solvers.events import Event, adapted
from node_core.solvers.loop import Limits
from node_core.solvers.methods import method_named
from node_core.solvers.problem import Settings
from node_core.solvers.tableaus.tableau import ButcherTableau
from node_core.structure import Structure


@dataclass(frozen=True)
class Asked:
    """The arguments of `odeint`, checked one by one.

    Attributes:
        ts, times: the output times as a tensor on y0's device, and as floats.
        settings: method, tolerances, step sizes, limits.
        jumps: the times within ts at which f jumps, increasing.
        structure: how the user's state lies in y0, of which f and event are functions here; None where it is y0.
        arrays: the state as the user gave it, if that was an array of NumPy's.
        backward: how to solve backward, where not as forward.
        lift: whether a chain of layers may be solved by its closed form.
    """

    f: Callable[[Any, Tensor], Tensor]
    y0: Tensor
    ts: Tensor
    times: tuple[float, ...]
    settings: Settings
    gradient: str
    params: Any
    record_adjoint: bool
    batch: str
    events: tuple[Event, ...]
    dense: bool | None
    jumps: tuple[float, ...] = ()
    structure: Structure | None = None
    arrays: ArrayState | None = None
    backward: Settings | None = None
    lift: bool = True

    @property
    def moves(self) -> bool:
        """Whether a gradient by the times is wanted, or they carry a tangent."""
        return (torch.is_grad_enabled() and self.ts.requires_grad) or carries_tangent(self.ts)


def check_arguments(
    f: Any,
    y0: Any,
    ts: Any,
    *,
    method: str | ButcherTableau,
    rtol: Any,
    atol: Any,
    norm: Any,
    controller: str | Controller,
    dt: Any,
    dt0: float | None,
    max_step: float | None,
    min_step: float | None,
    jumps: Any,
    max_steps: int,
    time_limit: float | None,
    gradient: str,
    params: Any,
    record_adjoint: bool,
    batch: str,
    event: Any,
    direction: Any,
    jacobian: Any,
    dense: bool | None,
    backward: Any,
    lift: bool,
    on_error: str,
) -> Asked:
    """Check what can be checked of each argument alone (see `odeint` for their meaning).

    Raises:
        ValueError: an argument that makes no sense, with what to do instead.
    """
    check_callable("f", f, "the field as f(t, y), which returns dy/dt")
    check_order(f)
    check_no_transform()
    events = check_events(event, direction)
    if jacobian is not None:
        check_callable("jacobian", jacobian, "a function of (t, y) that returns df/dy")
    arrays = ArrayState(y0) if isinstance(y0, np.ndarray) else None
    if arrays is not None:
        arrays.refuse(gradient, params, record_adjoint, batch, ts)
        f, y0, params = arrays.field(f), arrays.tensor, ()
        events, jacobian = adapted(events, arrays.event), arrays.jacobian(jacobian)
    check_choice("batch", batch, ("shared", "per_sample"))
    y0, structure = check_start(y0, batch)
    if structure is not None:
        check_no_jacobian(jacobian)
        f = structure.field(f, is_autonomous(f))
        events = tuple(replace(one, function=structure.event(one.function)) for one in events)
    ts_tensor, times = check_times(ts, y0, stops=any(one.terminal for one in events))
    chosen = method_named(method)
    check_choice("gradient", gradient, GRADIENTS)
    check_choice("on_error", on_error, ("raise", "return"))
    if dense not in (None, True, False):
        raise ValueError(f"dense={dense!r} is none of True, False and None: choose one of these")
    if lift not in (True, False):
        raise ValueError(f"lift={lift!r} is neither True nor False: choose one of these")
    limits = Limits(check_positive_int("max_steps", max_steps), time_limit)
    ends = check_steps(chosen, controller, dt, dt0, max_step, min_step, times, limits)
    if arrays is not None:
        rtol, atol, norm = arrays.tolerance(rtol), arrays.tolerance(atol), arrays.norm(norm)
    norm = check_norm(norm, chosen)
    rtol, atol = check_tolerances(rtol, atol, y0, chosen, nested=structure is not None)
    if structure is not None and norm is not None:
        norm = structure.norm(norm)
    judge = controller_named(controller)
    settings = Settings(
        method=chosen,
        rtol=rtol,
        atol=atol,
        controller=judge if chosen.adaptive else None,
        norm=norm,
        dt=ends,
        dt0=dt0,
        max_step=math.inf if max_step is None else max_step,
        min_step=0.0 if min_step is None else min_step,
        limits=limits,
        jacobian=jacobian,
    )
    moments = check_jumps(jumps, times)
    back = check_backward(backward, gradient, settings, judge, times, y0)
    return Asked(
        f,
        y0,
        ts_tensor,
        times,
        settings,
        gradient,
        params,
        record_adjoint,
        batch,
        events,
        dense,
        moments,
        structure,
        arrays,
        back,
        lift,
    )


def check_no_transform() -> None:
    """Refuse to run inside one of torch.func's transforms: a solver looks at numbers, which they hide."""
    if torch._C._are_functorch_transforms_active():
        raise ValueError(
            "odeint cannot run inside a transform of torch.func: instead of vmap, pass the batch as y0 of shape "
            "(batch, dim); instead of grad, vjp or jacrev, take torch.autograd.grad of its ys, or "
            "torch.autograd.functional.jacobian; instead of jvp or jacfwd, torch.autograd.functional.jvp"
        )
