"""CNF: watch a Gaussian become any density. Controls -> a live run -> canvas and curves -> studies of the flow."""

from __future__ import annotations

import streamlit as st

from node_core.studies.cnf_snippets import flow_snippet
from node_core.training.cnf_config import LIVE_FIELDS, CNFConfig
from pages.ui.cnf_controls import asked_to_play, cnf_controls, preset_buttons, watch_for
from pages.ui.cnf_curves import cnf_curves
from pages.ui.cnf_studies import cnf_studies, take_particle
from pages.ui.layout import explain, page_header
from pages.ui.live import live_controls, live_run, live_runs, live_view

TASK = "node_core.training.cnf:advance"
FLOW = (
    r"\frac{dz}{dt} = f_\theta(t, z), \quad z(t_0) \sim \mathcal{N}(0, I), \qquad \max_\theta\, \mathbb{E}_{x \sim "
    r"\text{data}} \Big[\log p(z(t_0)) - \int_{t_0}^{t_1} \operatorname{tr} \frac{\partial f}{\partial z}\, dt\Big]"
)
ENERGY = r"x = T_\theta(z), \quad z \sim \mathcal{N}(0, I), \qquad \min_\theta\, \mathbb{E}_{q} [\log q(x) - \log p(x)]"
COVER = (
    r"\min_\theta\, \mathbb{E}_{p} [-\log q(x)] \approx -\sum_i w_i \log q(x_i), "
    r"\qquad x_i \sim q, \quad w_i \propto \frac{p(x_i)}{q(x_i)}"
)
DISCRETE = (
    r"x = T_K \circ \dots \circ T_1(z), \qquad \max_\theta\, \mathbb{E}_{x \sim \text{data}} \Big[\log p(z) - "
    r"\sum_k \log \left|\det \frac{\partial T_k}{\partial z_{k-1}}\right|\Big]"
)


def _last_good(config: CNFConfig | None) -> CNFConfig:
    """What the widgets describe; where they can't, what was trained before: nothing is lost by a mistake."""
    if config is not None:
        st.session_state["cnf last good"] = config
        return config
    token = st.query_params.get("run")
    if token is not None and token in live_runs():
        found = live_runs().look(token).config
        if isinstance(found, CNFConfig):
            return found
    kept = st.session_state.get("cnf last good")
    return kept if isinstance(kept, CNFConfig) else CNFConfig()


def _equation(config: CNFConfig) -> str:
    if config.objective == "reverse_kl":
        return ENERGY
    if config.objective == "forward_kl":
        return COVER
    return FLOW if config.flow == "cnf" else DISCRETE


def _page() -> None:
    page_header(
        "CNF",
        "Watch a Gaussian rotate and spread into any density, and see why its log density changes on the way.",
    )
    preset_buttons()
    left, right = st.columns([2.6, 1], gap="medium")
    with right:
        config = _last_good(cnf_controls())
    with left:
        token = live_run(TASK, config, live_fields=LIVE_FIELDS)
        if asked_to_play():
            live_runs().play(token)
            st.toast("It trains now, at the top of the page.", icon=":material/play_arrow:")
        live_controls(token)
        live_view(
            token,
            height=600,
            views=("plane", "time"),
            layers=("boundary", "particles", "grid"),
            key="view",
            on_pick=take_particle,
        )
        st.markdown(f":material/visibility: {watch_for(config)}")
        cnf_curves(token, config)
        continuous = config.flow == "cnf"
        explain(
            "Particles are coloured by −tr ∂f/∂z: warm where the density around them rises, blue where it falls; click "
            "one to see its integral. NFE counts evaluations an iteration, forward and (dotted) backward; the steps "
            "are those of the particles' way there and (dotted) back."
            if continuous
            else "A discrete flow has no time between: its density is known before and after its layers, which jump.",
            _equation(config),
            flow_snippet(config),
        )
    cnf_studies(config, token)


_page()
