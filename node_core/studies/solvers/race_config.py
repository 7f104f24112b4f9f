"""The questions the Solvers lesson can ask, as frozen values, and their answers as plain numpy.

This module imports neither torch nor the engine's loop, so that the web server can build a question, send it to a
worker by the import path of the study and draw the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_choice, check_choices, check_number
from node_core.fields.formula.formula import parse_field
from node_core.fields.systems.system import System
from node_core.fields.systems.systems import SYSTEMS
from node_core.solvers.methods import METHODS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MAX_FIXED_STEPS = 10_000
MOST_METHODS = 4
CONTROLLERS = ("i", "pi", "pid")
FORMULA = "formula"


@dataclass(frozen=True)
class Problem:
    """An initial value problem dy/dt = f(t, y), y(t0) = y0.

    `system` is a key of `SYSTEMS`, or "formula" with the right-hand sides typed in `formulas`, one (state, text)
    pair each: (("x", "y"), ("y", "-x")). `parameters` are (name, value) pairs. All are tuples, so that equal
    problems hash alike. `atol_ratio` is the absolute over the relative tolerance: the size of the smallest component
    that matters. `jumps` are times at which f jumps, beside those that the system knows of itself.

    Raises:
        FormulaError: for a formula that can't be read (a ValueError that knows the character).
        ValueError: for an unknown system, a value that is not finite or out of range, an initial state of the wrong
            length, or an empty or reversed time span.
    """

    system: str
    y0: tuple[float, ...]
    t_span: tuple[float, float]
    parameters: tuple[tuple[str, float], ...] = ()
    formulas: tuple[tuple[str, str], ...] = ()
    atol_ratio: float = 1.0
    jumps: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choice("system", self.system, (*SYSTEMS, FORMULA))
        system = self.resolve()
        if len(self.y0) != system.dim:
            raise ValueError(
                f"The initial state has {len(self.y0)} numbers, but the state of {system.name} has {system.dim}: "
                "give one number for each component."
            )
        for value in self.y0:
            if not math.isfinite(value):
                raise ValueError(f"The initial state holds {value}: give finite numbers.")
        system.check(dict(self.parameters))
        check_number("ratio of the tolerances", self.atol_ratio, 0, 1, above=True)
        for jump in self.jumps:
            if not math.isfinite(jump):
                raise ValueError(f"The times at which f jumps hold {jump}: give finite times.")
        start, end = self.t_span
        if not (math.isfinite(start) and math.isfinite(end)):
            raise ValueError(f"The time span from {start} to {end} is not finite: give two finite times.")
        if end == start:
            raise ValueError(
                f"The time span is empty (from {start:g} to {end:g}): let the end come after the start."
            )
        if end < start:
            raise ValueError(
                f"The time span is reversed (from {start:g} to {end:g}): let the end come after the start."
            )

    def resolve(self) -> System:
        """The system itself, from the registry or read from the formulas."""
        if self.system == FORMULA:
            return parse_field(dict(self.formulas))
        return SYSTEMS[self.system]

    @property
    def all_jumps(self) -> tuple[float, ...]:
        """The times at which f jumps, increasing."""
        return tuple(sorted({*self.jumps, *self.resolve().field(**dict(self.parameters)).jumps}))


@dataclass(frozen=True)
class RaceConfig:
    """Two to four methods on one problem.

    `dt` is the step of the fixed-step methods; `rtol` and `controller` steer the adaptive ones, whose steps are at most
    `max_step` long (None: as long as they like). `tell_jumps`: whether the methods are told when f jumps.

    Raises:
        ValueError: for unknown or too many methods, a step that is not positive or would make more than
            `MAX_FIXED_STEPS` steps, or a tolerance outside 1e-12 .. 1.
    """

    problem: Problem
    methods: tuple[str, ...]
    dt: float = 0.1
    rtol: float = 1e-4
    controller: str = "pi"
    max_step: float | None = None
    tell_jumps: bool = False

    def __post_init__(self) -> None:
        check_choices("method", self.methods, METHODS, MOST_METHODS)
        check_choice("controller", self.controller, CONTROLLERS)
        if any(METHODS[name].adaptive for name in self.methods):
            check_number("tolerance", self.rtol, 1e-12, 1)
            check_longest(self.max_step, self.problem.t_span)
        if any(not METHODS[name].adaptive for name in self.methods):
            check_step("step size dt", self.dt, self.problem.t_span)

    @property
    def jumps(self) -> tuple[float, ...]:
        """What the methods are told of the jumps of f."""
        return self.problem.all_jumps if self.tell_jumps else ()


@dataclass(frozen=True)
class Lane:
    """What one method did in the race. `n` sampled points, `k` accepted steps, `m` attempts.

    Attributes:
        curve_t, curve_y: the dense solution, (n,) and (n, dim); the end of every drawn step is among the points.
        step_t, step_y: the state after every accepted step, the initial state first: (k + 1,), (k + 1, dim).
        step_error: max norm of the global error at `step_t` (nan where there is no reference), (k + 1,).
        attempt_t, attempt_dt, attempt_ratio, attempt_accepted: every attempt, (m,); the ratio is the local error
            estimate over its tolerance (nan for fixed-step methods).
        rejected_y: the state from which each rejected attempt set out, (number of rejections, dim).
        exploded_at: the first time at which the state left 100 times the reference's size, or was not finite.
        status: one phrase for people, such as "done" or "exploded at t = 3.2"; `failed`, whether it tells of a failure,
            not of a solution that ends there.
        outcome: the engine's own status word, such as "success".
        cut: whether the solve went on past `step_t`, with noise that is neither drawn nor counted.
    """

    method: str
    label: str
    adaptive: bool
    curve_t: Floats
    curve_y: Floats
    step_t: Floats
    step_y: Floats
    step_error: Floats
    attempt_t: Floats
    attempt_dt: Floats
    attempt_ratio: Floats
    attempt_accepted: Bools
    rejected_y: Floats
    exploded_at: float | None
    status: str
    outcome: str
    nfe: int
    n_accepted: int
    n_rejected: int
    final_error: float
    failed: bool = False
    cut: bool = False


@dataclass(frozen=True)
class DirectionField:
    """Unit-free arrows on a grid of the drawn plane: bases (x, y) and raw directions (u, v), each (points,)."""

    x: Floats
    y: Floats
    u: Floats
    v: Floats


@dataclass(frozen=True)
class Critical:
    """The longest steps that damp what decays.

    Attributes:
        at: the equilibrium whose eigenvalues these are; () where the system is linear, so that they hold everywhere.
        rates: the eigenvalues lambda of df/dy, at the start where they change with time.
        steps: (method, h) of every fixed-step method: inf where no step is too long, 0 where every one is.
    """

    at: tuple[float, ...]
    rates: NDArray[np.complex128]
    steps: tuple[tuple[str, float], ...]

    @property
    def decays(self) -> bool:
        """Whether there is an eigenvalue that does not grow; without one no step is critical."""
        return bool(((self.rates.real <= 0) & (self.rates != 0)).any())


@dataclass(frozen=True)
class RaceResult:
    """The race: the lanes in the order of the configuration, the tight reference and the direction field.

    `reference_name` says where the reference comes from ("exact solution", "DOP853 at 1e-11"); the reference's
    arrays are empty and `reference_note` says why where there is none.
    """

    config: RaceConfig
    state_names: tuple[str, ...]
    lanes: tuple[Lane, ...]
    reference_t: Floats
    reference_y: Floats
    reference_name: str
    reference_note: str
    field: DirectionField | None
    critical: Critical | None = None

    @property
    def dim(self) -> int:
        """Number of state components."""
        return len(self.state_names)

    @property
    def cut_at(self) -> dict[str, float]:
        """The times up to which methods that left all bounds are shown and counted, by method."""
        return {lane.method: float(lane.step_t[-1]) for lane in self.lanes if lane.cut}


@dataclass(frozen=True)
class OrderConfig:
    """Error at the end of the time span against the step size, for each method run with fixed steps.

    Raises:
        ValueError: as `RaceConfig` for the methods.
    """

    problem: Problem
    methods: tuple[str, ...]

    def __post_init__(self) -> None:
        check_choices("method", self.methods, METHODS, MOST_METHODS)


@dataclass(frozen=True)
class OrderCurve:
    """One method's errors (n,) at the steps `dt` (n,), with the slope fitted where the error behaves like C h^p."""

    method: str
    label: str
    order: int
    dt: Floats
    error: Floats
    fitted: Bools
    slope: float


