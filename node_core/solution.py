"""What a solve returns: the states, every step that was tried, what it cost and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from node_core.structure import Structure


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


class Cause(StrEnum):
    """Why a solve failed, or took as many steps as it did."""

    NONE = "nothing is wrong"
    STIFFNESS = "stiffness"
    SINGULARITY = "a singularity"
    OVERFLOW = "overflow"
    UNDEFINED = "an undefined field"
    NO_DERIVATIVE = "a field without a slope"
    JUMP = "a jump in time"
    SWITCH = "a switch of the state"
    NOISE = "a field that is no function"
    ROUNDING = "a tolerance below rounding"
    STEP_LIMIT = "a limit on the step"
    STEP_TOO_LONG = "a fixed step that is too long"
    LENGTH = "plain length"
    NO_EVENT = "an event that never comes"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Diagnosis:
    """Why a solve failed or crawled, found in its own record and by asking f again near where it stood.

    Plain data: it travels between processes, and holds no tensor.

    Attributes:
        cause: one word for it.
        evidence: a sentence with what was found.
        numbers: the same as numbers, by name, such as "h_lambda" and "limit" of stiffness.
        remedy: what to do, in a sentence; empty where nothing is wrong.
        changes: the arguments of `odeint` that the remedy changes, such as {"method": "rodas5p"}; empty where no
            argument is a remedy. `ts` is here the pair of the first and the last time.
        t: where (units of time).
        sample: the row of the batch, where each has its own steps.
        nfe: the evaluations of f that finding it took; they are not in `SolveStats.nfe`.
    """

    cause: Cause
    evidence: str
    numbers: Mapping[str, float]
    remedy: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    t: float = 0.0
    sample: int | None = None
    nfe: int = 0

    def __str__(self) -> str:
        """What was found and what to do."""
        remedy = self.remedy[:1].upper() + self.remedy[1:]
        return f"{self.evidence}. {remedy}" if remedy else self.evidence


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

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> StepLog:
        """Return some of the attempts."""
        return StepLog(
            self.t[rows], self.dt[rows], self.error_ratio[rows], self.accepted[rows], self.sample[rows]
        )

    def of(self, sample: int) -> StepLog:
        """Return the attempts of one row of the batch."""
        return self[self.sample == sample]


@dataclass(frozen=True)
class SolveStats:
    """What a solve cost.

    Attributes:
        nfe: number of calls of the field (a call evaluates the whole batch once).
        n_accepted: accepted steps.
        n_rejected: rejected steps.
        wall_time: seconds.
        n_jacobians: evaluations of df/dy (implicit methods only).
        engine: what computed it: "torch" (f is called with tensors, and autograd goes back through it), "closed form"
            (the field's own derivatives, written by hand: `MLPField` and what is like it), "native" (an `MLPField` in
            one call of compiled code), "numpy" (a single trajectory of a field that knows NumPy, or of an implicit
            method), "scipy" (SciPy's solvers).
        engine_reason: where that is "torch", why no faster one did it, in a sentence; else empty.
    """

    nfe: int
    n_accepted: int
    n_rejected: int
    wall_time: float
    n_jacobians: int = 0
    engine: str = "torch"
    engine_reason: str = ""


@dataclass(frozen=True)
class AdjointCurve:
    """A way back as its method draws it: the method's own interpolant at a few points of every step.

    Attributes:
        t: times in the order of the way back, shape (points,); at an observation time two points stand, as in the rows.
        a, z: the adjoint and the state there, shape (points, \\*y0.shape).
    """

    t: NDArray[np.float64]
    a: Any
    z: Any


@dataclass(frozen=True)
class AdjointRecord:
    """The adjoint state along the backward solve, in the order it was computed (from t1 to t0).

    Attributes:
        t: times of the rows, shape (steps,). At an observation time two rows stand: before and after its jump.
        a: a(t) = dL/dz(t), shape (steps, \\*y0.shape).
        z: the state as the backward solve knows it, same shape: reconstructed by `adjoint`, the forward solve's
            own in the other modes.
        parameter_gradient: dL/dtheta accumulated from t1 down to t, flattened, shape (steps, parameters); a complex
            one is a pair of reals.
        curve: the same between the steps; None for a discrete gradient, which has an a(t) at its steps only.
    """

    t: NDArray[np.float64]
    a: Any
    z: Any
    parameter_gradient: NDArray[np.floating[Any]]
    curve: AdjointCurve | None = None


@dataclass(frozen=True)
class Crossings:
    """Where one event happened: every crossing of its function, in the order of the solve.

    Attributes:
        t: when, shape (crossings,).
        y: the states then, shape (crossings, \\*y0.shape).
    """

    t: Tensor
    y: Any

    def __len__(self) -> int:
        return len(self.t)


@dataclass
class BackwardRecord:
    """Filled in by the backward pass of a gradient mode."""

    steps: StepLog | None = None
    stats: SolveStats | None = None
    adjoint: AdjointRecord | None = None
    lost: float | None = None


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

    Where y0 is a nesting of tensors, so are ys, y_event, what a call returns, and a and z of the adjoint.

    Attributes:
        ts: output times that were reached, shape (time,).
        ys: states at those times, shape (time, \\*y0.shape).
        steps: every attempted step.
        stats: function evaluations, accepted and rejected steps, wall time.
        status: how the solve ended; `message` says it in a sentence, and why it failed.
        method: name of the method.
        t_event, y_event: where a terminal event stopped the solve, differentiable like ys; else None.
        stopped_by: the number of that event, in the order in which they were given.
        row_status: with batch="per_sample", how each row ended. One that failed has NaN in ys where it did not come,
            the others are whole; `status` and `message` are of the first that failed.
        events: for each event all its crossings, the terminal one among them, differentiable too.
    """

    ts: Tensor
    ys: Any
    steps: StepLog
    stats: SolveStats
    status: Status
    message: str
    method: str
    t_event: Tensor | None = None
    y_event: Any = None
    stopped_by: int | None = None
    events: tuple[Crossings, ...] = ()
    row_status: tuple[Status, ...] | None = None
    dense: Callable[..., Tensor] | None = None
    backward_record: BackwardRecord = field(default_factory=BackwardRecord)
    structure: Structure | None = None
    diagnose: Callable[[], Diagnosis] | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What travels, and what a copy holds: all numbers, without a graph and without the field."""
        known = {name: getattr(self, name) for name in ("ts", "t_event") if getattr(self, name) is not None}
        states = {name: getattr(self, name) for name in ("ys", "y_event") if getattr(self, name) is not None}
        values = {name: _detached(x) for name, x in known.items()}
        values |= {name: self._map(_detached, y) for name, y in states.items()}
        events = tuple(Crossings(_detached(one.t), self._map(_detached, one.y)) for one in self.events)
        return {**vars(self), **values, "events": events, "diagnose": None}

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """Why the solve failed, or took as many steps as it did: cause, evidence and remedy.

        Found when it is asked for, or at once where the solve failed, by asking f at most 1,200 times more, which
        `stats` do not count (`Diagnosis.nfe`). A solve that ended well with few attempts costs nothing to explain.

        Raises:
            ValueError: the solution was copied or has travelled before anybody asked.
        """
        if self.diagnose is None:
            raise ValueError(
                "a solution that was copied or pickled holds no field to ask: read sol.diagnosis before that"
            )
        return self.diagnose()

    def __call__(self, t: Any) -> Any:
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
            values = self._map(lambda y: y[:0], self.ys)
        else:
            moving = t.reshape(-1) if getattr(t, "requires_grad", False) else None
            values = self.dense(times.reshape(-1).tolist(), moving)
            values = values if self.structure is None else self.structure.unflatten(values)
        return self._map(lambda y: y.reshape((*times.shape, *y.shape[1:])), values)

    def _map(self, change: Callable[[Any], Any], state: Any) -> Any:
        """What `change` makes of each tensor of a state."""
        return change(state) if self.structure is None else self.structure.map(change, state)

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
        record = self._after_backward(self.backward_record.adjoint)
        if self.structure is None:
            return record
        curve = record.curve
        return replace(
            record,
            a=self.structure.unflatten_array(record.a),
            z=self.structure.unflatten_array(record.z),
            curve=curve
            and replace(
                curve, a=self.structure.unflatten_array(curve.a), z=self.structure.unflatten_array(curve.z)
            ),
        )

    @property
    def reconstruction_error(self) -> float:
        """How far the states that gradient="reversible" reconstructed were off the solve's, at most, in their size.

        There after `.backward()`; 0 in the modes that keep their states.
        """
        self._after_backward(self.backward_record.stats)
        return self.backward_record.lost or 0.0

    def _after_backward(self, value: T | None) -> T:
        if value is None:
            raise ValueError(
                "nothing was recorded of a backward pass: call .backward() on a loss of ys first "
                "(y0 or a parameter must require gradients)"
            )
        return value


def _detached(x: Any) -> Any:
    """A tensor without its graph; anything else as it is."""
    return x.detach() if hasattr(x, "detach") else x
