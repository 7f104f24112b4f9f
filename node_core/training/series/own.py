"""A user's own series and edited observations as values that configurations can hold: bytes, compared bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.data.series.series import SeriesSet

MAX_ROWS = 2000  # of all series together
MAX_EDITED = 400


@dataclass(frozen=True)
class OwnSeries:
    """Series of a user's own; NaN compares equal to itself here, as bytes do.

    Args:
        time_name, value_names, series_names: as of a `SeriesSet`.
        counts: rows of each series.
        numbers: all rows (time, value, ...) one after the other, float64, little-endian.
    """

    time_name: str = "time"
    value_names: tuple[str, ...] = ()
    series_names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    numbers: bytes = b""

    @staticmethod
    def of(series: SeriesSet) -> OwnSeries:
        """The series of a set, for a configuration.

        Raises:
            ValueError: it has more than 2,000 rows.
        """
        counts = tuple(len(ts) for ts in series.times)
        if sum(counts) > MAX_ROWS:
            raise ValueError(f"{sum(counts):,} rows: at most {MAX_ROWS:,} are learned, thin them out.")
        rows = [np.column_stack((ts, ys)) for ts, ys in zip(series.times, series.values, strict=True)]
        numbers = np.concatenate(rows).astype("<f8").tobytes()
        return OwnSeries(
            series.time_name, tuple(series.value_names), tuple(series.series_names), counts, numbers
        )

    def series_set(self) -> SeriesSet:
        """The set again.

        Raises:
            ValueError: the numbers are not those of so many rows, or no series.
        """
        table = rows_of(self.numbers, len(self.value_names))
        if sum(self.counts) != len(table) or not self.counts or min(self.counts) < 1:
            raise ValueError(f"{len(table)} rows for series of {self.counts} rows: read the table again.")
        parts = np.split(table, np.cumsum(self.counts)[:-1])
        return SeriesSet(
            "own",
            self.time_name,
            self.value_names,
            times=tuple(part[:, 0].copy() for part in parts),
            values=tuple(part[:, 1:].copy() for part in parts),
            series_names=self.series_names,
        )


def edited_rows(table: NDArray[np.floating], dim: int) -> bytes:
    """Observations of one series as the field `edited` of a configuration wants them.

    Args:
        table: rows (time, value, ...), in any order; a value of NaN is not observed.
        dim: values at a time.

    Raises:
        ValueError: no table of 1 to 400 rows, a time that is not finite or comes twice, or nothing observed.
    """
    rows = np.asarray(table, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != dim + 1 or not 1 <= len(rows) <= MAX_EDITED:
        raise ValueError(
            f"observations of shape {rows.shape}: give 1 to {MAX_EDITED} rows of {dim + 1} numbers."
        )
    rows = rows[rows[:, 0].argsort(kind="stable")]
    if not np.isfinite(rows[:, 0]).all() or np.isinf(rows).any():
        raise ValueError("an observation has a number that is not finite: remove it.")
    if (np.diff(rows[:, 0]) <= 0).any():
        raise ValueError("two observations have the same time: remove one of them, or move it.")
    if not np.isfinite(rows[:, 1:]).any():
        raise ValueError("no observation is left: add one.")
    return rows.astype("<f8").tobytes()


def rows_of(raw: bytes, dim: int) -> NDArray[np.float64]:
    """The rows (time, value, ...) in bytes of `edited_rows` or `OwnSeries`, (n, dim + 1)."""
    if len(raw) % (8 * (dim + 1)):
        raise ValueError(f"{len(raw)} bytes are no rows of {dim + 1} numbers: read the table again.")
    return np.frombuffer(raw, dtype="<f8").reshape(-1, dim + 1)
