"""What may be y0."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


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
