"""The checks behind `odeint`: every mistake gets a sentence with the value and the remedy."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from node_core.foreign import check_order
from node_core.gradients.names import CONTINUOUS, GRADIENTS
from node_core.solvers.controllers import controller_named
from node_core.solvers.dual import carries_tangent
from node_core.solvers.loop import Limits
from node_core.solvers.methods import Method, method_named
from node_core.solvers.problem import Settings


@dataclass(frozen=True)
class Asked:
    """The arguments of `odeint`, checked one by one.

    Attributes:
        ts, times: the output times as a tensor on y0's device, and as floats.
        settings: method, tolerances, step sizes, limits.
        jumps: the times within ts at which f jumps, increasing.
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
    event: Callable[[Any, Tensor], Any] | None
    direction: int
    dense: bool | None
    jumps: tuple[float, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether a gradient by the times is wanted, or they carry a tangent."""
        return (torch.is_grad_enabled() and self.ts.requires_grad) or carries_tangent(self.ts)


def check_arguments(
    f: Any,
    y0: Any,
    ts: Any,
    *,
    method: str,
    rtol: float,
    atol: float,
    controller: str,
    dt: float | None,
    dt0: float | None,
    max_step: float | None,
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
    on_error: str,
) -> Asked:
    """Check what can be checked of each argument alone (see `odeint` for their meaning).

    Raises:
        ValueError: an argument that makes no sense, with what to do instead.
    """
    check_callable("f", f, "the field as f(t, y), which returns dy/dt")
    check_order(f)
    check_no_transform()
    if event is not None:
        check_callable("event", event, "a function of (t, y) that crosses zero where to stop")
    direction = check_direction(direction, event)
    if jacobian is not None:
        check_callable("jacobian", jacobian, "a function of (t, y) that returns df/dy")
    y0 = check_state(y0)
    ts_tensor, times = check_times(ts, y0)
    chosen = method_named(method)
    check_choice("gradient", gradient, GRADIENTS)
    check_choice("batch", batch, ("shared", "per_sample"))
    check_choice("on_error", on_error, ("raise", "return"))
    if dense not in (None, True, False):
        raise ValueError(f"dense={dense!r} is none of True, False and None: choose one of these")
    limits = Limits(check_positive_int("max_steps", max_steps), time_limit)
    check_steps(chosen, dt, dt0, max_step, rtol, atol, times, limits)
    judge = controller_named(controller)
    settings = Settings(
        method=chosen,
        rtol=rtol,
        atol=atol,
        controller=judge if chosen.adaptive else None,
        dt=dt,
        dt0=dt0,
        max_step=math.inf if max_step is None else max_step,
        limits=limits,
        jacobian=jacobian,
    )
    moments = check_jumps(jumps, times)
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
        event,
        direction,
        dense,
        moments,
    )


def check_no_transform() -> None:
    """Refuse to run inside one of torch.func's transforms: a solver looks at numbers, which they hide."""
    if torch._C._are_functorch_transforms_active():
        raise ValueError(
            "odeint cannot run inside a transform of torch.func: instead of vmap, pass the batch as y0 of shape "
            "(batch, dim); instead of grad, vjp or jacrev, take torch.autograd.grad of its ys, or "
            "torch.autograd.functional.jacobian; instead of jvp or jacfwd, torch.autograd.functional.jvp"
        )


def check_state(y0: Any) -> Tensor:
    """Return y0, a finite floating-point tensor with at least one entry."""
    if not isinstance(y0, Tensor):
        raise ValueError(_no_state(y0))
    if y0.is_complex():
        raise ValueError(
            f"y0 has type {y0.dtype}: an ODE is solved in real numbers. Pass its two halves side by side, "
            "torch.cat((y0.real, y0.imag), -1); in f, z = torch.complex(*y.chunk(2, -1)), and return "
            "torch.cat((dz.real, dz.imag), -1)"
        )
    if not y0.is_floating_point():
        raise ValueError(f"y0 has type {y0.dtype}: an ODE needs real numbers, pass y0.float() or y0.double()")
    if y0.itemsize < 2:
        raise ValueError(f"y0 has type {y0.dtype}, which torch cannot calculate with: pass y0.float()")
    if y0.layout is not torch.strided:
        raise ValueError(f"y0 is a tensor of layout {y0.layout}: pass y0.to_dense()")
    if y0.is_meta:
        raise ValueError(
            "y0 is on the device 'meta', where tensors have shapes but no numbers: make it, and the field, on a real "
            "device"
        )
    if y0.ndim == 0 or y0.numel() == 0:
        raise ValueError(
            f"y0 has shape {tuple(y0.shape)}: it needs at least one entry and a last dimension, (..., dim)"
            + ("; pass y0[None]" if y0.ndim == 0 else "")
        )
    # A finite sum has finite terms; only where it is not do they have to be looked at one by one.
    if not math.isfinite(y0.detach().sum().item()) and not bool(torch.isfinite(y0.detach()).all()):
        raise ValueError("y0 contains NaN or infinity: start from finite numbers")
    return y0


def _no_state(y0: object) -> str:
    """What to do with something that is no tensor."""
    parts: Any = y0.values() if isinstance(y0, dict) else y0
    if isinstance(y0, (tuple, list, dict)) and y0 and all(isinstance(part, Tensor) for part in parts):
        given = "list(y0.values())" if isinstance(y0, dict) else "y0"
        return (
            f"y0 is a {type(y0).__name__} of {len(y0)} tensors: join them to one state, for example with "
            f"torch.cat({given}, dim=-1), and split it in f"
        )
    if isinstance(y0, dict):
        return "y0 is dict, not a tensor: put its numbers into one tensor of shape (..., dim)"
    return f"y0 is {type(y0).__name__}, not a tensor: pass torch.tensor(y0, dtype=torch.float64)"


def check_times(ts: Any, y0: Tensor) -> tuple[Tensor, tuple[float, ...]]:
    """Return ts as a tensor on y0's device and as floats; float64 unless given as a tensor.

    Tensors within a list keep their gradients: `[0.0, T]` can be differentiated by T.
    """
    try:
        tensor = ts if isinstance(ts, Tensor) else _joined(ts, y0.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"ts={ts!r} is no sequence of times: give at least two, such as [0.0, 1.0]"
        ) from error
    if tensor.is_complex() or tensor.is_meta:
        raise ValueError(f"ts is a tensor of {tensor.dtype} on {tensor.device}: give real numbers")
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.float64)
    tensor = tensor.to(y0.device)
    if tensor.ndim != 1 or len(tensor) < 2:
        rows = "" if tensor.ndim < 2 else ", in one row for the whole batch (ts.flatten() makes one of them)"
        raise ValueError(
            f"ts has shape {tuple(tensor.shape)}: give at least two times, such as [0.0, 1.0]{rows}"
        )
    times = tuple(float(t) for t in tensor.detach().tolist())
    if not all(map(math.isfinite, times)):
        raise ValueError("ts contains NaN or infinity: give finite times")
    forward = times[-1] > times[0]
    for before, after in pairwise(times):
        if not (after > before if forward else after < before):
            raise ValueError(
                f"ts goes from {before:g} to {after:g}: times must be strictly increasing, or strictly decreasing"
            )
    return tensor, times


