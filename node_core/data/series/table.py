"""Series from a user's table: which column holds the times, which the values, which tells several series apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.data.series.dates import read_dates
from node_core.data.series.series import Floats, SeriesSet
from node_core.data.table import Table, read_table

MAX_TABLE_ROWS = 100_000
MAX_KEPT_ROWS = 2_000
MAX_VALUES = 4
MAX_OWN_SERIES = 200
MIN_TIMES = 4
ROW_NUMBER = "(the row's number)"
ONE_SERIES = "(one series)"
_TIME_WORDS = (
    *(
        "time",
        "t",
        "date",
        "datetime",
        "timestamp",
        "year",
        "month",
        "week",
        "day",
        "hour",
        "years",
        "days",
        "hours",
    ),
    *("minutes", "seconds", "ds", "zeit", "datum", "jahr", "tag"),
)
_ID_WORDS = ("id", "series", "subject", "patient", "group", "unit", "name", "unique_id", "reihe", "item")


@dataclass(frozen=True)
class SeriesColumns:
    """What a file offers, and a guess of what is meant.

    Args:
        names: its columns.
        header: whether its first row holds their names.
        time: the column of the times; `ROW_NUMBER` where none increases.
        values: 1 to 4 columns of numbers.
        series: the column that tells series apart; `ONE_SERIES` where there is none.
        log: whether the logarithm of the values is learned.
        notes: sentences on what was left out and what was guessed.
    """

    names: tuple[str, ...]
    header: bool
    time: str
    values: tuple[str, ...]
    series: str
    log: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesTable:
    """A file that was read and checked.

    Args:
        series: its series, at most 2,000 rows together.
        rows: how many rows the file has.
        notes: sentences on what was changed: sorted, averaged, thinned out, left out.
    """

    series: SeriesSet
    rows: int
    notes: tuple[str, ...]


def series_columns(data: bytes | str, header: bool | None = None) -> SeriesColumns:
    """What a file offers, and a guess: times are dates or what is called so or increases, values the other numbers.

    Args:
        data: content of the file, see `node_core.data.table.read_table`; at most 100,000 rows.
        header: whether the first row holds names; None guesses.

    Raises:
        ValueError: the file can't be read; the sentence says in which line, and what to do.
    """
    table = _read(data, header)
    time = _guess_time(table)
    series = _guess_series(table, time)
    numbers = [i for i in range(len(table.names)) if i not in (time, series) and table.holds_numbers(i)]
    notes = list(table.notes)
    if time is None:
        notes.append("No column looks like times: the rows are taken as equally spaced.")
    if len(numbers) > MAX_VALUES:
        left = ", ".join(table.names[i] for i in numbers[MAX_VALUES:])
        notes.append(f"The first {MAX_VALUES} columns of numbers are chosen; not {left[:200]}.")
    return SeriesColumns(
        names=table.names,
        header=table.header,
        time=ROW_NUMBER if time is None else table.names[time],
        values=tuple(table.names[i] for i in numbers[:MAX_VALUES]),
        series=ONE_SERIES if series is None else table.names[series],
        notes=tuple(notes),
    )


def read_series(data: bytes | str, chosen: SeriesColumns) -> SeriesTable:
    """Read the columns that were chosen from what `series_columns` offered (time, values, series may be replaced).

    Rows are sorted by their times, rows of one time become their mean, cells without a number are gaps, and of more
    than 2,000 rows every k-th is kept; whatever was done is said in `notes`.

    Raises:
        ValueError: anything that can't be used, with its line, its column and what to do.
    """
    table = _read(data, chosen.header)
    _check_choice(table, chosen)
    columns = [table.index(name) for name in chosen.values]
    values = np.array([table.numbers_or_gaps(i) for i in columns]).T
    if chosen.log:
        _check_positive(table, columns, values)
    times, time_name, unit, notes = _times(table, chosen.time)
    groups = _groups(table, chosen.series)
    parts = [(name, *_ordered(times[rows], values[rows])) for name, rows in groups]
    notes += _repairs(parts)
    kept, said = _long_enough([(name, ts, ys) for name, ts, ys, *_ in parts])
    thin, more = _thinned(kept)
    return SeriesTable(
        SeriesSet(
            "own",
            time_name,
            tuple(chosen.values),
            times=tuple(ts for _, ts, _ in thin),
            values=tuple(ys for *_, ys in thin),
            time_unit=unit,
            source="Your own table.",
            series_names=tuple(name for name, *_ in thin),
        ),
        len(table.lines),
        tuple(notes + said + more),
    )


def _read(data: bytes | str, header: bool | None) -> Table:
    table = read_table(data, header=header, most=MAX_TABLE_ROWS)
    if len(table.lines) < MIN_TIMES:
        raise ValueError(
            f"the CSV has {len(table.lines)} row{'s' * (len(table.lines) != 1)} of data: give at least {MIN_TIMES}, "
            "one a time."
        )
    return table


# -- guesses


def _guess_time(table: Table) -> int | None:
    for i, cells in enumerate(table.columns):
        if read_dates(cells[:1], lambda row, i=i: table.where(i, row)) is not None:  # type: ignore[misc]
            return i
    numeric = [i for i in range(len(table.names)) if table.holds_numbers(i)]
    named = [i for i in numeric if _words(table.names[i])[0] in _TIME_WORDS]
    if named:
        return named[0]
    return next((i for i in numeric if len(numeric) > 1 and _increases(table, i)), None)


def _words(name: str) -> list[str]:
    """A column's name without units: "Time (h)" and "time_s" are times."""
    return name.lower().replace("_", " ").replace("(", " ").replace("[", " ").split() or [""]


