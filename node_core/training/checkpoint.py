"""Checkpoints: a trained run as one safetensors file with its configuration as JSON in the header. Never pickle.

A file that somebody uploads is believed in nothing: its size is bounded before it is read, the configuration must have
exactly the known fields with values that `TrainConfig` accepts, and there must be exactly the arrays that this
configuration calls for, with their shapes and number type, all finite. Loading runs no code and imports no torch.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from node_core.data.dataset import DataConfig
from node_core.training.config import TrainConfig, parameter_shapes, structure
from node_core.training.snapshot import Row
from node_core.training.state import TrainState

MAX_BYTES = 1_000_000
FORMAT = "neural-ode-lab classifier 1"
_MAX_HEADER = 200_000
_MAX_ITERATION = 10_000_000
_MOMENTS = ("adam.mean", "adam.square")
_POINTS, _LABELS = "data.points", "data.labels"
FOLDER = Path(__file__).resolve().parents[2] / "assets" / "checkpoints" / "classifiers"
_REFUSED = "This checkpoint can't be used"


@dataclass(frozen=True)
class Checkpoint:
    """A run that was saved: its configuration and where it stood."""

    config: TrainConfig
    state: TrainState

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


def save(config: TrainConfig, state: TrainState) -> bytes:
    """Write a checkpoint.

    Raises:
        ValueError: the file would be larger than `load` takes.
    """
    arrays = _split(config, state.parameters)
    arrays |= dict(zip(_MOMENTS, (state.moment_1, state.moment_2), strict=True))
    if config.data.points:
        arrays[_POINTS] = np.array(config.data.points, dtype=np.float64)
        arrays[_LABELS] = np.array(config.data.labels, dtype=np.int32)
    text = asdict(config)
    text["data"] |= {"points": (), "labels": ()}  # they are arrays
    header = {"format": FORMAT, "config": json.dumps(text), "iteration": str(state.iteration)}
    raw = save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()}, header)
    if len(raw) > MAX_BYTES:
        raise ValueError(
            f"The checkpoint would have {len(raw):,} bytes, more than {MAX_BYTES:,}: use fewer points."
        )
    return raw


def load(raw: bytes) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        ValueError: it is too large, not of this format, or holds anything but what its configuration calls for.
    """
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{_REFUSED}: it has {len(raw):,} bytes, at most {MAX_BYTES:,} are read.")
    header = _header(raw)
    try:
        arrays = load_arrays(raw)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{_REFUSED}: it is damaged or no safetensors file.") from error
    points, labels = arrays.pop(_POINTS, None), arrays.pop(_LABELS, None)
    config = _config(header["config"], points, labels)
    expected = parameter_shapes(config)
    count = sum(math.prod(shape) for shape in expected.values())
    _check_arrays(arrays, expected | dict.fromkeys(_MOMENTS, (count,)))
    if (arrays[_MOMENTS[1]] < 0).any():
        raise ValueError(f"{_REFUSED}: {_MOMENTS[1]} holds squares, but some are negative.")
    flat = np.concatenate([arrays[name].reshape(-1) for name in expected])
    mean, square = (arrays[name].copy() for name in _MOMENTS)
    return Checkpoint(
        config, TrainState(_iteration(header["iteration"]), flat, mean, square, structure(config))
    )


def pretrained(name: str) -> Checkpoint:
    """A checkpoint of assets/checkpoints/classifiers, made by `python -m node_core.training.make_checkpoints`.

    Raises:
        ValueError: there is none of this name.
    """
    path = FOLDER / f"{name}.safetensors"
    if not name.replace("_", "").replace("-", "").isalnum() or not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.safetensors")))
        raise ValueError(f"There is no checkpoint {name!r}: choose one of {known}.")
    return load(path.read_bytes())


def pretrained_history(name: str) -> tuple[Row, ...]:
    """The curves of a pre-trained checkpoint: the history rows of the training that made it, thinned out."""
    columns: dict[str, list[float | None]] = _beside(name).get("history", {})
    rows = zip(*columns.values(), strict=True)
    return tuple(
        {key: value for key, value in zip(columns, row, strict=True) if value is not None} for row in rows
    )


def with_picture(state: TrainState, name: str) -> TrainState:
    """The state of a pre-trained checkpoint with what its last iteration left to show, and its boundary.

    The boundary may take seconds to draw, and is that of the checkpoint's own points.
    """
    found = _beside(name)
    logs = {key: np.array(values, dtype=np.float32) for key, values in found.get("logs", {}).items()}
    rows = pretrained_history(name)
    state = replace(state, logs=logs, row=rows[-1] if rows else {})
    if "grid" not in found:
        return state
    pixels = zlib.decompress(base64.b64decode(found["grid"]))
    grid = np.frombuffer(pixels, dtype=np.uint8).reshape(found["grid_shape"])
    x0, x1, y0, y1 = found["frame"]
    return replace(state, grid=grid, frame=(x0, x1, y0, y1))


