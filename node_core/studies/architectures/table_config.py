"""Table 1: its rows, what a run adds to it, and how it is written. Loads no torch.

What the paper prints (Chen et al. 2018, Table 1; MNIST) stands beside. It leaves out the two rows that settle what the
table shows: the same stem and head with no block between them, and with one residual block, which has about the
ODE-Net's parameters.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from node_core.checks import check_choices, check_whole
from node_core.training.images.config import ImagesConfig, ModelName, counts_of

MAX_SEEDS = 20


@dataclass(frozen=True)
class PaperRow:
    """A row as the paper prints it: test error (%), parameters (millions), memory and time (orders)."""

    error: float
    parameters: float
    memory: str
    time: str


@dataclass(frozen=True)
class TableModel:
    """A row of the table: its name for people, its net, its number of layers (of a ResNet), and the paper's row."""

    label: str
    model: ModelName
    layers: int = 6
    paper: PaperRow | None = None


MODELS: dict[str, TableModel] = {
    "mlp": TableModel("1-layer MLP", "mlp", paper=PaperRow(1.60, 0.24, "", "")),
    "none": TableModel("No block", "resnet", 0),
    "resnet1": TableModel("ResNet-1", "resnet", 1),
    "resnet": TableModel("ResNet-6", "resnet", 6, PaperRow(0.41, 0.60, "O(L)", "O(L)")),
    "rknet": TableModel("RK-Net", "rknet", paper=PaperRow(0.47, 0.22, "O(L~)", "O(L~)")),
    "odenet": TableModel("ODE-Net", "odenet", paper=PaperRow(0.42, 0.22, "O(1)", "O(L~)")),
}
"""The rows from top to bottom. O(L~): L~ evaluations of the block."""


@dataclass(frozen=True)
class TableConfig:
    """Which rows are trained, how, and how often.

    Args:
        train: of every row, with its own net.
        models: keys of `MODELS`, each at most once.
        seeds: runs a row, with the seeds train.seed, train.seed + 1, ...; the split of the images stays.
        memory: whether the peak memory of a training step is measured too (processes of their own, Linux or macOS).

    Raises:
        ValueError: an unknown or repeated row, or a number out of range.
    """

    train: ImagesConfig = field(default_factory=ImagesConfig)
    models: tuple[str, ...] = tuple(MODELS)
    seeds: int = 1
    memory: bool = False

    def __post_init__(self) -> None:
        check_choices("model", self.models, MODELS)
        check_whole("seeds", self.seeds, 1, MAX_SEEDS)

    def runs(self) -> list[tuple[str, ImagesConfig]]:
        """(row, configuration) of all trainings: every row once, then all again with the next seed."""
        return [
            (name, replace(row_config(name, self.train), seed=self.train.seed + k))
            for k in range(self.seeds)
            for name in self.models
        ]


@dataclass(frozen=True)
class TableEntry:
    """What one training came to.

    Attributes:
        model: key of `MODELS`.
        seed: of weights and order.
        error: share of the test images put into the wrong class, 0 to 1.
        parameters: trainable numbers.
        seconds: processor time of the training.
        nfe_forward, nfe_backward: evaluations of the block in the last iteration; 0 of the MLP and without a block.
    """

    model: str
    seed: int
    error: float
    parameters: int
    seconds: float
    nfe_forward: float
    nfe_backward: float


@dataclass(frozen=True)
class TableRow:
    """A row of the table: means over its runs, and their spread (standard deviation; nan of a single run).

    Attributes:
        model, label, paper: of the row (see `MODELS`).
        runs: how many.
        error, error_spread: as in `TableEntry`.
        parameters, seconds, nfe_forward, nfe_backward: as there.
        mib: peak memory of a training step, nan where it was not measured.
    """

    model: str
    label: str
    paper: PaperRow | None
    runs: int
    error: float
    error_spread: float
    parameters: int
    seconds: float
    nfe_forward: float
    nfe_backward: float
    mib: float = math.nan


@dataclass(frozen=True)
class TableResult:
    """The table of a `TableConfig`; `note` says what the images are and where something is missing."""

    config: TableConfig
    entries: tuple[TableEntry, ...]
    rows: tuple[TableRow, ...]
    note: str


def row_config(name: str, train: ImagesConfig) -> ImagesConfig:
    """The training of a row: its net, and of `train` all else."""
    row = MODELS[name]
    return replace(train, model=row.model, layers=row.layers if row.model == "resnet" else train.layers)


