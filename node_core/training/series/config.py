"""The frozen configuration of a training on time series: which series, which model, how it is fitted.

Nothing here imports torch: pages make these, workers use them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from node_core.checks import check_fields
from node_core.gradients.names import GRADIENTS
from node_core.training.limits import (
    ACTIVATIONS,
    MAX_FIXED_STEPS,
    MAX_ITERATIONS,
    check_hidden,
    check_solver,
    check_start,
    digest_of,
)
from node_core.training.series.own import MAX_EDITED, MAX_ROWS, OwnSeries

DataName = Literal["spirals", "pendulum", "sines", "events", "hares", "co2", "theophylline", "own"]
ModelName = Literal["latent_ode", "ode_rnn", "gru", "neural_ode", "lotka_volterra", "universal"]
EncoderName = Literal["gru", "ode_rnn"]
MADE = ("spirals", "pendulum", "sines", "events")
"""Sets that are made from a seed, in any size."""
DIRECT = ("neural_ode", "lotka_volterra", "universal")
"""Models without an encoder: they are fitted to the one series that is shown."""
SPAN = 4.0  # length of a window in the models' unit of time, unless a unit is given


@dataclass(frozen=True)
class SeriesConfig:
    """Everything that determines a training on time series.

    The fields up to `start` are its structure: a change means a new run (`needs_reset`). The others may change while
    it goes on, but for models that are fitted to one series (`DIRECT`), to which `shown` belongs.

    Args:
        data: name of the series; "own" for those in `own`.
        own: a user's series.
        data_noise: standard deviation of what is added to made series, in their unit.
        n_train, n_test, n_times: size of made sets.
        window: a longer series is cut into overlapping windows of so many times; 0: never.
        holdout: share of each window's length, at its end, that is only foreseen, never learned from (0 to 0.8).
        log: learn the logarithm of the values, which must be positive.
        trend: degree of the polynomial in time (0, 1, 2) that is taken off before learning, and put on again; fitted to
            the series to learn from, or, where one long series is cut into windows, to all of it.
        time_unit: of the models, in that of the times; 0: a quarter of a window.
        model: "latent_ode"; "ode_rnn" and "gru", which foresee step by step; "neural_ode", "lotka_volterra" (two
            values, in logarithms) and "universal" (Lotka-Volterra without its interaction, plus a net).
        encoder: of the latent ODE, "gru" or "ode_rnn".
        latent: coordinates of its z (1 to 32).
        hidden: widths of the field's 1 to 3 hidden layers.
        activation: of the field.
        encoder_hidden: size of the recurrent state.
        decoder_hidden: width of the decoder's hidden layer.
        likelihood: "normal", or "poisson" for counts of events.
        seed: of data, weights and batches.
        start: name of a pre-trained beginning in assets/series/checkpoints; "" for random weights.
        observations: so many times of each window's learned part are given to the model (1 to 2000).
        noise: standard deviation of the normal likelihood, in standard deviations of the data (log: of the logarithm).
        kl_weight: of the divergence of the posterior from the prior.
        lr: Adam's learning rate.
        lr_end: what is left of it at `iterations`, by a cosine; 1 keeps it constant.
        method, rtol, atol, dt, gradient: as in `odeint`; dt in the models' unit of time.
        batch: series an iteration (1 to 1000).
        grow: iterations until a direct fit sees the whole learned part; before, its horizon grows from a fifth of it.
        iterations: where the run is finished.
        shown: number of the series, or window, that the picture shows: first those for testing, then the others.
        edited: observations of the shown series in place of its own, by `own.edited_rows`; b"" for its own.
        plane_x, plane_y: coordinates of the state that the phase picture shows.

    Raises:
        ValueError: a value is out of range or two don't go together; the sentence names the remedy.
    """

    data: DataName = "spirals"
    own: OwnSeries = field(default_factory=OwnSeries)
    data_noise: float = 0.3
    n_train: int = 1000
    n_test: int = 200
    n_times: int = 125
    window: int = 0
    holdout: float = 0.2
    log: bool = False
    trend: int = 0
    time_unit: float = 0.0
    model: ModelName = "latent_ode"
    encoder: EncoderName = "gru"
    latent: int = 4
    hidden: tuple[int, ...] = (32, 32)
    activation: str = "tanh"
    encoder_hidden: int = 25
    decoder_hidden: int = 20
    likelihood: Literal["normal", "poisson"] = "normal"
    seed: int = 0
    start: str = ""
    observations: int = 30
    noise: float = 0.1
    kl_weight: float = 0.1
    lr: float = 0.01
    lr_end: float = 1.0
    method: str = "dopri5"
    rtol: float = 1e-3
    atol: float = 1e-3
    dt: float = 0.05
    gradient: str = "backprop"
    batch: int = 64
    grow: int = 500
    iterations: int = 100_000
    shown: int = 0
    edited: bytes = b""
    plane_x: int = 0
    plane_y: int = 1

    def __post_init__(self) -> None:
        check_fields(self, words=_WORDS, whole=_WHOLE, ranges=_RANGES)
        check_hidden(self.hidden)
        check_start(self.start)
        self._check_together()
        if not check_solver(self.method, self.gradient).adaptive and SPAN / self.dt > MAX_FIXED_STEPS:
            raise ValueError(
                f"dt = {self.dt}: that would be more than {MAX_FIXED_STEPS} steps a window, choose at least "
                f"{SPAN / MAX_FIXED_STEPS:g}."
            )

    def _check_together(self) -> None:
        if len(self.edited) > 8 * MAX_EDITED * 33:
            raise ValueError(f"more than {MAX_EDITED} observations were edited: remove some.")
        if self.data == "own" and not self.own.counts:
            raise ValueError("data = 'own' has no series: give own = OwnSeries.of(series).")
        if (self.likelihood == "poisson") != (self.data == "events"):
            raise ValueError(
                f"likelihood = {self.likelihood!r} does not go with data = {self.data!r}: take 'poisson' for 'events', "
                "and 'normal' for all others."
            )
        if self.likelihood == "poisson" and self.model != "latent_ode":
            raise ValueError(f"model = {self.model!r} knows no rates of events: take model = 'latent_ode'.")
        if self.model in ("lotka_volterra", "universal") and not self.log:
            raise ValueError(f"model = {self.model!r} is written in logarithms: set log = True.")

    @property
    def direct(self) -> bool:
        """Whether the model is fitted to the one series that is shown."""
        return self.model in DIRECT


_WORDS: dict[str, tuple[str, ...]] = {
    "data": get_args(DataName),
    "model": get_args(ModelName),
    "encoder": get_args(EncoderName),
    "activation": ACTIVATIONS,
    "likelihood": ("normal", "poisson"),
    "gradient": GRADIENTS,
}
_WHOLE: dict[str, tuple[int, int]] = {
    "n_train": (1, 5000),
    "n_test": (1, 1000),
    "n_times": (2, MAX_ROWS),
    "window": (0, MAX_ROWS),
    "trend": (0, 2),
    "latent": (1, 32),
    "encoder_hidden": (1, 256),
    "decoder_hidden": (1, 256),
    "seed": (0, 2**31 - 1),
    "observations": (1, MAX_ROWS),
    "batch": (1, 1000),
    "grow": (1, MAX_ITERATIONS),
    "iterations": (1, MAX_ITERATIONS),
    "shown": (0, 1_000_000),
    "plane_x": (0, 255),
    "plane_y": (0, 255),
}
_RANGES: dict[str, tuple[float, float]] = {
    "data_noise": (0, 2),
    "holdout": (0, 0.8),
    "time_unit": (0, 1e9),
    "noise": (1e-3, 10),
    "kl_weight": (0, 100),
    "rtol": (1e-6, 0.5),
    "atol": (1e-7, 0.5),
    "dt": (1e-6, 10),
    "lr": (1e-8, 100),
    "lr_end": (0, 1),
}
_NAMES = tuple(entry.name for entry in fields(SeriesConfig))
STRUCTURE = _NAMES[: _NAMES.index("observations")]
LIVE_FIELDS = _NAMES[_NAMES.index("observations") :]
"""Fields that a message may change while the run goes on."""


@functools.lru_cache(maxsize=8)
def structure(config: SeriesConfig) -> str:
    """Digest of what a running state belongs to."""
    names = (*STRUCTURE, "shown") if config.direct else STRUCTURE
    return digest_of((name, getattr(config, name)) for name in names)


def needs_reset(old: SeriesConfig, new: SeriesConfig) -> bool:
    """Whether a run of `old` can't go on as `new`: its series, model or seed would be others."""
    return structure(old) != structure(new)
