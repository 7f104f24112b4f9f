"""What all checkpoints share: one safetensors file with its configuration as JSON in the header. Never pickle.

A file is believed in nothing, for it may be somebody's upload: its size is bounded before it is read, its header has
exactly the known strings, its configuration exactly the fields of its dataclass, and its numbers are finite. Which
arrays a configuration calls for, each trainer's own `checkpoint` knows. Reading runs no code and imports no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from node_core.runs.snapshot import Row, thinned
from node_core.runs.state import TrainState

MAX_BYTES = 1_000_000
REFUSED = "This checkpoint can't be used"
MAX_ROWS = 400  # of a history that is kept for the curves
HISTORY, COLUMNS = "history", "columns"  # its array, and its header's string
SHOWN = ("iteration", "loss", "nfe_forward", "nfe_backward")  # what a picture shows of the last row
_MOST_COLUMNS = 32
_MAX_HEADER = 200_000
_MAX_ITERATION = 10_000_000
_MUST = ("format", "config", "iteration")
_BEGUN = "begun"
FLAT = ("parameters", "moment_1", "moment_2")  # a state's numbers, as arrays of a file


def write(header: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The file of a run.

    Args:
        header: its strings; "format", "config" and "iteration" among them.
        arrays: all its numbers.
    """
    return save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()}, dict(header))


def read(raw: bytes, form: str, also: Sequence[str] = ()) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """The header's strings and the arrays of a file.

    Args:
        raw: the file.
        form: the format that its header must name.
        also: strings that the header may have besides "format", "config" and "iteration".

    Raises:
        ValueError: it is too large, damaged, or of another format.
    """
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{REFUSED}: it has {len(raw):,} bytes, at most {MAX_BYTES:,} are read.")
    header = _header(raw, form, also)
    try:
        return header, load_arrays(raw)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{REFUSED}: it is damaged or no safetensors file.") from error


class SavedRun(NamedTuple):
    """What a file holds, as far as every trainer reads it the same way.

    Attributes:
        config: its configuration, as JSON has it.
        iteration, begun: where the run stood, and where it began.
        rows: its history, if it was saved too.
        arrays: all other numbers.
    """

    config: Any
    iteration: int
    begun: int
    rows: tuple[Row, ...]
    arrays: dict[str, NDArray[Any]]


def write_run(
    form: str, config: Any, state: TrainState, arrays: Mapping[str, np.ndarray], rows: Sequence[Row] = ()
) -> bytes:
    """The file of a run, for `read_run`.

    Args:
        form: the format that its header names.
        config: what JSON can say of its configuration.
        state: where it stands.
        arrays: its numbers.
        rows: its history; thinned to `MAX_ROWS` for the curves.
    """
    header = {"format": form, "config": json.dumps(config), "iteration": str(state.iteration)}
    if state.begun:
        header[_BEGUN] = str(state.begun)
    if rows:
        columns, table = table_of(rows)
        header[COLUMNS] = json.dumps(columns)
        arrays = {**arrays, HISTORY: table}
    return write(header, arrays)


def read_run(raw: bytes, form: str) -> SavedRun:
    """What `write_run` wrote; its configuration and its arrays are still to be checked.

    Raises:
        ValueError: it is too large, damaged, of another format, or its history is none.
    """
    header, arrays = read(raw, form, (_BEGUN, COLUMNS))
    rows = rows_in(header, arrays.pop(HISTORY, None))
    iteration, begun = iteration_of(header["iteration"]), iteration_of(header.get(_BEGUN, "0"))
    return SavedRun(parse(header["config"]), iteration, begun, rows, arrays)


def flat_arrays(state: TrainState) -> dict[str, np.ndarray]:
    """The numbers of a state whose weights are kept as one vector."""
    return {name: getattr(state, name) for name in FLAT}


