"""The one reader for users' tables: bytes of a CSV file -> named columns of cells, with the line each came from.

What spreadsheets and libraries write is understood: comma, semicolon, tab or bar; Excel's line `sep=;`, its decimal
comma and its UTF-16; pandas' header of numbers and its unnamed index. What was understood so, and what was left out,
is said in `notes`; what can't be read is refused with its line. Everything is bounded before it is parsed, and the
work grows with the size of the file and no faster.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_BYTES = 1_000_000
MAX_ROWS = 20_000
MAX_COLUMNS = 64
MAX_LINE = 10_000  # characters
MAX_NUMBER = 1e30
SEPARATORS = ";\t|,"  # in the order of preference: a comma may also be a decimal comma

_SAMPLE = 50  # lines from which the separator is told
_QUOTED = re.compile(r'"[^"]*"')
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NO_VALUE = {"", "nan", "inf", "+inf", "-inf", "infinity", "na", "n/a", "null", "none", "?", "-"}
_UNNAMED = re.compile(r"|Unnamed: \d+")
_SAYS_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)

Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Table:
    """A file's columns, all of one length.

    Args:
        names: of the columns, all different: the header's, or "column 1", ... without a header.
        positions: each column's place in the file, from 1: columns that hold nothing are left out.
        columns: their cells as text.
        lines: the line of the file in which each row begins, from 1.
        header: whether the first row held the names.
        decimal_comma: whether numbers are written as 1,5.
        notes: sentences on what was left out and what was guessed.
    """

    names: tuple[str, ...]
    positions: tuple[int, ...]
    columns: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    header: bool
    decimal_comma: bool
    notes: tuple[str, ...]

    def index(self, column: int | str) -> int:
        """Where a column stands in `columns`, by its name or its place in the file (from 1).

        Raises:
            ValueError: there is no such column.
        """
        if isinstance(column, str):
            if column not in self.names:
                raise ValueError(
                    f"column {column!r} is not in the CSV: choose one of {', '.join(self.names)}."
                )
            return self.names.index(column)
        if column not in self.positions:
            raise ValueError(f"column {column} does not exist: choose {_listed(self.positions)}.")
        return self.positions.index(column)

    def where(self, column: int, row: int) -> str:
        """The place of a cell, for a sentence about it."""
        return f"line {self.lines[row]}, column {self.positions[column]} ({self.names[column]})"

    def holds_numbers(self, column: int) -> bool:
        """Whether there is a number in the column at all; one of words holds none."""
        return any(self._matches(cell) for cell in self.columns[column])

    def numbers(self, column: int) -> list[float]:
        """A column as numbers.

        Raises:
            ValueError: a cell that is none, or not finite, with its line and column.
        """
        return [self._number(cell, column, row) for row, cell in enumerate(self.columns[column])]

    def numbers_or_gaps(self, column: int) -> list[float]:
        """A column as numbers, NaN where a cell is empty or says that nothing was measured ("NA", "?", ...).

        Raises:
            ValueError: a cell that is neither, with its line and column.
        """
        return [
            math.nan if cell.lower() in _NO_VALUE else self._number(cell, column, row)
            for row, cell in enumerate(self.columns[column])
        ]

    def _matches(self, cell: str) -> bool:
        return is_number(cell) or (self.decimal_comma and _WITH_COMMA.fullmatch(cell) is not None)

    def _number(self, cell: str, column: int, row: int) -> float:
        if not cell:
            raise ValueError(f"{self.where(column, row)} is empty: fill in a number or remove the row.")
        shown = f"{self.where(column, row)} is {cell[:40]!r}"
        if self.decimal_comma and "." in cell and is_number(cell):
            raise ValueError(f"{shown}, while others are written with a decimal comma: write all alike.")
        if not self._matches(cell) and cell.lower() not in _NO_VALUE:
            point = "comma" if self.decimal_comma else "point"
            raise ValueError(f"{shown}, not a number: write it with a decimal {point} or remove the row.")
        value = float(cell.replace(",", ".")) if self._matches(cell) else math.nan
        if not abs(value) <= MAX_NUMBER:
            raise ValueError(f"{shown}: only finite numbers can be used; remove the row.")
        return value


def read_table(data: bytes | str, *, header: bool | None = None, most: int = MAX_ROWS) -> Table:
    """Read the content of a CSV file.

    Args:
        data: UTF-8 or, as Excel writes it, UTF-16 with its mark; at most 1 MB, 20,000 rows, 64 columns.
        header: whether the first row holds the names; None guesses: yes if none of its cells is a value, or if
            they only count the columns.
        most: rows.

    Raises:
        ValueError: it can't be read as a whole; the sentence says in which line, and what to do.
    """
    rows, separator = _rows(_decode(data), most)
    decimal_comma = separator != "," and any(
        _WITH_COMMA.fullmatch(cell) for _, cells in rows for cell in cells
    )
    notes = ["Numbers are read with a decimal comma."] if decimal_comma else []
    if header is None:
        header = _names_columns(rows[0][1])
        if not header and _counts_columns(rows):
            header = True
            notes.append(f"The first line ({', '.join(rows[0][1])}) is taken for the columns' names.")
    if header and len(rows) == 1:
        raise ValueError("the CSV has a first line of names and no other: give one row a point.")
    body = rows[1:] if header else rows
    if len(body) > most:
        raise ValueError(f"the CSV has more than {most} rows: give a part of them.")
    columns = list(zip(*(cells for _, cells in body), strict=True))
    kept, left_out = _kept(rows[0][1] if header else None, columns)
    first = rows[0][1] if header else [""] * len(columns)
    names = _different([first[i] or f"column {i + 1}" for i in kept])
    return Table(
        names=tuple(names),
        positions=tuple(i + 1 for i in kept),
        columns=tuple(columns[i] for i in kept),
        lines=tuple(line for line, _ in body),
        header=header,
        decimal_comma=decimal_comma,
        notes=(*notes, *left_out),
    )


def is_number(cell: str) -> bool:
    """Whether a cell is a number written with a decimal point (1e400 too, which is none that can be used)."""
    return _NUMBER.fullmatch(cell) is not None


def _decode(data: bytes | str) -> str:
    size = len(data) if isinstance(data, bytes) else len(data.encode())
    if size > MAX_BYTES:
        raise ValueError(
            f"the CSV has {size:,} bytes: at most {MAX_BYTES:,} are read; give a part of its rows."
        )
    text = data if isinstance(data, str) else _text(data)
    if "\0" in text:
        raise ValueError("the CSV holds bytes that are no text: save it as 'CSV UTF-8' and upload it again.")
    return text.removeprefix("\ufeff")


def _text(data: bytes) -> str:
    if data.startswith(b"PK\x03\x04"):
        raise ValueError("this is a workbook, not a CSV: save it as 'CSV UTF-8' and upload that.")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the CSV is not UTF-8 text (byte {error.start}): save it as 'CSV UTF-8' and upload it again."
        ) from error


def _rows(text: str, most: int) -> tuple[Rows, str]:
    """Non-empty rows as (line number, stripped cells), all of one width, and their separator."""
    lines = list(io.StringIO(text, newline=""))
    longest = max(lines, key=len, default="")
    if len(longest) > MAX_LINE:
        raise ValueError(
            f"line {lines.index(longest) + 1} of the CSV has {len(longest):,} characters, more than {MAX_LINE:,}: "
            "give one row a line, separated by commas."
        )
    said = _SAYS_SEPARATOR.fullmatch(lines[0].strip("\r\n")) if lines else None
    if said is not None:
        lines[0] = "\n"  # so that the numbers of the lines stay
        if said[1] not in SEPARATORS:
            raise ValueError(f"line 1 names the separator {said[1]!r}: use a comma, semicolon, tab or bar.")
    separator = said[1] if said is not None else _separator(lines)
    rows = _cells(lines, separator, most)
    if not rows:
        raise ValueError(
            "the CSV is empty: give one row a point, its numbers and its class separated by commas."
        )
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise ValueError(f"line {line} has {len(cells)} columns, the first has {width}: make them equal.")
    if width > MAX_COLUMNS:
        raise ValueError(f"the CSV has {width} columns, at most {MAX_COLUMNS} are read: remove some.")
    return rows, separator


def _cells(lines: list[str], separator: str, most: int) -> Rows:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    rows: Rows = []
    begins = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append((begins, stripped))
            if len(rows) > most + 1:
                raise ValueError(f"the CSV has more than {most} rows: give a part of them.")
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {begins} of the CSV cannot be read ({error}): check its quotes.") from error
    return rows


def _separator(lines: Sequence[str]) -> str:
    """The separator that stands equally often in every line; if there is none, the one in most lines."""
    filled = [_QUOTED.sub("", line) for line in lines if line.strip()][:_SAMPLE]
    counts = {separator: [line.count(separator) for line in filled] for separator in SEPARATORS}
    regular = [s for s, found in counts.items() if found and min(found) == max(found) > 0]
    if regular:
        return regular[0]
    return max(SEPARATORS, key=lambda s: (sum(map(bool, counts[s])), sum(counts[s])))


def _is_value(cell: str) -> bool:
    """Whether a cell is data rather than a name: a number, or a mark of one that is missing."""
    return is_number(cell) or _WITH_COMMA.fullmatch(cell) is not None or cell.lower() in _NO_VALUE - {""}


def _names_columns(cells: Sequence[str]) -> bool:
    named = sum(map(bool, cells))
    return not any(map(_is_value, cells)) and named > len(cells) - named


def _counts_columns(rows: Rows) -> bool:
    """Whether the first row is what pandas names columns without a name: 0, 1, 2, ..., the class perhaps in words.

    The numbers must count from 0, and what stands beside or at the end must not occur below: a class in that column
    comes again, its name does not. Above pandas' index stands nothing, and then all the rest is names.
    """
    first, body = rows[0][1], [cells for _, cells in rows[1:]]
    if not first[0] and body and all(cells[0] == str(i) for i, cells in enumerate(body)):
        return True
    counted = [i for i, cell in enumerate(first) if cell and cell.isascii() and cell.isdigit()]
    if len(counted) < 2 or [first[i] for i in counted] != [str(k) for k in range(len(counted))]:
        return False
    others = [i for i, cell in enumerate(first) if i not in counted and cell]
    if any(_is_value(first[i]) for i in others):
        return False
    telling = others or [counted[-1]]
    return bool(body) and all(first[i] not in {cells[i] for cells in body} for i in telling)


def _kept(first: Sequence[str] | None, columns: Sequence[tuple[str, ...]]) -> tuple[list[int], list[str]]:
    """Places of the columns to keep, and what is to be said of the others."""
    kept, notes = [], []
    for i, cells in enumerate(columns):
        if not any(cells) and (first is None or not first[i]):
            notes.append(f"Column {i + 1} is empty: it is left out.")
        elif i == 0 and first is not None and _UNNAMED.fullmatch(first[0]) and _is_index(cells):
            notes.append("The first column has no name and only numbers the rows: it is left out.")
        else:
            kept.append(i)
    return kept, notes


def _is_index(cells: Sequence[str]) -> bool:
    """Whether a column names its rows: each cell once, whole numbers or words."""
    whole = [cell.lstrip("+-").isdigit() for cell in cells]
    return len(set(cells)) == len(cells) and (all(whole) or not any(map(_is_value, cells)))


def _different(names: Iterable[str]) -> list[str]:
    """The names, each once."""
    found: list[str] = []
    for name in names:
        other, count = name, 1
        while other in found:
            count += 1
            other = f"{name} ({count})"
        found.append(other)
    return found


def _listed(positions: Sequence[int]) -> str:
    if list(positions) == list(range(positions[0], positions[-1] + 1)):
        return f"{positions[0]} to {positions[-1]}"
    return ", ".join(map(str, positions))
