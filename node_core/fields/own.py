"""Whether derivatives that were written by hand are those of the function that a field computes now.

A class's derivatives say nothing of a subclass that computes something else, of a module whose calls pass through
hooks, or of one whose weights are made of other tensors (weight norm, spectral norm, pruning).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

CALLS = frozenset(("forward", "__call__"))


class HandWritten:
    """Marks a module whose class brings a closed form: a snapshot of its weights with all derivatives by hand."""


class Around:
    """Marks a field that computes what another one does, its `inner`."""

    inner: Any


def has_closed_form(f: object, name: str) -> bool:
    """Whether f's method `name` makes the closed form of what f computes: for its very class alone, not a subclass."""
    while isinstance(f, Around):
        f = f.inner
    return isinstance(f, HandWritten) and name in vars(type(f)) and _is_plain(f)


def own_method(f: object, name: str) -> Callable[..., Any] | None:
    """The method `name` of f, such as its Jacobian, if it was written for the function that f computes; else None.

    A class that overrides `forward` or `__call__` takes the methods of the classes above it with it. A field can say
    `has_jacobian = False` of an instance whose class has one.
    """
    found = getattr(f, name, None)
    if not callable(found) or not getattr(f, f"has_{name}", True) or not _is_plain(f):
        return None
    if name in getattr(f, "__dict__", ()):
        return found
    for cls in type(f).__mro__:
        if name in vars(cls):
            return found
        if not CALLS.isdisjoint(vars(cls)):
            return None
    return None


def own_word(f: object, name: str) -> Any:
    """What f says of itself, such as `time_dependent`; None if nothing, or if it overrides what that was said of.

    A module around another one (torch.compile's) hands on its attributes, but says nothing of itself.
    """
    if isinstance(f, nn.Module) and name not in vars(f) and not hasattr(type(f), name):
        return None
    for cls in type(f).__mro__ if isinstance(f, HandWritten) else ():
        if HandWritten in cls.__bases__:
            break
        if not CALLS.isdisjoint(vars(cls)):
            return None
    return getattr(f, name, None)


def is_autonomous(f: object) -> bool:
    """Whether f says that it does not depend on t: `autonomous = True` or `time_dependent = False`."""
    said, depends = own_word(f, "autonomous"), own_word(f, "time_dependent")
    return bool(said) if said is not None else depends is not None and not depends


def _is_plain(f: object) -> bool:
    """Whether calling f runs its class's forward, on its own parameters: always so for what is no module."""
    if not isinstance(f, nn.Module):
        return True
    return not _has_any_global_hook() and all(_is_untouched(module) for module in f.modules())


def _is_untouched(module: nn.Module) -> bool:
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return (
        not any(hooks)
        and "forward" not in vars(module)
        and "parametrizations" not in module._modules
        and not any(isinstance(value, Tensor) and value.requires_grad for value in vars(module).values())
    )
