"""Checkpoints of classifiers: a file has exactly the arrays that its configuration calls for."""

from __future__ import annotations

import base64
import functools
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from node_core.assets import ASSETS
from node_core.data.dataset import DataConfig
from node_core.runs.snapshot import Row
from node_core.runs.state import Kept, TrainState
from node_core.training.checkpoint import (
    MAX_BYTES,
    REFUSED,
    at_its_last_row,
    check_arrays,
    check_squares,
    file_named,
    names_in,
    read_run,
    rows_of,
    typed,
    write_run,
)
from node_core.training.classifier.config import TrainConfig, is_adaptive, parameter_shapes, structure

FORMAT = "neural-ode-lab classifier 1"
_ROOM, _ROOM_AN_ARRAY = 5_000, 100  # bytes for the configuration, and for the name and shape of an array
_MOMENTS = ("adam.mean", "adam.square")
_POINTS, _LABELS = "data.points", "data.labels"
FOLDER = ASSETS / "odenet" / "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """A run that was saved: its configuration, where it stood, and the history that led there, if it was saved too."""

    config: TrainConfig
    state: TrainState
    rows: tuple[Row, ...] = ()

    def state_for(self, config: TrainConfig) -> TrainState:
        """The state as the beginning of a run of `config`, which may differ in what is live and in its data.

        Raises:
            ValueError: the model is another one, so that the weights don't fit.
        """
        same = ("model", "activation", "loss", "time_dependent")
        fits = parameter_shapes(config) == parameter_shapes(self.config) and all(
            getattr(config, name) == getattr(self.config, name) for name in same
        )
        if not fits:
            raise ValueError(
                f"The checkpoint holds a {self.config.model} with hidden = {self.config.hidden} and augment = "
                f"{self.config.augment}, not this model: choose the same model, or begin with random weights."
            )
        return replace(self.state, structure=structure(config))


def check_size(config: TrainConfig) -> None:
    """Refuse a run that makes no checkpoint: its own points belong to the file, and may be too many for it.

    Raises:
        ValueError: the file would be larger than `load` takes.
    """
    shapes = parameter_shapes(config)
    n = len(config.data.points)
    size = 3 * 4 * sum(map(math.prod, shapes.values())) + n * (8 * config.dim + 4)
    size += _ROOM + _ROOM_AN_ARRAY * len(shapes)
    if size > MAX_BYTES:
        what, remedy = (
            (f" together with its {n:,} points", "fewer points or columns") if n else ("", "fewer neurons")
        )
        raise ValueError(
            f"This net can't be saved{what}: the file would have {size:,} bytes, more than {MAX_BYTES:,}. To save "
            f"one, use {remedy}."
        )


def save(config: TrainConfig, state: TrainState, rows: Sequence[Row] = ()) -> bytes:
    """Write a checkpoint.

    Args:
        config: of the run.
        state: where it stands.
        rows: its history, thinned for the curves.

    Raises:
        ValueError: the file would be larger than `load` takes.
    """
    check_size(config)
    arrays = _split(config, state.parameters)
    arrays |= dict(zip(_MOMENTS, (state.moment_1, state.moment_2), strict=True))
    if config.data.points:
        arrays[_POINTS] = np.array(config.data.points, dtype=np.float64)
        arrays[_LABELS] = np.array(config.data.labels, dtype=np.int32)
    text = asdict(config)
    text["data"] |= {"points": (), "labels": ()}  # they are arrays
    return write_run(FORMAT, text, state, arrays, rows)


def load(raw: bytes) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        ValueError: it is too large, not of this format, or holds anything but what its configuration calls for.
    """
    run = read_run(raw, FORMAT)
    arrays, rows = run.arrays, run.rows
    points, labels = arrays.pop(_POINTS, None), arrays.pop(_LABELS, None)
    config = _config(run.config, points, labels)
    expected = parameter_shapes(config)
    count = sum(math.prod(shape) for shape in expected.values())
    check_arrays(arrays, expected | dict.fromkeys(_MOMENTS, (count,)))
    check_squares(_MOMENTS[1], arrays[_MOMENTS[1]])
    flat = np.concatenate([arrays[name].reshape(-1) for name in expected])
    mean, square = (arrays[name].copy() for name in _MOMENTS)
    state = TrainState(run.iteration, flat, mean, square, structure(config), begun=run.begun)
    return Checkpoint(config, at_its_last_row(state, rows), rows)


