"""Controls that the live lessons share: presets, scales of round numbers, the solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from node_core.solvers.methods import METHODS
from pages.ui.address import Url, set_control
from pages.ui.layout import choose, log_grid, presented

TOLERANCES = log_grid(1e-6, 0.1, (1.0, 3.0))
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Preset:
    """A case worth seeing: its button, what it sets, and what to watch for."""

    label: str
    values: Mapping[str, Any]
    watch: str = ""
    icon: str | None = None


def preset_buttons(presets: Mapping[str, Preset]) -> DeltaGenerator:
    """One button a case; returns the row, for what else belongs there."""
    row = st.container(horizontal=True, vertical_alignment="center", gap="xsmall")
    for key, preset in presets.items():
        row.button(
            preset.label,
            key=f"preset_{key}",
            icon=preset.icon,
            on_click=set_controls,
            args=(preset.values,),
        )
    return row


def set_controls(values: Mapping[str, Any]) -> None:
    """Give several controls other values (in a callback, before the next run)."""
    for key, value in values.items():
        set_control(key, value)


def scale(label: str, key: str, default: float, values: Sequence[float], url: Url) -> float:
    """Ask for one of some numbers on a slider."""
    value = st.select_slider(
        label, list(values), default, key=key, format_func=lambda v: f"{v:g}", bind="query-params"
    )
    url.note(key, value)
    return float(value)


def nearest(options: Sequence[float], value: float) -> float:
    """The one of a slider's numbers that is nearest to a value."""
    return min(options, key=lambda option: abs(option - value))


def solver_controls(methods: Sequence[str], url: Url) -> dict[str, Any]:
    """Ask for the solver and its tolerance or step: `method`, and `rtol` and `atol`, or `dt`."""
    method = choose("Solver", methods, "method", "dopri5", format_func=lambda m: METHODS[m].label)
    url.note("method", METHODS[method].label)
    with presented("slider"):
        if not METHODS[method].adaptive:
            return {"method": method, "dt": scale("Step size", "dt", 0.1, STEPS, url)}
        tolerance = scale("Tolerance", "rtol", 1e-3, TOLERANCES, url)
    return {"method": method, "rtol": tolerance, "atol": tolerance}


def show_complaints(url: Url) -> None:
    """Say what the address asked for in vain."""
    complaints = url.complaints()
    if complaints:
        st.warning("  \n".join(complaints), icon=":material/link_off:")
