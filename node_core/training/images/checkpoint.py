"""Files of classifiers of the digits: a run's numbers and its configuration in one safetensors file, without pickle.

The pre-trained ones are made by `python -m node_core.training.images.make_checkpoints` and kept in
assets/architectures/checkpoints.
Reading one imports no torch: pages ask which there are, workers begin runs with them (`ImagesConfig.start`).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from node_core.assets import ASSETS
from node_core.data.images import ImageData
from node_core.runs.snapshot import Row
from node_core.runs.state import TrainState
from node_core.training.checkpoint import (
    REFUSED,
    check_flat,
    file_named,
    flat_arrays,
    names_in,
    read_run,
    typed,
    write_run,
)
from node_core.training.images.config import ImagesConfig, counts_of, structure

FOLDER = ASSETS / "architectures" / "checkpoints"
FORMAT = "neural-ode-lab images 1"


def save(config: ImagesConfig, state: TrainState, rows: Sequence[Row] = ()) -> bytes:
    """Write a run on the digits.

    Args:
        config: of the run.
        state: where it stands.
        rows: its history, thinned for the curves.

    Raises:
        ValueError: it was trained on other images, which the file would not hold.
    """
    if config.data.name != "digits":
        raise ValueError(
            f"a net trained on {config.data.name!r} can't be kept in a checkpoint, which holds no images: train on "
            "the digits."
        )
    text: dict[str, Any] = asdict(config) | {"data": config.data.seed}
    return write_run(FORMAT, text, state, flat_arrays(state), rows)


def load(raw: bytes) -> tuple[ImagesConfig, TrainState, tuple[Row, ...]]:
    """Configuration, state and history of a file.

    Raises:
        ValueError: it is too large, damaged, or holds anything but what its configuration calls for.
    """
    run = read_run(raw, FORMAT)
    config = _config(run.config)
    numbers = check_flat(run.arrays, counts_of(config).total)
    return config, TrainState(run.iteration, *numbers, structure(config), begun=run.begun), run.rows


@functools.lru_cache(maxsize=32)
def pretrained(name: str) -> tuple[ImagesConfig, TrainState, tuple[Row, ...]]:
    """What a file in `FOLDER` holds.

    Raises:
        ValueError: there is none of this name, or it can't be used; the sentence names those there are.
    """
    config, state, rows = load(file_named(FOLDER, name, "pre-trained net"))
    return config, replace(state, begun=state.iteration), rows


def history_of(name: str) -> tuple[Row, ...]:
    """The rows of the training that made a file in `FOLDER`, for the curves."""
    return pretrained(name)[2]


def pretrained_for(config: ImagesConfig) -> str:
    """The name of a net that a run of this configuration could begin with; "" if there is none."""
    return next((name for name in names_in(FOLDER) if _fits(pretrained(name)[0], config)), "")


def started(config: ImagesConfig) -> TrainState:
    """The state of the pre-trained net `config.start`, as the beginning of a run of `config`.

    Raises:
        ValueError: there is no such net, or it is another one, or it was trained on this run's test images.
    """
    saved, state, _ = pretrained(config.start)
    if not _fits(saved, config):
        raise ValueError(
            f"The pre-trained net {config.start!r} is another one, or learned from other images: begin with random "
            "weights."
        )
    return replace(state, structure=structure(config))


def _fits(saved: ImagesConfig, config: ImagesConfig) -> bool:
    """Whether both are one net on one split of the images; the seed of weights that were trained is of no matter."""
    same = [structure(replace(entry, start="", seed=0)) for entry in (saved, config)]
    return same[0] == same[1]


def _config(values: Any) -> ImagesConfig:
    plain = typed(values, ImagesConfig, "the configuration", skip=("data",))
    if type(values["data"]) is not int:
        raise ValueError(f"{REFUSED}: the seed of its split is no number.")
    try:
        return ImagesConfig(data=ImageData(seed=values["data"]), **plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{REFUSED}: {error}") from error