def _joined(ts: Any, device: torch.device) -> Tensor:
    """A sequence of times as one tensor, in which those that are tensors themselves keep their graph."""
    if isinstance(ts, (list, tuple)) and any(isinstance(t, Tensor) for t in ts):
        return torch.stack([torch.as_tensor(t, dtype=torch.float64, device=device).reshape(()) for t in ts])
    return torch.as_tensor(ts, dtype=torch.float64)


def check_jumps(jumps: Any, times: tuple[float, ...]) -> tuple[float, ...]:
    """Return the jumps that lie within the times, increasing."""
    if isinstance(jumps, Tensor) and jumps.requires_grad:
        raise ValueError(
            "jumps requires gradients, but when f jumps is a constant to odeint: pass jumps.detach(). For the gradient "
            "by such a time T, end one solve there and begin the next: ts=[t0, T], then ts=[T, t1]"
        )
    form = "give the times at which f jumps, such as [1.0, 2.5]"
    try:
        moments = torch.as_tensor(() if jumps is None else jumps, dtype=torch.float64).tolist()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"jumps={jumps!r} is no sequence of times: {form}") from error
    if not isinstance(moments, list) or not all(isinstance(t, float) for t in moments):
        raise ValueError(f"jumps={jumps!r} is no sequence of times: {form}")
    if not all(map(math.isfinite, moments)):
        raise ValueError(f"jumps={jumps!r} contains NaN or infinity: {form}")
    low, high = sorted((times[0], times[-1]))
    return tuple(sorted({t for t in moments if low <= t <= high}))


