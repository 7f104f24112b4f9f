"""Where a solve stands that is to be explained: its record, its last state, and a field that may be asked again.

States are flat float64 arrays here, whatever the solve computed in; f still gets them in its own shape and type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.solution import Cause, Status, StepLog
from node_core.solvers.clock import Deadline
from node_core.solvers.problem import Settings

Floats = NDArray[np.float64]
Dense = Callable[[Sequence[float]], Tensor]

MOST_EVALUATIONS = 1200
LATE = 20  # accepted steps: what the solve did last


class SpentError(Exception):
    """f has been asked as often, or as long, as it may be."""


class Finding(NamedTuple):
    """A cause with its evidence and remedy (see `Diagnosis`)."""

    cause: Cause
    evidence: str
    numbers: Mapping[str, float]
    remedy: str
    changes: Mapping[str, Any] = {}


class Asking:
    """f on flat float64 arrays, for a bounded number of evaluations; NaN where it raises.

    Args:
        f: the field.
        like: a state: its shape, type and device are what f gets.
        seconds: of processor time at most; None for no limit.
    """

    def __init__(self, f: Callable[[Any, Tensor], Any], like: Tensor, seconds: float | None = None) -> None:
        self.field, self._like, self._deadline = f, like.detach(), Deadline(seconds)
        self.nfe = 0
        self.epsilon = float(torch.finfo(like.dtype).eps)
        self.largest = float(torch.finfo(like.dtype).max)

    def __call__(self, t: float, y: Floats) -> Floats:
        """Return f(t, y), shape (n,).

        Raises:
            SpentError: no more questions.
        """
        return flat(self.tensor(t, y))

    def tensor(self, t: float, y: Floats) -> Tensor:
        """The same as f gave it."""
        if self.nfe >= MOST_EVALUATIONS or self._deadline.is_over():
            raise SpentError
        self.nfe += 1
        state = self.state(y)
        try:
            with torch.no_grad(), np.errstate(all="ignore"):
                found = self.field(t, state)
        except (ArithmeticError, ValueError, RuntimeError):
            return torch.full_like(self._like, math.nan)  # there is no value where f raises
        return found.detach() if isinstance(found, Tensor) else torch.as_tensor(found)

    def state(self, y: Floats) -> Tensor:
        """A flat array as the state that f gets."""
        like = self._like
        return torch.from_numpy(y).to(dtype=like.dtype, device=like.device).view(like.shape).clone()


def flat(y: Tensor) -> Floats:
    """A state as a flat float64 array."""
    return np.asarray(y.detach().double().cpu().numpy(), dtype=np.float64).ravel()


@dataclass(frozen=True)
class Scene:
    """What is known of a solve, or of one row of it that has its own steps.

    Attributes:
        ask: f.
        shape: of the state.
        t, y: where it stands.
        log: every attempt.
        status: how it ended.
        settings: how it was solved.
        start, end, first: the time span, and the state at its start.
        dense: the state (times, \\*shape) at times that were passed, where steps were kept.
        sample: the row.
        seconds: how long it took.
    """

    ask: Asking
    shape: torch.Size
    t: float
    y: Floats
    log: StepLog
    status: Status
    settings: Settings
    start: float
    end: float
    first: Floats
    dense: Dense | None = field(default=None, compare=False)
    sample: int | None = None
    seconds: float = 0.0

    @property
    def direction(self) -> float:
        """1 forward in time, -1 backward."""
        return 1.0 if self.end >= self.start else -1.0

    @property
    def span(self) -> float:
        """Length of the time span."""
        return abs(self.end - self.start)

    @cached_property
    def lengths(self) -> Floats:
        """Lengths of the accepted steps, but for the last one where it was cut to end on time."""
        found = np.abs(self.log.dt[self.log.accepted])
        return found[:-1] if self.status.ok and len(found) > 1 else found

    @cached_property
    def step(self) -> float:
        """What the accepted steps were like last; 0 where there is none."""
        return float(np.median(self.lengths[-LATE:])) if len(self.lengths) else 0.0

    @cached_property
    def refused(self) -> StepLog:
        """The attempts that were rejected at the very end, one after the other."""
        rejected = ~self.log.accepted[::-1]
        count = len(rejected) if rejected.all() else int(np.argmin(rejected))
        return self.log[len(self.log) - count :]

    @cached_property
    def slope(self) -> Floats:
        """f where the solve stands."""
        return self.ask(self.t, self.y)

    @cached_property
    def tolerance(self) -> Floats:
        """The error that is allowed in each component."""
        settings = self.settings
        return _wide(settings.atol, self.shape) + _wide(settings.rtol, self.shape) * np.abs(self.y)

    @cached_property
    def sizes(self) -> Floats:
        """What is a change of each component worth speaking of: never less than the absolute tolerance."""
        least = np.maximum(1e-3 * self.size, _wide(self.settings.atol, self.shape))
        return np.maximum(np.abs(self.y), np.maximum(least, 1e-30))

    @property
    def size(self) -> float:
        """The largest component."""
        return float(np.abs(self.y).max(initial=0.0))

    def in_tolerances(self, x: Floats) -> float:
        """The root mean square of x in units of the tolerance."""
        return float(np.sqrt(np.mean((x / self.tolerance) ** 2)))

    def state_at(self, t: float) -> Floats | None:
        """The state at a time that was passed; None where the solve did not keep it."""
        if t == self.t:
            return self.y
        if self.dense is None:
            return None
        with torch.no_grad():
            return flat(self.dense([t])[0])


def _wide(tolerance: Any, shape: torch.Size) -> Floats:
    """A tolerance for each entry of the flat state."""
    given = tolerance.detach().cpu().numpy() if isinstance(tolerance, Tensor) else tolerance
    return np.broadcast_to(np.asarray(given, dtype=np.float64), tuple(shape)).ravel()
