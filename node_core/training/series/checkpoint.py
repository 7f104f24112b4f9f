"""Files of models of series: a run's numbers and its configuration in one safetensors file, without pickle.

The pre-trained ones are made by `python -m node_core.training.series.make_checkpoints` and lie in
assets/series/checkpoints. A user's own series, and edited observations, go along. Reading one imports no torch.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_core.assets import ASSETS
from node_core.runs.snapshot import Row
from node_core.runs.state import TrainState
from node_core.training.checkpoint import (
    FLAT,
    REFUSED,
    at_its_last_row,
    check_flat,
    file_named,
    flat_arrays,
    names_in,
    read_run,
    typed,
    write_run,
)
from node_core.training.series.config import SeriesConfig, structure
from node_core.training.series.own import MAX_ROWS, OwnSeries

FOLDER = ASSETS / "series" / "checkpoints"
FORMAT = "neural-ode-lab series 1"
_OWN, _EDITED = "own.numbers", "edited"
_NAMES = ("value_names", "series_names")


def save(config: SeriesConfig, state: TrainState, rows: Sequence[Row] = ()) -> bytes:
    """Write a run; series of the user's own go along.

    Args:
        config: of the run.
        state: where it stands.
        rows: its history, thinned for the curves.
    """
    own = {name: value for name, value in asdict(config.own).items() if name != "numbers"}
    text: dict[str, Any] = asdict(config) | {"own": own, "edited": ""}
    arrays: dict[str, NDArray[Any]] = flat_arrays(state)
    for name, raw in ((_OWN, config.own.numbers), (_EDITED, config.edited)):
        if raw:
            arrays[name] = np.frombuffer(raw, dtype="<f8")
    return write_run(FORMAT, text, state, arrays, rows)


def load(raw: bytes) -> tuple[SeriesConfig, TrainState, tuple[Row, ...]]:
    """Configuration, state and history of a file. How many weights its model has, only the model itself knows.

    Raises:
        ValueError: it is too large, damaged, or holds anything but what its configuration calls for.
    """
    run = read_run(raw, FORMAT)
    arrays = dict(run.arrays)
    config = _config(run.config, arrays.pop(_OWN, None), arrays.pop(_EDITED, None))
    flat = arrays.get(FLAT[0])
    numbers = check_flat(arrays, 0 if flat is None else flat.size)
    state = TrainState(run.iteration, *numbers, structure(config), begun=run.begun)
    return config, at_its_last_row(state, run.rows), run.rows


@functools.lru_cache(maxsize=32)
def pretrained(name: str) -> tuple[SeriesConfig, TrainState, tuple[Row, ...]]:
    """What a file in `FOLDER` holds.

    Raises:
        ValueError: there is none of this name, or it can't be used; the sentence names those there are.
    """
    raw = file_named(FOLDER, name, "pre-trained model of series")
    try:
        config, state, rows = load(raw)
    except ValueError as error:
        raise ValueError(f"The pre-trained model {name!r} must be made anew. {error}") from error
    # Its last row is that of a training which is over: a run that begins here has none yet.
    return config, replace(state, begun=state.iteration, row={}), rows


def history_of(name: str) -> tuple[Row, ...]:
    """The rows of the training that made a file in `FOLDER`, for the curves."""
    return pretrained(name)[2]


def model_names() -> tuple[str, ...]:
    """Names of the pre-trained models, sorted."""
    return names_in(FOLDER)


def pretrained_for(config: SeriesConfig) -> str:
    """The name of a model that a run of this configuration could begin with; "" if there is none."""
    return next((name for name in model_names() if _fits(pretrained(name)[0], config)), "")


def started(config: SeriesConfig) -> TrainState:
    """The state of the pre-trained model `config.start`, as the beginning of a run of `config`.

    Raises:
        ValueError: there is no such model, or it is of other series or another structure.
    """
    saved, state, _ = pretrained(config.start)
    if not _fits(saved, config):
        raise ValueError(
            f"The pre-trained model {config.start!r} is another one, or learned from other series: begin with random "
            "weights."
        )
    return replace(state, structure=structure(config))


def _fits(saved: SeriesConfig, config: SeriesConfig) -> bool:
    return structure(replace(saved, start="")) == structure(replace(config, start=""))


def _config(values: Any, own: NDArray[Any] | None, edited: NDArray[Any] | None) -> SeriesConfig:
    plain = typed(values, SeriesConfig, "the configuration", skip=("own", "edited"))
    kept = values["own"]
    if not isinstance(kept, dict):
        raise ValueError(f"{REFUSED}: its own series have no names.")
    try:
        of_values, of_series = (tuple(kept[name]) for name in _NAMES)
        found = OwnSeries(kept["time_name"], of_values, of_series, tuple(kept["counts"]), _numbers(own))
        _check_own(found)
        return SeriesConfig(own=found, edited=_numbers(edited), **plain)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{REFUSED}: {error}") from error


def _check_own(own: OwnSeries) -> None:
    words = (own.time_name, *own.value_names, *own.series_names)
    if not all(isinstance(word, str) and len(word) <= 200 for word in words):
        raise ValueError("a name of its own series is no word.")
    if not all(type(count) is int and count > 0 for count in own.counts) or sum(own.counts) > MAX_ROWS:
        raise ValueError(f"its own series have no rows, or more than {MAX_ROWS:,}.")
    if own.counts:
        own.series_set()


def _numbers(array: NDArray[Any] | None) -> bytes:
    """Rows of float64, of which any may be NaN: not observed."""
    if array is None:
        return b""
    if array.dtype != np.float64 or array.ndim != 1 or len(array) > 40 * MAX_ROWS:
        raise ValueError("its observations are no row of float64.")
    return array.astype("<f8").tobytes()