def check_callable(name: str, value: object, form: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value) or isinstance(value, type):
        what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise ValueError(f"{name} is {what}, not a function: pass {form}")


def check_direction(direction: Any, event: Any) -> int:
    """Return the direction in which an event is to be crossed: as given, else the event's own attribute, else 0."""
    if direction is None:
        direction = getattr(event, "direction", 0)
    elif event is None:
        raise ValueError(f"direction={direction!r} says which way an event is crossed: pass event= too")
    if isinstance(direction, bool) or direction not in (-1, 0, 1):
        raise ValueError(
            f"direction={direction!r} is none of -1 (the event function falls through zero), 1 (it rises) and 0 (both)"
        )
    return int(direction)


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is none of the allowed ones."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is none of {', '.join(map(repr, allowed))}: choose one of these")


def check_positive_int(name: str, value: Any) -> int:
    """Return a whole number of at least one."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name}={value!r} must be a whole number of at least 1")
    return int(value)


def _check_positive(name: str, value: float, why: str) -> None:
    if hasattr(value, "__len__") and not isinstance(value, str) and getattr(value, "ndim", 1) > 0:
        raise ValueError(
            f"{name}={value!r} holds several numbers: one {name} serves the whole state. Where its coordinates differ "
            "in size, divide each by its own size, in y0 and in f"
        )
    if isinstance(value, Tensor):
        raise ValueError(f"{name}={value!r} is a tensor: pass a plain number, float({name})")
    if not (isinstance(value, numbers.Real) and math.isfinite(value) and value > 0):
        raise ValueError(f"{name}={value!r} must be a positive number: {why}")


def check_steps(
    method: Method,
    dt: float | None,
    dt0: float | None,
    max_step: float | None,
    rtol: float,
    atol: float,
    ts: tuple[float, ...],
    limits: Limits,
) -> None:
    """Check tolerances and step sizes, and that they do not ask for more steps than allowed."""
    if limits.time_limit is not None:
        _check_positive("time_limit", limits.time_limit, "it is in seconds; None means no limit")
    if method.adaptive:
        if dt is not None:
            raise ValueError(
                f"method={method.name!r} chooses its own steps: pass rtol and atol, or dt0, instead of dt"
            )
        _check_positive("rtol", rtol, "an error of zero cannot be had; 1e-6 is a good start")
        _check_positive("atol", atol, "an error of zero cannot be had; 1e-6 is a good start")
        if dt0 is not None:
            _check_positive("dt0", dt0, "the sign follows from ts; None lets the solver choose")
        if max_step is not None:
            _check_positive("max_step", max_step, "the sign follows from ts; None means no limit")
            _check_count("max_step", max_step, ts, limits)
        return
    for name, value in (("dt0", dt0), ("max_step", max_step)):
        if value is not None:
            raise ValueError(f"method={method.name!r} takes equal steps: pass dt instead of {name}")
    if dt is None:
        nice = float(f"{abs(ts[-1] - ts[0]) / 100:.1g}")
        raise ValueError(f"method={method.name!r} needs a step size: pass dt, for example dt={nice:g}")
    _check_positive("dt", dt, "the sign follows from ts")
    _check_count("dt", dt, ts, limits)


def _check_count(name: str, step: float, ts: tuple[float, ...], limits: Limits) -> None:
    """Refuse steps so short that there would be more than allowed."""
    count = abs(ts[-1] - ts[0]) / step
    if count > limits.max_steps * (1 + 1e-9):
        smallest = abs(ts[-1] - ts[0]) / limits.max_steps
        raise ValueError(
            f"{name}={step:g} would take {count:.3g} steps, more than max_steps={limits.max_steps}: take {name} of at "
            f"least {smallest:.3g}, or raise max_steps"
        )


def check_combination(asked: Asked, tracking: bool) -> None:
    """Refuse what does not go together; `tracking` says that a gradient is wanted.

    Raises:
        ValueError: with what to ask for instead.
    """
    method, gradient, y0 = asked.settings.method, asked.gradient, asked.y0
    if asked.moves:
        for i, t in enumerate(asked.times[1:-1], 1):
            if t in asked.jumps:
                raise ValueError(
                    f"ts[{i}] = {t:g} is one of jumps: the solution has a kink there, and no derivative by that time. "
                    "Pass ts.detach(), or end one solve there and begin the next"
                )
    if asked.batch == "per_sample":
        if method.family != "explicit" or not method.adaptive:
            raise ValueError(
                f"batch='per_sample' works with the adaptive explicit methods, not with method={method.name!r}: take "
                "method='dopri5', or batch='shared'"
            )
        if asked.event is not None:
            raise ValueError("an event stops the whole batch at one time: use batch='shared' with it")
        if asked.dense:
            raise ValueError(
                "batch='per_sample' keeps no dense output: put the times you want into ts, or use batch='shared'"
            )
        if y0.ndim < 2:
            raise ValueError(f"batch='per_sample' needs y0 of shape (batch, dim), not {tuple(y0.shape)}")
        if tracking and gradient != "backprop":
            raise ValueError(f"batch='per_sample' is differentiated by gradient='backprop', not {gradient!r}")
    if method.family == "implicit" and y0.itemsize < 4:
        raise ValueError(
            f"method={method.name!r} solves linear systems, for which torch has no {y0.dtype}: pass y0.float(), and a "
            "field that takes it, for example f.float()"
        )
    if tracking and method.family == "scipy" and gradient not in CONTINUOUS:
        raise ValueError(
            f"gradient={gradient!r} needs the stages of a step, which SciPy does not give: with "
            f"method={method.name!r} take gradient='adjoint' or 'interpolated'"
        )


def find_parameters(f: object, params: Any) -> tuple[Tensor, ...]:
    """The tensors to differentiate by, each once: those given, else an nn.Module's own, if they require gradients."""
    if params is None:
        found: tuple[Tensor, ...] = tuple(f.parameters()) if isinstance(f, nn.Module) else ()
    elif isinstance(params, nn.Module):
        raise ValueError(
            f"params is a module, {type(params).__name__}: pass its tensors, params=net.parameters()"
        )
    elif not isinstance(params, Tensor) and not hasattr(params, "__iter__"):
        raise ValueError(f"params={params!r} is no tensor: pass tensors, for example params=net.parameters()")
    else:
        found = (params,) if isinstance(params, Tensor) else tuple(params)
    for p in found:
        if not isinstance(p, Tensor):
            raise ValueError(
                f"params holds {type(p).__name__}: pass tensors, for example params=net.parameters()"
            )
    return tuple({id(p): p for p in found if p.requires_grad}.values())
