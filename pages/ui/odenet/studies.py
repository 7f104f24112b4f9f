"""Studies of a trained net below the live view: each tab computes when it is opened."""

from __future__ import annotations

import pickle
from dataclasses import replace

import streamlit as st

from node_core.studies.classifier.hlambda_config import HLambdaConfig, HLambdaResult
from node_core.studies.classifier.regularizer_race_config import RegularizerRaceConfig, RegularizerRaceResult
from node_core.studies.classifier.snippets import hlambda_snippet, race_snippet, swap_snippet
from node_core.studies.classifier.solver_swap_config import SolverSwapConfig, SolverSwapResult
from node_core.training.classifier.checkpoint import save
from node_core.training.classifier.config import TrainConfig, structure
from node_core.visualization.classifier.hlambda import cloud_figure, cloud_info
from node_core.visualization.classifier.regularizer_race import (
    LABELS,
    common_reach,
    paths_figure,
    paths_info,
    race_curves,
)
from node_core.visualization.classifier.solver_swap import solver_label, swap_figure, swap_info
from node_core.visualization.training_curves import curves_figure
from pages.ui.layout import explain, picture
from pages.ui.live.run import first_state, live_runs
from pages.ui.odenet.controls import CLOUD_TAB
from pages.ui.study import study

SWAP = "node_core.studies.classifier.solver_swap:run"
CLOUD = "node_core.studies.classifier.hlambda:run"
RACE = "node_core.studies.classifier.regularizer_race:run"
SWAP_TAB, RACE_TAB = "Solver swap", "Regulariser race"
COARSE, LIVE = "trained with two Euler steps", "the net above"
_TAKEN = "odenet taken"


def studies(config: TrainConfig, token: str) -> None:
    """Draw the tabs: only the open one is computed."""
    st.subheader("Look into the net")
    swap, cloud, race = st.tabs(
        [SWAP_TAB, CLOUD_TAB, RACE_TAB], key="study", bind="query-params", on_change="rerun"
    )
    with swap:
        if swap.open:
            _swap(config, token)
    with cloud:
        if cloud.open:
            _cloud(config, token)
    with race:
        if race.open:
            _race()


def _taken(config: TrainConfig, token: str) -> bytes | None:
    """The net as a checkpoint, held still: it is taken anew only when asked for, else each click would compute."""
    if config.loss != "cross_entropy":
        st.info(
            "These studies judge a classifier: choose data with classes, such as circles.",
            icon=":material/info:",
        )
        return None
    again = st.button(
        "Take the net as it is now", key=f"take_{st.session_state.study}", icon=":material/photo_camera:"
    )
    kept = st.session_state.get(_TAKEN)
    if again or kept is None or kept[0] != structure(config):
        raw = first_state(token)
        if raw is None:
            return None
        state = pickle.loads(raw)  # written by our own worker
        if state.structure != structure(config):
            return None
        kept = (structure(config), save(live_runs().look(token).config, state), state.iteration)
        st.session_state[_TAKEN] = kept
    st.caption(f"The net after {kept[2]:,} iterations.")
    return kept[1]


def _swap(config: TrainConfig, token: str) -> None:
    which = st.segmented_control(
        "Net", [COARSE, LIVE], default=COARSE, required=True, key="swapped", bind="query-params"
    )
    asked = SolverSwapConfig()
    if which == LIVE:
        checkpoint = _taken(config, token)
        if checkpoint is None:
            return
        asked = replace(asked, checkpoint=checkpoint)
    result: SolverSwapResult | None = study(SWAP, asked, time_limit=60.0, spinner="Swapping solvers…")
    if result is None:
        return
    left, right = st.columns([1.5, 1], gap="medium")
    with right:
        rows = (result.trained, result.reference, *result.entries)
        st.dataframe(
            {
                "Solver": [
                    "trained: " + solver_label(rows[0]), "accurate: " + solver_label(rows[1]),
                    *(solver_label(row) for row in rows[2:]),
                ],
                "Correct": [f"{row.accuracy:.1%}" if row.accuracy == row.accuracy else "failed" for row in rows],
                "NFE": [row.nfe for row in rows],
            },
            hide_index=True,
            height=380,
        )  # fmt: skip
    with left:
        picture(
            swap_figure(swap_info(result)),
            "swap",
            f"{result.sentence} (Ott et al. 2021, ResNet after all.)",
            r"\text{flow of an ODE} \implies \text{accuracy}(h_{\text{train}}) \approx \text{accuracy}(h \to 0)",
            swap_snippet(asked if which == COARSE else SolverSwapConfig(config)),
        )


