"""Forward-mode derivatives: the tangents of torch.autograd.forward_ad go through the operations of the steps.

So they need a solve that consists of torch's own operations: not SciPy's, not a compiled closed form, and none that
hides behind a backward pass of its own, as all gradient modes but "backprop" do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from node_core.arguments import Asked
from node_core.fields.own import own_word
from node_core.solvers.dual import carries_tangent, in_dual_level
from node_core.solvers.problem import CountedField, TensorTime


def has_tangents(asked: Asked, kind: torch.dtype) -> bool:
    """Whether the solution has tangents: from y0, the times, or something that f holds, as one evaluation tells.

    Args:
        kind: the number type in which f is told the time.

    Raises:
        ValueError: it has, and what was asked for would lose them.
    """
    if not in_dual_level():
        return False
    parameters = tuple(asked.f.parameters()) if isinstance(asked.f, nn.Module) else ()
    f = asked.f if own_word(asked.f, "accepts_float_time") else TensorTime(asked.f, asked.y0, kind)
    t: Any = asked.times[0]
    if asked.batch == "per_sample":
        t = asked.y0.new_full((len(asked.y0), *[1] * (asked.y0.ndim - 1)), t)
    slope = CountedField(f, asked.y0)(t, asked.y0.clone())
    if not carries_tangent(asked.y0, asked.ts, slope, *parameters):
        return False
    method = asked.settings.method
    trouble = ""
    if method.family == "scipy":
        trouble = (
            f"method={method.name!r} is SciPy's: take one of this library's, such as 'dopri5' or 'rodas5p'"
        )
    elif asked.gradient != "backprop":
        trouble = f"gradient={asked.gradient!r} hides its solve from them: take gradient='backprop'"
    elif asked.params is not None:
        trouble = "params= names what to go back to, which they cannot: leave it out"
    elif asked.event is not None:
        trouble = "an event has no such derivatives: use torch.autograd.grad for those of t_event and y_event"
    elif method.name in ("implicit_euler", "trapezoid") and _is_recorded(
        asked.y0, asked.ts, slope, *parameters
    ):
        trouble = (
            f"method={method.name!r} does not carry them together with a graph: take method='rodas5p', or "
            "torch.autograd.grad with create_graph=True for a second derivative"
        )
    if trouble:
        raise ValueError(f"y0, ts or f carry tangents of forward-mode differentiation, but {trouble}")
    return True


def _is_recorded(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
