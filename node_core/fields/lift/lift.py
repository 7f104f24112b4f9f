"""An ordinary module that is a chain of linear layers and activations, as the `MLPField` that it computes.

    f(t, y) = W_L a(... a(W_1 x + b_1) ...) + b_L,     x = y, [y; t] or [t; y]

The module is looked at anew at every solve, which costs some 0.1 ms: its hooks, its weights and what it branches on may
have changed. The weights stay the module's own: what the `MLPField` takes is them, or made of them by operations that
autograd goes back through (the column of the time comes last; a weight that is used twice has two uses).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from node_core.fields.lift.code import against_running
from node_core.fields.lift.symbol import NoChainError, Symbol, chain_of
from node_core.fields.mlp.mlp import field_of
from node_core.fields.own import HandWritten, is_plain


class Lifted(NamedTuple):
    """A field with a closed form, and the tensors to differentiate it by, in the field's order."""

    field: Any
    params: tuple[Tensor, ...]


def lift(f: object, y0: Tensor, params: Sequence[Tensor]) -> Lifted | str:
    """The field that f is; or why it is left as it is, in a sentence.

    Args:
        y0: the state that it will be called with.
        params: the tensors to differentiate by.
    """
    if not isinstance(f, nn.Module):
        return "f brings no derivatives of its own, and is no module in which a chain of layers could be seen"
    if isinstance(f, HandWritten) or not is_plain(f):
        return "f is called through hooks, has a forward or weights of its own making, or derives from a closed form"
    if y0.device.type != "cpu" or y0.dtype not in (torch.float32, torch.float64):
        return (
            f"the state is of {y0.dtype} on {y0.device}: modules are lifted in float32 and float64 on the CPU"
        )
    if torch.is_autocast_enabled("cpu"):
        return "f runs under torch.autocast, a closed form does not"
    reason = against_running(f)
    if not reason:
        try:
            return _lifted(f, chain_of(f, y0), y0, params)
        except NoChainError as error:
            reason = str(error)
    return f"f is no chain of linear layers and activations that has a closed form: {reason}"


def _lifted(f: nn.Module, chain: Symbol, y0: Tensor, params: Sequence[Tensor]) -> Lifted:
    own, asked = {id(p) for p in f.parameters()}, {id(p) for p in params}
    used: set[int] = set()

    def taken(p: Tensor) -> Tensor:
        """A parameter of f as one of the field's, which has a derivative of its own."""
        if id(p) not in own:
            raise NoChainError("a weight is no parameter of it")
        if p.dtype != y0.dtype or p.device != y0.device:
            raise NoChainError("its parameters are of another type than y0")
        if not params:
            return p.detach()
        if id(p) not in asked:
            return p.detach().requires_grad_()
        twice = id(p) in used
        used.add(id(p))
        return p.view_as(p) if twice else p

    layers: list[tuple[Tensor, Tensor]] = []
    for layer in chain.layers:
        weight = taken(layer.weight)
        if not layers and chain.order == "ty":
            weight = torch.cat((weight[:, 1:], weight[:, :1]), 1)
        none = weight.new_zeros(weight.shape[0], requires_grad=bool(params))
        layers.append((weight, none if layer.bias is None else taken(layer.bias)))
    if not asked <= own:
        raise NoChainError("params holds tensors that are no parameters of it")
    field = field_of(layers, chain.activations[0], time_dependent=chain.order != "y")
    return Lifted(field, tuple(p for pair in layers for p in pair) if params else ())
