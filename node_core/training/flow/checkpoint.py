"""Files of flows: a run's numbers and its configuration in one safetensors file, without pickle.

The pre-trained ones are made by `python -m node_core.training.flow.make_checkpoints` and lie in assets/cnf/checkpoints.
Reading one imports no torch: pages ask which there are, workers begin runs with them (`CNFConfig.start`).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_core.assets import ASSETS
from node_core.cnf.painted import MAX_STROKE_POINTS, Stroke, TargetConfig
from node_core.runs.snapshot import Row
from node_core.runs.state import Kept, TrainState
from node_core.training.checkpoint import (
    FLAT,
    REFUSED,
    at_its_last_row,
    check_arrays,
    check_flat,
    file_named,
    flat_arrays,
    names_in,
    read_run,
    typed,
    write_run,
)
from node_core.training.flow.config import TEACHER, CNFConfig, cnf_structure

FOLDER = ASSETS / "cnf" / "checkpoints"
FORMAT = "neural-ode-lab flow 1"
_MOVIE = "movie"  # the densities over time, so that the first picture need not compute them
_STROKES, _IMAGE = "target.strokes", "target.image"  # rows (stroke, x, y) and the bytes of a picture
_OWN = ("drawn", "image")
# What the solver has a hand in: with other values the densities in the file are not those of the run.
_PICTURED = ("t1", "method", "rtol", "atol", "dt", "divergence")


@dataclass(frozen=True)
class SavedFlow:
    """A run that was saved: its configuration, where it stood, and the history that led there, if it was saved too."""

    config: CNFConfig
    state: TrainState
    rows: tuple[Row, ...] = ()


def save_flow(config: CNFConfig, state: TrainState, rows: Sequence[Row] = ()) -> bytes:
    """Write a run; a drawing or a picture that it learns goes along.

    Args:
        config: of the run.
        state: where it stands.
        rows: its history; thinned to `MAX_ROWS` for the curves.
    """
    target = config.target
    arrays = flat_arrays(state)
    if config.objective == "reflow":
        arrays |= state.carried
    text: dict[str, Any] = asdict(config) | {"target": target.name}
    if target.name in _OWN:  # what people made of it are arrays
        text["target"] = asdict(target) | {"strokes": (), "image": ""}
        points = [(k, x, y) for k, stroke in enumerate(target.strokes) for x, y in stroke]
        arrays[_STROKES] = np.array(points, dtype=np.float64).reshape(-1, 3)
        arrays[_IMAGE] = np.frombuffer(target.image, dtype=np.uint8)
    if _MOVIE in state.kept.arrays:
        arrays[_MOVIE] = state.kept.arrays[_MOVIE]
    return write_run(FORMAT, text, state, arrays, rows)


def read_flow(raw: bytes) -> SavedFlow:
    """Read and check a file of `save_flow`. How many weights its flow has, only the flow itself knows.

    Raises:
        ValueError: it is too large, not of this format, or holds anything but what its configuration calls for.
    """
    run = read_run(raw, FORMAT)
    arrays, rows = run.arrays, run.rows
    config = _config(run.config, arrays.pop(_STROKES, None), arrays.pop(_IMAGE, None))
    movie = arrays.pop(_MOVIE, None)
    teacher = arrays.pop(TEACHER, None) if config.objective == "reflow" else None
    flat, mean, square = check_flat(arrays, arrays[FLAT[0]].size if FLAT[0] in arrays else 0)
    if teacher is not None:
        check_arrays({TEACHER: teacher}, {TEACHER: flat.shape})
    carried = {} if teacher is None else {TEACHER: teacher}
    if movie is not None and (movie.ndim != 3 or movie.dtype != np.uint8 or not movie.size):
        raise ValueError(f"{REFUSED}: its densities are no pictures.")
    kept = Kept() if movie is None else Kept({_MOVIE: movie, "grid": movie[-1]})
    state = TrainState(
        run.iteration, flat, mean, square, cnf_structure(config), kept=kept, begun=run.begun, carried=carried
    )
    return SavedFlow(config, at_its_last_row(state, rows), rows)


def load_flow(name: str) -> tuple[CNFConfig, TrainState]:
    """The configuration and the state of a file in `FOLDER`.

    Raises:
        ValueError: there is none of this name, or it can't be used; the sentence names those there are.
    """
    found = _shipped(name)
    # Its last row is that of a training which is over: a run that begins here has none yet.
    return found.config, replace(found.state, begun=found.state.iteration, row={})


def history_of(name: str) -> tuple[Row, ...]:
    """The rows of the training that made a file in `FOLDER`, for the curves; none if it has none.

    Raises:
        ValueError: as `load_flow`.
    """
    return _shipped(name).rows


@functools.lru_cache(maxsize=32)
def _shipped(name: str) -> SavedFlow:
    raw = file_named(FOLDER, name, "pre-trained flow")
    try:
        return read_flow(raw)
    except ValueError as error:
        raise ValueError(f"The pre-trained flow {name!r} must be made anew. {error}") from error


def _config(values: Any, strokes: NDArray[Any] | None, image: NDArray[Any] | None) -> CNFConfig:
    plain = typed(values, CNFConfig, "the configuration", skip=("target",))
    target = values["target"]
    if isinstance(target, str) and target not in _OWN and strokes is None and image is None:
        found = TargetConfig(target)
    elif isinstance(target, dict) and strokes is not None and image is not None:
        own = typed(target, TargetConfig, "the target", skip=("strokes", "image"))
        found = TargetConfig(**own, strokes=_strokes(strokes), image=_bytes(image))
    else:
        raise ValueError(f"{REFUSED}: its target is no name, and no drawing or picture either.")
    try:
        return CNFConfig(target=found, **plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{REFUSED}: {error}") from error


def _strokes(rows: NDArray[Any]) -> tuple[Stroke, ...]:
    if rows.dtype != np.float64 or rows.ndim != 2 or rows.shape[1] != 3 or len(rows) > MAX_STROKE_POINTS:
        raise ValueError(f"{REFUSED}: its drawing is no list of rows (stroke, x, y) of float64.")
    if not np.isfinite(rows).all():
        raise ValueError(f"{REFUSED}: a point of its drawing is not finite.")
    together = groupby(rows.tolist(), key=lambda row: row[0])
    return tuple(tuple((x, y) for _, x, y in stroke) for _, stroke in together)


def _bytes(image: NDArray[Any]) -> bytes:
    if image.dtype != np.uint8 or image.ndim != 1:
        raise ValueError(f"{REFUSED}: its picture is not the bytes of a file.")
    return image.tobytes()


def flow_names() -> tuple[str, ...]:
    """Names of the pre-trained flows, sorted."""
    return names_in(FOLDER)


def pretrained_for(config: CNFConfig) -> str:
    """The name of a flow that a run of this configuration could begin with, trained as it says; "" if there is none."""
    plain = cnf_structure(replace(config, start=""))
    for name in flow_names():
        if "-" in name:  # one of several ways to train a field, to be shown beside each other (see `ways`)
            continue
        saved = load_flow(name)[0]
        if saved.objective == config.objective and cnf_structure(replace(saved, start="")) == plain:
            return name
    return ""


def started(config: CNFConfig) -> TrainState:
    """The state of the pre-trained flow `config.start`, as the beginning of a run of `config`.

    Its densities come along where the run's solver would draw the same; else they are left to be drawn.

    Raises:
        ValueError: there is no such flow, or it is of another structure.
    """
    saved, state = load_flow(config.start)
    if cnf_structure(replace(saved, start="")) != cnf_structure(replace(config, start="")):
        raise ValueError(
            f"The pre-trained flow {config.start!r} has another target, field or seed than this run: begin with "
            "random weights."
        )
    if any(getattr(saved, field) != getattr(config, field) for field in _PICTURED):
        state = replace(state, kept=Kept())
    return replace(state, structure=cnf_structure(config))
