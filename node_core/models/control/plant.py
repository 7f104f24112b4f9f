"""What a plant is: dx/dt = f(t, x, u; p), with all that a page needs to present it. Loads no torch.

Conventions, here and everywhere: an upright pole has the angle 0, and leans to the right (clockwise) where its angle is
positive, so that its tip is at length * (sin theta, cos theta) from the pivot, the second upwards. A heading is 0 along
x and grows counter-clockwise. Controls are bounded, |u_j| <= limit_j.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from node_core.fields.base import Array, namespace_of, stack_last
from node_core.fields.systems.system import Parameter

Values = Mapping[str, float]
Components = Sequence[Any]
Rates = Callable[[Components, Components, Values, ModuleType], Sequence[Any]]
Energy = Callable[[Components, Values, ModuleType], Any]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Constant(Parameter):
    """A parameter of a plant with its unit, "" for a pure number."""

    unit: str = ""


@dataclass(frozen=True)
class State:
    """One coordinate of a plant's state.

    Args:
        name: as in the code, "theta".
        label: LaTeX.
        unit: "rad"; "" for a pure number.
        target: where the plant should be.
        angle: whether 2 pi more is the same.
        scale: a typical deviation: what a policy sees, and what a cost counts, is the deviation over it.
        weight: of the squared deviation in the running cost.
        moving: whether it is a velocity, whose weight can be turned.
        tolerance: the largest deviation that counts as arrived; None where it does not matter.
        least: no start is below it.
    """

    name: str
    label: str
    unit: str
    target: float = 0.0
    angle: bool = False
    scale: float = 1.0
    weight: float = 1.0
    moving: bool = False
    tolerance: float | None = None
    least: float = -math.inf


@dataclass(frozen=True)
class Control:
    """One entry of u: |u| <= limit.

    Args:
        name: as in the code, "torque".
        label: LaTeX.
        unit: "N m".
        limit: default of its bound.
        largest: of the bounds that may be chosen.
    """

    name: str
    label: str
    unit: str
    limit: float
    largest: float


@dataclass(frozen=True)
class Task:
    """What a controller has to do.

    Args:
        key: "swing_up".
        name: in words.
        low, high: the box from which starts are drawn, an entry a state.
        horizon: default of the longest horizon that is trained on (s).
        judged: how long a trial lasts; the plant must be at its target for the whole last second of it (s).
        start: a typical start, for the one path that is looked at closely.
        growing: whether the horizon should grow while it is learned. Who is to hold what falls learns it on short
            trials first; who is to swing up would learn on them to hang still.
    """

    key: str
    name: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    horizon: float
    judged: float
    start: tuple[float, ...]
    growing: bool = True


@dataclass(frozen=True)
class Plant:
    """A system that can be steered.

    Args:
        key: "pendulum".
        name: in words.
        latex: the equations.
        look_for: one sentence.
        states, controls, parameters: what x, u and p are.
        tasks: what can be asked of it, the usual one first.
        plane: the two states that a phase plane shows; `view`: its window ((xmin, xmax), (ymin, ymax)).
        rates: (x components, u components, p, xp) -> the components of dx/dt.
        energy: (x components, p, xp) -> what stays constant without control and friction; None if nothing does.
        linear: whether a linearisation at the target can be steered, so that there is an LQR.
        time: unit of its time.
    """

    key: str
    name: str
    latex: str
    look_for: str
    states: tuple[State, ...]
    controls: tuple[Control, ...]
    parameters: tuple[Constant, ...]
    tasks: tuple[Task, ...]
    plane: tuple[int, int]
    view: tuple[Interval, Interval]
    rates: Rates = field(repr=False)
    energy: Energy | None = field(default=None, repr=False)
    linear: bool = True
    time: str = "s"

    @property
    def dim(self) -> int:
        """Length of the state."""
        return len(self.states)

    @property
    def target(self) -> tuple[float, ...]:
        """The state to be held."""
        return tuple(state.target for state in self.states)

    @property
    def limits(self) -> tuple[float, ...]:
        """Default bounds of the controls."""
        return tuple(control.limit for control in self.controls)

    @property
    def features(self) -> int:
        """How many numbers a policy sees."""
        return self.dim + sum(state.angle for state in self.states)

    def task(self, key: str) -> Task:
        """The task of this key.

        Raises:
            ValueError: there is none; the sentence has those there are.
        """
        for task in self.tasks:
            if task.key == key:
                return task
        raise ValueError(
            f"{self.name} has no task {key!r}: choose one of {', '.join(task.key for task in self.tasks)}."
        )

    def check(self, values: Values | Sequence[float] = ()) -> dict[str, float]:
        """All parameters by name, those not given by their defaults.

        Args:
            values: some by name, or all in order.

        Raises:
            ValueError: a name is unknown, a value is out of range, or a sequence is of another length.
        """
        if not isinstance(values, Mapping):
            if values and len(values) != len(self.parameters):
                raise ValueError(
                    f"{self.name} has {len(self.parameters)} parameters, not {len(values)}: give "
                    f"{', '.join(p.name for p in self.parameters)}."
                )
            values = dict(zip((p.name for p in self.parameters), values, strict=False))
        known = {p.name: p for p in self.parameters}
        for name in values:
            if name not in known:
                raise ValueError(
                    f"{self.name} has no parameter {name!r}; its parameters are: {', '.join(known)}."
                )
        return {name: p.check(values.get(name, p.default)) for name, p in known.items()}

    def scaled_limits(self, limit: float) -> tuple[float, ...]:
        """Bounds of all controls where the first has this one: they keep their proportion."""
        return tuple(control.limit * limit / self.controls[0].limit for control in self.controls)

    def field(self, **params: float) -> PlantField:
        """The plant with these parameters (defaults for the others), as a vector field f(t, y, u).

        >>> PLANTS["pendulum"].field(length=2.0)

        Raises:
            ValueError: an unknown name or a value out of range.
        """
        return PlantField(self, self.check(params))

    def seen(self, components: Components, xp: ModuleType) -> list[Any]:
        """What a policy sees of a state: sin and cos of an angle, (x - target) / scale of all others, in order."""
        found: list[Any] = []
        for state, x in zip(self.states, components, strict=True):
            if state.angle:
                found += [xp.sin(x), xp.cos(x)]
            elif state.target or state.scale != 1.0:
                found.append((x - state.target) * (1.0 / state.scale))
            else:
                found.append(x)
        return found

    def deviation(self, y: Array) -> Array:
        """y - target, shape (..., dim), angles in [-pi, pi)."""
        xp = namespace_of(y)
        rows = [
            (y[..., i] - state.target + math.pi) % (2 * math.pi) - math.pi
            if state.angle
            else y[..., i] - state.target
            for i, state in enumerate(self.states)
        ]
        return stack_last(xp, rows, y[..., 0])

    def arrived(self, y: Array) -> Array:
        """Whether a state is as near to the target as it should be, shape (...,)."""
        deviation = self.deviation(y)
        tolerances = [state.tolerance for state in self.states]
        found = deviation[..., 0] == deviation[..., 0]  # what is not a number has not arrived
        for i, tolerance in enumerate(tolerances):
            if tolerance is not None:
                found = found & (abs(deviation[..., i]) <= tolerance)
        return found


@dataclass(frozen=True)
class PlantField:
    """f(t, y, u) of a plant at fixed parameters, for NumPy arrays and torch tensors."""

    plant: Plant
    params: Values

    def __call__(self, t: Any, y: Array, u: Array) -> Array:
        """dy/dt, shaped like y (..., dim), under the controls u (..., controls). Controls are taken as they are."""
        xp = namespace_of(y)
        states = [y[..., i] for i in range(self.plant.dim)]
        controls = [u[..., j] for j in range(len(self.plant.controls))]
        return stack_last(xp, self.plant.rates(states, controls, self.params, xp), y[..., 0])

    def energy(self, y: Array) -> Array:
        """What stays constant without control and friction, shape (...,).

        Raises:
            ValueError: the plant conserves nothing.
        """
        if self.plant.energy is None:
            raise ValueError(f"{self.plant.name} conserves no energy: ask a pendulum or a cart-pole.")
        xp = namespace_of(y)
        return self.plant.energy([y[..., i] for i in range(self.plant.dim)], self.params, xp)
