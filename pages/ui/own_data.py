"""Data that people bring along: drawn on a pad or read from a CSV file. What can't be used leaves the last data."""

from __future__ import annotations

import math

import streamlit as st

from node_core.data.csv import read_csv
from node_core.data.dataset import DataConfig
from node_core.data.drawn import drawn_config
from node_core.training.config import TrainConfig
from pages.ui.address import escaped, sentence
from pages.ui.draw import drawing_pad, read_drawing
from pages.ui.live import live_runs

_PAD = "drawing"
_DRAWN, _CSV, _TROUBLE = "own data drawn", "own data csv", "own data trouble"


def example_drawing(seed: int = 0) -> DataConfig:
    """Two hooks that grip each other: what the pad shows at first."""
    rows = []
    for k in range(14):
        angle = math.pi * k / 13
        rows += [(1.1 * math.cos(angle) - 0.45, 1.1 * math.sin(angle) - 0.3, 0)]
        rows += [(0.45 - 1.1 * math.cos(angle), 0.3 - 1.1 * math.sin(angle), 1)]
    return drawn_config([(round(x, 3), round(y, 3)) for x, y, _ in rows], [c for *_, c in rows], seed=seed)


def drawn_data(seed: int) -> DataConfig:
    """Show the pad; the drawing that is to be trained on."""
    kept: DataConfig = st.session_state.get(_DRAWN) or _of_run("drawn") or example_drawing(seed)
    drawing_pad(kept, _PAD, _take_drawing)
    if st.session_state.get(_TROUBLE):
        st.error(st.session_state[_TROUBLE], icon=":material/error:")
    return kept


def keep(data: DataConfig) -> None:
    """Take data that came with a checkpoint as if they had been drawn or uploaded here."""
    st.session_state[_DRAWN if data.name == "drawn" else _CSV] = data


def _take_drawing() -> None:
    try:
        st.session_state[_DRAWN] = read_drawing(st.session_state[_PAD].points, seed=0)
        st.session_state[_TROUBLE] = ""
    except ValueError as error:
        st.session_state[_TROUBLE] = sentence(error)


def csv_data(seed: int) -> DataConfig | None:
    """Ask for a file; its data, or those of the last good one, or None before there was any."""
    file = st.file_uploader(
        "CSV file",
        type=["csv", "txt", "tsv"],
        key="csv",
        help="A row a point: 1 to 16 numbers, then the class. Each column is scaled into -1 to 1.",
    )
    if file is not None:
        try:
            table = read_csv(file.getvalue())
            st.session_state[_CSV] = table.config(seed=seed)
            features, classes = escaped(", ".join(table.feature_names)), escaped(", ".join(table.class_names))
            st.caption(f"{len(table.points)} points of {features}; classes: {classes}.")
        except ValueError as error:
            st.error(sentence(error), icon=":material/error:")
    return st.session_state.get(_CSV) or _of_run("csv")


def _of_run(name: str) -> DataConfig | None:
    """The own data of the run in the page's address: after F5 the session is a new one, but the run goes on."""
    runs, token = live_runs(), st.query_params.get("run")
    if token is None or token not in runs:
        return None
    config = runs.look(token).config
    return config.data if isinstance(config, TrainConfig) and config.data.name == name else None
