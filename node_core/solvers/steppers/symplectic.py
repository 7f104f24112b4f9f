"""Symplectic steps of separable systems, dq/dt = dq(t, p), dp/dt = dp(t, q): kicks and drifts in turn.

    p <- p + d_i dt dp(t_i, q),    q <- q + c_i dt dq(t'_i, p),    i = 1 ... stages.

Each of the two moves one half by the other, which stands still meanwhile; that is an exact flow of a part of the
energy, so the whole step keeps areas of the phase plane, and the energy goes to and fro near its value for times
exponentially long in 1 / dt instead of drifting away (Hairer, Lubich, Wanner, Geometric Numerical Integration,
2nd ed., VI.3 and IX.8). Times go along with what they move: t_i with the drifts before, t'_i with the kicks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from node_core.fields.separable import halves, joined
from node_core.solvers.steppers.step import Array, Step, StepResult
from node_core.solvers.tableaus.splittings import Splitting


class SymplecticStepper:
    """Steps of one splitting, on tensors or numpy arrays (..., dim), q and p side by side.

    f is asked for its halves, `f.dq(t, p)` and `f.dp(t, q)`. Where a step ends with a kick, the next one begins with
    the same force: it is asked for once. Dense output is the cubic Hermite polynomial; its slopes are evaluated when
    somebody asks for a value.

    Args:
        anew: whether every step asks for its first force: of a field that jumps, it may be another one.
    """

    adaptive = False
    error_order = 0
    dense_needs_f1 = False

    def __init__(self, splitting: Splitting, anew: bool = False) -> None:
        self.splitting, self.order, self.dense_order = splitting, splitting.order, min(3, splitting.order)
        self._anew = anew
        drifted, kicked = accumulate(splitting.drifts, initial=0.0), accumulate(splitting.kicks)
        self._parts = list(zip(splitting.kicks, splitting.drifts, drifted, kicked, strict=False))
        self._known: tuple[Array, Array] | None = None  # the end of the last step, and the force there

    def step(self, f: Any, t: float, y: Array, dt: float, f0: Array | None) -> StepResult:
        """Make one step of signed length dt from (t, y)."""
        q, p = halves(y)
        first = force = self._first_force(f, t, y, q, f0)
        for i, (kick, drift, drifted, kicked) in enumerate(self._parts):
            if i > 0:
                force = f.dp(t + drifted * dt, q)
            p = p + (kick * dt) * force
            if drift != 0.0:
                q = q + (drift * dt) * f.dq(t + kicked * dt, p)
        y1 = joined(q, p)
        ends_with_kick = self.splitting.drifts[-1] == 0.0
        self._known = (y1, force) if ends_with_kick and not self._anew else None
        return StepResult(y1, None, None, (first,))

    def _first_force(self, f: Any, t: float, y: Array, q: Array, f0: Array | None) -> Array:
        if self._known is not None and self._known[0] is y:
            return self._known[1]
        return f.dp(t, q) if f0 is None else halves(f0)[1]

    def complete(self, f: Any, step: Step) -> Step:
        """The step with f at both of its ends."""
        return step._replace(
            result=step.result._replace(stages=(step.result.stages[0], *self._slopes(f, step)))
        )

    def interpolate(self, f: Any, step: Step, thetas: Sequence[float]) -> Array:
        """Return y(t + theta dt) for each theta, shape (thetas, \\*y.shape)."""
        f0, f1 = self._slopes(f, step)
        y0, dt = step.y0, step.dt
        change = step.result.y1 - y0
        values = [
            y0
            + (x * x * (3.0 - 2.0 * x)) * change
            + (dt * x * (1.0 - x) ** 2) * f0
            + (dt * x * x * (x - 1.0)) * f1
            for x in thetas
        ]
        return torch.stack(values) if isinstance(y0, torch.Tensor) else np.stack(values)

    @staticmethod
    def _slopes(f: Any, step: Step) -> tuple[Array, Array]:
        known = step.result.stages
        if len(known) == 3:
            return known[1], known[2]
        return f(step.t, step.y0), f(step.t + step.dt, step.result.y1)
