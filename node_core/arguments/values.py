"""Checks of single values: what can be called, words, numbers."""

from __future__ import annotations

import math
import numbers
from typing import Any

from torch import Tensor


def check_callable(name: str, value: object, form: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value) or isinstance(value, type):
        what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise ValueError(f"{name} is {what}, not a function: pass {form}")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is none of the allowed ones."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is none of {', '.join(map(repr, allowed))}: choose one of these")


def check_positive_int(name: str, value: Any) -> int:
    """Return a whole number of at least one."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name}={value!r} must be a whole number of at least 1")
    return int(value)


def check_positive(name: str, value: float, why: str) -> None:
    """Refuse what is no positive number."""
    if hasattr(value, "__len__") and not isinstance(value, str) and getattr(value, "ndim", 1) > 0:
        raise ValueError(f"{name}={value!r} holds several numbers: one {name} serves the whole solve")
    if isinstance(value, Tensor):
        raise ValueError(f"{name}={value!r} is a tensor: pass a plain number, float({name})")
    if not (isinstance(value, numbers.Real) and math.isfinite(value) and value > 0):
        raise ValueError(f"{name}={value!r} must be a positive number: {why}")