@dataclass(frozen=True)
class OrderResult:
    """The curves of `OrderConfig`, and the end of the (possibly shortened) interval on which they were measured."""

    config: OrderConfig
    curves: tuple[OrderCurve, ...]
    t_end: float
    note: str


@dataclass(frozen=True)
class WorkConfig:
    """Error against work: adaptive methods over tolerances, fixed-step methods over step sizes.

    `max_step` and `tell_jumps` as of `RaceConfig`.

    Raises:
        ValueError: as `RaceConfig` for the methods, the controller and the longest step.
    """

    problem: Problem
    methods: tuple[str, ...]
    controller: str = "pi"
    max_step: float | None = None
    tell_jumps: bool = False

    def __post_init__(self) -> None:
        check_choices("method", self.methods, METHODS, MOST_METHODS)
        check_choice("controller", self.controller, CONTROLLERS)
        check_longest(self.max_step, self.problem.t_span)

    @property
    def jumps(self) -> tuple[float, ...]:
        """What the methods are told of the jumps of f."""
        return self.problem.all_jumps if self.tell_jumps else ()


@dataclass(frozen=True)
class WorkCurve:
    """One method: the largest error over the output times, evaluations of f, and processor time (s), each (n,)."""

    method: str
    label: str
    setting: Floats
    error: Floats
    nfe: Floats
    seconds: Floats