def pretrained(name: str) -> Checkpoint:
    """A checkpoint of assets/odenet/checkpoints, made by `python -m node_core.training.classifier.make_checkpoints`.

    Raises:
        ValueError: there is none of this name.
    """
    found = load(file_named(FOLDER, name, "checkpoint"))
    return replace(found, state=replace(found.state, begun=found.state.iteration))


def pretrained_history(name: str) -> tuple[Row, ...]:
    """The curves of a pre-trained checkpoint: the history rows of the training that made it, thinned out."""
    columns: dict[str, list[float | None]] = _beside(name).get("history", {})
    return rows_of(list(columns), list(zip(*columns.values(), strict=True)))


def with_picture(state: TrainState, name: str) -> TrainState:
    """The state of a pre-trained checkpoint with what its last iteration left to show, and its boundary.

    The boundary may take seconds to draw, and is that of the checkpoint's own points.
    """
    found = _beside(name)
    logs = {key: np.array(values, dtype=np.float32) for key, values in found.get("logs", {}).items()}
    rows = pretrained_history(name)
    state = replace(state, arrays=logs, row=rows[-1] if rows else {})
    if "grid" not in found:
        return state
    pixels = zlib.decompress(base64.b64decode(found["grid"]))
    grid = np.frombuffer(pixels, dtype=np.uint8).reshape(found["grid_shape"])
    return replace(state, kept=Kept({"grid": grid}, {"extent": found["frame"]}))


def _beside(name: str) -> dict[str, Any]:
    """What lies beside a pre-trained checkpoint of ours; it may be missing."""
    path = FOLDER / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


@functools.lru_cache(maxsize=64)
def pretrained_for(config: TrainConfig, *, coarse: bool = False) -> str:
    """The name of a pre-trained checkpoint of this model on this kind of data, or "" if there is none.

    The data's number of points, noise and seed may be others: such a run goes on from what was learned.

    Args:
        config: of the run.
        coarse: one that was trained with fixed steps, too long for the field that was learned.
    """
    for name in names_in(FOLDER):
        found = pretrained(name)
        if found.config.data.name != config.data.name or is_coarse(name) != coarse:
            continue
        try:
            found.state_for(config)
        except ValueError:
            continue
        return name
    return ""


def is_coarse(name: str) -> bool:
    """Whether a checkpoint was trained with fixed steps: accurate ones lead its points elsewhere."""
    return pretrained(name).config.model == "odenet" and not is_adaptive(pretrained(name).config)


def _split(config: TrainConfig, flat: np.ndarray) -> dict[str, np.ndarray]:
    shapes = parameter_shapes(config)
    ends = np.cumsum([0, *(math.prod(shape) for shape in shapes.values())]).tolist()
    parts = pairwise(ends)
    return {
        name: flat[a:b].reshape(shape) for (name, shape), (a, b) in zip(shapes.items(), parts, strict=True)
    }


def _config(values: Any, points: np.ndarray | None, labels: np.ndarray | None) -> TrainConfig:
    plain = typed(values, TrainConfig, "the configuration", skip=("data",))
    data = typed(values["data"] if isinstance(values, dict) else None, DataConfig, "the data")
    if (points is None) != (labels is None):
        raise ValueError(f"{REFUSED}: points and labels come together.")
    if points is not None and labels is not None:
        _check_points(points, labels)
        data["points"] = tuple(tuple(row) for row in points.tolist())
        data["labels"] = tuple(labels.tolist())
    elif data["points"] or data["labels"]:
        raise ValueError(f"{REFUSED}: points belong into arrays.")
    try:
        return TrainConfig(data=DataConfig(**data), **plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{REFUSED}: {error}") from error


def _check_points(points: np.ndarray, labels: np.ndarray) -> None:
    shaped = points.ndim == 2 and 1 <= points.shape[1] <= 16 and labels.shape == points.shape[:1]
    if not shaped or points.dtype != np.float64 or labels.dtype != np.int32:
        raise ValueError(f"{REFUSED}: its points are not rows of float64 with an int32 label each.")
    if not np.isfinite(points).all() or (labels.size and not 0 <= labels.min() <= labels.max() < 100):
        raise ValueError(f"{REFUSED}: a point is not finite or a label is out of range.")
