"""The code behind the pictures, where there is one: images that somebody brought along are in no notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

A = TypeVar("A")


def code_of(write: Callable[[A], str], asked: A) -> str | None:
    """The snippet; None where it would have to hold somebody's files."""
    try:
        return write(asked)
    except ValueError:
        return None