def _increases(table: Table, column: int) -> bool:
    try:
        return bool((np.diff(table.numbers(column)) > 0).all())
    except ValueError:  # gaps are no times
        return False


def _guess_series(table: Table, time: int | None) -> int | None:
    """A column of words, or one that is called so, in which few names come again and again."""
    for i, cells in enumerate(table.columns):
        kinds = len(set(cells))
        again = 2 * kinds <= len(cells) and kinds <= MAX_OWN_SERIES
        called = _words(table.names[i])[-1] in _ID_WORDS or _words(table.names[i])[0] in _ID_WORDS
        if i != time and again and (called or not table.holds_numbers(i)):
            return i
    return None


# -- what was chosen


def _check_choice(table: Table, chosen: SeriesColumns) -> None:
    if not 1 <= len(chosen.values) <= MAX_VALUES:
        raise ValueError(
            f"{len(chosen.values)} columns of values: choose 1 to {MAX_VALUES} that hold numbers."
        )
    if len(set(chosen.values)) != len(chosen.values):
        raise ValueError("a column of values was chosen twice: choose each once.")
    for what, name in (("times", chosen.time), ("series", chosen.series)):
        if name in chosen.values:
            raise ValueError(f"column {name} holds both the {what} and values: choose another.")
    if chosen.time == chosen.series:
        raise ValueError(f"column {chosen.time} holds both the times and the series: choose another.")
    for name in chosen.values:
        if not table.holds_numbers(table.index(name)):
            raise ValueError(f"column {name} holds no number: choose another.")


def _check_positive(table: Table, columns: Sequence[int], values: Floats) -> None:
    bad = np.argwhere(values <= 0)
    if len(bad):
        row, k = bad[0]
        raise ValueError(
            f"{table.where(columns[k], int(row))} is {values[row, k]:g}, which has no logarithm: switch the "
            "logarithm off or remove the row."
        )


def _times(table: Table, name: str) -> tuple[Floats, str, str, list[str]]:
    """Times of all rows, what they are called, their unit, and what is to be said."""
    if name == ROW_NUMBER:
        return np.arange(len(table.lines), dtype=float), "row", "", []
    column = table.index(name)
    dates = read_dates(table.columns[column], lambda row: table.where(column, row))
    if dates is not None:
        return np.array(dates.times), dates.name, dates.unit, [dates.note]
    return np.array(table.numbers(column)), name, "", []


