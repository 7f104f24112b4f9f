"""Where a spline or a recurrent net wins, asked and answered. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from node_core.checks import check_number, check_whole
from node_core.training.series.config import SeriesConfig

SERIES_LABELS = {"spline": "cubic spline", "gru": "GRU", "latent_ode": "latent ODE"}
NOISES = (0.02, 0.3)


@dataclass(frozen=True)
class GapsConfig:
    """Spirals observed now and then: between the observations, and after them, by three ways.

    Args:
        noise: standard deviation of the noise on the observations, 0 to 2; a spiral's radius is about 1 to 4.
        observations: given of each series, 4 to 50.
        iterations: of the nets' training, 1 to 1000.
        seed: of series, weights and batches.

    Raises:
        ValueError: a number out of range.
    """

    noise: float = NOISES[0]
    observations: int = 20
    iterations: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        check_number("noise", self.noise, 0, 2)
        check_whole("observations", self.observations, 4, 50)
        check_whole("iterations", self.iterations, 1, 1000)

    def train(self, model: str) -> SeriesConfig:
        """The training of a net, with the lesson Time series's own settings but for fewer and shorter series."""
        return SeriesConfig(
            data_noise=self.noise,
            n_train=200,
            n_test=50,
            n_times=60,
            model=model,  # type: ignore[arg-type]
            observations=self.observations,
            lr=0.02,
            lr_end=0.1,
            seed=self.seed,
            iterations=self.iterations,
        )


@dataclass(frozen=True)
class GapsWay:
    """One way.

    Attributes:
        name: key of `SERIES_LABELS`.
        inside, beyond: root mean square distance from the series without noise, between the observations and after the
            last of them, in the data's unit.
        seconds: processor time of the training; of the spline, of all its fits.
        parameters: trainable numbers; 0 of the spline.
    """

    name: str
    inside: float
    beyond: float
    seconds: float
    parameters: int


@dataclass(frozen=True)
class GapsResult:
    """The ways of a `GapsConfig`, on so many series for testing."""

    config: GapsConfig
    ways: tuple[GapsWay, ...]
    series: int

    def way(self, name: str) -> GapsWay:
        """The way of this name."""
        return next(way for way in self.ways if way.name == name)
