"""Table 1 while it grows: a line a net, with its own numbers, how far its runs are, and the paper's numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from node_core.studies.architectures.table_config import (
    MODELS,
    PaperRow,
    TableEntry,
    TableRow,
    rows_of,
)

COLUMNS = ("Test error", "Parameters", "NFE", "CPU time", "Memory")
PAPER_COLUMNS = ("Error", "Parameters", "Memory, time")
GOING, RESTING, WAITING, FAILED, DONE = "running", "paused", "waiting", "failed", "finished"
_NONE = "–"


@dataclass(frozen=True)
class Progress:
    """One run of a row as it stands.

    Args:
        model: key of `MODELS`.
        status: of the run: "paused", "running", "failed" or "finished".
        iteration, iterations: done, and how many there are.
        parameters: of the net.
        entry: what it has come to so far; None before its first picture.
    """

    model: str
    status: str
    iteration: int
    iterations: int
    parameters: int
    entry: TableEntry | None


@dataclass(frozen=True)
class TableLine:
    """A line: `cells` and `paper` go with the columns; `final` says whether the cells are those of finished runs.

    `progress` (0 to 1) counts all runs of the row, `runs` those that have ended, `of` those there are.
    """

    model: str
    label: str
    cells: tuple[str, ...]
    paper: tuple[str, ...]
    status: str
    progress: float
    runs: int
    of: int
    final: bool


@dataclass(frozen=True)
class TableInfo:
    """The table; it is sent to a page as plain data."""

    columns: tuple[str, ...]
    paper_columns: tuple[str, ...]
    lines: tuple[TableLine, ...]

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def table_info(runs: Sequence[Progress], mib: dict[str, float] | None = None) -> TableInfo:
    """The table of some runs, in the order of `MODELS`.

    Args:
        runs: several of a row differ in their seed.
        mib: peak memory of a row's training step, where it was measured.
    """
    rows = {name: [run for run in runs if run.model == name] for name in MODELS}
    lines = tuple(_line(name, own, mib or {}) for name, own in rows.items() if own)
    return TableInfo(COLUMNS if mib else COLUMNS[:-1], PAPER_COLUMNS, lines)


def finished_rows(runs: Sequence[Progress], mib: dict[str, float] | None = None) -> tuple[TableRow, ...]:
    """The rows of those runs that have ended."""
    return rows_of([run.entry for run in runs if run.status == DONE and run.entry is not None], mib)


def _line(name: str, runs: Sequence[Progress], mib: dict[str, float]) -> TableLine:
    ended = [run for run in runs if run.status == DONE and run.entry is not None]
    begun = [run for run in runs if run.entry is not None and run.iteration > 0]
    found = rows_of([run.entry for run in ended or begun if run.entry is not None])
    return TableLine(
        name,
        MODELS[name].label,
        (_cells(found[0]) if found else (_NONE, f"{runs[0].parameters:,}", _NONE, _NONE))
        + ((_mib(mib.get(name, math.nan)),) if mib else ()),
        _paper(MODELS[name].paper),
        _status(runs),
        sum(run.iteration / run.iterations for run in runs) / len(runs),
        len(ended),
        len(runs),
        bool(ended),
    )


def _status(runs: Sequence[Progress]) -> str:
    """Of a row: what it needs most to be known."""
    present = {run.status for run in runs}
    for status in (FAILED, GOING):
        if status in present:
            return status
    if present == {DONE}:
        return DONE
    return RESTING if any(0 < run.iteration < run.iterations for run in runs) else WAITING


def _cells(row: TableRow) -> tuple[str, ...]:
    spread = f" ± {100 * row.error_spread:.2f}" if math.isfinite(row.error_spread) else ""
    return (
        f"{100 * row.error:.2f}{spread} %",
        f"{row.parameters:,}",
        f"{row.nfe_forward:.0f} + {row.nfe_backward:.0f}" if row.nfe_forward else _NONE,
        f"{row.seconds:.1f} s",
    )


def _mib(value: float) -> str:
    return f"{value:.1f} MiB" if math.isfinite(value) else _NONE


def _paper(row: PaperRow | None) -> tuple[str, ...]:
    if row is None:
        return (_NONE,) * len(PAPER_COLUMNS)
    return (
        f"{row.error:.2f} %",
        f"{row.parameters:.2f} M",
        f"{row.memory}, {row.time}".replace("L~", "L̃") if row.memory else _NONE,
    )
