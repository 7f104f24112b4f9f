"""What may be y0."""

from __future__ import annotations

import cmath
from typing import Any

import torch
from torch import Tensor

from node_core.structure import Structure, structure_of


def check_start(y0: Any, batch: str) -> tuple[Tensor, Structure | None]:
    """Return y0 as a solver takes it, and how the user's lies in it; None where the two are the same.

    Raises:
        ValueError: y0 cannot be solved for, with what to pass instead.
    """
    structure = structure_of(y0, "y0", check_state, batch == "per_sample")
    return (y0 if structure is None else structure.flatten(y0)), structure


def check_state(y0: Any, name: str = "y0") -> None:
    """Refuse what is no tensor of finite real or complex numbers; `name` says which it is."""
    if not isinstance(y0, Tensor):
        raise ValueError(_no_state(y0, name))
    if not y0.is_floating_point() and not y0.is_complex():
        raise ValueError(
            f"{name} has type {y0.dtype}: an ODE needs real or complex numbers, pass {name}.float() or {name}.double()"
        )
    if y0.itemsize < 2 or y0.dtype is torch.complex32:
        more = "cfloat" if y0.is_complex() else "float"
        raise ValueError(
            f"{name} has type {y0.dtype}, which torch cannot calculate with: pass {name}.{more}()"
        )
    if y0.layout is not torch.strided:
        raise ValueError(f"{name} is a tensor of layout {y0.layout}: pass {name}.to_dense()")
    if y0.is_meta:
        raise ValueError(
            f"{name} is on the device 'meta', where tensors have shapes but no numbers: make it, and the field, on a "
            "real device"
        )
    # A finite sum has finite terms; only where it is not do they have to be looked at one by one.
    if not cmath.isfinite(y0.detach().sum().item()) and not bool(torch.isfinite(y0.detach()).all()):
        raise ValueError(f"{name} contains NaN or infinity: start from finite numbers")


def check_no_jacobian(jacobian: Any) -> None:
    """Refuse a Jacobian of a state that a solver does not take as it is."""
    if jacobian is not None:
        raise ValueError(
            "jacobian= is df/dy of a state that is one real tensor with an axis: leave it out, it is derived from f, "
            "or make y0 such a tensor"
        )


def _no_state(y0: object, name: str) -> str:
    """What to do with something that is no tensor."""
    what = type(y0).__name__
    if isinstance(y0, dict):
        return f"{name} is {what}, not a tensor: pass a dict of tensors, dict({name}) if it holds them"
    return f"{name} is {what}, not a tensor: pass torch.tensor({name}, dtype=torch.float64)"
