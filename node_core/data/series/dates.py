"""Dates in a table's column: told apart from numbers, and turned into times that increase evenly."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_DAY = 86_400.0  # s
_YEAR = 365.2425  # days, on average
_MONTH = re.compile(r"(\d{4})-(\d{1,2})")
_DIGITS = re.compile(r"(1[5-9]|20|21)(\d\d)(\d\d)(\d\d)")
_DOTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?)?")
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?)?")
Reader = Callable[[str], datetime.datetime | None]


@dataclass(frozen=True)
class Dates:
    """A column of dates as times.

    Args:
        times: in `unit`, one a cell.
        unit: "years" (1 July 1958 is 1958.5), "days" or "hours" (from the first date).
        name: what the times are, such as "days since 2024-03-01".
        note: how the dates were read, for a sentence.
    """

    times: list[float]
    unit: str
    name: str
    note: str


def read_dates(cells: Sequence[str], where: Callable[[int], str]) -> Dates | None:
    """The cells as times, or None where the first one is no date.

    Understood are 1958-03-29 (with a time of day too), 1958-03, 19580329, 29.3.1958, and 3/29/1958 or 29/3/1958 where
    one of the numbers is above 12 in some line.

    Args:
        cells: of the column.
        where: the place of a cell by its number, for a sentence about it.

    Raises:
        ValueError: a cell that is no date while the first one is; the sentence says where.
    """
    found = _reader(cells)
    if found is None:
        return None
    read, how = found
    days = []
    for row, cell in enumerate(cells):
        moment = read(cell)
        if moment is None:
            raise ValueError(
                f"{where(row)} is {cell[:40]!r}, not a date{how}: write all dates alike, such as 1958-03-29, or remove "
                "the row."
            )
        days.append(_days(moment))
    return _in_unit(days, how)


def _reader(cells: Sequence[str]) -> tuple[Reader, str] | None:
    """How to read the column, and what to say of it."""
    first = next(iter(cells), "")
    if _DIGITS.fullmatch(first):
        # A number of eight digits may be a number after all: then some other one is no date.
        plain = all(_digits(cell) is not None for cell in cells)
        return (_digits, " (year, month and day without marks)") if plain else None
    if _DOTS.fullmatch(first):
        return _dots, " (day.month.year)"
    if _SLASHES.fullmatch(first):
        parts = [match for match in map(_SLASHES.fullmatch, cells) if match]
        day_first = any(int(match[1]) > 12 for match in parts)
        return (_day_first, " (day/month/year)") if day_first else (_month_first, " (month/day/year)")
    if _iso(first) is not None:
        return _iso, ""
    return None


def _in_unit(days: list[float], how: str) -> Dates:
    first, length = min(days), max(days) - min(days)
    start = (_EPOCH + datetime.timedelta(days=first)).strftime("%Y-%m-%d")
    if length >= 2 * _YEAR:
        return Dates([_year(day) for day in days], "years", "year", f"Dates{how} are read as years.")
    if length >= 2:
        since = f"days since {start}"
        return Dates([day - first for day in days], "days", since, f"Dates{how} are read as {since}.")
    since = f"hours since {start}"
    return Dates(
        [24 * (day - first // 1) for day in days], "hours", since, f"Dates{how} are read as {since}."
    )


_EPOCH = datetime.datetime(1970, 1, 1)


def _days(moment: datetime.datetime) -> float:
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return (moment - _EPOCH).total_seconds() / _DAY


def _year(day: float) -> float:
    moment = _EPOCH + datetime.timedelta(days=day)
    start = datetime.datetime(moment.year, 1, 1)
    length = 366 if _is_leap(moment.year) else 365
    return moment.year + (moment - start).total_seconds() / (_DAY * length)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _iso(cell: str) -> datetime.datetime | None:
    match = _MONTH.fullmatch(cell)
    if match:
        return _made(int(match[1]), int(match[2]), 1)
    if not cell[:4].isdigit() or cell[4:5] != "-":
        return None
    try:
        return datetime.datetime.fromisoformat(cell)
    except ValueError:
        return None


def _digits(cell: str) -> datetime.datetime | None:
    match = _DIGITS.fullmatch(cell)
    return None if match is None else _made(int(match[1] + match[2]), int(match[3]), int(match[4]))


def _dots(cell: str) -> datetime.datetime | None:
    match = _DOTS.fullmatch(cell)
    return (
        None if match is None else _made(int(match[3]), int(match[2]), int(match[1]), *match.groups("0")[3:])
    )


def _day_first(cell: str) -> datetime.datetime | None:
    match = _SLASHES.fullmatch(cell)
    return (
        None if match is None else _made(int(match[3]), int(match[2]), int(match[1]), *match.groups("0")[3:])
    )


def _month_first(cell: str) -> datetime.datetime | None:
    match = _SLASHES.fullmatch(cell)
    return (
        None if match is None else _made(int(match[3]), int(match[1]), int(match[2]), *match.groups("0")[3:])
    )


def _made(year: int, month: int, day: int, *clock: str) -> datetime.datetime | None:
    try:
        hour, minute, second = [*map(int, clock), 0, 0, 0][:3]
        return datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:  # 30 February
        return None
