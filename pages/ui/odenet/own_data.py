"""Points that people bring along: drawn on a pad or read from a CSV file."""

from __future__ import annotations

import math
from dataclasses import replace

import streamlit as st

from node_core.data.csv import CsvColumns, CsvTable
from node_core.data.dataset import DataConfig
from node_core.data.drawn import drawn_config
from node_core.training.classifier.config import TrainConfig
from pages.ui.address import escaped, sentence
from pages.ui.draw import drawing_pad, read_drawing
from pages.ui.live.own_data import OwnData
from pages.ui.odenet.lesson import ODENET
from pages.ui.study import read_upload

COLUMNS, READ = "node_core.data.csv:csv_columns", "node_core.data.csv:read_columns"
_PAD = "drawing"


def _data(config: TrainConfig) -> DataConfig:
    return config.data


DRAWN, TABLE = OwnData(ODENET, "drawn", _data), OwnData(ODENET, "csv", _data)


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
    kept = DRAWN.kept() or example_drawing(seed)
    drawing_pad(kept, _PAD, _take_drawing)
    DRAWN.complain()
    return kept


def keep(data: DataConfig) -> None:
    """Take data that came with a checkpoint as if they had been drawn or uploaded here."""
    (DRAWN if data.name == "drawn" else TABLE).keep(data)


def _take_drawing() -> None:
    DRAWN.take(lambda: read_drawing(st.session_state[_PAD].points, seed=0))


def csv_data(seed: int) -> DataConfig | None:
    """Ask for a file and its columns; its data, or those of the last good choice, or None before there was any."""
    file = st.file_uploader(
        "CSV file",
        type=["csv", "txt", "tsv"],
        key="csv",
        max_upload_size=1,
        help="A row a point: 1 to 16 columns of numbers and one of classes. Each is scaled into -1 to 1.",
    )
    if file is not None:
        try:
            TABLE.keep(_chosen_columns(file.getvalue(), file.file_id).config(seed=seed))
        except ValueError as error:
            st.error(sentence(error), icon=":material/error:")
    return TABLE.kept()


def _chosen_columns(raw: bytes, name: str) -> CsvTable:
    """Let the user choose among the columns of a file, and read those.

    Raises:
        ValueError: the file or the choice can't be used.
    """
    offer: CsvColumns = read_upload(COLUMNS, raw)
    header = st.checkbox("The first line holds the names", offer.header, key=f"csv header {name}")
    if header != offer.header:
        offer = read_upload(COLUMNS, raw, header)
    for note in offer.notes:
        st.caption(escaped(note))
    file = f"{name} {header}"  # another file, or other names, begins with the guess again
    place = offer.names.index(offer.label)
    label = st.selectbox("Class", offer.names, place, key=f"csv class {file}")
    others = [column for column in offer.names if column != label]
    features = st.multiselect(
        "Features", others, [f for f in offer.features if f != label], key=f"csv features {file} {label}"
    )
    table: CsvTable = read_upload(READ, raw, replace(offer, label=label, features=tuple(features)))
    classes = escaped(", ".join(table.class_names))
    st.caption(f"{len(table.points)} points with {len(features)} features; classes: {classes}.")
    return table
