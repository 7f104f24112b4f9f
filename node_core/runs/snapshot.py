"""What a live view is sent: named arrays and scalars in one binary message.

Layout: header length (uint32), header (UTF-8 JSON, padded with spaces to a multiple of 4), raw arrays, each
padded to a multiple of 4 so that a browser can look at them in place. All little-endian. The header reads

    {"arrays": [{"name", "dtype": "f4" | "u1", "shape", "offset", "size"}], "scalars": {...}}

with offsets in bytes from the end of the header. `assets/live/wire.js` is the same in JavaScript.

Names that the canvas draws (all optional; float32 unless said):

    points (n, dim)          data at t0
    labels (n,) u1           their classes
    grid (h, w) u1           255 p(class 1) or a density, row 0 at the bottom; (h, w, classes) for more
    trajectories (time, n, dim), trajectory_ts (time,), trajectory_labels (n,) u1
    W1 (out, in), b1 (out,), W2 ...    the layers of the field; its input is y, or (y, t) if time_dependent
    steps (k,) or (n, k)     times of the solver's accepted steps, shared or a row a path (NaN after the last)

and scalars: extent [xmin, xmax, ymin, ymax] (the grid's samples lie on it, ends included), grid_kind "classes"
or "density", t0, t1, dim, activation "tanh", "softplus" or "elu", time_dependent, path "curve" or "jumps",
iteration, loss, accuracy, nfe_forward, nfe_backward.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Scalar = float | int | str | bool | None | list[float]
Row = Mapping[str, float]

_DTYPES: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "u1": np.dtype("u1")}


@dataclass(frozen=True)
class Snapshot:
    """One picture of a live run.

    Args:
        arrays: what is drawn; integer and boolean arrays travel as u1, others as float32.
        scalars: numbers and words beside it.
        rows: new rows of the run's history, one an iteration; they stay on the server, for the curves.
        finished: True when there is nothing more to compute.
        good: whether the run may go back to this state when a later one fails; a state can be finite and spoilt.
        spent: seconds of its chunk that went into computing, not into the picture; stays on the server.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    scalars: Mapping[str, Scalar] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    finished: bool = False
    good: bool = True
    spent: float = 0.0


def thinned(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """At most so many rows of a history, evenly, the last among them."""
    return rows[:: -max(1, -(-len(rows) // most))][::-1]


def pack(snapshot: Snapshot) -> bytes:
    """Write a snapshot as one message (see the module's docstring for its layout).

    Raises:
        ValueError: an integer array has values outside 0 to 255.
    """
    entries, chunks, offset = [], [], 0
    for name, array in snapshot.arrays.items():
        code, raw = _encode(name, array)
        entries.append(
            {"name": name, "dtype": code, "shape": list(array.shape), "offset": offset, "size": len(raw)}
        )
        chunks.append(_padded(raw, b"\0"))
        offset += len(chunks[-1])
    scalars = {name: _plain(value) for name, value in snapshot.scalars.items()}
    header = json.dumps({"arrays": entries, "scalars": scalars}, separators=(",", ":"), allow_nan=False)
    text = _padded(header.encode(), b" ")
    return b"".join([struct.pack("<I", len(text)), text, *chunks])


def unpack(message: bytes) -> Snapshot:
    """Read a message of `pack`; the arrays look into the message and can't be written.

    Raises:
        ValueError: the message is cut short or not of this format.
    """
    try:
        (length,) = struct.unpack_from("<I", message)
        header = json.loads(message[4 : 4 + length])
        start = 4 + length
        arrays = {
            entry["name"]: np.frombuffer(
                message, _DTYPES[entry["dtype"]], math.prod(entry["shape"]), start + entry["offset"]
            ).reshape(entry["shape"])
            for entry in header["arrays"]
        }
        return Snapshot(arrays, header["scalars"])
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"A snapshot of {len(message)} bytes can't be read ({error}): send it again."
        ) from error


def _encode(name: str, array: np.ndarray) -> tuple[str, bytes]:
    if array.dtype.kind not in "iub":
        return "f4", np.ascontiguousarray(array, dtype="<f4").tobytes()
    if array.size and (array.min() < 0 or array.max() > 255):
        raise ValueError(f"Array {name!r} has values outside 0 to 255: send it as floating point.")
    return "u1", np.ascontiguousarray(array, dtype="u1").tobytes()


def _padded(raw: bytes, filler: bytes) -> bytes:
    return raw + filler * (-len(raw) % 4)


def _plain(value: object) -> Scalar:
    """JSON has no NaN, infinity or numpy number; a missing number is null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple | np.ndarray):
        return [float(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    raise ValueError(f"A snapshot's scalar can't be a {type(value).__name__}: send a number or a word.")
