"""What a configuration learns from: its series cut into windows, in the models' units, and what is shown of each."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.data.series.made import event_rates, events, pendulum, sines, spirals
from node_core.data.series.real import co2, hares_and_lynxes, theophylline
from node_core.data.series.series import SeriesSet
from node_core.models.series.observed import Observed, together
from node_core.training.series.config import SPAN, SeriesConfig
from node_core.training.series.own import rows_of

Floats = NDArray[np.float64]
BINS = 50  # intervals in which events are counted
_OVERLAP = 8  # windows begin an eighth of their length apart


@dataclass(frozen=True)
class Scale:
    """u = (x - trend(t)) / std in the models' units, x = trend(t) + std u back again; of log x where `log`.

    Args:
        trend: coefficients of 1, s, s^2 for each value (degree + 1, dim), s = t - origin in years, hours, ...
        std: (dim,).
        origin: where s is zero.
        log: whether logarithms are learned.
    """

    trend: Floats
    std: Floats
    origin: float
    log: bool

    def to_model(self, t: Floats, x: Floats) -> Floats:
        """Values x (..., n, dim) at times t (n,) of the data, in the models' units."""
        return ((np.log(x) if self.log else x) - self._at(t)) / self.std

    def to_data(self, t: Floats, u: Floats) -> Floats:
        """The way back, u (..., n, dim)."""
        x = self._at(t) + self.std * u
        return np.exp(np.minimum(x, 80.0)) if self.log else x

    def _at(self, t: Floats) -> Floats:
        return np.vander(t - self.origin, len(self.trend), increasing=True) @ self.trend


@dataclass(frozen=True, eq=False)
class Prepared:
    """Windows of series, ready for a model. Times of the models: 0 where a window begins, in units of `unit`.

    Args:
        series: where they come from.
        scale: of their values.
        unit: of the models' time, in the data's.
        origins: where each window begins, in the data's time (N,).
        names: of the windows.
        observed: all windows (N, T, dim).
        ranks: (N, T) in which order the times of the learned part are given to a model; a large number elsewhere.
        truth: values without noise, or log rates of events, (N, T, dim) in the models' units; NaN where unknown.
        split: end of the learned part, models' time.
        end: of a window.
        train, test: indices of windows.
        width: of the intervals in which events were counted, models' time; 0 for other data.
    """

    series: SeriesSet
    scale: Scale
    unit: float
    origins: Floats
    names: tuple[str, ...]
    observed: Observed
    ranks: Tensor
    truth: Tensor
    split: float
    end: float
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    width: float

    @property
    def shown(self) -> NDArray[np.int64]:
        """All windows, in the order of a configuration's `shown`: those for testing, then the others."""
        return np.concatenate((self.test, np.setdiff1d(self.train, self.test)))

    def given(self, chosen: NDArray[np.int64], observations: int) -> Observed:
        """What a model is given of some windows: at most so many times of each one's learned part."""
        rows = torch.from_numpy(chosen)
        return self.observed.rows(rows, self.ranks[rows] < observations)

    def times(self, i: int, t: Floats) -> Floats:
        """Times of the data, from those of the models in window i."""
        return self.origins[i] + self.unit * t

    def to_data(self, i: int, t: Floats, u: Floats) -> Floats:
        """Values of the data at the models' times t (n,) of window i, from u (..., n, dim)."""
        return self.scale.to_data(self.times(i, t), u)

    def edited(self, i: int, raw: bytes) -> Observed:
        """Observations of a user's own in place of those of window i.

        Raises:
            ValueError: they lie outside of the window, or can't be in logarithms.
        """
        rows = rows_of(raw, self.series.dim)
        t = (rows[:, 0] - self.origins[i]) / self.unit
        if self.width:
            raise ValueError("events are counted in fixed intervals: their counts can't be moved.")
        if t[0] < -1e-6 or t[-1] > self.end + 1e-6:
            first, last = self.times(i, np.array([0.0, self.end]))
            raise ValueError(
                f"an observation at {rows[0 if t[0] < 0 else -1, 0]:g} is outside of {first:g} to {last:g}: move it."
            )
        if self.scale.log and (rows[:, 1:] <= 0).any():
            raise ValueError("logarithms are learned here: an observation must be more than zero.")
        return together([t], [self.scale.to_model(rows[:, 0], rows[:, 1:])])


