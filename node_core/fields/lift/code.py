"""Whether the forward of a module may be run on symbols: it does nothing but call layers and join its inputs.

What a module does beside its result (it counts its calls, prints, draws random numbers, keeps a state) would be lost
if another formula took its place, and would happen once more if it were tried. So its code is read before it is run. It
may use its own layers and plain values, loops, branches on plain values, and the functions listed here; whatever else
stands in it, in its class or in its closure, is a reason to leave the module as it is.
"""

from __future__ import annotations

import builtins
import dis
import types
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from torch import nn

# Layers whose forward is known: torch's own, and of that very class.
LAYERS = (
    nn.Linear,
    nn.Tanh,
    nn.Softplus,
    nn.ELU,
    nn.ReLU,
    nn.Sigmoid,
    nn.Sequential,
    nn.ModuleList,
    nn.Identity,
)
FUNCTIONS: tuple[Any, ...] = (
    torch.cat,
    torch.concat,
    torch.concatenate,
    torch.tanh,
    torch.sigmoid,
    torch.relu,
    torch.ones_like,
    F.linear,
    F.tanh,
    F.sigmoid,
    F.relu,
    F.elu,
    F.softplus,
    *(getattr(builtins, name) for name in ("range", "len", "enumerate", "zip", "reversed")),
)
LIBRARIES = (torch, nn, F)
NAMES = frozenset(
    (
        "nn",
        "functional",
        "cat",
        "concat",
        "concatenate",
        "tanh",
        "sigmoid",
        "relu",
        "elu",
        "softplus",
        "linear",
        "ones_like",
        "expand",
        "expand_as",
        "unsqueeze",
        "reshape",
        "view",
        "repeat",
        "shape",
        "size",
        "ndim",
        "dim",
    )
)
PLAIN = (int, float, bool, str, tuple, type(None))
WRITES = frozenset(
    (
        "STORE_ATTR",
        "STORE_SUBSCR",
        "STORE_SLICE",
        "STORE_GLOBAL",
        "STORE_NAME",
        "STORE_DEREF",
        "DELETE_ATTR",
        "DELETE_SUBSCR",
        "DELETE_GLOBAL",
        "IMPORT_NAME",
        "YIELD_VALUE",
        "SETUP_FINALLY",
        "MAKE_FUNCTION",
    )
)


class _Names(NamedTuple):
    """What a function refers to: globals, and attributes of anything; `writes` says that it does more than read."""

    globals: frozenset[str]
    attributes: frozenset[str]
    writes: bool


@lru_cache(maxsize=256)
def _names(code: types.CodeType) -> _Names:
    instructions = list(dis.get_instructions(code))
    closed = bool(code.co_freevars or code.co_cellvars or getattr(code, "co_exceptiontable", b""))
    inner = any(isinstance(constant, types.CodeType) for constant in code.co_consts)
    return _Names(
        frozenset(str(i.argval) for i in instructions if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")),
        frozenset(str(i.argval) for i in instructions if "ATTR" in i.opname or "METHOD" in i.opname),
        closed or inner or any(i.opname in WRITES for i in instructions),
    )


def against_running(f: nn.Module) -> str:
    """Why this module, or one that it holds, is not to be run on symbols, in a sentence; empty if it may be."""
    for module in f.modules():
        if type(module) not in LAYERS:
            reason = _against(module)
            if reason:
                return reason
    return ""


def _against(module: nn.Module) -> str:
    cls, name = type(module), type(module).__name__
    if cls.__module__.partition(".")[0] == "torch":
        return f"{name} is no layer of a chain that has a closed form"
    own = [base for base in cls.__mro__ if base not in nn.Module.__mro__]
    changed = ("__call__", "_call_impl", "__getattr__", "__getattribute__", "__torch_function__")
    forward = getattr(cls, "forward", None)
    if any(key in vars(base) for base in own for key in changed) or not isinstance(
        forward, types.FunctionType
    ):
        return f"{name} is called in a way of its own"
    names = _names(forward.__code__)
    if names.writes:
        return f"{name}.forward does more than compute: it writes, or holds something"
    for key in names.globals:
        found = forward.__globals__.get(key, getattr(builtins, key, None))
        if not any(found is known for known in (*LIBRARIES, *FUNCTIONS)) and key != "AssertionError":
            return f"{name}.forward uses {key}"
    for key in names.attributes:
        defined = any(key in vars(base) for base in own)
        if defined or not (key in NAMES or _is_plain_attribute(module, key)):
            return f"{name}.forward uses .{key}"
    return ""


def _is_plain_attribute(module: nn.Module, key: str) -> bool:
    """Whether a name is a layer, a parameter, a plain value or a known function that the module itself holds."""
    if key in module._modules or key in module._parameters:
        return True
    if key not in vars(module):
        return False
    value = vars(module)[key]
    return type(value) in PLAIN or any(value is known for known in FUNCTIONS)
