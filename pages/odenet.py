"""ODE-Net: watch a flow learn to untangle data. Controls -> live runs -> canvas and curves -> studies of the net."""

from __future__ import annotations

import streamlit as st

from node_core.studies.classifier.snippets import train_snippet
from node_core.training.classifier.config import TrainConfig
from pages.ui.later import rest_may_come
from pages.ui.layout import explain, lesson_header, look_for, picture_and_controls, presented
from pages.ui.live.controls import preset_buttons
from pages.ui.live.curves import live_curves
from pages.ui.live.run import live_controls, live_view
from pages.ui.odenet.checkpoint import CHECKPOINTS
from pages.ui.odenet.controls import (
    PRESETS,
    SET_NAMES,
    beside_configs,
    odenet_controls,
    parameters_of,
    watch_for,
)
from pages.ui.odenet.lesson import ODENET
from pages.ui.odenet.studies import studies

FLOW = r"\begin{gathered} \frac{dy}{dt} = f_\theta(y), \quad y(0) = [x, 0] \\[4pt] "
CLASSIFY = FLOW + r"p(\text{class} \mid x) = \operatorname{softmax}(W y(T) + b) \end{gathered}"
MAP = FLOW + r"\min_\theta\, \|y_1(T) + \operatorname{sign} x\|^2 \end{gathered}"


def _stage(shown: list[tuple[str, str, TrainConfig]]) -> list[tuple[str, str]]:
    """Buttons and canvases of the page's runs; (label, token) of each."""
    tokens = ODENET.runs({name: config for name, _, config in shown})
    CHECKPOINTS.take_uploaded(tokens[0], shown[0][2])
    live_controls(*tokens)
    for column, (name, title, config), token in zip(st.columns(len(shown)), shown, tokens, strict=True):
        with column, presented("picture", name):
            if len(shown) > 1:
                # All the same where one is said of any: the canvases stay level.
                words = f"{parameters_of(config):,} parameters"
                if any(each.start for _, _, each in shown) and not all(each.start for _, _, each in shown):
                    words += ", trained beforehand" if config.start else ", untrained: catches up first"
                st.markdown(f"**{title}** :gray[{words}]")
            live_view(
                token,
                height=500 if len(shown) == 1 else 430,
                view="space" if config.dim + config.augment > 2 else "plane",
                key=f"view_{name}",
                follows=False,
                subject=SET_NAMES[config.data.name],
                steps=("forward", "backward"),
            )
    labels = [title for _, title, _ in shown] if len(shown) > 1 else [""]
    return list(zip(labels, tokens, strict=True))


def _page() -> None:
    lesson_header("ODE-Net")
    presets = preset_buttons(PRESETS)
    # Where runs stand side by side they take the whole width; the controls, read first, are then below.
    above = st.container()
    left, right = picture_and_controls()
    with right:
        choice = odenet_controls(presets)
    config = ODENET.last_good(choice.config)
    shown = beside_configs(config, choice.beside)
    with above if len(shown) > 1 else left:
        runs = _stage(shown)
    with left:
        look_for(watch_for(config))
        if not rest_may_come():
            return
        live_curves(runs, ("loss", "nfe"))
        explain(
            "NFE counts the evaluations of f in one iteration, forward and (dotted) backward: as the flow gets harder, "
            "the solver needs more of them (Chen et al. 2018, Fig. 3d). Below the picture are the steps h of the last "
            "iteration's solve and of its gradient; dashed ones were rejected. "
            f"The net has {parameters_of(config):,} parameters.",
            MAP if config.loss == "flow_map" else CLASSIFY,
            train_snippet(config),
        )
        CHECKPOINTS.controls(runs[0][1])
    live_curves(runs, ("accuracy",))
    st.caption("Accuracy on the batch and (dotted) on the test points.")
    studies(config, runs[0][1])


_page()