@functools.lru_cache(maxsize=4)
def series_of(config: SeriesConfig) -> SeriesSet:
    """The series of a configuration as they are."""
    seed, n_train, n_test = config.seed, config.n_train, config.n_test
    if config.data == "events":
        return _counted(events(seed, n_train, n_test), seed)
    if config.data == "own":
        return config.own.series_set()
    made = {"spirals": spirals, "pendulum": pendulum, "sines": sines}
    if config.data in made:
        return made[config.data](seed, n_train, n_test, config.n_times, config.data_noise)
    return {"hares": hares_and_lynxes, "co2": co2, "theophylline": theophylline}[config.data]()


def prepared(config: SeriesConfig) -> Prepared:
    """The windows of a configuration, kept for the next chunk in this worker.

    Raises:
        ValueError: the data do not go with the configuration.
    """
    return _prepare(_plain(config))


def _plain(config: SeriesConfig) -> SeriesConfig:
    """The same, with all defaults where the data are not concerned."""
    kept = {name: getattr(config, name) for name in _CONCERNED}
    if config.data == "events":
        kept["likelihood"] = "poisson"
    return SeriesConfig(**kept)


_CONCERNED = (
    *("data", "own", "data_noise", "n_train", "n_test", "n_times", "window", "holdout", "log", "trend"),
    *("time_unit", "seed"),
)