def check_flat(arrays: Mapping[str, np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The parameters and Adam's two moments, `count` numbers each, where a file has nothing else.

    Raises:
        ValueError: an array is missing, unknown, of another shape or number type, or holds impossible numbers.
    """
    check_arrays(arrays, dict.fromkeys(FLAT, (count,)))
    flat, mean, square = (arrays[name] for name in FLAT)
    check_squares(FLAT[2], square)
    return flat, mean, square


def with_history(save: Callable[[Sequence[Row]], bytes], rows: Sequence[Row]) -> bytes:
    """A file that `read` takes: with its history if there is room for that, else without.

    Args:
        save: writes the file with some rows.
        rows: of its history.

    Raises:
        ValueError: the net alone is too large.
    """
    raw = save(rows)
    if len(raw) > MAX_BYTES:
        raw = save(())
    if len(raw) > MAX_BYTES:
        raise ValueError(f"This net is too large to be kept: {len(raw):,} bytes, more than {MAX_BYTES:,}.")
    return raw


def parse(text: object) -> Any:
    """JSON of the header.

    Raises:
        ValueError: it is none.
    """
    try:
        return json.loads(text) if isinstance(text, str | bytes) else None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{REFUSED}: its JSON can't be read.") from error


def iteration_of(text: object) -> int:
    """The header's iteration.

    Raises:
        ValueError: it is no number of iterations.
    """
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 8:
        value = int(text)
        if value <= _MAX_ITERATION:
            return value
    raise ValueError(f"{REFUSED}: its iteration is not a number from 0 to {_MAX_ITERATION}.")


def typed(values: object, wanted: type, what: str, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Exactly the fields of a dataclass, each of its own type (whole numbers pass for floats); lists become tuples.

    Args:
        values: what the JSON holds.
        wanted: the dataclass; its defaults tell the types.
        what: its name in a sentence.
        skip: fields that must be there, but are left to the caller.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    names = {entry.name for entry in fields(wanted)}
    if not isinstance(values, dict) or set(values) != names:
        raise ValueError(f"{REFUSED}: {what} has not exactly the known fields.")
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
            raise ValueError(f"{REFUSED}: {name} of {what} is of the wrong type.")
        out[name] = value
    return out


def check_arrays(arrays: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Exactly the expected float32 arrays, of these shapes, all finite.

    Raises:
        ValueError: one is missing, unknown, of another shape or number type, or not finite.
    """
    if set(arrays) != set(expected):
        odd = sorted(set(arrays) ^ set(expected))[0]
        raise ValueError(f"{REFUSED}: it has not exactly the arrays of its model (see {odd[:60]!r}).")
    for name, shape in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"{REFUSED}: {name} is {array.dtype} {array.shape} instead of float32 {shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"{REFUSED}: {name} holds a number that is not finite.")


def check_squares(name: str, array: np.ndarray) -> None:
    """Adam's mean of squares is negative nowhere.

    Raises:
        ValueError: it is.
    """
    if (array < 0).any():
        raise ValueError(f"{REFUSED}: {name} holds squares, but some are negative.")


def table_of(rows: Sequence[Row]) -> tuple[list[str], NDArray[np.float32]]:
    """A history for a file: columns, and a line a row (NaN: has none), thinned to `MAX_ROWS` that end with the last."""
    kept = thinned(rows, MAX_ROWS)
    columns = list(dict.fromkeys(name for row in kept for name in row))
    lines = [[row.get(name, math.nan) for name in columns] for row in kept]
    return columns, np.array(lines, dtype=np.float32).reshape(len(kept), len(columns))


def rows_of(columns: Sequence[str], lines: Sequence[Sequence[float | None]]) -> tuple[Row, ...]:
    """The rows of a history that was written as columns and lines; what is None or NaN is left out."""
    return tuple(
        {
            key: value
            for key, value in zip(columns, line, strict=True)
            if value is not None and not math.isnan(value)
        }
        for line in lines
    )


def rows_in(header: Mapping[str, str], lines: np.ndarray | None) -> tuple[Row, ...]:
    """The history in a file, which need not have one.

    Args:
        header: of the file.
        lines: its array of that name.

    Raises:
        ValueError: it is not as `table_of` writes it.
    """
    if lines is None and COLUMNS not in header:
        return ()
    columns = parse(header.get(COLUMNS))
    named = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
    if lines is None or not named or len(set(columns)) != len(columns) or len(columns) > _MOST_COLUMNS:
        raise ValueError(f"{REFUSED}: its history has no columns.")
    if lines.dtype != np.float32 or lines.shape[1:] != (len(columns),) or len(lines) > MAX_ROWS:
        raise ValueError(f"{REFUSED}: its history is no table of at most {MAX_ROWS} rows of float32.")
    rows = rows_of(columns, lines.tolist())
    if np.isinf(lines).any() or not all(set(SHOWN) <= set(row) for row in rows):
        raise ValueError(f"{REFUSED}: a row of its history lacks a number.")
    return rows


def at_its_last_row(state: TrainState, rows: Sequence[Row]) -> TrainState:
    """The state with the row of its own iteration, if the history ends with that."""
    return replace(state, row=rows[-1]) if rows and rows[-1]["iteration"] == state.iteration else state


def names_in(folder: Path) -> tuple[str, ...]:
    """Names of the checkpoints in a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.safetensors")))


def file_named(folder: Path, name: str, what: str) -> bytes:
    """A checkpoint in a folder.

    Args:
        folder: where to look.
        name: one of `names_in`.
        what: such files are called.

    Raises:
        ValueError: there is none of this name; the sentence has those there are.
    """
    known = names_in(folder)
    if name not in known:
        raise ValueError(f"There is no {what} {name!r}: choose one of {', '.join(known) or 'none'}.")
    return (folder / f"{name}.safetensors").read_bytes()


def _header(raw: bytes, form: str, also: Sequence[str]) -> dict[str, str]:
    """The strings of the safetensors header: its length (8 bytes, little-endian), then JSON."""
    length = int.from_bytes(raw[:8], "little") if len(raw) > 8 else 0
    if not 0 < length <= min(_MAX_HEADER, len(raw) - 8):
        raise ValueError(f"{REFUSED}: it is damaged or no safetensors file.")
    found = parse(raw[8 : 8 + length])
    metadata = found.get("__metadata__") if isinstance(found, dict) else None
    if not isinstance(metadata, dict) or not set(_MUST) <= set(metadata) <= {*_MUST, *also}:
        raise ValueError(f"{REFUSED}: its header has not exactly {', '.join((*_MUST, *also))}.")
    if metadata["format"] != form:
        raise ValueError(f"{REFUSED}: its format is not {form!r}.")
    return metadata
