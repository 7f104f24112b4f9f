"""Control: watch a net learn to steer a plant, and push it. Controls -> a live run -> stage and curves -> studies."""

from __future__ import annotations

import streamlit as st

from node_core.studies.control.snippets import control_snippet, costate_snippet
from node_core.training.control.config import ControlConfig
from pages.ui.control.checkpoint import CHECKPOINTS
from pages.ui.control.controls import (
    PLANT_NAMES,
    PRESETS,
    asked_anew,
    control_controls,
    take_driver,
    watch_for,
)
from pages.ui.control.curves import control_curves, trial_curves, trial_of
from pages.ui.control.lesson import CONTROL
from pages.ui.control.stage import NAMES, of_config, stage
from pages.ui.control.studies import control_studies
from pages.ui.later import rest_may_come
from pages.ui.layout import explain, lesson_header, look_for, picture_and_controls, presented
from pages.ui.live.controls import preset_buttons
from pages.ui.live.feed import refreshing
from pages.ui.live.run import live_controls, live_runs

LOOP = (
    r"\begin{gathered} \frac{dx}{dt} = f\big(x, u_\theta(x)\big) \\[4pt] "
    r"\min_\theta\; \mathbb{E}_{x(0)} \Big[ \frac{1}{T} \int_0^T \ell(x, u)\,dt + \varphi(x(T)) \Big] \end{gathered}"
)
COSTATE = (
    r"\begin{gathered} a(t) = \frac{\partial J}{\partial x(t)}, \quad "
    r"\dot a = -\frac{\partial f}{\partial x}^{\!\top} a - \frac{\partial \ell}{\partial x} \\[4pt] "
    r"u^* = \arg\min_u\; \ell(x, u) + a^\top f(x, u) \end{gathered}"
)
HANDS = (
    "Drag the plant or click in the phase plane, with a mouse or a finger; the arrow keys push it when the picture is "
    "chosen."
)


def _page() -> None:
    lesson_header("Control")
    preset_buttons(PRESETS)
    left, right = picture_and_controls()
    with right:
        choice = control_controls()
    config = CONTROL.last_good(choice.config)
    with left:
        token = CONTROL.run(config)
        if asked_anew() and live_runs().history(
            token
        ):  # what differs may change while it trains: it would go on
            live_runs().reset(token, fresh=True)
        CHECKPOINTS.take_uploaded(token, config)
        live_controls(token)
        with presented("picture"):
            stage(token, of_config(config), choice.driver, take_driver, PLANT_NAMES[config.plant])
        look_for(watch_for(config, choice.driver), f"{HANDS} {_pace(config)}")
        if not rest_may_come():
            return
        control_curves(token)
        explain(
            f"{_phase_plane(config)} The curves: the cost of the trials that are trained on; the share of 100 held-out "
            "starts from which the plant arrives and stays; and the gradient's norm before it is clipped to 1.",
            LOOP,
            control_snippet(config),
        )
        CHECKPOINTS.controls(token)
    _trial(config, token)
    control_studies(config, token)


def _pace(config: ControlConfig) -> str:
    """How fast the stage is."""
    if config.of_plant().time == "s":
        return "It moves as fast as it would, computed by your browser."
    return f"Its {config.of_plant().time} pass in seconds, computed by your browser."


def _phase_plane(config: ControlConfig) -> str:
    """What the phase plane shows."""
    plant = config.of_plant()
    others = [NAMES.get(s.name, s.name) for i, s in enumerate(plant.states) if i not in plant.plane]
    rest = f", {' and '.join(others)} being at their target" if others else ""
    return (
        f"Arrows in the phase plane are dx/dt of the closed loop{rest}; from shaded starts the plant comes to its "
        "target and stays, the stronger the shade the sooner."
    )


def _trial(config: ControlConfig, token: str) -> None:
    st.subheader("One trial, closely")
    trial_curves(token)
    st.fragment(_what_the_costate_says, run_every=refreshing(token, 3.0))(token)
    explain(
        "What Pontryagin called the costate is the adjoint a(t) of the lesson *Adjoint*: how much dearer the rest of "
        "the trial would be if the plant stood a little elsewhere now. It is drawn as the solver's way back found it.",
        COSTATE,
        costate_snippet(config),
    )


def _what_the_costate_says(token: str) -> None:
    found = trial_of(token)
    st.markdown(f":material/visibility: {found.sentence}" if found else "The first picture is on its way.")


_page()
