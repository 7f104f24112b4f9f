"""Runs a module on symbols instead of tensors, and sees which chain of layers it is.

A symbol answers to torch's functions (`__torch_function__`), so that every layer runs its own forward, whatever its
class: what is seen is what is computed. Nothing is patched, so that other threads go on undisturbed. Whatever is asked
of a symbol that a chain does not need fails, and the module is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from torch import Tensor, nn


class NoChainError(Exception):
    """The module is no chain; says why."""


class Layer(NamedTuple):
    """A linear layer: weight (out, in) and bias (out,), as the module holds them."""

    weight: Tensor
    bias: Tensor | None


@dataclass(slots=True, eq=False)
class Symbol:
    """A tensor of which only its kind is known.

    Attributes:
        kind: "time" (t in every entry), "ones", "state" (y), "piece" (some of y), "input" (y and t side by side),
            "linear" or "hidden" (after an activation).
        shape: of the tensor.
        order: which of y and t come first in the input: "y", "yt" or "ty".
        layers, activations: what led from the input to here.
    """

    kind: str
    shape: torch.Size
    order: str = ""
    layers: tuple[Layer, ...] = ()
    activations: tuple[str, ...] = ()

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Symbol:
        handle = _HANDLERS.get(function)
        if handle is None:
            raise NoChainError(f"{getattr(function, '__name__', function)} is no step of such a chain")
        return handle(*args, **(kwargs or {}))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def _like(self) -> Tensor:
        """A tensor without numbers, of the same shape."""
        return torch.empty(self.shape, device="meta")

    def __bool__(self) -> bool:
        raise NoChainError("it takes one way or another by the values of t or y")

    def __getitem__(self, index: Any) -> Symbol:
        if self.kind not in ("state", "piece"):
            raise NoChainError("it takes its layers' values apart")
        return Symbol("piece", self._like[index].shape)

    def __mul__(self, other: Any) -> Symbol:
        if isinstance(other, Symbol) and {self.kind, other.kind} == {"time", "ones"}:
            return Symbol("time", (self._like * other._like).shape)
        raise NoChainError("it multiplies")

    __rmul__ = __mul__

    def __getattr__(self, name: str) -> Any:
        """What a tensor has beside what is defined here."""
        if name == "ndim":
            return len(self.shape)
        if name in ("dim", "size", "expand", "expand_as", "unsqueeze", "reshape", "view", "repeat"):
            return partial(self._call, name)
        if name in ("tanh", "sigmoid", "relu"):
            return partial(_activate, self, name)
        raise NoChainError(f"it asks for .{name}")

    def _call(self, name: str, *args: Any) -> Any:
        plain = [arg._like if isinstance(arg, Symbol) else arg for arg in args]
        found = getattr(self._like, name)(*plain)
        if not isinstance(found, Tensor):
            return found
        if self.kind not in ("time", "ones"):
            raise NoChainError(f"it calls .{name} on what is not the time")
        return Symbol(self.kind, found.shape)


def chain_of(f: nn.Module, y: Tensor) -> Symbol:
    """What f(t, y) is, for a state like y.

    Raises:
        NoChainError: no chain of at least two linear layers with one kind of activation between them.
    """
    time, state = Symbol("time", torch.Size()), Symbol("state", y.shape, "y")
    try:
        found = f(time, state)
    except NoChainError:
        raise
    except Exception as error:
        raise NoChainError(f"it needs numbers where a chain needs none ({type(error).__name__})") from error
    if not isinstance(found, Symbol) or found.kind != "linear" or found.shape != y.shape:
        raise NoChainError("it does not end with a linear layer of the state's shape")
    if len(found.layers) < 2:
        raise NoChainError("it has no hidden layer")
    if len(set(found.activations)) > 1:
        raise NoChainError("its activations differ")
    return found


def _linear(input: Any, weight: Any, bias: Any = None) -> Symbol:
    if not isinstance(input, Symbol) or input.kind not in ("state", "input", "hidden"):
        raise NoChainError("two linear layers have no activation between them")
    if not all(isinstance(p, Tensor) for p in (weight, bias) if p is not None):
        raise NoChainError("a weight is computed")
    if weight.ndim != 2 or weight.shape[1] != input.shape[-1]:
        raise NoChainError("the shapes of its layers do not fit the state")
    shape, layers = torch.Size((*input.shape[:-1], weight.shape[0])), (*input.layers, Layer(weight, bias))
    return Symbol("linear", shape, input.order, layers, input.activations)


def _activate(input: Any, name: str) -> Symbol:
    if not isinstance(input, Symbol) or input.kind != "linear":
        raise NoChainError(f"{name} does not follow a linear layer")
    return Symbol("hidden", input.shape, input.order, input.layers, (*input.activations, name))


def _softplus(input: Any, beta: float = 1, threshold: float = 20) -> Symbol:
    if beta != 1 or threshold < 20:
        raise NoChainError(f"its softplus has beta={beta:g} and threshold={threshold:g}, not 1 and 20")
    return _activate(input, "softplus")


def _elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Symbol:
    if alpha != 1.0:
        raise NoChainError(f"its ELU has alpha={alpha:g}, not 1")
    return _activate(input, "elu")


def _relu(input: Any, inplace: bool = False) -> Symbol:
    return _activate(input, "relu")


def _cat(tensors: Sequence[Any], dim: int = 0, *, axis: int | None = None) -> Symbol:
    dim = dim if axis is None else axis
    kinds = [getattr(part, "kind", "") for part in tensors]
    if sorted(kinds) != ["state", "time"]:
        raise NoChainError("it joins something else than y and t")
    state, time = (tensors[kinds.index(kind)] for kind in ("state", "time"))
    if dim not in (-1, state.ndim - 1) or time.shape != (*state.shape[:-1], 1):
        raise NoChainError("it joins y and t along another axis than the last")
    shape = torch.Size((*state.shape[:-1], state.shape[-1] + 1))
    return Symbol("input", shape, "yt" if kinds[0] == "state" else "ty")


def _ones_like(input: Any) -> Symbol:
    return Symbol("ones", input.shape)


def _times(input: Any, other: Any) -> Symbol:
    raise NoChainError("it multiplies")


_HANDLERS: dict[Any, Callable[..., Symbol]] = {
    F.linear: _linear,
    torch.tanh: lambda input: _activate(input, "tanh"),
    F.tanh: lambda input: _activate(input, "tanh"),
    torch.sigmoid: lambda input: _activate(input, "sigmoid"),
    F.sigmoid: lambda input: _activate(input, "sigmoid"),
    torch.relu: _relu,
    F.relu: _relu,
    F.elu: _elu,
    F.softplus: _softplus,
    torch.cat: _cat,
    torch.concat: _cat,
    torch.concatenate: _cat,
    torch.ones_like: _ones_like,
    torch.Tensor.mul: _times,
}
