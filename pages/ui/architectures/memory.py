"""The memory of a training step: of each row on this machine when somebody asks for it, and against depth and NFE."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from node_core.studies.architectures.memory_config import DENSE_BATCH, MemoryResult, every_mode
from node_core.studies.architectures.snippets import memory_snippet
from node_core.studies.architectures.table_config import TableConfig
from node_core.visualization.architectures.memory import TITLES, memory_figure, memory_info, memory_sentence
from pages.ui.architectures.controls import Choice
from pages.ui.layout import explain, switch
from pages.ui.study import study, tell_where_measured

MEMORY = "node_core.studies.architectures.table:row_memory"
AGAINST_DEPTH = "node_core.studies.architectures.memory:run"
_MEASURED = "architectures memory"


def memory_switch(choice: Choice) -> bool:
    """Ask whether the memory is to be measured, and say what it then is."""
    images = _asked(choice).train.batch
    return switch(
        "Measure the memory",
        "memory",
        help=f"By how much a process grows at most in its first training step, of {images:,} images: a process a net.",
    )


def measured(choice: Choice) -> dict[str, float]:
    """MiB of each row, where they have been measured; else nothing."""
    kept = st.session_state.get(_MEASURED)
    if kept is None or not st.session_state.get("memory"):
        return {}
    asked, mib = kept
    return dict(mib) if asked == _asked(choice) else {}


def measure_memory(choice: Choice) -> None:
    """Measure, and draw the page anew with the numbers."""
    asked = _asked(choice)
    mib = study(MEMORY, asked, time_limit=240.0, spinner="Measuring the memory of a training step…")
    if mib is not None:
        st.session_state[_MEASURED] = (asked, mib)
        st.rerun()


def memory_tab() -> None:
    """Measured lines beside the paper's orders."""
    asked = every_mode()
    result: MemoryResult | None = study(
        AGAINST_DEPTH, asked, time_limit=240.0, spinner="Measuring in processes of their own…"
    )
    if result is None:
        return
    for column, what in zip(st.columns(2, gap="medium"), TITLES, strict=True):
        with column:
            figure = memory_figure(memory_info(result, what))
            st.plotly_chart(figure, key=f"against_depth_{what}", config={"displaylogo": False})
    explain(
        f"One training step of dense nets on {DENSE_BATCH:,} images: of a ResNet with L layers, and of an ODE-Net that "
        f"takes L̃ / 4 steps of Runge-Kutta 4, by each way back. {memory_sentence(result)} The adjoint keeps the end "
        "alone, and pays for it with evaluations on its way back.",
        r"\text{memory:}\quad \text{ResNet } O(L), \qquad \text{RK-Net } O(\tilde L), \qquad \text{ODE-Net by the "
        r"adjoint } O(1)",
        memory_snippet(asked),
    )
    tell_where_measured(AGAINST_DEPTH, asked, "numbers")


def _asked(choice: Choice) -> TableConfig:
    table = choice.table()
    train = table.train if table.train.kind == "conv" else replace(table.train, batch=DENSE_BATCH)
    return replace(table, train=train, seeds=1)
