"""What every trainer's configuration may hold, whatever it trains. Loads no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from node_core.checks import check_choice
from node_core.gradients.names import CONTINUOUS, GRADIENTS
from node_core.solvers.methods import Method, method_named

ACTIVATIONS = ("tanh", "softplus", "elu")
MAX_WIDTH = 256
MAX_FIXED_STEPS = 1000
MAX_ITERATIONS = 1_000_000


def check_hidden(hidden: tuple[int, ...]) -> None:
    """Refuse anything but 1 to 3 hidden layers of 1 to 256 units.

    Raises:
        ValueError: with the widths and the remedy.
    """
    whole = all(isinstance(width, int) and 1 <= width <= MAX_WIDTH for width in hidden)
    if not (1 <= len(hidden) <= 3 and whole):
        raise ValueError(f"hidden = {hidden}: give 1 to 3 widths, each 1 to {MAX_WIDTH}.")


def check_start(start: str) -> None:
    """Refuse a name that no checkpoint can have: it becomes part of a file's path.

    Raises:
        ValueError: with the name and the remedy.
    """
    if not all(c.isalnum() or c in "_-" for c in start) or len(start) > 64:
        raise ValueError(f"start = {start!r}: give a checkpoint's name, letters, digits, '_' and '-'.")


def check_solver(method: str, gradient: str) -> Method:
    """The method of a training that is differentiated by `gradient`.

    Raises:
        ValueError: an unknown name, or a pair that does not go together.
    """
    check_choice("gradient", gradient, GRADIENTS)
    found = method_named(method)
    if found.family == "scipy" and gradient not in CONTINUOUS:
        raise ValueError(
            f"method = {method!r} gives no stages to differentiate through, as gradient = {gradient!r} must: take "
            "gradient = 'adjoint', or method = 'dopri5'."
        )
    return found


def digest_of(fields: Iterable[tuple[str, Any]]) -> str:
    """What a running state of a configuration with these fields belongs to: equal fields, equal digests."""
    return hashlib.sha256(repr(tuple(fields)).encode()).hexdigest()