@dataclass(frozen=True)
class WorkResult:
    """The curves of `WorkConfig`; methods that finished nowhere are named in `note`."""

    config: WorkConfig
    curves: tuple[WorkCurve, ...]
    note: str


@dataclass(frozen=True)
class StabilityConfig:
    """The h lambda of a problem: eigenvalues of df/dy along the reference, times the steps each method took."""

    race: RaceConfig


@dataclass(frozen=True)
class StabilityLane:
    """One method's h lambda along the reference's path, with its region of stability.

    Attributes:
        t, h, h_lambda, growth: time, step size, eigenvalue times step size, and |R(h lambda)|, each (n,).
        region_re, region_im, region: |R(z)| on a grid, (nx,), (ny,), (ny, nx): where the h lambda lie.
        formula: R(z) written out, LaTeX.
    """

    method: str
    label: str
    t: Floats
    h: Floats
    h_lambda: NDArray[np.complex128]
    growth: Floats
    region_re: Floats
    region_im: Floats
    region: Floats
    formula: str


@dataclass(frozen=True)
class StabilityResult:
    """The lanes of `StabilityConfig`; `note` names methods that have no region to draw."""

    config: StabilityConfig
    lanes: tuple[StabilityLane, ...]
    note: str


def check_longest(max_step: float | None, t_span: tuple[float, float]) -> None:
    """Raise `ValueError` unless there is no longest step, or one that `check_step` takes."""
    if max_step is not None:
        check_step("longest step", max_step, t_span)


def check_step(name: str, step: float, t_span: tuple[float, float]) -> None:
    """Raise `ValueError` unless the step is positive and needs at most `MAX_FIXED_STEPS` steps over `t_span`."""
    if not (math.isfinite(step) and step > 0):
        raise ValueError(f"The {name} = {step:g} can't be used: choose a positive number.")
    steps = (t_span[1] - t_span[0]) / step
    if steps > MAX_FIXED_STEPS:
        raise ValueError(
            f"The {name} = {step:g} would take {steps:,.0f} steps and the limit is {MAX_FIXED_STEPS:,}: "
            f"choose at least {(t_span[1] - t_span[0]) / MAX_FIXED_STEPS:.2g} or a shorter time span."
        )
