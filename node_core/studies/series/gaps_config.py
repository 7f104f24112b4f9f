"""What is asked of models of series and of what needs no training: how far off they are where nothing was given."""

from __future__ import annotations

from dataclasses import dataclass

from node_core.training.series.config import SeriesConfig

BASELINE_LABELS = {
    "linear": "Straight lines",
    "cubic": "Cubic spline",
    "smoothing": "Smoothing spline",
}
"""What needs no training (see `node_core.models.series.baselines`)."""


@dataclass(frozen=True)
class GapsConfig:
    """Models of the same series.

    Args:
        runs: their configurations; the first says which series are tested and what is given of them.

    Raises:
        ValueError: there is none, or they are of different series.
    """

    runs: tuple[SeriesConfig, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("no model was given: give at least one configuration.")
        if len({(run.data, run.own, run.seed, run.window, run.holdout) for run in self.runs}) > 1:
            raise ValueError("the models are of different series: compare those of one set.")


@dataclass(frozen=True)
class Score:
    """Root mean squares in the data's unit (in that of logarithms where these are learned); None: nothing to compare.

    Args:
        name: of a model or of one of `BASELINE_LABELS`.
        inside: where the learned part was not given.
        beyond: after it.
    """

    name: str
    inside: float | None
    beyond: float | None


@dataclass(frozen=True)
class GapsResult:
    """How far off each is.

    Args:
        models: one a run, in their order.
        baselines: what needs no training.
        n_series: tested.
        truth: whether the series without noise is known; else it is compared with what was observed and not given.
    """

    models: tuple[Score, ...]
    baselines: tuple[Score, ...]
    n_series: int
    truth: bool
