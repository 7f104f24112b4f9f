"""What a step's error is measured by: tolerances, for the whole state or each of its entries, and the norm."""

from __future__ import annotations

import numbers
from typing import Any

import torch
from torch import Tensor

from node_core.arguments.values import check_callable
from node_core.solvers.methods import Method
from node_core.solvers.norms import OwnNorm, Tolerance


def check_tolerances(
    rtol: Any, atol: Any, y0: Tensor, method: Method, nested: bool
) -> tuple[Tolerance, Tolerance]:
    """Return both as floats, or as tensors of y0's type that broadcast to it.

    Those of a fixed-step method are not looked at. An atol of zero is the smallest number of y0's type: an entry that
    rests at zero then has no error.

    Args:
        nested: whether y0 stands for a state of another structure.
    """
    if not method.adaptive:
        return 1e-6, 1e-6
    if nested and any(hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0 for value in (rtol, atol)):
        raise ValueError(
            "y0 is no real tensor with an axis, and rtol or atol holds several numbers: give one number each. "
            "Where its leaves differ in size, divide each by its own size, in y0 and in f, or pass a norm of your own"
        )
    found = [_checked(name, value, y0) for name, value in (("rtol", rtol), ("atol", atol))]
    least = [float(value.min()) if isinstance(value, Tensor) else value for value in found]
    if max(least) == 0.0:
        raise ValueError(
            f"rtol={_shown(rtol)} and atol={_shown(atol)} ask for an error of zero, which cannot be had: let one of "
            "them be positive; 1e-6 is a good start"
        )
    if method.family == "scipy":
        if isinstance(found[0], Tensor) or found[0] == 0.0:
            raise ValueError(
                f"method={method.name!r} is SciPy's, which takes one positive rtol: pass rtol=1e-6, for example, and "
                "atol for each entry"
            )
        return found[0], found[1]
    tiny = torch.finfo(y0.dtype).tiny
    if isinstance(found[1], Tensor):
        return found[0], found[1].clamp_min(tiny)
    return found[0], found[1] or tiny


def _shown(value: Any) -> str:
    return "0" if value == 0.0 else repr(value)


def _checked(name: str, value: Any, y0: Tensor) -> Tolerance:
    if isinstance(value, str) or (
        not isinstance(value, (numbers.Real, Tensor)) and not hasattr(value, "__len__")
    ):
        raise ValueError(f"{name}={value!r} must be a positive number, or zero: 1e-6 is a good start")
    try:
        tensor = torch.as_tensor(value, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name}={value!r} holds what is no number: give one for each entry of y0"
        ) from error
    if not bool(torch.isfinite(tensor).all()) or bool((tensor < 0).any()) or tensor.numel() == 0:
        raise ValueError(f"{name}={value!r} must be a positive number, or zero: 1e-6 is a good start")
    if tensor.numel() == 1 and tensor.ndim <= 1:
        return float(tensor)
    try:
        if torch.broadcast_shapes(tensor.shape, y0.shape) != y0.shape:
            raise RuntimeError
    except RuntimeError:
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)}, which does not fit y0 of shape {tuple(y0.shape)}: give one "
            f"number for all, or one for each entry of the last dimension, shape ({y0.shape[-1]},)"
        ) from None
    return tensor.to(y0)


def check_norm(norm: Any, method: Method) -> OwnNorm | None:
    """Return the norm; None is the root mean square."""
    if norm is None:
        return None
    check_callable(
        "norm", norm, "a function of the error in units of the tolerance, such as lambda e: e.abs().max()"
    )
    if method.family == "scipy" or not method.adaptive:
        why = (
            "has SciPy's norm"
            if method.family == "scipy"
            else "takes the steps it is given and measures no error"
        )
        raise ValueError(
            f"method={method.name!r} {why}: leave norm out, or take method='dopri5' or 'rodas5p'"
        )
    checked: OwnNorm = norm
    return checked
