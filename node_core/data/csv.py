"""Points with classes from a user's table: which columns are features, which holds the class, and what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from node_core.data.dataset import MIN_POINTS, DataConfig
from node_core.data.drawn import MAX_CLASSES
from node_core.data.table import MAX_BYTES, Table, is_number, read_table

__all__ = ["MAX_BYTES", "MAX_FEATURES", "CsvColumns", "CsvTable", "csv_columns", "read_columns", "read_csv"]

MAX_FEATURES = 16


@dataclass(frozen=True)
class CsvColumns:
    """What a file offers, before anything is chosen.

    Args:
        names: its columns.
        header: whether its first row holds their names.
        label: the column that looks like the class.
        features: the other columns that hold numbers.
        notes: sentences on what was left out and what was guessed.
    """

    names: tuple[str, ...]
    header: bool
    label: str
    features: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CsvTable:
    """A file that was read and checked.

    Args:
        points: n rows of dim numbers, scaled into [-1, 1] if that was asked for.
        labels: class of each row, 0, 1, ..., in the order of `class_names`.
        class_names: what the classes are called in the file.
        feature_names: header of the feature columns, or "column 1", ... without a header.
        centre: what was subtracted from each column (0 if not scaled).
        scale: what each column was then divided by (1 if not scaled).
        notes: sentences on what was left out and what was guessed.
    """

    points: tuple[tuple[float, ...], ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def config(self, *, seed: int = 0, test_fraction: float = 0.2) -> DataConfig:
        """The table as a `DataConfig`, ready for `make_dataset`."""
        return DataConfig("csv", len(self.points), 0.0, seed, test_fraction, self.points, self.labels)


def csv_columns(data: bytes | str, header: bool | None = None) -> CsvColumns:
    """What a file offers, and a guess of what is meant: the class is a column of few words, or the
    last, or the first.

    Args:
        data: content of the file, see `read_table`.
        header: whether the first row holds names; None guesses.

    Raises:
        ValueError: the file can't be read; the sentence says in which line, and what to do.
    """
    table = read_table(data, header=header)
    target = _guess_label(table)
    features = _numeric(table, target)
    return CsvColumns(
        names=table.names,
        header=table.header,
        label=table.names[target],
        features=tuple(table.names[i] for i in features),
        notes=(*table.notes, *_remarks(table, target, features)),
    )


def read_columns(data: bytes | str, chosen: CsvColumns) -> CsvTable:
    """Read the columns that were chosen from what `csv_columns` offered (label and features may be replaced).

    Raises:
        ValueError: as `read_csv`.
    """
    return read_csv(data, label_column=chosen.label, features=chosen.features, header=chosen.header)


def read_csv(
    data: bytes | str,
    *,
    label_column: int | str | None = None,
    features: Sequence[int | str] | None = None,
    header: bool | None = None,
    standardise: bool = True,
) -> CsvTable:
    """Read points and classes from the content of a CSV file.

    Args:
        data: content of the file, see `read_table`.
        label_column: name or number (from 1) of the class column; None guesses as `csv_columns` does.
        features: names or numbers of the feature columns; None takes all others that hold numbers.
        header: whether the first row holds names; None guesses.
        standardise: scale each feature into [-1, 1].

    Raises:
        ValueError: anything that cannot be used, with its line, its column and what to do.
    """
    # A name can only be looked up in a header, so asking for one says that there is one.
    table = read_table(data, header=True if header is None and _asks_for_a_name(label_column) else header)
    target = _guess_label(table) if label_column is None else table.index(label_column)
    chosen = _numeric(table, target) if features is None else [table.index(column) for column in features]
    _check_choice(table, target, chosen)
    rows = len(table.lines)
    if rows < MIN_POINTS:
        raise ValueError(f"the CSV has {rows} data rows: give at least {MIN_POINTS}.")
    columns = [table.numbers(i) for i in chosen]
    classes = table.columns[target]
    for row, cell in enumerate(classes):
        if not cell or cell.lower() == "nan":
            raise ValueError(f"{table.where(target, row)} has no class: fill it in.")
    class_names, labels = _classes(classes)
    centre, scale = (0.0,) * len(columns), (1.0,) * len(columns)
    if standardise:
        columns, centre, scale = _to_unit_box(columns)
    remarks = _remarks(table, target, chosen) if features is None else []
    return CsvTable(
        points=tuple(zip(*columns, strict=True)),
        labels=labels,
        class_names=class_names,
        feature_names=tuple(table.names[i] for i in chosen),
        centre=centre,
        scale=scale,
        notes=(*table.notes, *remarks),
    )


def _asks_for_a_name(label_column: int | str | None) -> bool:
    return isinstance(label_column, str) and not label_column.startswith("column ")


def _guess_label(table: Table) -> int:
    """Where the class stands: words that come again, if any column has such; else few numbers, last or first."""
    few = [2 <= len(set(cells)) <= MAX_CLASSES for cells in table.columns]
    last = len(few) - 1
    words = [i for i in range(len(few)) if few[i] and not table.holds_numbers(i)]
    if words:
        return words[-1]
    return 0 if few[0] and not few[last] and table.holds_numbers(last) else last


def _numeric(table: Table, target: int) -> list[int]:
    return [i for i in range(len(table.names)) if i != target and table.holds_numbers(i)]


def _remarks(table: Table, target: int, features: Sequence[int]) -> list[str]:
    """What somebody should know who has chosen nothing."""
    words = [table.names[i] for i in range(len(table.names)) if i != target and i not in features]
    found = [f"Columns without a number are left out: {', '.join(words)}."] if words else []
    for i in features:
        cells = table.columns[i]
        if len(cells) > 1 and cells[0] in ("0", "1") and _counts(cells, int(cells[0])):
            found.append(f"Column {table.names[i]} counts the rows: leave it out, unless that is meant.")
    return found


def _counts(cells: Sequence[str], start: int) -> bool:
    return all(cell == str(start + k) for k, cell in enumerate(cells))


def _check_choice(table: Table, target: int, features: Sequence[int]) -> None:
    if len(table.names) < 2:
        raise ValueError(
            f"the CSV has {len(table.names)} column(s): give 1 to {MAX_FEATURES} features and one class, "
            "separated by commas."
        )
    if target in features:
        raise ValueError(f"column {table.names[target]} is both the class and a feature: choose another.")
    if len(set(features)) != len(features):
        raise ValueError("a feature was chosen twice: choose each column once.")
    if not 1 <= len(features) <= MAX_FEATURES:
        raise ValueError(f"{len(features)} features: choose 1 to {MAX_FEATURES} columns of numbers.")


def _to_unit_box(
    columns: list[list[float]],
) -> tuple[list[list[float]], tuple[float, ...], tuple[float, ...]]:
    """Scale each column into [-1, 1]; a constant column becomes 0."""
    centre = tuple((max(c) + min(c)) / 2 for c in columns)
    scale = tuple((max(c) - min(c)) / 2 or 1.0 for c in columns)
    scaled = [[(v - m) / s for v in c] for c, m, s in zip(columns, centre, scale, strict=True)]
    return scaled, centre, scale


def _classes(cells: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the classes in order, and each row's number; 1 and 1.0 are one class."""
    names = list(dict.fromkeys(cells))
    if all(is_number(name) and math.isfinite(float(name)) for name in names):
        spelling = {float(name): name for name in reversed(names)}
        ordered = [spelling[value] for value in sorted(spelling)]
        place = {name: sorted(spelling).index(float(name)) for name in names}
    else:
        ordered = sorted(names)
        place = {name: i for i, name in enumerate(ordered)}
    if len(ordered) < 2:
        raise ValueError(f"every row has the class {ordered[0]!r}: add rows of a second class.")
    if len(ordered) > MAX_CLASSES:
        raise ValueError(
            f"the class column has {len(ordered)} different values: choose a column with 2 to {MAX_CLASSES}."
        )
    return tuple(ordered), tuple(place[cell] for cell in cells)
