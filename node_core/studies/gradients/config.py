"""The questions about a gradient, as frozen values, and their answers as plain numpy. Torch-free."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_choice, check_choices, check_number, check_whole
from node_core.solvers.methods import METHODS
from node_core.studies.gradients.fields import FIELDS, Field

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MODES = {
    "adjoint": "adjoint",
    "adjoint_seminorm": "adjoint, seminorm",
    "interpolated": "interpolated",
    "checkpointed": "checkpointed",
    "backprop": "backprop",
}
"""Every gradient mode and what the pictures call it."""

METHOD_CHOICES = ("dopri5", "tsit5", "dopri8", "bosh3", "rodas5p")
PAPER_METHODS = ("scipy_adams", "dopri5", "bosh3", "dopri8")
MAX_OBSERVATIONS = 8
LARGEST_HORIZON = 20.0
DEFAULT_HORIZON = 5.0


@dataclass(frozen=True)
class Task:
    """A gradient to be computed: dL/dz(0) and dL/dtheta of L = 1/2 sum_i |z(t_i) - z*|^2.

    Attributes:
        field: a key of `FIELDS`; `parameters` its values by name.
        horizon: T, the end of the forward solve.
        observations: the t_i, increasing, in (0, T]; the last of them is where the way back begins.

    Raises:
        ValueError: an unknown field, a value out of range, or times that are not increasing within (0, T].
    """

    field: str = "learned"
    parameters: tuple[tuple[str, float], ...] = ()
    horizon: float = 5.0
    observations: tuple[float, ...] = (5.0,)

    def __post_init__(self) -> None:
        check_choice("field", self.field, FIELDS)
        check_number("horizon T", self.horizon, 0, LARGEST_HORIZON, above=True)
        known = {p.name: p for p in self.spec.parameters}
        for name, value in self.parameters:
            if name not in known:
                raise ValueError(
                    f"{self.spec.name} has no parameter {name!r}; it has: {', '.join(known) or 'none'}."
                )
            known[name].check(value)
        self._check_observations()

    def _check_observations(self) -> None:
        times = self.observations
        if not 1 <= len(times) <= MAX_OBSERVATIONS:
            raise ValueError(f"{len(times)} observation times were given: give 1 to {MAX_OBSERVATIONS}.")
        for t in times:
            if not (math.isfinite(t) and 0 < t <= self.horizon):
                raise ValueError(
                    f"The observation time {t:g} lies outside of (0, T]: choose times up to T = {self.horizon:g}."
                )
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(f"The observation times {', '.join(f'{t:g}' for t in times)} must increase.")

    @property
    def spec(self) -> Field:
        """The field's description."""
        return FIELDS[self.field]

    @property
    def values(self) -> dict[str, float]:
        """Every parameter's value, with the defaults of those that were not given."""
        return {p.name: p.default for p in self.spec.parameters} | dict(self.parameters)


def parse_times(text: str, horizon: float) -> tuple[float, ...]:
    """Read "1.5, 3, 5" as observation times.

    Raises:
        ValueError: an entry is no number, or there is none; `Task` checks the rest.
    """
    entries = text.replace(";", ",").replace(" ", ",").split(",")
    times = []
    for entry in (e for e in entries if e):
        try:
            times.append(float(entry))
        except ValueError:
            raise ValueError(
                f"The time {entry[:20]!r} is not a number: write times like {horizon / 2:g}, {horizon:g}."
            ) from None
    if not times:
        raise ValueError(f"No observation time was given: write times like {horizon / 2:g}, {horizon:g}.")
    return tuple(times)


@dataclass(frozen=True)
class AdjointConfig:
    """One task, forward once and backward in every chosen mode.

    Raises:
        ValueError: for unknown, repeated or no modes, an unknown method, or a tolerance outside 1e-10 .. 0.1.
    """

    task: Task
    rtol: float = 1e-4
    method: str = "dopri5"
    modes: tuple[str, ...] = ("adjoint", "checkpointed")

    def __post_init__(self) -> None:
        _check(self.modes, self.method, METHOD_CHOICES)
        check_number("tolerance", self.rtol, 1e-10, 0.1)


@dataclass(frozen=True)
class Path:
    """States along the forward solve: dense curve (n,), (n, dim); accepted steps' ends; every attempt.

    `failure` says why there is none; the curve is the truth's then, and no step is known.
    """

    t: Floats
    z: Floats
    step_t: Floats
    step_z: Floats
    attempt_t: Floats
    attempt_dt: Floats
    attempt_accepted: Bools
    nfe: int
    failure: str = ""


@dataclass(frozen=True)
class Truth:
    """The gradient to compare with, and its way back from the last observation (t falls) to 0.

    Attributes:
        t, z, a, theta: times (k,), state and adjoint (k, dim), dL/dtheta so far (k, parameters, or those that are
            shown); at an observation two rows stand, before the jump of a and after it.
        theta_norm: the norm of all of dL/dtheta so far, (k,).
        gradient: [dL/dz(0), dL/dtheta], (dim + parameters,).
        loss: L.
        name: where it comes from.
    """

    t: Floats
    z: Floats
    a: Floats
    theta: Floats
    theta_norm: Floats
    gradient: Floats
    loss: float
    name: str


