"""The validated `SeriesSet`: one or more series, each observed at its own times, with gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """Series of one kind, such as the patients of a study.

    Args:
        name: key of the set.
        time_name: what the times are, such as "year".
        value_names: one name for each of the dim values.
        times: of each series (n_i,) float64, strictly increasing, in `time_unit`.
        values: of each series (n_i, dim) float64, in `value_units`; NaN where nothing was observed.
        time_unit: "" if it has none.
        value_units: one a value, "" if it has none.
        source: where the numbers come from and on what terms, in a sentence.
        series_names: one a series; () for "series 1", ...
        n_test: so many of the last series are for testing only.
        truth: values without noise, shapes as `values`; () where nobody knows them.
        window: (t0, t1) during which the series were watched; None: from the first to the last time of all.

    Raises:
        ValueError: shapes that do not fit, times that do not increase, a number that is not finite, nothing observed.
    """

    name: str
    time_name: str
    value_names: tuple[str, ...]
    times: tuple[Floats, ...]
    values: tuple[Floats, ...]
    time_unit: str = ""
    value_units: tuple[str, ...] = ()
    source: str = ""
    series_names: tuple[str, ...] = ()
    n_test: int = 0
    truth: tuple[Floats, ...] = ()
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.times or len(self.times) != len(self.values):
            raise ValueError(
                f"{len(self.times)} series of times and {len(self.values)} of values: give each series both."
            )
        if not 0 <= self.n_test < len(self.times):
            raise ValueError(f"n_test = {self.n_test}: choose 0 to {len(self.times) - 1}.")
        for i, (ts, ys) in enumerate(zip(self.times, self.values, strict=True)):
            self._check(self.series_name(i), ts, ys)
        if self.truth and [y.shape for y in self.truth] != [y.shape for y in self.values]:
            raise ValueError("the truth has other shapes than the values: give one number for each value.")
        for what, given, needed in (
            ("units", len(self.value_units), self.dim),
            ("series names", len(self.series_names), len(self.times)),
        ):
            if given not in (0, needed):
                raise ValueError(f"{given} {what} for {needed}: give each one, or none at all.")

    def _check(self, what: str, ts: Floats, ys: Floats) -> None:
        if ts.ndim != 1 or ts.size == 0 or ys.shape != (ts.size, self.dim):
            raise ValueError(
                f"{what}: times of shape {ts.shape} and values of shape {ys.shape}: give (n,) and (n, {self.dim})."
            )
        if not np.isfinite(ts).all() or np.isinf(ys).any():
            raise ValueError(f"{what} has a number that is not finite: remove it.")
        if (np.diff(ts) <= 0).any():
            raise ValueError(f"{what}: its times do not increase: sort them and name each once.")
        if np.isnan(ys).all():
            raise ValueError(f"{what} has no observation: remove it.")

    @property
    def dim(self) -> int:
        """Number of values at each time."""
        return len(self.value_names)

    @property
    def span(self) -> tuple[float, float]:
        """First and last time of all series, or the window in which they were watched."""
        if self.window is not None:
            return self.window
        return float(min(ts[0] for ts in self.times)), float(max(ts[-1] for ts in self.times))

    @property
    def n_observed(self) -> int:
        """How many values were observed, of all series."""
        return int(sum(np.isfinite(ys).sum() for ys in self.values))

    def series_name(self, i: int) -> str:
        """What the i-th series is called."""
        return self.series_names[i] if self.series_names else f"series {i + 1}"

    def scale(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each value over all observations, (dim,) each; a constant's deviation is 1."""
        every = np.concatenate(self.values)
        deviation = np.nanstd(every, axis=0)
        return np.nanmean(every, axis=0), np.where(deviation > 0, deviation, 1.0)
