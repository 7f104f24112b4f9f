"""Pre-trained flows: a run's numbers and its configuration in one safetensors file, without pickle.

They are made by `python -m node_core.training.make_cnf_checkpoints` and kept in assets/checkpoints/flows. Reading one
imports no torch: pages ask which there are, workers begin runs with them (`CNFConfig.start`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_arrays

from node_core.cnf.painted import TargetConfig
from node_core.training.cnf_config import CNFConfig, cnf_structure
from node_core.training.snapshot import Row
from node_core.training.state import TrainState

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "checkpoints" / "flows"
FORMAT = "neural-ode-lab flow 1"
_MOVIE = "movie"  # the densities over time, so that the first picture need not compute them
_ARRAYS = ("parameters", "moment_1", "moment_2")
_HISTORY, _COLUMNS, MAX_ROWS = "history", "columns", 400
# What the solver has a hand in: with other values the densities in the file are not those of the run.
_PICTURED = ("t1", "method", "rtol", "atol", "dt", "divergence")


def save_flow(config: CNFConfig, state: TrainState, rows: Sequence[Row] = ()) -> bytes:
    """Write a run on one of the built-in targets.

    Args:
        config: of the run.
        state: where it ended.
        rows: its history, all with the same columns; thinned to `MAX_ROWS` for the curves.

    Raises:
        ValueError: the target is a drawing or a picture, which the header could not hold.
    """
    if config.target.name in ("drawn", "image"):
        raise ValueError(
            f"target {config.target.name!r} can't be kept in a checkpoint: train on a built-in target."
        )
    text: dict[str, Any] = asdict(config) | {"target": config.target.name}
    header = {"format": FORMAT, "config": json.dumps(text), "iteration": str(state.iteration)}
    arrays = {name: np.ascontiguousarray(getattr(state, name)) for name in _ARRAYS}
    if state.grid is not None:
        arrays[_MOVIE] = np.ascontiguousarray(state.grid)
    if rows:
        header[_COLUMNS] = json.dumps(list(rows[0]))
        kept = rows[:: -(-len(rows) // MAX_ROWS)]
        arrays[_HISTORY] = np.array([list(row.values()) for row in kept], dtype=np.float32)
    return save_arrays(arrays, header)


def load_flow(name: str) -> tuple[CNFConfig, TrainState]:
    """The configuration and the state of a file in `FOLDER`.

    Raises:
        ValueError: there is none of this name, or it can't be used; the sentence names those there are.
    """
    return _read(name)[:2]


def history_of(name: str) -> tuple[Row, ...]:
    """The rows of the training that made a file in `FOLDER`, for the curves; none if it has none.

    Raises:
        ValueError: as `load_flow`.
    """
    return _read(name)[2]


@functools.lru_cache(maxsize=32)
def _read(name: str) -> tuple[CNFConfig, TrainState, tuple[Row, ...]]:
    if name not in flow_names():
        raise ValueError(
            f"There is no pre-trained flow {name!r}: choose one of {', '.join(flow_names()) or 'none'}."
        )
    try:
        with safe_open(FOLDER / f"{name}.safetensors", framework="numpy") as file:
            header = file.metadata()
            found = {key: file.get_tensor(key) for key in _ARRAYS}
            names = set(file.keys())
            movie = file.get_tensor(_MOVIE) if _MOVIE in names else None
            history = file.get_tensor(_HISTORY).tolist() if _HISTORY in names else []
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
        values = json.loads(header["config"])
        values |= {"target": TargetConfig(values["target"]), "hidden": tuple(values["hidden"])}
        config = CNFConfig(**values)
        iteration = int(header["iteration"])
        columns = json.loads(header.get(_COLUMNS, "[]"))
        rows = tuple(dict(zip(columns, row, strict=True)) for row in history)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The pre-trained flow {name!r} can't be used ({error}): make it anew.") from error
    return config, TrainState(iteration, **found, structure=cnf_structure(config), grid=movie), rows


def flow_names() -> tuple[str, ...]:
    """Names of the pre-trained flows, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.safetensors")))


def pretrained_for(config: CNFConfig) -> str:
    """The name of a flow that a run of this configuration could begin with; "" if there is none."""
    plain = cnf_structure(replace(config, start=""))
    for name in flow_names():
        if cnf_structure(replace(load_flow(name)[0], start="")) == plain:
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
        state = replace(state, grid=None)
    return replace(state, structure=cnf_structure(config))
