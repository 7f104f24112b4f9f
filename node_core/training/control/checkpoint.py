"""Files of controllers: a run's numbers and its configuration in one safetensors file, without pickle.

The pre-trained ones are made by `python -m node_core.training.control.make_checkpoints` and lie in
assets/control/checkpoints. Reading one imports no torch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from node_core.assets import ASSETS
from node_core.runs.snapshot import Row
from node_core.runs.state import Kept, TrainState
from node_core.training.checkpoint import (
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
from node_core.training.control.config import ControlConfig, control_structure, parameter_shapes

FOLDER = ASSETS / "control" / "checkpoints"
FORMAT = "neural-ode-lab controller 1"
# What a beginning and the run that begins with it must share: whose weights they are.
_SAME = ("plant", "task", "hidden")


@dataclass(frozen=True)
class SavedController:
    """A run that was saved: its configuration, where it stood, and the history that led there, if it was saved too."""

    config: ControlConfig
    state: TrainState
    rows: tuple[Row, ...] = ()


def save_controller(config: ControlConfig, state: TrainState, rows: Sequence[Row] = ()) -> bytes:
    """Write a run.

    Args:
        config: of the run.
        state: where it stands.
        rows: its history; thinned to `MAX_ROWS` for the curves.
    """
    return write_run(FORMAT, asdict(config), state, flat_arrays(state), rows)


def read_controller(raw: bytes) -> SavedController:
    """Read and check a file of `save_controller`.

    Raises:
        ValueError: it is too large, not of this format, or holds anything but what its configuration calls for.
    """
    run = read_run(raw, FORMAT)
    config = _config(run.config)
    numbers = check_flat(run.arrays, sum(math.prod(shape) for shape in parameter_shapes(config).values()))
    state = TrainState(run.iteration, *numbers, control_structure(config), begun=run.begun)
    return SavedController(config, at_its_last_row(state, run.rows), run.rows)


@functools.lru_cache(maxsize=16)
def load_controller(name: str) -> SavedController:
    """A file in `FOLDER`.

    Raises:
        ValueError: there is none of this name, or it can't be used; the sentence names those there are.
    """
    raw = file_named(FOLDER, name, "pre-trained controller")
    try:
        found = read_controller(raw)
    except ValueError as error:
        raise ValueError(f"The pre-trained controller {name!r} must be made anew. {error}") from error
    return replace(found, state=replace(found.state, begun=found.state.iteration, row={}, kept=Kept()))


def history_of(name: str) -> tuple[Row, ...]:
    """The rows of the training that made a file in `FOLDER`, for the curves; none if it has none.

    Raises:
        ValueError: as `load_controller`.
    """
    return load_controller(name).rows


def controller_names() -> tuple[str, ...]:
    """Names of the pre-trained controllers, sorted."""
    return names_in(FOLDER)


def pretrained_for(config: ControlConfig) -> str:
    """The name of a controller that a run of this configuration could begin with; "" if there is none."""
    for name in controller_names():
        if _goes_with(load_controller(name).config, config):
            return name
    return ""


def started(config: ControlConfig) -> TrainState:
    """The state of the pre-trained controller `config.start`, as the beginning of a run of `config`.

    Raises:
        ValueError: there is no such controller, or it is of another plant, task or net.
    """
    found = load_controller(config.start)
    if not _goes_with(found.config, config):
        raise ValueError(
            f"The pre-trained controller {config.start!r} has another plant, task or net than this run: begin with "
            "random weights."
        )
    return replace(found.state, structure=control_structure(config))


def _goes_with(saved: ControlConfig, config: ControlConfig) -> bool:
    return all(getattr(saved, name) == getattr(config, name) for name in _SAME)


def _config(values: Any) -> ControlConfig:
    plain = typed(values, ControlConfig, "the configuration", skip=("parameters",))
    found = values["parameters"]
    if not isinstance(found, list) or len(found) > 16 or not all(type(v) in (int, float) for v in found):
        raise ValueError(f"{REFUSED}: parameters of the configuration is no list of numbers.")
    try:
        return ControlConfig(parameters=tuple(found), **plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{REFUSED}: {error}") from error
