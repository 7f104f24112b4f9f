"""The stage: the plant in motion, the phase plane beside it, and a hand on both (assets/control/stage.js)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from node_core.assets import ASSETS
from node_core.models.control.plant import Plant, Task
from node_core.runs.record import View
from node_core.training.control.config import ControlConfig
from pages.ui.live.run import CANVAS_SCRIPT, run_view

STAGE = '<div class="live" data-part="Stage"></div>'
ROOM = ASSETS / "control"
SCRIPT = "control/stage.js"
HEIGHT = 480
NAMES = {
    "theta": "angle θ",
    "omega": "angular velocity",
    "v": "velocity",
    "heading": "heading φ",
}
"""Of states, where their own are no words."""
POLES = ("pendulum", "cart_pole")
PLACES = ("unicycle", "lotka_volterra")
"""Plants whose phase plane has equal scales."""


def described(
    plant: Plant, task: Task, parameters: Mapping[str, float], limits: Sequence[float]
) -> dict[str, Any]:
    """A plant as the stage is told of it (assets/control/twin.js).

    Args:
        plant: what is steered.
        task: where it begins, and for how long.
        parameters: all of them.
        limits: bounds of its controls.
    """
    there, away = ("upright", "not upright") if plant.key in POLES else ("at its target", "on its way")
    return {
        "key": plant.key,
        "parameters": dict(parameters),
        "limits": list(limits),
        "low": list(task.low),
        "high": list(task.high),
        "horizon": task.horizon,
        "judged": task.judged,
        "plane": list(plant.plane),
        "view": [list(side) for side in plant.view],
        "equal": plant.key in PLACES,
        "states": [
            {
                "label": NAMES.get(state.name, state.name),
                "unit": state.unit,
                "target": state.target,
                "angle": state.angle,
                "scale": state.scale,
                "tolerance": state.tolerance,
            }
            for state in plant.states
        ],
        "controls": [{"label": control.name, "unit": control.unit} for control in plant.controls],
        "there": there,
        "away": away,
        "time": plant.time,
    }


def of_config(config: ControlConfig) -> dict[str, Any]:
    """The plant of a configuration, as the stage is told of it."""
    plant = config.of_plant()
    return described(plant, config.of_task(), plant.check(config.parameters), config.limits)


def stage(
    token: str, plant: Mapping[str, Any], driver: str, on_drive: Callable[[], None], subject: str
) -> View:
    """Mount the stage of a run.

    Args:
        token: the run.
        plant: as of `described`.
        driver: "net", "lqr" or "nobody".
        on_drive: called when somebody else is to drive, before the page reruns: `st.session_state["view"].picked`.
        subject: what the run is about.
    """
    return run_view(
        _stage(),
        token,
        SCRIPT,
        {"plant": plant, "driver": driver},
        height=HEIGHT,
        key="view",
        on_pick=on_drive,
        follows=False,
        subject=subject,
    )


@st.cache_resource(show_spinner=False)
def _stage() -> Any:
    return st.components.v2.component("control_stage", html=STAGE, js=CANVAS_SCRIPT)
