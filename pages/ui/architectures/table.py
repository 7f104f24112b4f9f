"""Table 1 on the page: it follows the runs by itself, stops one of them, and can be taken along."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import streamlit as st

from node_core.assets import ASSETS
from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import unpack
from node_core.studies.architectures.table_config import TableEntry, as_csv, entry_of
from node_core.training.images.config import ImagesConfig, counts_of
from node_core.visualization.architectures.table import Progress, TableInfo, finished_rows, table_info
from pages.ui.canvas import inline_script
from pages.ui.live.feed import live_feeds
from pages.ui.live.run import live_runs

Rows = Mapping[str, Sequence[str]]
"""Tokens of a row's runs, a seed each, by its name."""

_KEY = "table1"
_table = st.components.v2.component(
    "results_table",
    html='<div class="results"></div>',
    css=(ASSETS / "architectures" / "table.css").read_text(encoding="utf-8"),
    js=inline_script("feed.js", "architectures/table.js"),
)


def live_table(rows: Rows, mib: Mapping[str, float]) -> None:
    """Draw the table; it follows the runs without a rerun of the page.

    Args:
        rows: the runs.
        mib: peak memory of a training step, where it was measured.
    """
    feeds = live_feeds()
    tokens = [token for row in rows.values() for token in row]
    make = functools.partial(_info, live_runs(), rows, dict(mib))
    feed = feeds.offer((_KEY, *tokens, *mib.items()), tokens, make)
    stamp, figure = feeds.look(feed)
    _table(
        key=_KEY,
        data={"figure": figure, "feed": feed.address, "stamp": stamp, "every": 0.4 * feeds.every()},
        height="content",
        on_command_change=functools.partial(_obey, rows),
    )


def download_table(rows: Rows, mib: Mapping[str, float]) -> None:
    """Offer the finished rows as a file."""
    st.download_button(
        "Download the table",
        data=lambda: as_csv(finished_rows(progress_of(live_runs(), rows), dict(mib))),
        file_name="table1.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help="The rows that are trained, as they are when you press: a line a row, with the paper's numbers.",
    )


def progress_of(runs: LiveRuns, rows: Rows) -> list[Progress]:
    """Where all runs stand."""
    found = []
    for name, tokens in rows.items():
        for token in tokens:
            if token in runs:
                found.append(_progress(runs, name, token))
    return found


def _info(runs: LiveRuns, rows: Rows, mib: dict[str, float]) -> TableInfo:
    return table_info(progress_of(runs, rows), mib)


def _progress(runs: LiveRuns, name: str, token: str) -> Progress:
    view = runs.look(token)
    config: ImagesConfig = view.config
    parameters = counts_of(config).total
    if view.snapshot is None:
        return Progress(name, view.status, 0, config.iterations, parameters, None)
    scalars = unpack(view.snapshot).scalars
    iteration = scalars["iteration"]
    assert isinstance(iteration, int)
    entry = _entry(runs, token, config, scalars)
    return Progress(name, view.status, iteration, config.iterations, parameters, entry)


def _entry(runs: LiveRuns, token: str, config: ImagesConfig, scalars: Mapping[str, object]) -> TableEntry:
    """What a run has come to; what a net trained beforehand has cost stands in the history that came with it."""
    rows = runs.history(token)
    costs = {
        key: rows[-1][key] for key in ("seconds", "nfe_forward", "nfe_backward") if rows and key in rows[-1]
    }
    return entry_of(config, {**scalars, **costs})


def _obey(rows: Rows) -> None:
    """Stop a row, or go on with it (in a callback, before the next run)."""
    command = st.session_state[_KEY].get("command")
    if not isinstance(command, dict):
        return
    runs = live_runs()
    for token in rows.get(str(command.get("model")), ()):
        if token not in runs:
            continue
        if command.get("word") == "stop":
            runs.pause(token)
        elif command.get("word") == "go":
            runs.play(token)
