"""The controller that a study looks at: that of a live run, or of a run's beginning."""

from __future__ import annotations

import pickle
from typing import cast

from node_core.runs.state import TrainState
from node_core.training.control.config import ControlConfig, control_structure
from node_core.training.control.train import initial_state


def state_for(run: ControlConfig, state: bytes | None) -> TrainState:
    """A live run's state, as its worker pickled it, or the beginning of its configuration.

    Raises:
        ValueError: the state belongs to a run of another structure.
    """
    if state is None:
        return initial_state(run)
    found = cast(TrainState, pickle.loads(state))
    if found.structure != control_structure(run):
        raise ValueError("the run has another plant, task, net or seed by now: ask again.")
    return found
