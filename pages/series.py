"""Time series: a curve through irregular observations, learned live. Controls -> live runs -> canvas -> studies."""

from __future__ import annotations

import streamlit as st

from node_core.studies.series.snippets import train_snippet
from node_core.training.series.config import SeriesConfig
from pages.ui.later import rest_may_come
from pages.ui.layout import explain, lesson_header, look_for, picture_and_controls, presented
from pages.ui.live.controls import preset_buttons
from pages.ui.live.run import live_controls, live_runs
from pages.ui.series.canvas import series_view
from pages.ui.series.checkpoint import CHECKPOINTS
from pages.ui.series.controls import (
    MODELS,
    PRESETS,
    beside_config,
    series_controls,
    started_at,
    watch_for,
)
from pages.ui.series.curve import download_curve
from pages.ui.series.curves import series_curves
from pages.ui.series.edits import complain
from pages.ui.series.lesson import SERIES, lesson_for
from pages.ui.series.studies import studies

LATENT = (
    r"\begin{gathered} q(z_0 \mid x_{1..n}) = \mathcal{N}(\mu, \sigma^2), \quad \frac{dz}{dt} = f_\theta(z) \\[4pt] "
    r"x(t) \sim \mathcal{N}(g_\theta(z(t)), \sigma_x^2) \\[4pt] "
    r"\max\; \mathbb{E}_{q} \sum_i \log p(x_i \mid z(t_i)) \\ - \beta\, \mathrm{KL}(q \,\|\, \mathcal{N}(0, I)) "
    r"\end{gathered}"
)
EVENTS = (
    r"\begin{gathered} \frac{dz}{dt} = f_\theta(z) \\[4pt] "
    r"\log p(t_1 \dots t_n) = \sum_i \log \lambda(z(t_i)) - \int \lambda(z(t))\, dt \end{gathered}"
)
EQUATIONS = {
    "latent_ode": LATENT,
    "ode_rnn": r"\begin{gathered} \frac{dh}{dt} = f_\theta(h), \quad h_i = \mathrm{GRU}(x_i, h(t_i)) \\[4pt] "
    r"x(t) = g_\theta(h(t)) \end{gathered}",
    "gru": r"\begin{gathered} h_i = \mathrm{GRU}([x_i, t_i - t_{i-1}], h_{i-1}) \\[4pt] "
    r"x(t) = g_\theta(h_i, t - t_i) \end{gathered}",
    "neural_ode": r"\begin{gathered} \frac{dx}{dt} = f_\theta(x), \quad x(t_0) = x_0 \\[4pt] "
    r"\min_{\theta, x_0} \sum_i \|x(t_i) - x_i\|^2 \end{gathered}",
    "lotka_volterra": r"\begin{gathered} \dot u = \alpha u - \beta u v \\ "
    r"\dot v = -\gamma v + \delta u v \end{gathered}",
    "universal": r"\begin{gathered} \dot u = \alpha u + u\, n_\theta^1(u, v) \\ "
    r"\dot v = -\gamma v + v\, n_\theta^2(u, v) \end{gathered}",
}
STEPS = (
    "Filled marks are what the model was given, hollow ones what was left out. Grey ground is where nothing was "
    "learned from: before the first time, and after the share that is only foreseen. Below the curves are the steps h "
    "of the solver; dashed ones were rejected. *Off inside* and *off beyond* are root mean squares over the series for "
    "testing, before and after that share begins."
)


def _stage(config: SeriesConfig, beside: str) -> list[tuple[str, str]]:
    """Buttons and canvases of the page's runs; (label, token) of each."""
    shown = {"run": config} | ({"beside": beside_config(config, beside)} if beside else {})
    tokens = [lesson_for(each).run(each, name) for name, each in shown.items()]
    CHECKPOINTS.take_uploaded(tokens[0], config)
    _play_beside(tokens)
    live_controls(*tokens, in_step=False)
    titles = [MODELS[each.model] for each in shown.values()]
    for column, (name, each), title, token in zip(
        st.columns(len(shown)), shown.items(), titles, tokens, strict=True
    ):
        with column, presented("picture", name):
            if beside:
                st.markdown(f"**{title}**")
            own = name == "run"
            series_view(token, each, height=560, name="" if own else name, edited=own and bool(each.edited))
    return list(zip(titles if beside else [""], tokens, strict=True))


def _play_beside(tokens: list[str]) -> None:
    """What comes to stand beside a run that plays, plays with it."""
    before = st.session_state.get("series shown", ())
    st.session_state["series shown"] = tuple(tokens)
    runs = live_runs()
    if runs.look(tokens[0]).status == "running":
        for token in tokens[1:]:
            if token not in before and runs.look(token).status == "paused":
                runs.play(token)


def _page() -> None:
    lesson_header("Time series")
    preset_buttons(PRESETS)
    above = st.container()
    left, right = picture_and_controls()
    with right:
        choice = series_controls()
    config = SERIES.last_good(choice.config)
    with above if choice.beside else left:
        runs = _stage(config, choice.beside)
        complain()
    with left:
        look_for(watch_for(config), started_at(config))
        if not rest_may_come():
            return
        recurrent = ("gru", "ode_rnn", "")
        series_curves(runs, solves=config.model not in recurrent or choice.beside not in recurrent)
        explain(
            STEPS,
            EVENTS if config.data == "events" else EQUATIONS[config.model],
            train_snippet(config),
        )
        download_curve(runs[0][1], config)
        CHECKPOINTS.controls(runs[0][1])
    studies(config, runs)


_page()
