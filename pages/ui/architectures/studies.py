"""What is asked of the nets once they are trained: each tab computes when it is opened."""

from __future__ import annotations

import math
import time

import streamlit as st

from node_core.solvers.methods import METHODS
from node_core.studies.architectures.questions_config import (
    HardestConfig,
    HardestResult,
    LayersConfig,
    LayersResult,
    Net,
    SwapConfig,
    SwapResult,
    weights_of,
)
from node_core.studies.architectures.snippets import hardest_snippet, layers_snippet, swap_snippet
from node_core.visualization.architectures.after import (
    layers_figure,
    layers_info,
    solver_word,
    solvers_figure,
    solvers_info,
)
from node_core.visualization.architectures.gallery import by_digit_figure, gallery_figure, hardest_info
from pages.ui.architectures.code import code_of
from pages.ui.architectures.controls import NETS
from pages.ui.architectures.digit import digit_tab
from pages.ui.architectures.memory import memory_tab
from pages.ui.architectures.table import Rows
from pages.ui.layout import explain, picture
from pages.ui.live.run import live_runs
from pages.ui.study import study

_STUDIES = "node_core.studies.architectures"
HARDEST, SWAP, LAYERS = f"{_STUDIES}.hardest:run", f"{_STUDIES}.swap:run", f"{_STUDIES}.layers:run"
HARDEST_TAB, SWAP_TAB, LAYERS_TAB, DIGIT_TAB = "Hard images", "Other solvers", "Layers", "Draw a digit"
MEMORY_TAB = "Memory"
STILL = {"displayModeBar": False}
PATIENCE = 3.0  # s for the first pictures of the runs


def studies(rows: Rows) -> None:
    """Draw the tabs: only the open one is computed."""
    st.subheader("Look into the trained nets")
    tabs = st.tabs(
        [HARDEST_TAB, SWAP_TAB, LAYERS_TAB, DIGIT_TAB, MEMORY_TAB],
        key="study",
        bind="query-params",
        on_change="rerun",
    )
    for tab, draw in zip(tabs, (_hardest, _swap, _layers, _digit, _memory), strict=True):
        with tab:
            if tab.open:
                draw(rows)


def trained(rows: Rows) -> dict[str, Net]:
    """The nets of the page that are trained to their end, with their weights, by their rows."""
    runs, found = live_runs(), {}
    give_up = time.monotonic() + PATIENCE
    for name, tokens in rows.items():
        while runs.look(tokens[0]).snapshot is None and time.monotonic() < give_up:
            time.sleep(0.05)  # a net that was trained beforehand has ended as soon as it has a picture
        view, state = runs.look(tokens[0]), runs.state(tokens[0])
        if view.status == "finished" and state is not None:
            found[name] = Net(view.config, weights_of(state))
    return found


def _one(rows: Rows, name: str) -> Net | None:
    """The trained net of a row; a sentence where there is none."""
    net = trained(rows).get(name)
    if net is None:
        what = "Choose it above, and train it" if name not in rows else "Train it to its end: press Play"
        st.info(f"This asks {NETS[name]}. {what}.", icon=":material/info:")
    return net


def _hardest(rows: Rows) -> None:
    net = _one(rows, "odenet")
    if net is None:
        return
    if not METHODS[net.train.method].adaptive:
        st.info(
            f"{METHODS[net.train.method].label} takes the same steps for every image: choose an adaptive solver above.",
            icon=":material/info:",
        )
        return
    asked = HardestConfig(net)
    result: HardestResult | None = study(HARDEST, asked, time_limit=60.0)
    if result is None:
        return
    for column, title, info in zip(
        st.columns(2, gap="medium"),
        ("The most evaluations", "The fewest evaluations"),
        hardest_info(result),
        strict=True,
    ):
        with column:
            st.markdown(f"**{title}**")
            st.plotly_chart(gallery_figure(info), key=f"gallery_{title}", config=STILL)
    with st.columns([1, 1], gap="medium")[0]:
        st.plotly_chart(by_digit_figure(result.by_digit), key="by_digit", config=STILL)
    explain(
        "Below each image: its digit, its evaluations; an arrow leads to a wrong answer. Each took steps of its own, "
        f"to a tolerance of {asked.rtol:.0e}: at a coarse one all take much the same few. {result.sentence}",
        None,
        code_of(hardest_snippet, asked),
    )


def _swap(rows: Rows) -> None:
    names = [name for name in ("odenet", "rknet") if name in rows] or ["odenet"]
    name = names[0]
    if len(names) > 1:
        label = st.segmented_control(
            "Net",
            [NETS[each] for each in names],
            default=NETS[names[0]],
            required=True,
            key="swapped",
            bind="query-params",
        )
        name = next(each for each in names if NETS[each] == label)
    net = _one(rows, name)
    if net is None:
        return
    asked = SwapConfig(net)
    result: SwapResult | None = study(SWAP, asked, time_limit=60.0)
    if result is None:
        return
    left, right = st.columns([1, 1.05], gap="medium")
    with right:
        st.table(
            {
                "Solver": [solver_word(e) + (" (trained so)" if e.trained else "") for e in result.entries],
                "Error": [f"{e.error:.2%}" if math.isfinite(e.error) else "gave up" for e in result.entries],
                "NFE": [str(e.nfe) for e in result.entries],
                "CPU time": [
                    f"{1000 * e.seconds:.0f} ms" if math.isfinite(e.seconds) else "–" for e in result.entries
                ],
            },
            hide_index=True,
        )
    with left:
        info = solvers_info(result)
        picture(solvers_figure(info), "swap", info.sentence, None, code_of(swap_snippet, asked))


def _layers(rows: Rows) -> None:
    net = _one(rows, "resnet")
    if net is None:
        return
    asked = LayersConfig(net)
    result: LayersResult | None = study(LAYERS, asked, time_limit=60.0)
    if result is None:
        return
    info = layers_info(result)
    with st.columns([1.6, 1])[0]:
        picture(
            layers_figure(info),
            "layers",
            f"{info.sentence} Layers that are small steps of one flow are hardly missed (Veit et al. 2016).",
            r"y_{k+1} = y_k + \tfrac{1}{L} f_k(y_k)",
            code_of(layers_snippet, asked),
        )


def _memory(rows: Rows) -> None:
    memory_tab()


def _digit(rows: Rows) -> None:
    digit_tab(trained(rows))
