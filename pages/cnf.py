"""CNF: watch a Gaussian become any density. Controls -> a live run -> canvas and curves -> studies of the flow."""

from __future__ import annotations

import streamlit as st

from node_core.studies.cnf.snippets import flow_snippet
from node_core.training.flow.config import MATCHING, CNFConfig
from pages.ui.address import escaped
from pages.ui.cnf import ways
from pages.ui.cnf.controls import PRESETS, TARGET_NAMES, asked_to_play, cnf_controls, watch_for
from pages.ui.cnf.curves import cnf_curves
from pages.ui.cnf.lesson import CNF
from pages.ui.cnf.studies import cnf_studies, take_particle
from pages.ui.later import rest_may_come
from pages.ui.layout import explain, lesson_header, look_for, picture_and_controls, presented
from pages.ui.live.controls import preset_buttons, set_controls
from pages.ui.live.run import live_controls, live_runs, live_view

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


SHOW, FOUR = "show", "four trainings"  # in the address


def _equation(config: CNFConfig) -> str:
    if config.objective in MATCHING:
        return ways.MATCHING
    if config.objective == "reverse_kl":
        return ENERGY
    if config.objective == "forward_kl":
        return COVER
    return FLOW if config.flow == "cnf" else DISCRETE


def _page() -> None:
    lesson_header("CNF")
    asked = st.query_params.get(SHOW, "")
    if asked == FOUR:
        row = preset_buttons(ways.PRESETS)
        row.button("One flow alone", key="show_one", icon=":material/arrow_back:", on_click=_show, args=("",))
        ways.four_ways()
        return
    row = preset_buttons(PRESETS)
    row.button("Four trainings", key="show_four", on_click=_show, args=(FOUR,))
    if asked:
        st.warning(
            f"The address asks for {SHOW} = {escaped(asked[:40])}, which this page has not: it shows one flow.",
            icon=":material/link_off:",
        )
    _one_flow()


def _show(what: str) -> None:
    """Show the four trainings or one flow (in a callback, before the next run)."""
    if what:
        set_controls(ways.PRESETS["eight_gaussians"].values)
        st.query_params[SHOW] = what
    else:
        del st.query_params[SHOW]


def _one_flow() -> None:
    left, right = picture_and_controls()
    with right:
        config = CNF.last_good(cnf_controls())
    with left:
        token = CNF.run(config)
        if asked_to_play():
            live_runs().play(token)
            st.toast("It trains now, at the top of the page.", icon=":material/play_arrow:")
        live_controls(token)
        with presented("picture"):
            live_view(
                token,
                height=600,
                views=("plane", "time"),
                layers=("boundary", "particles", "grid"),
                key="view",
                on_pick=take_particle,
                subject=TARGET_NAMES[config.target.name],
                steps=("noise to data", "data to noise") if config.flow == "cnf" else None,
            )
        look_for(watch_for(config))
        if not rest_may_come():
            return
        cnf_curves(token, config)
        continuous = config.flow == "cnf"
        explain(
            "Particles are coloured by −tr ∂f/∂z: warm where the density around them rises, blue where it falls; click "
            "one to see its integral. Below the picture are the steps h of their solve and of that of the data's way "
            "back; dashed ones were rejected. NFE counts evaluations an iteration, forward and (dotted) backward."
            if continuous
            else "A discrete flow has no time between: its density is known before and after its layers, which jump.",
            _equation(config),
            flow_snippet(config),
        )
    cnf_studies(config, token)


_page()
