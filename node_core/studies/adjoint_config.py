"""The questions the Adjoint lesson can ask, as frozen values, and their answers as plain numpy. Torch-free."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from node_core.fields.system import Parameter
from node_core.solvers.methods import METHODS

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
class Field:
    """A field whose gradient is studied.

    Attributes:
        parameters: the sliders; they are also, with `weights`, what dL/dtheta is taken by.
        theta: names (LaTeX) of the entries of theta; empty for a net, which has too many to name.
        y0, target: the initial state, and the z* of the loss 1/2 sum |z(t_i) - z*|^2.
    """

    key: str
    name: str
    latex: str
    look_for: str
    state_names: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    theta: tuple[str, ...]
    y0: tuple[float, ...]
    target: tuple[float, ...]


FIELDS = {
    field.key: field
    for field in (
        Field(
            "learned",
            "Learned spiral (ODE-Net)",
            r"\dot z = W_2 \tanh(W_1 z + b_1) + b_2",
            "The net has learned to wind onto a ring. Forward all paths come together; backward they fly apart, so "
            "that a z(t) that is solved backward leaves the path.",
            ("z₁", "z₂"),
            (),
            (),
            (0.25, 0.0),
            (1.0, -0.3),
        ),
        Field(
            "linear",
            "Linear spiral",
            r"\dot z = A z, \qquad A = \begin{pmatrix} -\delta & -\omega \\ \omega & -\delta \end{pmatrix}",
            "Here a(t) = exp(Aᵀ(T − t)) a(T) is known exactly, and does not depend on z at all: dL/dz(0) stays right "
            "even where the backward z(t) is wrong; only dL/dA suffers.",
            ("z₁", "z₂"),
            (
                Parameter("delta", r"\delta", 0.2, 0.0, 2.0, step=0.05),
                Parameter("omega", r"\omega", 2.0, 0.0, 5.0, step=0.1),
            ),
            ("A_{11}", "A_{12}", "A_{21}", "A_{22}"),
            (2.0, 0.0),
            (0.5, 0.5),
        ),
        Field(
            "van_der_pol",
            "Van der Pol (stiff)",
            r"\dot z_1 = z_2, \qquad \dot z_2 = \mu (1 - z_1^2)\, z_2 - z_1",
            "Where the field contracts fast forward, it explodes backward: a modest μ is enough for the backward solve "
            "of the adjoint to fail altogether.",
            ("z₁", "z₂"),
            (Parameter("mu", r"\mu", 1.0, 0.1, 8.0, step=0.1),),
            (r"\mu",),
            (2.0, 0.0),
            (0.5, 0.5),
        ),
    )
}


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
        if self.field not in FIELDS:
            raise ValueError(f"There is no field {self.field!r}; choose one of {', '.join(FIELDS)}.")
        if not (math.isfinite(self.horizon) and 0 < self.horizon <= LARGEST_HORIZON):
            raise ValueError(
                f"The horizon T = {self.horizon:g} can't be used: choose one up to {LARGEST_HORIZON:g}."
            )
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
        _check_tolerance(self.rtol)


@dataclass(frozen=True)
class Path:
    """States along the forward solve: dense curve (n,), (n, dim); accepted steps' ends; every attempt."""

    t: Floats
    z: Floats
    step_t: Floats
    step_z: Floats
    attempt_t: Floats
    attempt_dt: Floats
    attempt_accepted: Bools
    nfe: int


@dataclass(frozen=True)
class Way:
    """The way back in one mode, in the order it was computed (t falls from the last observation to 0).

    Attributes:
        failure: why there is no way back, "" where there is one; the arrays are empty then.
        t, z, a: the recorded times (k,), the state as this mode knows it and the adjoint, (k, dim).
        theta: dL/dtheta accumulated from the end down to t, the shown entries, (k, shown); empty where not recorded.
        theta_norm: the norm of all its entries, (k,).
        gap: distance of z from the forward solve at the same time, (k,).
        attempt_t, attempt_dt, attempt_accepted: every step of the way back.
        gradient: [dL/dz(0), dL/dtheta], (dim + parameters,); `error` its relative distance to the reference's.
    """

    mode: str
    label: str
    failure: str
    t: Floats
    z: Floats
    a: Floats
    theta: Floats
    theta_norm: Floats
    gap: Floats
    attempt_t: Floats
    attempt_dt: Floats
    attempt_accepted: Bools
    gradient: Floats
    error: float
    error_y0: float
    error_theta: float
    nfe: int
    seconds: float


@dataclass(frozen=True)
class AdjointResult:
    """The forward path, the tight reference (a `Way` of its own) and one way back for each mode.

    `theta_names` names the shown entries of theta; `loss` is L; `reference_name` says where the reference comes from.
    """

    config: AdjointConfig
    path: Path
    reference: Way
    reference_name: str
    ways: tuple[Way, ...]
    theta_names: tuple[str, ...]
    n_theta: int
    loss: float


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
        _check_tolerance(self.rtol)


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
        if not self.steps or min(self.steps) < 1 or max(self.steps) > 1000:
            raise ValueError(f"The numbers of steps {self.steps} can't be used: give 1 to 1000.")
        if not 1 <= self.batch <= 4096:
            raise ValueError(f"A batch of {self.batch} can't be used: give 1 to 4096.")


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
    for mode in modes:
        if mode not in MODES:
            raise ValueError(f"There is no gradient mode {mode!r}; choose among {', '.join(MODES)}.")
    if not modes or len(set(modes)) != len(modes):
        raise ValueError("Choose at least one gradient mode, and each once.")
    if method not in methods:
        raise ValueError(
            f"The method {method!r} can't be used here; choose one of {', '.join(METHODS[m].label for m in methods)}."
        )


def _check_tolerance(rtol: float) -> None:
    if not 1e-10 <= rtol <= 0.1:
        raise ValueError(f"The tolerance {rtol:g} can't be used: choose one between 1e-10 and 0.1.")
