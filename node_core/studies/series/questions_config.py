"""What is asked of models of series, and what comes out, as plain values (no torch)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole
from node_core.training.series.config import SeriesConfig
from node_core.training.series.presets import HARES

Floats = NDArray[np.float64]
RATES = ("alpha", "beta", "gamma", "delta")


@dataclass(frozen=True)
class ObservationsConfig:
    """How far off trained models are when they are given fewer observations, or more.

    Args:
        runs: models of one set of series, none of them fitted to a single series.
        counts: observations of the learned part to give, increasing.

    Raises:
        ValueError: a model that reads no observations, or counts that do not increase.
    """

    runs: tuple[SeriesConfig, ...] = (SeriesConfig(),)
    counts: tuple[int, ...] = (5, 10, 20, 30, 50, 100)

    def __post_init__(self) -> None:
        if not self.runs or any(run.direct for run in self.runs):
            raise ValueError(
                "a direct fit reads no observations once it is fitted: give latent ODEs or recurrent nets."
            )
        if len({(run.data, run.own, run.seed, run.window, run.holdout) for run in self.runs}) > 1:
            raise ValueError("the models are of different series: compare those of one set.")
        if not self.counts or list(self.counts) != sorted(set(self.counts)):
            raise ValueError(f"counts = {self.counts}: give them in increasing order, each once.")
        for count in self.counts:
            check_whole("counts", count, 1, 2000)


@dataclass(frozen=True, eq=False)
class ObservationsResult:
    """Root mean squares in the data's unit (`log`: of the logarithm), NaN where there is nothing to compare with.

    Attributes:
        config: what was asked.
        inside, beyond: (models, counts) from a series' first observation on, before and after the split.
        n_series: tested.
    """

    config: ObservationsConfig
    inside: Floats
    beyond: Floats
    n_series: int


@dataclass(frozen=True)
class RatesConfig:
    """What Lotka-Volterra says of two series, and how sure it is.

    Args:
        run: says which series, with `log`, and how much of them is learned from (`holdout`).
        starts: random beginnings of the fit (1 to 50): whether all end in the same place.
        seed: of them.

    Raises:
        ValueError: logarithms are not learned, or a value is out of range.
    """

    run: SeriesConfig = field(default_factory=lambda: HARES)
    starts: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.run.log:
            raise ValueError("Lotka-Volterra is fitted to logarithms: set log = True.")
        check_whole("starts", self.starts, 1, 50)
        check_whole("seed", self.seed, 0, 2**31 - 1)


@dataclass(frozen=True, eq=False)
class RatesResult:
    """The least-squares fit, in the data's units, and its Laplace approximation.

    Attributes:
        config: what was asked.
        rates: alpha, beta, gamma, delta: x' = alpha x - beta x y, y' = delta x y - gamma y.
        low, high: (4,) ends of 95 % intervals.
        correlation: (4, 4) of the logarithms of the rates.
        noise: standard deviation of what is left, of the logarithm.
        found: starts that ended there, of `config.starts`.
        ts, curve, curve_low, curve_high: (K,) and (K, 2): the fit to the end of the series, and 95 % of the curves that
            parameters drawn from the Laplace approximation give (the noise of the observations not included).
        observed_t, observed: (n,), (n, 2) all observations; `split`: those after it were not learned from.
        log_rmse_beyond: of the observations after the split, NaN if there are none.
    """

    config: RatesConfig
    rates: Floats
    low: Floats
    high: Floats
    correlation: Floats
    noise: float
    found: int
    ts: Floats
    curve: Floats
    curve_low: Floats
    curve_high: Floats
    observed_t: Floats
    observed: Floats
    split: float
    log_rmse_beyond: float


@dataclass(frozen=True)
class InteractionConfig:
    """What a universal ODE has learned of the interaction that it was not told.

    Args:
        run: the training; model = "universal".
        cells: points along each side of the plane (5 to 60).
        seed: of the fit of Lotka-Volterra beside it.

    Raises:
        ValueError: another model, or a value out of range.
    """

    run: SeriesConfig
    cells: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        if self.run.model != "universal":
            raise ValueError(
                f"model = {self.run.model!r} has no part that is learned: take model = 'universal'."
            )
        check_whole("cells", self.cells, 5, 60)


@dataclass(frozen=True, eq=False)
class InteractionResult:
    """What one animal does to the growth of the other, per unit of time: d log x / dt and d log y / dt.

    A constant can be on either side, in the net or in alpha and gamma: so all are given without their mean along the
    observations.

    Attributes:
        config: what was asked.
        x, y: (cells,) values of prey and predator, equally far apart in logarithms.
        learned, fitted: (cells, cells, 2), first index prey: the net, and -beta y, delta x of the fit.
        path: (K, 2) where the series went.
        learned_path, fitted_path: (K, 2) along it.
        correlation: (2,) of both along the path; 0 where the net does nothing.
        off_near, off_far: root mean square of learned - fitted over that of fitted, along the path, and over the whole
            plane.
    """

    config: InteractionConfig
    x: Floats
    y: Floats
    learned: Floats
    fitted: Floats
    path: Floats
    learned_path: Floats
    fitted_path: Floats
    correlation: Floats
    off_near: float
    off_far: float


@dataclass(frozen=True)
class LatentConfig:
    """What a coordinate of z0 means: curves as it alone is varied (the paper's Figure 9).

    Args:
        run: the training of a latent ODE.
        coordinate: of z0.
        steps: curves (3 to 21).
        reach: how far it is moved to both sides, in standard deviations of the posterior means of the test series.

    Raises:
        ValueError: another model, or a value out of range.
    """

    run: SeriesConfig = field(default_factory=SeriesConfig)
    coordinate: int = 0
    steps: int = 9
    reach: float = 2.0

    def __post_init__(self) -> None:
        if self.run.model != "latent_ode":
            raise ValueError(f"model = {self.run.model!r} has no z0: take model = 'latent_ode'.")
        check_whole("coordinate", self.coordinate, 0, self.run.latent - 1)
        check_whole("steps", self.steps, 3, 21)
        check_number("reach", self.reach, 0.1, 5.0)


@dataclass(frozen=True, eq=False)
class LatentResult:
    """Curves as one coordinate varies.

    Attributes:
        config: what was asked.
        offsets: (steps,) in standard deviations.
        ts, curves: (K,), (steps, K, D) in the data's units; of events, rates.
        spread: (latent,) standard deviations of the posterior means over the test series.
        posterior: (latent,) mean standard deviation of the posteriors: a coordinate whose posterior is as wide as the
            prior (1) and whose means do not spread is not used.
        influence: (latent,) root mean square change of the curve (in standard deviations of the data) as a coordinate
            moves by one of its own.
    """

    config: LatentConfig
    offsets: Floats
    ts: Floats
    curves: Floats
    spread: Floats
    posterior: Floats
    influence: Floats


@dataclass(frozen=True)
class EventsConfig:
    """How well the rate of events is known from the events alone.

    Args:
        run: the training on events.
        widths: of the windows of moving averages to compare with, in units of the data's time.

    Raises:
        ValueError: no events.
    """

    run: SeriesConfig = field(default_factory=lambda: SeriesConfig(data="events", likelihood="poisson"))
    widths: tuple[float, ...] = (0.2, 0.6, 1.0, 2.0)

    def __post_init__(self) -> None:
        if self.run.likelihood != "poisson":
            raise ValueError("rates are asked of events: take data = 'events', likelihood = 'poisson'.")
        for width in self.widths:
            check_number("widths", width, 0.1, 10.0)


@dataclass(frozen=True, eq=False)
class EventsResult:
    """Errors of the rates (events per unit of time), in the learned part of the series for testing.

    Attributes:
        config: what was asked.
        model: of the latent ODE.
        averages: of moving averages of the counts, one a width.
        constant: of each series' mean rate.
        n_series: tested.
    """

    config: EventsConfig
    model: float
    averages: tuple[float, ...]
    constant: float
    n_series: int
