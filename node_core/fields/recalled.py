"""A field that is called again after its solve: on the way back, or for dense output.

What a module computes can have changed by then: `torch.func.functional_call` around a solve puts tensors into it for
that time only, and so does an assignment of a new weight. And the way back runs outside of the torch.autocast that the
solve ran under. So both are kept here, and given to every call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from node_core.fields.own import Around, is_autonomous, own_method, own_word


class Recalled(Around):
    """A field with what it is called with besides t and y: the tensors of its module, and autocast.

    Args:
        f: the field.
        kind: the device's type, such as "cpu".
        autocast: whether to run under the torch.autocast that is on now.

    Raises:
        ValueError: under autocast f returned another type than the state's.
    """

    def __init__(self, f: Callable[[Any, Tensor], Tensor], kind: str, autocast: bool) -> None:
        self.inner, self._kind = f, kind
        self._autocast = torch.get_autocast_dtype(kind) if autocast else None
        # Where the module keeps its tensors: a dict of its own, the name there, and the tensor.
        self._held: list[tuple[dict[str, Any], str, Tensor]] = []
        self.accepts_float_time = own_word(f, "accepts_float_time")
        self.accepts_numpy = own_word(f, "accepts_numpy")
        self.autonomous = is_autonomous(f)
        if own_method(f, "jacobian") is not None:
            self.jacobian = lambda t, y: self._call("jacobian", t, y)

    def __call__(self, t: Any, y: Any) -> Any:
        """Return f(t, y)."""
        return self._call("__call__", t, y)

    def hold(self) -> None:
        """Keep the tensors that the module holds now for all calls to come: the solve is over."""
        for module in self.inner.modules() if isinstance(self.inner, nn.Module) else ():
            for place in (module._parameters, module._buffers):
                self._held += [(place, name, tensor) for name, tensor in place.items() if tensor is not None]

    def _call(self, name: str, t: Any, y: Any) -> Any:
        if self._autocast is not None:
            return self._call_in_autocast(name, t, y, self._autocast)
        return self._call_held(name, t, y)

    def _call_held(self, name: str, t: Any, y: Any) -> Any:
        if all(place.get(key) is tensor for place, key, tensor in self._held):
            return getattr(self.inner, name)(t, y)
        return functional_call(_Method(self.inner, name), self._tensors(), (t, y))

    def _call_in_autocast(self, name: str, t: Any, y: Tensor, dtype: torch.dtype) -> Any:
        with torch.autocast(self._kind, dtype):
            found = self._call_held(name, t, y)
        if isinstance(found, Tensor) and found.dtype != y.dtype:
            raise ValueError(
                f"f(t, y) returned {found.dtype} for a state of {y.dtype}, because it ran under torch.autocast: return "
                f"dy.to(y.dtype), or leave autocast in f with torch.autocast({self._kind!r}, enabled=False)"
            )
        return found

    def _tensors(self) -> dict[str, Tensor]:
        """The held tensors by the names that `_Method` has for them."""
        assert isinstance(self.inner, nn.Module)
        homes = {}
        for prefix, module in self.inner.named_modules(prefix="inner"):
            homes[id(module._parameters)] = homes[id(module._buffers)] = prefix
        return {f"{homes[id(place)]}.{key}": tensor for place, key, tensor in self._held}


class _Method(nn.Module):
    """A method of a module as a module, so that it can be called with other tensors."""

    def __init__(self, inner: Any, name: str) -> None:
        super().__init__()
        self.inner, self._name = inner, name

    def forward(self, t: Any, y: Any) -> Any:
        return getattr(self.inner, self._name)(t, y)


def without_autocast(kind: str) -> AbstractContextManager[Any]:
    """A solver's own sums are not to be rounded to half precision: only f runs under the user's autocast."""
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
