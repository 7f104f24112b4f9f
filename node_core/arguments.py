"""The checks behind `odeint`: every mistake gets a sentence with the value and the remedy."""

from __future__ import annotations

import math
import numbers
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from node_core.solvers.loop import Limits
from node_core.solvers.methods import Method

# What a reference solver from SciPy can serve: it gives states, not a graph.
CONTINUOUS = ("adjoint", "interpolated")


def check_state(y0: Any) -> Tensor:
    """Return y0, a finite floating-point tensor with at least one entry."""
    if isinstance(y0, (tuple, list)) and y0 and all(isinstance(part, Tensor) for part in y0):
        raise ValueError(
            f"y0 is a {type(y0).__name__} of {len(y0)} tensors: join them to one state, for example with "
            "torch.cat(y0, dim=-1), and split it in f"
        )
    if not isinstance(y0, Tensor):
        raise ValueError(
            f"y0 is {type(y0).__name__}, not a tensor: pass torch.tensor(y0, dtype=torch.float64)"
        )
    if not y0.is_floating_point():
        raise ValueError(f"y0 has type {y0.dtype}: an ODE needs real numbers, pass y0.float() or y0.double()")
    if y0.ndim == 0 or y0.numel() == 0:
        raise ValueError(
            f"y0 has shape {tuple(y0.shape)}: it needs at least one entry and a last dimension, (..., dim)"
            + ("; pass y0[None]" if y0.ndim == 0 else "")
        )
    # A finite sum has finite terms; only where it is not do they have to be looked at one by one.
    if not math.isfinite(y0.detach().sum().item()) and not bool(torch.isfinite(y0.detach()).all()):
        raise ValueError("y0 contains NaN or infinity: start from finite numbers")
    return y0


def check_times(ts: Any, y0: Tensor) -> tuple[Tensor, tuple[float, ...]]:
    """Return ts as a tensor on y0's device and as floats; float64 unless given as a tensor."""
    try:
        tensor = ts if isinstance(ts, Tensor) else torch.as_tensor(ts, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"ts={ts!r} is no sequence of times: give at least two, such as [0.0, 1.0]"
        ) from error
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.float64)
    tensor = tensor.to(y0.device)
    if tensor.ndim != 1 or len(tensor) < 2:
        raise ValueError(f"ts has shape {tuple(tensor.shape)}: give at least two times, such as [0.0, 1.0]")
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


def check_callable(name: str, value: object, form: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise ValueError(f"{name} is {type(value).__name__}, not a function: pass {form}")


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
    if isinstance(value, Tensor):
        raise ValueError(f"{name}={value!r} is a tensor: pass a plain number, float({name})")
    if not (isinstance(value, numbers.Real) and math.isfinite(value) and value > 0):
        raise ValueError(f"{name}={value!r} must be a positive number: {why}")


def check_steps(
    method: Method,
    dt: float | None,
    dt0: float | None,
    rtol: float,
    atol: float,
    ts: tuple[float, ...],
    limits: Limits,
) -> None:
    """Check tolerances and step sizes, and that a fixed step does not ask for more steps than allowed."""
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
        return
    if dt0 is not None:
        raise ValueError(f"method={method.name!r} takes equal steps: pass dt instead of dt0")
    if dt is None:
        raise ValueError(
            f"method={method.name!r} needs a step size: pass dt, for example dt={_nice_step(ts):g}"
        )
    _check_positive("dt", dt, "the sign follows from ts")
    count = abs(ts[-1] - ts[0]) / dt
    if count > limits.max_steps * (1 + 1e-9):
        smallest = abs(ts[-1] - ts[0]) / limits.max_steps
        raise ValueError(
            f"dt={dt:g} would take {count:.3g} steps, more than max_steps={limits.max_steps}: take dt of at least "
            f"{smallest:.3g}, or raise max_steps"
        )


def _nice_step(ts: tuple[float, ...]) -> float:
    return float(f"{abs(ts[-1] - ts[0]) / 100:.1g}")


def check_combination(
    method: Method, gradient: str, batch: str, event: object, dense: bool | None, y0: Tensor, tracking: bool
) -> None:
    """Refuse what does not go together."""
    if batch == "per_sample":
        if method.family != "explicit" or not method.adaptive:
            raise ValueError(
                f"batch='per_sample' works with the adaptive explicit methods, not with method={method.name!r}: take "
                "method='dopri5', or batch='shared'"
            )
        if event is not None:
            raise ValueError("an event stops the whole batch at one time: use batch='shared' with it")
        if dense:
            raise ValueError(
                "batch='per_sample' keeps no dense output: put the times you want into ts, or use batch='shared'"
            )
        if y0.ndim < 2:
            raise ValueError(f"batch='per_sample' needs y0 of shape (batch, dim), not {tuple(y0.shape)}")
        if tracking and gradient != "backprop":
            raise ValueError(f"batch='per_sample' is differentiated by gradient='backprop', not {gradient!r}")
    if tracking and method.family == "scipy" and gradient not in CONTINUOUS:
        raise ValueError(
            f"gradient={gradient!r} needs the stages of a step, which SciPy does not give: with "
            f"method={method.name!r} take gradient='adjoint' or 'interpolated'"
        )


def find_parameters(f: object, params: Any) -> tuple[Tensor, ...]:
    """The tensors to differentiate by: those given, else an nn.Module's own; only those that require gradients."""
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
    return tuple(p for p in found if p.requires_grad)
