"""Dual tensors: whether forward-mode differentiation (torch.autograd.forward_ad) is under way."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad


def in_dual_level() -> bool:
    """Whether tensors may carry tangents now: in a `forward_ad.dual_level`, but not in a custom function's forward."""
    return forward_ad._current_level >= 0 and torch._C._is_fwd_grad_enabled()


def carries_tangent(*tensors: Tensor) -> bool:
    """Whether one of these has a tangent."""
    return any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors)


def is_recorded() -> bool:
    """Whether derivatives of what is computed now may be wanted: by a graph, or by tangents."""
    return torch.is_grad_enabled() or in_dual_level()
