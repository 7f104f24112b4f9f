"""Below the Control page's live picture: what a controller can do, and how it came to; only the open tab works."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from node_core.studies.control.energy_config import EnergyConfig
from node_core.studies.control.gradient_config import GradientConfig
from node_core.studies.control.horizon_config import HorizonConfig, HorizonResult
from node_core.studies.control.rivals_config import RivalsConfig
from node_core.studies.control.robustness_config import RobustnessConfig, choices
from node_core.studies.control.snippets import study_snippet
from node_core.training.control.config import ControlConfig, control_structure
from node_core.visualization.control.studies import (
    StudyInfo,
    energy_info,
    gradient_info,
    horizon_info,
    rivals_info,
    robustness_info,
)
from node_core.visualization.training_curves import curves_figure
from pages.ui.address import Url
from pages.ui.control.controls import own
from pages.ui.layout import choose, explain
from pages.ui.live.controls import show_complaints
from pages.ui.live.run import first_state, live_runs
from pages.ui.study import study

HORIZON, GRADIENT, RIVALS, ROBUST, ENERGY = (
    "Fixed or growing horizon",
    "Gradient modes",
    "Net, LQR, iLQR",
    "Robustness",
    "Energy and time",
)
_TAKEN = "control taken"
_STILL = {"displaylogo": False}
LENGTHS = (
    r"\begin{gathered} \nabla_\theta J \;\propto\; \frac{\partial x(T)}{\partial x(0)} \sim e^{\lambda T} \\[4pt] "
    r"T_k = \min\big(T,\; 0.4 + k\,(T - 0.4) / K\big) \end{gathered}"
)
RICCATI = (
    r"\begin{gathered} A^\top P + P A - P B R^{-1} B^\top P + Q = 0 \\ "
    r"u = \operatorname{clip}\big({-R^{-1} B^\top P\,x}\big) \end{gathered}"
)
WRONG = r"\frac{\|g - \nabla_\theta J\|}{\|\nabla_\theta J\|}"
DISTURBED = (
    r"\begin{gathered} u(t) = u_\theta\big(x(t - \tau) + \sigma\,\xi\big) \\ "
    r"\dot x = f(x, u;\, p + \Delta p) \end{gathered}"
)
EFFORT = (
    r"\begin{gathered} \int_0^T \sum_j \Big(\frac{u_j}{u_j^{\max}}\Big)^{\!2} dt \\[4pt] "
    r"\tfrac{d}{dt} E(x(t)) = 0 \text{ without control and friction} \end{gathered}"
)


@dataclass(frozen=True)
class Net:
    """A run's net as it once was.

    Args:
        config: of the run.
        iteration: when.
        state: its worker's bytes; () where the run had not left its beginning.
    """

    config: ControlConfig
    iteration: int
    state: tuple[bytes, ...]


def control_studies(config: ControlConfig, token: str) -> None:
    """Draw the tabs."""
    st.subheader("Look into the controller")
    drawn: dict[str, Callable[[ControlConfig, str], None]] = {
        HORIZON: _horizon,
        RIVALS: _rivals,
        GRADIENT: _gradient,
        ROBUST: _robustness,
        ENERGY: _energy,
    }
    tabs = st.tabs(list(drawn), key="study", bind="query-params", on_change="rerun")
    for tab, draw in zip(tabs, drawn.values(), strict=True):
        with tab:
            if tab.open:
                draw(config, token)


def _horizon(config: ControlConfig, _token: str) -> None:
    asked = HorizonConfig()
    result: HorizonResult | None = study(
        "node_core.studies.control.horizon:run", asked, time_limit=180.0, spinner="Training twice…"
    )
    if result is not None:
        _show(horizon_info(result), "horizon", LENGTHS, study_snippet(asked))


def _gradient(config: ControlConfig, token: str) -> None:
    _of_the_net(config, token, "gradient", GradientConfig, gradient_info, WRONG)


def _rivals(config: ControlConfig, token: str) -> None:
    _of_the_net(config, token, "rivals", RivalsConfig, rivals_info, RICCATI)


def _robustness(config: ControlConfig, token: str) -> None:
    names = choices(config)
    url = Url(later=True)
    key = own("changed", config.of_plant())
    what = choose("What is changed", names, key, names[0])
    url.note(key, what)
    show_complaints(url)
    _of_the_net(
        config, token, "robustness", lambda net: RobustnessConfig(net, what), robustness_info, DISTURBED
    )


def _energy(config: ControlConfig, token: str) -> None:
    _of_the_net(config, token, "energy", EnergyConfig, energy_info, EFFORT)


def _of_the_net(
    config: ControlConfig,
    token: str,
    name: str,
    question: Callable[[ControlConfig], Any],
    info: Callable[[Any], StudyInfo],
    equation: str,
) -> None:
    """Ask the study of this name of the net as it was taken, and show what comes out."""
    net = _taken(config, token)
    if net is None:
        return
    asked = question(net.config)
    result = study(
        f"node_core.studies.control.{name}:run", asked, *net.state, time_limit=90.0, spinner="Steering…"
    )
    if result is not None:
        _show(info(result), name, equation, study_snippet(asked))


def _show(info: StudyInfo, key: str, equation: str, code: str) -> None:
    for k, (column, chart) in enumerate(zip(st.columns(len(info.charts)), info.charts, strict=True)):
        with column:
            st.plotly_chart(curves_figure(chart, height=320), key=f"{key}_{k}", config=_STILL)
    explain(info.sentence, equation, code)


def _taken(config: ControlConfig, token: str) -> Net | None:
    """The net, held still: it is taken anew only when asked for, else each click would compute."""
    again = st.button(
        "Take the net as it is now", key=f"take_{st.session_state.study}", icon=":material/photo_camera:"
    )
    kept: Net | None = st.session_state.get(_TAKEN)
    if again or kept is None or control_structure(kept.config) != control_structure(config):
        raw = first_state(token)
        if raw is None:
            return None
        state = pickle.loads(raw)  # written by our own worker
        if state.structure != control_structure(config):
            return None
        # Where nothing has been trained, its configuration alone says which net that is.
        untouched = state.iteration == state.begun
        kept = Net(live_runs().look(token).config, state.iteration, () if untouched else (raw,))
        st.session_state[_TAKEN] = kept
    st.caption(f"The net after {kept.iteration:,} iterations.")
    return kept
