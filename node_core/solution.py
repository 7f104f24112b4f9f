"""What a solve returns: the states, every step that was tried, what it cost and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


T = TypeVar("T")


class Status(StrEnum):
    """How a solve ended."""

    SUCCESS = "success"
    EVENT = "event"
    MAX_STEPS = "max_steps"
    STEP_UNDERFLOW = "step_underflow"
    NON_FINITE = "non_finite"
    NO_CONVERGENCE = "no_convergence"
    TIME_LIMIT = "time_limit"

    @property
    def ok(self) -> bool:
        """Whether the solve reached its end or an event that was asked for."""
        return self in (Status.SUCCESS, Status.EVENT)


@dataclass(frozen=True)
class StepLog:
    """Every step that was tried, in the order it was tried: one row an attempt.

    Attributes:
        t: where the attempt started (units of time), shape (attempts,).
        dt: its signed length; negative when time runs backward.
        error_ratio: local error over tolerance, accepted when <= 1; NaN for fixed-step methods.
        accepted: whether the solve went on from the attempt's end.
        sample: the row of the batch that the attempt belongs to; zero when the batch shares its steps.
    """

    t: NDArray[np.float64]
    dt: NDArray[np.float64]
    error_ratio: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    sample: NDArray[np.int64]

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[float, ...]]) -> StepLog:
        """Build a log from rows (t, dt, error_ratio, accepted), with the sample as a fifth entry if it matters."""
        table = np.array(rows, dtype=np.float64).reshape(len(rows), -1 if rows else 4)
        return cls(
            t=table[:, 0],
            dt=table[:, 1],
            error_ratio=table[:, 2],
            accepted=table[:, 3] != 0.0,
            sample=table[:, 4].astype(np.int64)
            if table.shape[1] > 4
            else np.zeros(len(table), dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.t)

    @cached_property
    def n_accepted(self) -> int:
        """Number of accepted attempts."""
        return int(self.accepted.sum())

    @property
    def n_rejected(self) -> int:
        """Number of rejected attempts."""
        return len(self) - self.n_accepted

    def of(self, sample: int) -> StepLog:
        """Return the attempts of one row of the batch."""
        rows = self.sample == sample
        return StepLog(
            self.t[rows], self.dt[rows], self.error_ratio[rows], self.accepted[rows], self.sample[rows]
        )


@dataclass(frozen=True)
class SolveStats:
    """What a solve cost.

    Attributes:
        nfe: number of calls of the field (a call evaluates the whole batch once).
        n_accepted: accepted steps.
        n_rejected: rejected steps.
        wall_time: seconds.
        n_jacobians: evaluations of df/dy (implicit methods only).
    """

    nfe: int
    n_accepted: int
    n_rejected: int
    wall_time: float
    n_jacobians: int = 0


@dataclass(frozen=True)
class AdjointCurve:
    """A way back as its method draws it: the method's own interpolant at a few points of every step.

    Attributes:
        t: times in the order of the way back, shape (points,); at an observation time two points stand, as in the rows.
        a, z: the adjoint and the state there, shape (points, \\*y0.shape).
    """

    t: NDArray[np.float64]
    a: NDArray[np.floating[Any]]
    z: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class AdjointRecord:
    """The adjoint state along the backward solve, in the order it was computed (from t1 to t0).

    Attributes:
        t: times of the rows, shape (steps,). At an observation time two rows stand: before and after its jump.
        a: a(t) = dL/dz(t), shape (steps, \\*y0.shape).
        z: the state as the backward solve knows it, same shape: reconstructed by `adjoint`, the forward solve's
            own in the other modes.
        parameter_gradient: dL/dtheta accumulated from t1 down to t, flattened, shape (steps, parameters).
        curve: the same between the steps; None for a discrete gradient, which has an a(t) at its steps only.
    """

    t: NDArray[np.float64]
    a: NDArray[np.floating[Any]]
    z: NDArray[np.floating[Any]]
    parameter_gradient: NDArray[np.floating[Any]]
    curve: AdjointCurve | None = None


@dataclass
class BackwardRecord:
    """Filled in by the backward pass of a gradient mode."""

    steps: StepLog | None = None
    stats: SolveStats | None = None
    adjoint: AdjointRecord | None = None


class SolveError(RuntimeError):
    """A solve that could not go on; `solution` holds what was computed until then."""

    def __init__(self, message: str, solution: Solution | None = None) -> None:
        super().__init__(message)
        self.solution = solution

    def __reduce__(self) -> tuple[type[SolveError], tuple[str, Solution | None]]:
        return (SolveError, (str(self), self.solution))


@dataclass
class Solution:
    """The solution of dy/dt = f(t, y), y(ts[0]) = y0.

    Attributes:
        ts: output times that were reached, shape (time,).
        ys: states at those times, shape (time, \\*y0.shape).
        steps: every attempted step.
        stats: function evaluations, accepted and rejected steps, wall time.
        status: how the solve ended; `message` says it in a sentence.
        method: name of the method.
        t_event, y_event: where a terminal event stopped the solve, differentiable like ys; else None.
    """

    ts: Tensor
    ys: Tensor
    steps: StepLog
    stats: SolveStats
    status: Status
    message: str
    method: str
    t_event: Tensor | None = None
    y_event: Tensor | None = None
    dense: Callable[..., Tensor] | None = None
    backward_record: BackwardRecord = field(default_factory=BackwardRecord)

    def __getstate__(self) -> dict[str, Any]:
        """What travels, and what a copy holds: all numbers, without a graph and without the field."""
        tensors = {name: getattr(self, name) for name in ("ts", "ys", "t_event", "y_event")}
        return {**vars(self), **{name: x if x is None else x.detach() for name, x in tensors.items()}}

    def __call__(self, t: Any) -> Tensor:
        """Return y(t), shape (\\*t.shape, \\*y0.shape), for times within the solve, by dense output.

        Where ys has gradients y(t) has them, too; by t the derivative is f(t, y(t)).

        Raises:
            ValueError: no dense output was kept, a time lies outside of what was solved, or t is a list of tensors
                that require gradients.
        """
        if self.dense is None:
            raise ValueError(
                "this solve kept no dense output, because it recorded gradients or ran with batch='per_sample': "
                "pass dense=True to odeint, or, for 'per_sample', put the times into ts"
            )
        if isinstance(t, (list, tuple)) and any(getattr(time, "requires_grad", False) for time in t):
            raise ValueError(
                "t is a list of tensors that require gradients: pass them as one, torch.stack(t)"
            )
        try:
            times = np.asarray(t.detach().cpu() if hasattr(t, "detach") else t, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"t={t!r} is no time: give a number, or several, such as sol([0.1, 0.2])"
            ) from error
        if np.isnan(times).any():
            raise ValueError(f"t={t!r} is no time, or holds one that is NaN: give numbers within the solve")
        if times.size == 0:
            return self.ys[:0].reshape(*times.shape, *self.ys.shape[1:])
        moving = t.reshape(-1) if getattr(t, "requires_grad", False) else None
        values = self.dense(times.reshape(-1).tolist(), moving)
        return values.reshape(*times.shape, *values.shape[1:])

    @property
    def backward_steps(self) -> StepLog:
        """Every step of the backward solve; there after `.backward()`."""
        return self._after_backward(self.backward_record.steps)

    @property
    def backward_stats(self) -> SolveStats:
        """Cost of the backward pass; there after `.backward()`."""
        return self._after_backward(self.backward_record.stats)

    @property
    def adjoint(self) -> AdjointRecord:
        """a(t) along the backward pass; there after `.backward()`."""
        return self._after_backward(self.backward_record.adjoint)

    def _after_backward(self, value: T | None) -> T:
        if value is None:
            raise ValueError(
                "nothing was recorded of a backward pass: call .backward() on a loss of ys first "
                "(y0 or a parameter must require gradients)"
            )
        return value
