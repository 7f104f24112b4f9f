"""The gradient beside finite differences of the loss: a check that shares nothing with any way back. Runs in a worker.

    dL/dx ~ (8 (L(x + h) - L(x - h)) - (L(x + 2h) - L(x - 2h))) / 12h + O(h^4)

The loss is solved at 1e-12, so that its noise over h, some 1e-9, and h^4 are both small at h = 1e-3.
"""

from __future__ import annotations

import numpy as np

from node_core.studies.gradients.config import CheckConfig, CheckResult, Task
from node_core.studies.gradients.task import flat_inputs, relative, solve_loss
from node_core.studies.gradients.truth import METHOD, TOLERANCE, shown_of, truth

STEP = 1e-3
WEIGHTS = {1.0: 8.0, -1.0: -8.0, 2.0: -1.0, -2.0: 1.0}


def run(config: CheckConfig) -> CheckResult:
    """Difference the loss by z(0) and by the shown entries of theta.

    Raises:
        SolveError: a tight solve could not go on.
    """
    task, true = config.task, truth(config.task)
    dim = len(task.spec.y0)
    entries = np.concatenate([np.arange(dim), dim + shown_of(task, true)[0]])
    found = np.array([_difference(task, int(entry)) for entry in entries])
    return CheckResult(config, found, relative(found, true.gradient[entries]))


def _difference(task: Task, entry: int) -> float:
    centre = flat_inputs(task)
    step = STEP * max(1.0, abs(float(centre[entry])))
    total = 0.0
    for times, weight in WEIGHTS.items():
        moved = centre.copy()
        moved[entry] += times * step
        total += weight * solve_loss(task, moved, TOLERANCE, METHOD)[0]
    return total / (12 * step)