@functools.lru_cache(maxsize=3)
def _prepare(config: SeriesConfig) -> Prepared:
    series = series_of(config)
    if config.log and any((ys <= 0).any() for ys in series.values):
        raise ValueError("log = True, but a value is zero or negative: learn the values themselves.")
    times, values, truths, names = _windows(series, config.window)
    counted = config.data == "events"
    origins = np.array([ts[0] for ts in times])
    if len(times) == len(series.times):  # whole series keep their common clock
        origins = np.full(len(times), series.span[0])
    length = max(float(ts[-1] - t0) for ts, t0 in zip(times, origins, strict=True))
    if not length > 0:
        raise ValueError("every series has one time only: two are needed to learn how it goes on.")
    unit = config.time_unit or length / SPAN
    n_test = series.n_test if len(times) == len(series.times) else max(1, len(times) // 5)
    if len(times) == 1:
        train = test = np.zeros(1, dtype=np.int64)
    else:
        first = len(times) - (n_test or max(1, len(times) // 5))
        train, test = np.arange(first), np.arange(first, len(times))
    cut = len(times) > len(series.times)
    learned_from = range(len(times)) if cut else train.tolist()
    scale = _scale(config, [times[i] for i in learned_from], [values[i] for i in learned_from])
    if counted:  # the models' values are log rates in their own unit of time; counts stay counts
        scale = Scale(np.full((1, series.dim), -np.log(unit)), np.ones(series.dim), 0.0, True)
    own = _own_times(times, origins, unit)
    if cut:
        own = _regular(own)
    true = [scale.to_model(t, x) for t, x in zip(times, truths, strict=True)]
    learned = values if counted else [scale.to_model(t, x) for t, x in zip(times, values, strict=True)]
    observed, truth = together(own, learned), together(own, true)
    split = (1.0 - config.holdout) * length / unit
    ranks = _ranks(observed, split, config.seed)
    train = train[(ranks[torch.from_numpy(train)] < len(observed.times)).any(1).numpy()]
    if not len(train):
        raise ValueError("no series was observed in its learned part: keep a smaller share for the end.")
    return Prepared(
        series,
        scale,
        unit,
        origins,
        names,
        observed,
        ranks,
        torch.where(truth.mask, truth.values, float("nan")),
        split,
        length / unit,
        train.astype(np.int64),
        test.astype(np.int64),
        length / unit / BINS if counted else 0.0,
    )


def _windows(
    series: SeriesSet, size: int
) -> tuple[list[Floats], list[Floats], list[Floats], tuple[str, ...]]:
    """Times, values, truths and names of the windows: whole series where they are short enough."""
    times: list[Floats] = []
    values: list[Floats] = []
    truths: list[Floats] = []
    names: list[str] = []
    for i, (ts, xs) in enumerate(zip(series.times, series.values, strict=True)):
        true = series.truth[i] if series.truth else np.full_like(xs, np.nan)
        starts = [0]
        if size and len(ts) > size:
            starts = list(range(0, len(ts) - size + 1, max(1, size // _OVERLAP)))
        for first in starts:
            part = slice(first, first + size if len(starts) > 1 else None)
            if np.isfinite(xs[part]).any():
                times.append(ts[part])
                values.append(xs[part])
                truths.append(true[part])
                where = f", from {ts[first]:.6g}" if len(starts) > 1 else ""
                names.append(f"{series.series_name(i)}{where}")
    return times, values, truths, tuple(names)


def _scale(config: SeriesConfig, times: list[Floats], values: list[Floats]) -> Scale:
    dim = values[0].shape[1]
    t, x = np.concatenate(times), np.concatenate(values)
    origin, x = float(t.mean()), np.log(x) if config.log else x
    basis = np.vander(t - origin, config.trend + 1, increasing=True)
    trend, std = np.zeros((config.trend + 1, dim)), np.ones(dim)
    for j in range(dim):
        seen = np.isfinite(x[:, j])
        if not seen.any():
            continue
        trend[:, j] = np.linalg.lstsq(basis[seen], x[seen, j], rcond=None)[0]
        rest = float((x[seen, j] - basis[seen] @ trend[:, j]).std())
        if rest > 0 and not config.log:  # logarithms have a unit of their own
            std[j] = rest
    return Scale(trend, std, origin, config.log)


def _own_times(times: list[Floats], origins: Floats, unit: float) -> list[Floats]:
    """Models' times of the windows; times that differ by rounding become one, so that the union stays small."""
    own = [(ts - t0) / unit for ts, t0 in zip(times, origins, strict=True)]
    rounded = [np.round(ts, 5) for ts in own]
    return rounded if all((np.diff(ts) > 0).all() for ts in rounded) else own


def _regular(own: list[Floats]) -> list[Floats]:
    """Windows on common times, the means, if none is off by more than a fifth of the shortest step; else as they are.

    The times of a long series can be regular but for small shifts: a week is now 7/365 of a year, now 7/366.
    """
    if len({len(ts) for ts in own}) > 1:
        return own
    table = np.stack(own)
    mean = table.mean(0)
    common = np.abs(table - mean).max() <= 0.2 * np.diff(mean).min()
    return [mean] * len(own) if common else own


def _ranks(observed: Observed, split: float, seed: int) -> Tensor:
    """A random order of each window's times in the learned part, the same for every number of observations."""
    seen = observed.mask.any(-1).numpy() & (observed.times.numpy() <= split + 1e-9)
    draw = np.random.default_rng((seed, 7)).random(seen.shape)
    order = np.where(seen, draw, 2.0).argsort(1).argsort(1)
    return torch.from_numpy(np.where(seen, order, np.iinfo(np.int64).max))


def _counted(series: SeriesSet, seed: int) -> SeriesSet:
    """Events as counts in equal intervals of the time in which they were watched; times are the middles.

    The truth is the rate there, in events per unit of time.
    """
    t0, t1 = series.span
    edges = np.linspace(t0, t1, BINS + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    counts = tuple(np.histogram(ts, edges)[0].astype(float)[:, None] for ts in series.times)
    rates = event_rates(seed, len(counts), middles)
    return replace(
        series, times=(middles,) * len(counts), values=counts, truth=tuple(rate[:, None] for rate in rates)
    )