def _groups(table: Table, name: str) -> list[tuple[str, NDArray[np.intp]]]:
    """Rows of each series, in the order in which they come first."""
    if name == ONE_SERIES:
        return [("series", np.arange(len(table.lines)))]
    column = table.index(name)
    places: dict[str, list[int]] = {}
    for row, cell in enumerate(table.columns[column]):
        if not cell:
            raise ValueError(f"{table.where(column, row)} names no series: fill it in or remove the row.")
        places.setdefault(cell, []).append(row)
    if len(places) > MAX_OWN_SERIES:
        raise ValueError(
            f"column {name} names {len(places):,} series, more than {MAX_OWN_SERIES}: choose another column, or give a "
            "part of them."
        )
    return [(key, np.array(rows)) for key, rows in places.items()]


Part = tuple[str, Floats, Floats]


def _ordered(times: Floats, values: Floats) -> tuple[Floats, Floats, bool, int]:
    """Increasing times, each once with the mean of its rows; whether they were out of order, and how many repeated."""
    sorted_before = bool((np.diff(times) >= 0).all())
    unique, place = np.unique(times, return_inverse=True)
    if len(unique) == len(times):
        order = np.argsort(times)
        return times[order], values[order], not sorted_before, 0
    seen = np.isfinite(values)
    sums, counts = np.zeros((2, len(unique), values.shape[1]))
    np.add.at(sums, place, np.where(seen, values, 0.0))
    np.add.at(counts, place, seen.astype(float))
    means = np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)
    return unique, means, not sorted_before, len(times) - len(unique)


def _repairs(parts: Sequence[tuple[str, Floats, Floats, bool, int]]) -> list[str]:
    notes = []
    if any(unsorted for *_, unsorted, _ in parts):
        notes.append("The rows were not in the order of their times: they are sorted.")
    repeated = sum(count for *_, count in parts)
    if repeated:
        what = "row has" if repeated == 1 else "rows have"
        notes.append(
            f"{repeated:,} {what} a time that was there already: rows of one time become their mean. If they "
            "are several series, choose the column that tells them apart."
        )
    gaps = sum(int(np.isnan(ys).sum()) for _, _, ys, *_ in parts)
    if gaps:
        notes.append(f"{gaps:,} value{'s' * (gaps != 1)} missing: these are gaps.")
    return notes


def _long_enough(parts: Sequence[Part]) -> tuple[list[Part], list[str]]:
    """The series with enough observed times, without the rows at their ends and between in which all is missing."""
    kept: list[Part] = []
    short: list[str] = []
    for name, ts, ys in parts:
        seen = np.isfinite(ys).any(axis=1)
        if int(seen.sum()) < MIN_TIMES:
            short.append(name)
        else:
            kept.append((name, ts[seen], ys[seen]))
    if not kept:
        raise ValueError(
            f"no series has {MIN_TIMES} different times with an observation: give more rows, or choose other columns."
        )
    said = f"{', '.join(short[:5])}{' …' * (len(short) > 5)}"
    return kept, [f"Left out, with fewer than {MIN_TIMES} observed times: {said}."] if short else []


def _thinned(parts: Sequence[Part]) -> tuple[list[Part], list[str]]:
    """At most 2,000 rows together: every k-th of each series, the first among them."""
    rows = sum(len(ts) for _, ts, _ in parts)
    if rows <= MAX_KEPT_ROWS:
        return list(parts), []
    every = -(-rows // MAX_KEPT_ROWS)
    while True:  # a short series keeps 4 to 7 rows, and 200 of those are few enough
        thin = [
            (name, ts[::k], ys[::k]) for name, ts, ys in parts for k in [min(every, len(ts) // MIN_TIMES)]
        ]
        left = sum(len(ts) for _, ts, _ in thin)
        if left <= MAX_KEPT_ROWS:
            break
        every += 1
    which = f"every {_ordinal(every)} is used, {left:,} in all"
    return thin, [f"Of {rows:,} observed rows {which}: more is not learned in front of you."]


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
