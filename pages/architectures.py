"""Architectures: the paper's Table 1, trained side by side. Controls -> live runs -> table and canvases -> studies."""

from __future__ import annotations

import streamlit as st

from node_core.data.images import image_set
from node_core.studies.architectures.snippets import table_snippet
from node_core.training.images.config import counts_of
from pages.ui.architectures.code import code_of
from pages.ui.architectures.controls import NETS, PRESETS, Choice, architectures_controls
from pages.ui.architectures.lesson import ARCHITECTURES
from pages.ui.architectures.memory import measure_memory, measured, memory_switch
from pages.ui.architectures.own_images import NAMES
from pages.ui.architectures.studies import studies
from pages.ui.architectures.table import download_table, live_table
from pages.ui.layout import explain, lesson_header, look_for, presented
from pages.ui.live.controls import preset_buttons
from pages.ui.live.curves import live_curves
from pages.ui.live.run import live_controls, live_runs, live_view

A_ROW = 3  # canvases
PRESENTED = ("resnet", "rknet", "odenet")  # below the table, where there is room for a row
BLOCKS = (
    r"\begin{gathered} y(0) = \text{stem}(x), \qquad p(\text{digit} \mid x) = \operatorname{softmax}(W y(1) + b) "
    r"\\[4pt] \underbrace{y_{k+1} = y_k + \tfrac{1}{L} f_k(y_k)}_{\text{ResNet-}L:\ L \text{ blocks}} \qquad "
    r"\underbrace{\tfrac{dy}{dt} = f(y)}_{\text{RK-Net, ODE-Net: one block}} \end{gathered}"
)
PRICE = (
    "What the table shows is the price: the ODE-Net has {ratio:.1f} times fewer parameters than ResNet-6, for more "
    "evaluations and more time."
)
BLOCKLESS = (
    "What the table shows is what a block is worth: look how much error *No block* has beside the others, and whether "
    "more than one block betters it."
)
ALONE = "What the table shows is a test error and its price; choose another net to compare it with."
BESIDES = (
    "It is no ranking: one image is {one:.2%} of the {n:,} test images, and nets that differ by a few of them tie. "
    "*ResNet-1* and *No block*, which the paper leaves out, settle what depth adds to one "
    "block, and what a block adds to stem and head. *CPU time* is what the processor spent on the training; the time "
    "that is left is by the clock, and longer while nets share the processor. The paper's columns are another "
    "experiment: its own nets on MNIST "
    "(Chen et al. 2018, Table 1)."
)


def _page() -> None:
    lesson_header("Architectures")
    preset_buttons(PRESETS)
    # The table takes the whole width; the controls, read first, are then below.
    above = st.container()
    asked = architectures_controls()
    choice = _last_good(asked)
    rows = _runs(choice)
    mib = measured(choice)
    with above:
        if asked is None:
            st.warning(
                f"Table and Play are still those of what was chosen before ({NAMES[choice.train.data.name]}): what is "
                "asked for now can't be trained, for the reason below.",
                icon=":material/warning:",
            )
        live_controls(*(tokens[0] for tokens in rows.values()), in_step=False)
        with presented("table"):
            live_table(rows, mib)
    look_for(*_says(choice))
    with st.container(horizontal=True, vertical_alignment="center"):
        download_table(rows, mib)
        measure = memory_switch(choice)
    _stage(choice, rows)
    live_curves([(NETS[name], tokens[0]) for name, tokens in rows.items()], ("loss", "nfe"))
    explain(
        "Each canvas shows test images on their way through the depth of a net, in the plane of their two largest "
        "principal components: each is its digit, and moves until the last layer can tell it from the others. "
        + image_set(choice.train.data).note,
        BLOCKS,
        code_of(table_snippet, choice.table()),
    )
    studies(rows)
    if measure and not mib:
        measure_memory(choice)


def _last_good(asked: Choice | None) -> Choice:
    """What the widgets describe, or described last: nothing is lost by a mistake."""
    key = "architectures choice"
    kept = asked or st.session_state.get(key)
    if not isinstance(kept, Choice):
        kept = Choice(ARCHITECTURES.default, tuple(NETS), 1, False)
    st.session_state[key] = kept
    return kept


def _runs(choice: Choice) -> dict[str, list[str]]:
    """Tokens of every net's runs; further seeds are trained as soon as the first one is."""
    names = list(choice.nets)
    firsts = ARCHITECTURES.runs({name: choice.config(name) for name in names})
    rows = {name: [token] for name, token in zip(names, firsts, strict=True)}
    runs = live_runs()
    for k in range(1, choice.seeds):
        for name, tokens in rows.items():
            tokens.append(ARCHITECTURES.run(choice.config(name, k), f"{name} seed {k}"))
            if runs.look(tokens[0]).status == "finished" and not runs.look(tokens[-1]).played:
                runs.play(tokens[-1])
    return rows


def _stage(choice: Choice, rows: dict[str, list[str]]) -> None:
    names = list(rows)
    shown = [name for name in PRESENTED if name in rows] or names[:A_ROW]
    for start in range(0, len(names), A_ROW):
        for column, name in zip(st.columns(A_ROW), names[start : start + A_ROW], strict=False):
            with column, presented("picture", name) if name in shown else st.container():
                count = counts_of(choice.config(name)).total
                st.markdown(f"**{NETS[name]}** :gray[{count:,} parameters]")
                live_view(
                    rows[name][0],
                    height=330,
                    views=("plane",),
                    layers=("paths",),
                    offered=("paths", "steps"),
                    key=f"view_{name}",
                    follows=False,
                    subject=NETS[name],
                )


def _says(choice: Choice) -> tuple[str, str]:
    """What the table shows, and what it does not."""
    n = len(image_set(choice.train.data).test)
    if {"resnet", "odenet"} <= set(choice.nets):
        totals = {name: counts_of(choice.config(name)).total for name in ("resnet", "odenet")}
        shown = PRICE.format(ratio=totals["resnet"] / totals["odenet"])
    else:
        shown = BLOCKLESS if "none" in choice.nets and len(choice.nets) > 1 else ALONE
    return shown, BESIDES.format(one=1 / n, n=n)


_page()
