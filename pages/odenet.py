"""ODE-Net: watch a flow learn to untangle data. Controls -> live runs -> canvas and curves -> studies of the net."""

from __future__ import annotations

import streamlit as st

from node_core.studies.training_snippets import train_snippet
from node_core.training.config import LIVE_FIELDS, TrainConfig
from pages.ui.layout import explain, page_header
from pages.ui.live import live_controls, live_run, live_runs, live_view
from pages.ui.live_curves import live_curves
from pages.ui.odenet_checkpoint import checkpoint_controls, take_uploaded
from pages.ui.odenet_controls import (
    Choice,
    beside_configs,
    odenet_controls,
    parameters_of,
    preset_buttons,
    watch_for,
)
from pages.ui.odenet_studies import studies

TASK = "node_core.training.train:advance"

FLOW = r"\begin{gathered} \frac{dy}{dt} = f_\theta(y), \quad y(0) = [x, 0] \\[4pt] "
CLASSIFY = FLOW + r"p(\text{class} \mid x) = \operatorname{softmax}(W y(T) + b) \end{gathered}"
MAP = FLOW + r"\min_\theta\, \|y_1(T) + \operatorname{sign} x\|^2 \end{gathered}"


def _last_good(choice: Choice) -> TrainConfig:
    """What the widgets describe; where they can't, what was trained before: nothing is lost by a mistake."""
    if choice.config is not None:
        st.session_state["odenet last good"] = choice.config
        return choice.config
    token = st.query_params.get("run")
    if token is not None and token in live_runs():
        config = live_runs().look(token).config
        if isinstance(config, TrainConfig):
            return config
    return st.session_state.get("odenet last good", TrainConfig())


def _stage(shown: list[tuple[str, str, TrainConfig]]) -> list[tuple[str, str]]:
    """Buttons and canvases of the page's runs; (label, token) of each."""
    tokens = [live_run(TASK, config, live_fields=LIVE_FIELDS, name=name) for name, _, config in shown]
    take_uploaded(tokens[0], shown[0][2])
    _join(tokens)
    live_controls(*tokens)
    for column, (name, title, config), token in zip(st.columns(len(shown)), shown, tokens, strict=True):
        with column:
            if len(shown) > 1:
                st.markdown(f"**{title}** :gray[{parameters_of(config):,} parameters]")
            live_view(
                token,
                height=500 if len(shown) == 1 else 430,
                view="space" if config.dim + config.augment > 2 else "plane",
                key=f"view_{name}",
                follows=False,
            )
    labels = [title for _, title, _ in shown] if len(shown) > 1 else [""]
    return list(zip(labels, tokens, strict=True))


def _join(tokens: list[str]) -> None:
    """What comes to stand beside a run that plays, plays with it."""
    runs, before = live_runs(), st.session_state.get("odenet shown", ())
    st.session_state["odenet shown"] = tuple(tokens)
    if runs.look(tokens[0]).status != "running":
        return
    for token in tokens[1:]:
        if token not in before and runs.look(token).status == "paused":
            runs.play(token)


def _page() -> None:
    page_header(
        "ODE-Net", "Press Play and watch a flow learn to untangle the data, and what each solve costs it."
    )
    presets = preset_buttons()
    # Where runs stand side by side they take the whole width; the controls, read first, are then below.
    above = st.container()
    left, right = st.columns([2.6, 1], gap="medium")
    with right:
        choice = odenet_controls(presets)
    config = _last_good(choice)
    shown = beside_configs(config, choice.beside)
    with above if len(shown) > 1 else left:
        runs = _stage(shown)
    with left:
        st.markdown(f":material/visibility: {watch_for(config)}")
        live_curves(runs, ("loss", "nfe"))
        explain(
            "NFE counts the evaluations of f in one iteration, forward and (dotted) backward: as the flow gets harder, "
            "the solver needs more of them (Chen et al. 2018, Fig. 3d). "
            f"The net has {parameters_of(config):,} parameters.",
            MAP if config.loss == "flow_map" else CLASSIFY,
            train_snippet(config),
        )
        checkpoint_controls(runs[0][1])
    live_curves(runs, ("accuracy", "steps"))
    st.caption(
        "Accuracy on the batch and (dotted) on the test points; the solver's steps in the last iteration."
    )
    studies(config, runs[0][1])


_page()
