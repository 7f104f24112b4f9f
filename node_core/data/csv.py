"""A user's CSV file: features in columns, the class in one of them (the last, if not said otherwise).

Python's own `csv` module reads it; what is added here is a size limit, the guess of separator and header,
and errors that name the line and column.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

from node_core.data.dataset import MAX_POINTS, MIN_POINTS, DataConfig
from node_core.data.drawn import MAX_CLASSES

MAX_BYTES = 1_000_000
MAX_FEATURES = 16
SEPARATORS = ",;\t|"


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
    """

    points: tuple[tuple[float, ...], ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    def config(self, *, seed: int = 0, test_fraction: float = 0.2) -> DataConfig:
        """The table as a `DataConfig`, ready for `make_dataset`."""
        return DataConfig("csv", len(self.points), 0.0, seed, test_fraction, self.points, self.labels)


def _decode(data: bytes | str) -> str:
    size = len(data) if isinstance(data, bytes) else len(data.encode())
    if size > MAX_BYTES:
        raise ValueError(
            f"the CSV has {size:,} bytes: at most {MAX_BYTES:,} are read; give a part of its rows."
        )
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the CSV is not UTF-8 text (byte {error.start}): save it as 'CSV UTF-8' and upload it again."
        ) from error


def _separator(text: str) -> str:
    lines = "\n".join(text.splitlines()[:20])
    try:
        return csv.Sniffer().sniff(lines, delimiters=SEPARATORS).delimiter
    except (
        csv.Error
    ):  # the sniffer gives up on very short or regular files: take the separator that occurs most
        return max(SEPARATORS, key=lines.count)


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Non-empty rows as (line number, stripped cells)."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append((reader.line_num, stripped))
            if len(rows) > MAX_POINTS + 1:
                raise ValueError(f"the CSV has more than {MAX_POINTS} rows: give a part of them.")
    except csv.Error as error:
        raise ValueError(
            f"line {reader.line_num} of the CSV cannot be read ({error}): check its quotes."
        ) from error
    if not rows:
        raise ValueError(
            "the CSV is empty: give one row a point, features first and the class in the last column."
        )
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise ValueError(f"line {line} has {len(cells)} columns, the first has {width}: make them equal.")
    if not 2 <= width <= MAX_FEATURES + 1:
        raise ValueError(
            f"the CSV has {width} column(s): give 1 to {MAX_FEATURES} features and one class, "
            "separated by commas."
        )
    return rows


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, line: int, column: int, name: str) -> float:
    where = f"line {line}, column {column} ({name})"
    if not cell:
        raise ValueError(f"{where} is empty: fill in a number or remove the row.")
    if not _is_number(cell):
        raise ValueError(
            f"{where} is {cell[:40]!r}, not a number: write it with a decimal point or remove the row."
        )
    value = float(cell)
    if not math.isfinite(value) or abs(value) > 1e30:
        raise ValueError(f"{where} is {cell[:40]!r}: only finite numbers can be drawn; remove the row.")
    return value


def _label_index(label_column: int | str | None, names: list[str]) -> int:
    if label_column is None:
        return len(names) - 1
    if isinstance(label_column, str):
        if label_column not in names:
            raise ValueError(f"column {label_column!r} is not in the CSV: choose one of {', '.join(names)}.")
        return names.index(label_column)
    if not 1 <= label_column <= len(names):
        raise ValueError(f"column {label_column} does not exist: choose 1 to {len(names)}.")
    return label_column - 1


def _to_unit_box(
    points: list[list[float]],
) -> tuple[list[list[float]], tuple[float, ...], tuple[float, ...]]:
    """Scale each column into [-1, 1]; a constant column becomes 0."""
    columns = list(zip(*points, strict=True))
    centre = tuple((max(c) + min(c)) / 2 for c in columns)
    scale = tuple((max(c) - min(c)) / 2 or 1.0 for c in columns)
    scaled = [[(v - m) / s for v, m, s in zip(row, centre, scale, strict=True)] for row in points]
    return scaled, centre, scale


def _class_names(cells: list[str]) -> list[str]:
    names = list(set(cells))
    if len(names) < 2:
        raise ValueError(f"every row has the class {names[0]!r}: add rows of a second class.")
    if len(names) > MAX_CLASSES:
        raise ValueError(
            f"the class column has {len(names)} different values: choose a column with 2 to {MAX_CLASSES}."
        )
    return sorted(names, key=float if all(map(_is_number, names)) else str)


def read_csv(
    data: bytes | str,
    *,
    label_column: int | str | None = None,
    header: bool | None = None,
    standardise: bool = True,
) -> CsvTable:
    """Read points and classes from the content of a CSV file.

    Args:
        data: content of the file, UTF-8, at most 1 MB; separated by comma, semicolon, tab or bar.
        label_column: name or number (from 1) of the class column; None means the last.
        header: whether the first row holds names; None guesses: yes if none of its features is a number.
        standardise: scale each feature into [-1, 1].

    Raises:
        ValueError: anything that cannot be used, with its line, its column and what to do.
    """
    rows = _rows(_decode(data))
    numbered = [f"column {i + 1}" for i in range(len(rows[0][1]))]
    # A name can only be looked up in a header, so asking for one says that there is one.
    header = header if header is not None else (True if isinstance(label_column, str) else None)
    first = [cell or number for cell, number in zip(rows[0][1], numbered, strict=True)]
    target = _label_index(label_column, first if header else numbered)
    if header is None:
        header = not any(_is_number(cell) for i, cell in enumerate(rows[0][1]) if i != target)
    names = first if header else numbered
    body = rows[1:] if header else rows
    if not MIN_POINTS <= len(body) <= MAX_POINTS:
        raise ValueError(f"the CSV has {len(body)} data rows: give {MIN_POINTS} to {MAX_POINTS}.")

    features = [i for i in range(len(names)) if i != target]
    points = [[_number(cells[i], line, i + 1, names[i]) for i in features] for line, cells in body]
    for line, cells in body:
        if not cells[target] or cells[target].lower() == "nan":
            raise ValueError(f"line {line}, column {target + 1} ({names[target]}) has no class: fill it in.")
    class_names = _class_names([cells[target] for _, cells in body])
    centre, scale = (0.0,) * len(features), (1.0,) * len(features)
    if standardise:
        points, centre, scale = _to_unit_box(points)
    return CsvTable(
        points=tuple(tuple(row) for row in points),
        labels=tuple(class_names.index(cells[target]) for _, cells in body),
        class_names=tuple(class_names),
        feature_names=tuple(names[i] for i in features),
        centre=centre,
        scale=scale,
    )
