"""Steps that can be taken back: any explicit method Phi_h made algebraically reversible.

Two copies of the state are moved in turn, y from where z stands and z from where y has got to:

    y1 = Phi_h(z) + l (y - z),     z1 = z - (Phi_-h(y1) - y1)

(McCallum and Foster 2024, arXiv 2410.11648, where y1 is written as l y + (1 - l) z + (Phi_h(z) - z)). Both can be
solved for what was before them:

    z = z1 + (Phi_-h(y1) - y1),    y = z + (y1 - Phi_h(z)) / l

The copies begin together and are apart by the local error after that. Where f contracts, what is between them grows as
the field would backward, unless the damping l takes it away; but on the way back 1 / l makes the rounding grow. So l is
not a number for each step, as in the paper (0.999), for then a long solve would lose its digits and one of few steps
would not be damped: it is exp(-rate |h|), and `damping_rate` gives up a quarter of the digits over the whole span.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from node_core.solvers.problem import CountedField
from node_core.solvers.steppers.explicit import ExplicitStepper
from node_core.solvers.steppers.step import Field, Step, StepResult

PARTED = "the two copies of the state that a reversible solver moves have come apart"


def damping_rate(ts: Sequence[float], dtype: torch.dtype) -> float:
    """The rate of damping: over the span of ts it leaves eps^(1/4) of what is between the copies."""
    return 0.25 * math.log(1.0 / torch.finfo(dtype).eps) / abs(ts[-1] - ts[0])


class PairField:
    """The field on pairs, for whoever steps from one pair to the next: f where z stands, for both copies.

    Args:
        f: the field; it counts its evaluations.
    """

    accepts_float_time = True

    def __init__(self, f: CountedField) -> None:
        self._f = f

    def __call__(self, t: Any, pair: Tensor) -> Tensor:
        """Return f(t, z) in the shape of the pair."""
        return self._f.lend(t, pair[1]).expand_as(pair)


class ReversibleStepper:
    """A `Stepper` of pairs (y, z), in one tensor of shape (2, \\*y.shape); outputs are of y.

    Args:
        base: the explicit method.
        f: the field itself.
        rate: of the damping.
        apart: whether y and z are too far from each other to be one solution.
    """

    dense_needs_f1 = False

    def __init__(
        self, base: ExplicitStepper, f: CountedField, rate: float, apart: Callable[[Tensor, Tensor], bool]
    ) -> None:
        self.base, self._f, self._rate, self._apart = base, f, rate, apart
        self.order, self.error_order = base.order, base.error_order
        self.adaptive, self.dense_order = base.adaptive, base.dense_order

    def damping(self, dt: float) -> float:
        """How much of what is between the copies is left after dt."""
        return math.exp(-self._rate * abs(dt))

    def step(self, f: Field, t: float, pair: Tensor, dt: float, f0: Tensor | None) -> StepResult:
        """Attempt a step from (t, y, z); f0 holds f(t, z)."""
        y, z = pair.unbind()
        forth = self.base.step(self._f, t, z, dt, None if f0 is None else f0[1])
        y1 = torch.add(forth.y1, y - z, alpha=self.damping(dt))
        z1 = z + (y1 - self.base.advance(self._f, t + dt, y1, -dt).y1)
        failure = PARTED if self._apart(y1, z1) else None
        error = None if forth.error is None else forth.error[None]
        return StepResult(torch.stack((y1, z1)), error, None, forth.stages, failure)

    def complete(self, f: Field, step: Step) -> Step:
        """The step with the stages of its dense output."""
        return step._replace(
            result=step.result._replace(stages=self.base.dense_stages(_half(f), _forth(step)))
        )

    def interpolate(self, f: Field, step: Step, thetas: Sequence[float]) -> Tensor:
        """Return y(t + theta dt) for each theta, as pairs: the dense output from z, and what is left of y - z."""
        outputs = self.base.interpolate(_half(f), _forth(step), thetas)
        y, z = step.y0.unbind()
        left = outputs.new_tensor([self.damping(theta * step.dt) for theta in thetas])
        outputs = outputs + left.view(-1, *[1] * y.ndim) * (y - z)
        return outputs.unsqueeze(1).expand(-1, 2, *y.shape)


def _forth(step: Step) -> Step:
    """The base method's own step, from z; its end is not asked for."""
    return Step(step.t, step.dt, step.y0[1], None, step.result)


def _half(f: Field) -> Field:
    """The field of one copy, from that of pairs."""
    return lambda t, z: f(t, z.expand(2, *z.shape))[1]
