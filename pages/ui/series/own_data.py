"""A table of series that people bring along: its columns are chosen here, a worker reads it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from node_core.data.series.table import MAX_VALUES, ONE_SERIES, ROW_NUMBER, SeriesColumns, SeriesTable
from node_core.training.series.config import SeriesConfig
from node_core.training.series.own import OwnSeries
from pages.ui.address import escaped, sentence
from pages.ui.series.lesson import SERIES
from pages.ui.study import read_upload

COLUMNS, READ = "node_core.data.series.table:series_columns", "node_core.data.series.table:read_series"
_KEPT = "series own table"


def kept() -> OwnSeries | None:
    """The last table that could be used; after F5, when only the run goes on, that of the run."""
    held: OwnSeries | None = st.session_state.get(_KEPT)
    if held is not None:
        return held
    config: SeriesConfig | None = SERIES.running()
    return config.own if config is not None and config.data == "own" else None


def keep(own: OwnSeries) -> None:
    """Take series that came with a checkpoint as if they had been uploaded here."""
    st.session_state[_KEPT] = own


def own_series() -> OwnSeries | None:
    """Ask for a file and its columns; its series, or those of the last good choice, or None before there was any."""
    file = st.file_uploader(
        "CSV file",
        type=["csv", "txt", "tsv"],
        key="series csv",
        max_upload_size=1,
        help="A row a time: a column of times (numbers or dates), 1 to 4 columns of values, and perhaps one that tells "
        "several series apart. Empty cells are gaps.",
    )
    if file is not None:
        try:
            keep(_chosen(file.getvalue(), file.file_id))
        except ValueError as error:
            st.error(sentence(error), icon=":material/error:")
    found = kept()
    if found is None:
        st.info("Choose a file: a row a time, with its values.", icon=":material/upload:")
    return found


def _chosen(raw: bytes, name: str) -> OwnSeries:
    """Let the user choose among the columns of a file, and read those.

    Raises:
        ValueError: the file or the choice can't be used.
    """
    offer: SeriesColumns = read_upload(COLUMNS, raw)
    header = st.checkbox("The first line holds the names", offer.header, key=f"series header {name}")
    if header != offer.header:
        offer = read_upload(COLUMNS, raw, header)
    for note in offer.notes:
        st.caption(escaped(note))
    file = f"{name} {header}"  # another file, or other names, begins with the guess again
    times = [ROW_NUMBER, *offer.names]
    time = st.selectbox("Times", times, times.index(offer.time), key=f"series time {file}")
    values = st.multiselect(
        "Values",
        [column for column in offer.names if column != time],
        [column for column in offer.values if column != time],
        max_selections=MAX_VALUES,
        key=f"series values {file} {time}",
    )
    ids = [ONE_SERIES, *offer.names]
    series = st.selectbox("Tell series apart by", ids, ids.index(offer.series), key=f"series id {file}")
    table: SeriesTable = read_upload(
        READ, raw, replace(offer, time=time, values=tuple(values), series=series, notes=())
    )
    for note in table.notes:
        st.caption(escaped(note))
    count, found = len(table.series.times), table.series
    st.caption(
        f"{count} series, {found.n_observed:,} values observed."
        if count > 1
        else f"{found.n_observed:,} values observed."
    )
    return OwnSeries.of(found)
