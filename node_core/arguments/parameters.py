"""What a gradient is wanted by."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


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