def _cloud(config: TrainConfig, token: str) -> None:
    checkpoint = _taken(config, token)
    if checkpoint is None:
        return
    result: HLambdaResult | None = study(CLOUD, HLambdaConfig(checkpoint=checkpoint))
    if result is None:
        return
    info = cloud_info(result)
    if info is None:
        st.info(
            "A multistep method has no single region: choose a Runge-Kutta method.", icon=":material/info:"
        )
        return
    # Equal scales make the plot square: in the whole width its colour bar would stand far off.
    with st.columns([1.3, 1])[0]:
        picture(
            cloud_figure(info),
            "cloud",
            f"{info.sentence} One dot a step, point and eigenvalue; shaded is where a step damps.",
            r"\lambda \in \operatorname{eig} \frac{\partial f}{\partial y}(t, y(t)), \qquad |R(h\lambda)| \le 1",
            hlambda_snippet(HLambdaConfig(config)),
        )


def _race() -> None:
    asked = RegularizerRaceConfig()
    result: RegularizerRaceResult | None = study(RACE, asked, time_limit=90.0, spinner="Training four nets…")
    if result is None:
        return
    loss, nfe = race_curves(result)
    left, right = st.columns(2)
    with left:
        st.plotly_chart(curves_figure(loss, height=300), key="race_loss", config={"displaylogo": False})
    with right:
        st.plotly_chart(curves_figure(nfe, height=300), key="race_nfe", config={"displaylogo": False})
    reach = common_reach(result)
    for column, lane in zip(st.columns(len(result.lanes)), result.lanes, strict=True):
        with column:
            st.markdown(f"**{LABELS[lane.name]}**")
            st.plotly_chart(
                paths_figure(paths_info(lane, reach)),
                key=f"race_{lane.name}",
                config={"displayModeBar": False},
            )
            if lane.message:
                st.caption(lane.message)
    st.table(
        {
            "Penalty": [LABELS[lane.name] for lane in result.lanes],
            "Loss": [f"{lane.final_loss:.2g}" for lane in result.lanes],
            "Correct": [f"{lane.final_accuracy:.1%}" for lane in result.lanes],
            f"NFE at tolerance {asked.rtol:g}": [lane.final_nfe for lane in result.lanes],
            "Straightness": [f"{lane.straightness:.2f}" for lane in result.lanes],
            "∫|f|²": [f"{lane.kinetic_energy:.3g}" for lane in result.lanes],
            "∫‖∂f/∂y‖²": [f"{lane.jacobian_norm:.3g}" for lane in result.lanes],
        },
        hide_index=True,
    )
    explain(
        f"The same net, {asked.iterations} iterations on the same batches: straight, slow paths are cheap to solve, "
        "and the data are still told apart (Finlay et al. 2020; Ghosh et al. 2020).",
        r"\begin{gathered} \min_\theta\; \text{loss} + \lambda_K \int_0^T \|f\|^2\,dt"
        r" + \lambda_J \int_0^T \|\partial f / \partial y\|_F^2\,dt \\[4pt]"
        r" T \sim U(T - b, T + b) \text{ (STEER)} \end{gathered}",
        race_snippet(asked),
    )