def row_of(config: ImagesConfig) -> str:
    """The row that a training belongs to; "" if there is none (a ResNet of other depth)."""
    for name, row in MODELS.items():
        if row.model == config.model and (row.model != "resnet" or row.layers == config.layers):
            return name
    return ""


def entry_of(config: ImagesConfig, scalars: Mapping[str, object]) -> TableEntry:
    """What a finished run came to, from the scalars of its last picture (`node_core.training.images.train`).

    Raises:
        ValueError: the training belongs to no row.
    """
    name = row_of(config)
    if not name:
        raise ValueError(f"A ResNet of {config.layers} layers is no row of the table: take 0, 1 or 6.")

    def number(key: str) -> float:
        value = scalars.get(key)
        return float(value) if isinstance(value, int | float) else 0.0

    return TableEntry(
        name,
        config.seed,
        number("test_error"),
        counts_of(config).total,
        number("seconds"),
        number("nfe_forward"),
        number("nfe_backward"),
    )


def rows_of(entries: Iterable[TableEntry], mib: Mapping[str, float] | None = None) -> tuple[TableRow, ...]:
    """The table of some runs, in the order of `MODELS`; it may grow as they end.

    Args:
        entries: in any order.
        mib: peak memory of a row's training step, where it was measured.
    """
    by_row: dict[str, list[TableEntry]] = {}
    for entry in entries:
        by_row.setdefault(entry.model, []).append(entry)
    return tuple(
        _row(name, by_row[name], (mib or {}).get(name, math.nan)) for name in MODELS if name in by_row
    )


def as_text(rows: Sequence[TableRow]) -> str:
    """The table for a terminal, the paper's own rows beside."""
    head = (
        "",
        "test error",
        "parameters",
        "memory",
        "time",
        "NFE",
        "paper: error",
        "parameters",
        "memory",
        "time",
    )
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if k == 0 else cell.rjust(w)
            for k, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ).rstrip()


COLUMNS = (
    "model",
    "runs",
    "test_error_percent",
    "test_error_spread",
    "parameters",
    "peak_mib",
    "seconds",
    "nfe_forward",
    "nfe_backward",
    "paper_error_percent",
    "paper_parameters_million",
    "paper_memory",
    "paper_time",
)


def as_csv(rows: Sequence[TableRow]) -> str:
    """The table as a file: a line a row, numbers with a point, nothing where nothing was measured."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        paper = row.paper
        printed = (
            ("", "", "", "") if paper is None else (paper.error, paper.parameters, paper.memory, paper.time)
        )
        numbers = (100 * row.error, 100 * row.error_spread, row.parameters, row.mib, row.seconds)
        evaluations = (row.nfe_forward, row.nfe_backward)
        values = [f"{value:.6g}" if math.isfinite(value) else "" for value in (*numbers, *evaluations)]
        writer.writerow([row.label, row.runs, *values, *printed])
    return out.getvalue()


def _row(name: str, entries: Sequence[TableEntry], mib: float) -> TableRow:
    errors = np.array([entry.error for entry in entries])

    def mean(key: str) -> float:
        return float(np.mean([getattr(entry, key) for entry in entries]))

    return TableRow(
        name,
        MODELS[name].label,
        MODELS[name].paper,
        len(entries),
        float(errors.mean()),
        float(errors.std(ddof=1)) if len(errors) > 1 else math.nan,
        entries[0].parameters,
        mean("seconds"),
        mean("nfe_forward"),
        mean("nfe_backward"),
        mib,
    )


def _cells(row: TableRow) -> tuple[str, ...]:
    spread = f" ± {100 * row.error_spread:.2f}" if math.isfinite(row.error_spread) else ""
    nfe = f"{row.nfe_forward:.0f} + {row.nfe_backward:.0f}" if row.nfe_forward else "-"
    own = (
        row.label,
        f"{100 * row.error:.2f}{spread} %",
        f"{row.parameters:,}",
        f"{row.mib:.1f} MiB" if math.isfinite(row.mib) else "-",
        f"{row.seconds:.1f} s",
        nfe,
    )
    paper = row.paper
    if paper is None:
        return (*own, "-", "-", "-", "-")
    return (*own, f"{paper.error:.2f} %", f"{paper.parameters:.2f} M", paper.memory or "-", paper.time or "-")