def _beside(name: str) -> dict[str, Any]:
    """What lies beside a pre-trained checkpoint of ours; it may be missing."""
    path = FOLDER / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


@functools.lru_cache(maxsize=64)
def pretrained_for(config: TrainConfig) -> str:
    """The name of a pre-trained checkpoint of this model on this kind of data, or "" if there is none.

    The data's number of points, noise and seed may be others: such a run goes on from what was learned.
    """
    for path in sorted(FOLDER.glob("*.safetensors")):
        found = pretrained(path.stem)
        if found.config.data.name != config.data.name:
            continue
        try:
            found.state_for(config)
        except ValueError:
            continue
        return path.stem
    return ""


def _split(config: TrainConfig, flat: np.ndarray) -> dict[str, np.ndarray]:
    shapes = parameter_shapes(config)
    ends = np.cumsum([0, *(math.prod(shape) for shape in shapes.values())]).tolist()
    parts = pairwise(ends)
    return {
        name: flat[a:b].reshape(shape) for (name, shape), (a, b) in zip(shapes.items(), parts, strict=True)
    }


def _header(raw: bytes) -> dict[str, str]:
    """The strings of the safetensors header: its length (8 bytes, little-endian), then JSON."""
    length = int.from_bytes(raw[:8], "little") if len(raw) > 8 else 0
    if not 0 < length <= min(_MAX_HEADER, len(raw) - 8):
        raise ValueError(f"{_REFUSED}: it is damaged or no safetensors file.")
    found = _json(raw[8 : 8 + length])
    metadata = found.get("__metadata__") if isinstance(found, dict) else None
    if not isinstance(metadata, dict) or set(metadata) != {"format", "config", "iteration"}:
        raise ValueError(f"{_REFUSED}: its header has not exactly format, config and iteration.")
    if metadata["format"] != FORMAT:
        raise ValueError(f"{_REFUSED}: its format is not {FORMAT!r}.")
    return metadata


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{_REFUSED}: its JSON can't be read.") from error


def _iteration(text: object) -> int:
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 8:
        value = int(text)
        if value <= _MAX_ITERATION:
            return value
    raise ValueError(f"{_REFUSED}: its iteration is not a number from 0 to {_MAX_ITERATION}.")


def _config(text: object, points: np.ndarray | None, labels: np.ndarray | None) -> TrainConfig:
    values = _json(text) if isinstance(text, str) else None
    plain = _typed(values, TrainConfig, "the configuration", skip=("data",))
    data = _typed(values["data"] if isinstance(values, dict) else None, DataConfig, "the data")
    if (points is None) != (labels is None):
        raise ValueError(f"{_REFUSED}: points and labels come together.")
    if points is not None and labels is not None:
        _check_points(points, labels)
        data["points"] = tuple(tuple(row) for row in points.tolist())
        data["labels"] = tuple(labels.tolist())
    elif data["points"] or data["labels"]:
        raise ValueError(f"{_REFUSED}: points belong into arrays.")
    try:
        return TrainConfig(data=DataConfig(**data), **plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{_REFUSED}: {error}") from error


def _check_points(points: np.ndarray, labels: np.ndarray) -> None:
    shaped = points.ndim == 2 and 1 <= points.shape[1] <= 16 and labels.shape == points.shape[:1]
    if not shaped or points.dtype != np.float64 or labels.dtype != np.int32:
        raise ValueError(f"{_REFUSED}: its points are not rows of float64 with an int32 label each.")
    if not np.isfinite(points).all() or (labels.size and not 0 <= labels.min() <= labels.max() < 100):
        raise ValueError(f"{_REFUSED}: a point is not finite or a label is out of range.")


def _typed(values: object, wanted: type, what: str, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Exactly the fields of a dataclass, each of its own type (whole numbers pass for floats); lists become tuples."""
    names = {entry.name for entry in fields(wanted)}
    if not isinstance(values, dict) or set(values) != names:
        raise ValueError(f"{_REFUSED}: {what} has not exactly the known fields.")
    example = wanted()
    out: dict[str, Any] = {}
    for name in sorted(names - set(skip)):
        value, like = values[name], getattr(example, name)
        if isinstance(like, tuple) and isinstance(value, list):
            value = tuple(value)
            good = len(value) <= 3 and all(type(entry) is int for entry in value)
        elif isinstance(like, float):
            good = type(value) in (int, float)
        else:
            good = type(value) is type(like)
        if not good:
            raise ValueError(f"{_REFUSED}: {name} of {what} is of the wrong type.")
        out[name] = value
    return out


def _check_arrays(arrays: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]]) -> None:
    if set(arrays) != set(expected):
        odd = sorted(set(arrays) ^ set(expected))[0]
        raise ValueError(f"{_REFUSED}: it has not exactly the arrays of its model (see {odd[:60]!r}).")
    for name, shape in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"{_REFUSED}: {name} is {array.dtype} {array.shape} instead of float32 {shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"{_REFUSED}: {name} holds a number that is not finite.")