@dataclass(frozen=True)
class Way:
    """The way back in one mode, in the order it was computed (t falls from the last observation to 0).

    Attributes:
        failure: why there is no way back, "" where there is one; the arrays are empty then.
        t, z, apart: the state as this mode knows it, between its steps as its method has it there, (n,), (n, dim), and
            how far it lies from the forward solve at the same time, (n, dim).
        a_t, a: the adjoint, (k,), (k, dim): between the steps as well where it is solved backward, else at the steps,
            for a discrete gradient has no other.
        step_t, step_z: where the steps end, (m,), (m, dim).
        theta: dL/dtheta accumulated from the end down to `step_t`, the shown entries, (m, shown); empty where not
            recorded.
        theta_norm: the norm of all its entries, (m,).
        attempt_t, attempt_dt, attempt_accepted: every step of the way back.
        gradient: [dL/dz(0), dL/dtheta], (dim + parameters,); `error` its relative distance to the true one.
    """

    mode: str
    label: str
    failure: str
    t: Floats
    z: Floats
    apart: Floats
    a_t: Floats
    a: Floats
    step_t: Floats
    step_z: Floats
    theta: Floats
    theta_norm: Floats
    attempt_t: Floats
    attempt_dt: Floats
    attempt_accepted: Bools
    gradient: Floats
    error: float
    error_y0: float
    error_theta: float
    nfe: int

    @property
    def gap(self) -> Floats:
        """The distance of z from the forward solve at the same time, (n,)."""
        return np.asarray(np.linalg.norm(self.apart, axis=1))


@dataclass(frozen=True)
class AdjointResult:
    """The forward path, the truth and one way back for each mode.

    `shown` are the entries of theta that are shown, (shown,), `theta_names` their names, and `n_theta` counts them all;
    `loss` is L.
    """

    config: AdjointConfig
    path: Path
    truth: Truth
    ways: tuple[Way, ...]
    shown: NDArray[np.int_]
    theta_names: tuple[str, ...]
    n_theta: int
    loss: float


@dataclass(frozen=True)
class CheckConfig:
    """Finite differences of the task's loss by z(0) and by the entries of theta that are shown."""

    task: Task


@dataclass(frozen=True)
class CheckResult:
    """[dL/dz(0), the shown dL/dtheta] by finite differences, and its relative distance to the true gradient."""

    config: CheckConfig
    differences: Floats
    error: float


@dataclass(frozen=True)
class ErrorsConfig:
    """Gradient error against tolerance in every chosen mode, and by finite differences."""

    task: Task
    method: str = "dopri5"
    modes: tuple[str, ...] = tuple(MODES)

    def __post_init__(self) -> None:
        _check(self.modes, self.method, METHOD_CHOICES)


@dataclass(frozen=True)
class HorizonConfig:
    """Gradient error against the horizon at one tolerance; the task's observation times stretch with it."""

    task: Task
    rtol: float = 1e-3
    method: str = "dopri5"
    modes: tuple[str, ...] = tuple(MODES)

    def __post_init__(self) -> None:
        _check(self.modes, self.method, METHOD_CHOICES)
        check_number("tolerance", self.rtol, 1e-10, 0.1)


@dataclass(frozen=True)
class ErrorCurve:
    """One mode over tolerances or horizons `x` (n,): relative gradient error, evaluations, steps back, seconds; nan
    where it failed.
    """

    mode: str
    label: str
    x: Floats
    error: Floats
    nfe_forward: Floats
    nfe_backward: Floats
    steps_backward: Floats
    seconds: Floats


@dataclass(frozen=True)
class ErrorsResult:
    """The curves of an `ErrorsConfig` or `HorizonConfig`; `note` says what could not be computed."""

    config: ErrorsConfig | HorizonConfig
    curves: tuple[ErrorCurve, ...]
    note: str


@dataclass(frozen=True)
class MemoryConfig:
    """Peak memory against the number of steps: rk4 with fixed steps, a net of any module, a batch of states."""

    modes: tuple[str, ...] = tuple(MODES)
    steps: tuple[int, ...] = (10, 20, 40, 80)
    batch: int = 1024

    def __post_init__(self) -> None:
        _check(self.modes, "dopri5", METHOD_CHOICES)
        if not self.steps:
            raise ValueError("no number of steps was given: give one or more, such as 10, 20, 40.")
        for steps in self.steps:
            check_whole("number of steps", steps, 1, 1000)
        check_whole("batch", self.batch, 1, 4096)


@dataclass(frozen=True)
class MemoryCurve:
    """One mode: how much the process grew at most, in MiB, at each number of steps, (n,)."""

    mode: str
    label: str
    steps: Floats
    mib: Floats


@dataclass(frozen=True)
class MemoryResult:
    """The curves of `MemoryConfig`; `state_mib` is the size of one batch of states."""

    config: MemoryConfig
    curves: tuple[MemoryCurve, ...]
    state_mib: float


@dataclass(frozen=True)
class PaperConfig:
    """The paper's Figure 3 (a) to (c) for one solver: the continuous adjoint over tolerances.

    Raises:
        ValueError: for a method that is not among `PAPER_METHODS`.
    """

    task: Task
    method: str = "scipy_adams"

    def __post_init__(self) -> None:
        _check(("adjoint",), self.method, PAPER_METHODS)


@dataclass(frozen=True)
class PaperResult:
    """Over tolerances (n,): error of z at the observations, evaluations forward and backward, seconds forward."""

    config: PaperConfig
    rtol: Floats
    error: Floats
    nfe_forward: Floats
    nfe_backward: Floats
    seconds: Floats
    note: str


def _check(modes: tuple[str, ...], method: str, methods: tuple[str, ...]) -> None:
    check_choices("gradient mode", modes, MODES)
    if method not in methods:
        raise ValueError(
            f"The method {method!r} can't be used here; choose one of {', '.join(METHODS[m].label for m in methods)}."
        )
