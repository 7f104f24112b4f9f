"""What does not go together, whatever each argument is alone."""

from __future__ import annotations

import math

from torch import Tensor

from node_core.arguments.asked import Asked
from node_core.fields.own import own_halves
from node_core.gradients.names import BACKWARD, goes_with
from node_core.solvers.problem import Settings


def _by_entry(settings: Settings) -> bool:
    """Whether the entries of the state have tolerances of their own."""
    return isinstance(settings.rtol, Tensor) or isinstance(settings.atol, Tensor)


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
        if asked.events:
            raise ValueError("an event stops the whole batch at one time: use batch='shared' with it")
        if asked.dense:
            raise ValueError(
                "batch='per_sample' keeps no dense output: put the times you want into ts, or use batch='shared'"
            )
        if y0.ndim < 2:
            raise ValueError(f"batch='per_sample' needs y0 of shape (batch, dim), not {tuple(y0.shape)}")
        if tracking and gradient != "backprop":
            raise ValueError(f"batch='per_sample' is differentiated by gradient='backprop', not {gradient!r}")
    settings = asked.backward or asked.settings
    measure = "norm" if settings.norm is not None else "rtol and atol for each entry"
    if tracking and gradient in BACKWARD and (measure == "norm" or _by_entry(settings)):
        raise ValueError(
            f"{measure} is for the entries of y0, but the backward solve of gradient={gradient!r} has others (the "
            "adjoint, the parameters' gradient): pass backward=Backward(rtol=1e-6, atol=1e-6), say, or take "
            "gradient='checkpointed' or 'backprop', which solve nothing backward"
        )
    if method.family == "symplectic":
        _check_symplectic(asked)
    back = method if asked.backward is None else asked.backward.method
    if tracking and back.family == "symplectic" and gradient in BACKWARD:
        raise ValueError(
            f"gradient={gradient!r} solves a system on the way back that is not separable, as method={back.name!r} "
            "needs it: take gradient='backprop' or 'checkpointed', which are exact, or give "
            "backward=Backward(method='dopri5')"
        )
    if "implicit" in (method.family, back.family) and y0.itemsize < 4:
        name = method.name if method.family == "implicit" else back.name
        raise ValueError(
            f"method={name!r} solves linear systems, for which torch has no {y0.dtype}: pass y0.float(), and a "
            "field that takes it, for example f.float()"
        )
    if tracking and method.family == "scipy" and not goes_with(gradient, "scipy"):
        raise ValueError(
            f"gradient={gradient!r} needs the stages of a step, which SciPy does not give: with "
            f"method={method.name!r} take gradient='adjoint' or 'interpolated'"
        )
    if tracking and not goes_with(gradient, method.family):
        raise ValueError(
            f"gradient='reversible' undoes the steps of explicit methods, and method={method.name!r} is none: take "
            "gradient='checkpointed', or method='dopri5'"
        )
    if tracking and gradient == "reversible" and asked.settings.norm is not None:
        raise ValueError(
            "gradient='reversible' solves for two copies of the state, which a norm of your own does not know: leave "
            "norm out, or take gradient='checkpointed'"
        )
    if tracking and gradient == "reversible" and math.isinf(asked.times[-1]):
        raise ValueError(
            "gradient='reversible' damps what its two copies of the state differ by over the span of ts, which has no "
            "end: give ts one, or take gradient='checkpointed'"
        )


def _check_symplectic(asked: Asked) -> None:
    """Refuse a field that does not say that it is separable, and a state without two halves."""
    name, size = asked.settings.method.name, asked.y0.shape[-1]
    if own_halves(asked.f) is None:
        raise ValueError(
            f"method={name!r} needs dq/dt = dq(t, p) and dp/dt = dp(t, q), each half moved by the other alone: pass "
            "f as node_core.Separable(dq, dp) and y0 as a tensor (..., dim), or take method='rk4' where it is not so, "
            "as with friction"
        )
    if size % 2:
        raise ValueError(
            f"method={name!r} takes q and p side by side on the last axis, as many of each, but y0 has shape "
            f"{tuple(asked.y0.shape)}: give it an even last size"
        )
