"""What the pictures of all trainers show alike: the solver's steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node_core.solution import StepLog


def log_arrays(name: str, steps: StepLog) -> dict[str, NDArray[np.float32]]:
    """Every attempted step: `name`_t, `name`_dt, `name`_error_ratio and `name`_accepted, each (attempts,)."""
    columns = {"t": steps.t, "dt": steps.dt, "error_ratio": steps.error_ratio, "accepted": steps.accepted}
    return {f"{name}_{key}": values.astype(np.float32) for key, values in columns.items()}


def ends_of(steps: StepLog) -> NDArray[np.float32]:
    """Where the accepted steps ended, (accepted,)."""
    return (steps.t + steps.dt)[steps.accepted].astype(np.float32)
