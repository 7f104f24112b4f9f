"""How every configuration refuses a value: a sentence with the value and the remedy. Loads nothing but Python."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Collection, Mapping
from typing import Any


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Refuse a word that is none of the choices.

    Raises:
        ValueError: with the value, the choices, and the one that was probably meant.
    """
    if not (isinstance(value, str) and value in choices):
        near = difflib.get_close_matches(str(value).lower(), choices, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{name} {value!r} is unknown{hint}: choose one of {', '.join(choices)}.")


def check_choices(
    name: str, values: Collection[Any], choices: Collection[str], most: int | None = None
) -> None:
    """Refuse anything but one to `most` of the choices (None: all of them), each once.

    Args:
        name: of one of them; "method" makes "2 methods were chosen".
        values: what was chosen.
        choices: what there is.
        most: how many may be chosen.

    Raises:
        ValueError: with the value and the remedy.
    """
    for value in values:
        check_choice(name, value, choices)
    if len(set(values)) < len(values):
        raise ValueError(f"the {name}s {', '.join(values)} repeat themselves: choose each once.")
    if not values or (most is not None and len(values) > most):
        remedy = f"choose at least one {name}" if most is None else f"choose 1 to {most}"
        raise ValueError(f"{len(values)} {name}s were chosen: {remedy}.")


def check_number(name: str, value: Any, low: float, high: float, *, above: bool = False) -> None:
    """Refuse what is no finite number from `low` to `high`; with `above`, `low` itself too.

    Raises:
        ValueError: with the value and the range.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high or (above and value == low):
        raise ValueError(f"{name} = {value!r}: choose {'more than ' if above else ''}{low:g} to {high:g}.")


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuse what is no whole number from `low` to `high`.

    Raises:
        ValueError: with the value and the range.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise ValueError(
            f"{name} = {value!r}: choose {'' if whole else 'a whole number from '}{low} to {high}."
        )


def check_fields(
    config: Any,
    *,
    words: Mapping[str, Collection[str]] | None = None,
    whole: Mapping[str, tuple[int, int]] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Refuse a configuration of which a field is out of its bounds: words first, then whole numbers, then others.

    Args:
        config: a dataclass.
        words: field: its choices.
        whole: field: the least and the most of a whole number.
        ranges: field: the least and the most of a number.

    Raises:
        ValueError: with the field, its value and the remedy.
    """
    for name, choices in (words or {}).items():
        check_choice(name, getattr(config, name), choices)
    for name, (least, most) in (whole or {}).items():
        check_whole(name, getattr(config, name), least, most)
    for name, (low, high) in (ranges or {}).items():
        check_number(name, getattr(config, name), low, high)
