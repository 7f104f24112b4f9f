"""Observations that people have moved, added or taken away in the picture; they belong to one series of one set."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from node_core.training.series.config import SeriesConfig
from node_core.training.series.own import MAX_EDITED, edited_rows
from pages.ui.address import sentence

CANVAS = "view"  # the component's key
_EDITS, _TROUBLE = "series edits", "series edits trouble"
_WANTED = "series edits are of"
_LARGEST = 1e30


def edits_of(config: SeriesConfig) -> bytes:
    """The rows for `SeriesConfig.edited`, if what is shown is still the series that they belong to."""
    place = _place(config)
    st.session_state[_WANTED] = (place, dim_of(config))
    of, rows = st.session_state.get(_EDITS, (None, b""))
    return rows if of == place else b""


def keep_edits(config: SeriesConfig) -> None:
    """Take edited observations that came with a checkpoint."""
    st.session_state[_EDITS] = (_place(config), config.edited)


def take_edits() -> None:
    """What the canvas tells, before the page runs again: all rows, or that the series' own are wanted back."""
    told = st.session_state[CANVAS].picked
    place, dim = st.session_state.get(_WANTED, (None, 1))
    st.session_state[_TROUBLE] = ""
    if told == "restore":
        st.session_state.pop(_EDITS, None)
        return
    try:
        st.session_state[_EDITS] = (place, read_rows(told, dim))
    except ValueError as error:
        st.session_state[_TROUBLE] = sentence(error)


def complain() -> None:
    """Say what was wrong with what was done last."""
    if st.session_state.get(_TROUBLE):
        st.error(st.session_state[_TROUBLE], icon=":material/error:")


def read_rows(told: Any, dim: int) -> bytes:
    """The rows [t, x, ...] that a browser sent, null for what is not observed, as `SeriesConfig.edited` wants them.

    Raises:
        ValueError: they are no such rows, too many, or two have the same time.
    """
    if not isinstance(told, Sequence) or isinstance(told, str) or len(told) > MAX_EDITED:
        raise ValueError(f"these are no observations, or more than {MAX_EDITED}: take some away.")
    rows = []
    for row in told:
        if not isinstance(row, Sequence) or len(row) != dim + 1 or not all(map(_is_value, row)):
            raise ValueError("an observation can't be read: move it again.")
        rows.append([math.nan if value is None else float(value) for value in row])
    return edited_rows(np.array(rows, dtype=float).reshape(len(rows), dim + 1), dim)


def _is_value(value: Any) -> bool:
    """JSON knows numbers of any length: one that no float holds is refused as early as a word."""
    return value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
    )


def _place(config: SeriesConfig) -> str:
    """Which series of which set is shown."""
    own = config.own.numbers if config.data == "own" else b""
    made = (config.seed, config.data_noise, config.window, config.log)
    return json.dumps([config.data, hash(own), made, config.shown])


def dim_of(config: SeriesConfig) -> int:
    """Values at a time."""
    return len(names_of(config))


NAMES: dict[str, tuple[str, ...]] = {
    "spirals": ("x", "y"),
    "pendulum": ("angle (rad)",),
    "sines": ("value",),
    "events": ("events a unit of time",),
    "hares": ("hares (thousand pelts)", "lynxes (thousand pelts)"),
    "co2": ("CO2 (ppm)",),
    "theophylline": ("theophylline (mg/L)",),
}
"""What the values of each set are called, over its panels."""


def names_of(config: SeriesConfig) -> tuple[str, ...]:
    """What its values are called."""
    return config.own.value_names if config.data == "own" else NAMES[config.data]
