"""The types behind the registry: `Parameter`, `System` (equations), and the `SystemField` a solver calls.

A system is written once, on components: `rhs(t, (x, y), p, xp)`, where `xp` is numpy or torch.
`System.field(...)` freezes its parameters into a callable f(t, y). Torch-free at import.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from node_core.fields.base import Array, namespace_of, stack_last

Parameters = Mapping[str, float]
Components = Sequence[Any]
Rhs = Callable[[Any, Components, Parameters, ModuleType], Sequence[Any]]
JacobianRows = Callable[[Any, Components, Parameters, ModuleType], Sequence[Sequence[Any]]]
Interval = tuple[float, float]
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _greek(name: str) -> str:
    """Unicode's letter of LaTeX's name."""
    size = "SMALL" if name.islower() else "CAPITAL"
    return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")


class Exact(Protocol):
    """A closed-form solution: (time,) times and y(t0) = y0 of shape (dim,) -> states (time, dim), float64.

    Returns None for parameters that have no closed form (a damped pendulum).
    """

    def __call__(
        self, t: np.ndarray, y0: Sequence[float] | np.ndarray, p: Parameters, t0: float = 0.0
    ) -> np.ndarray | None:
        """Return the states (time, dim) at `t`, or None."""
        ...


class Frame(NamedTuple):
    """What suits given parameters: time span, window of the phase plane, and whether the problem is stiff."""

    t_span: Interval
    view: tuple[Interval, Interval]
    stiff: bool


@dataclass(frozen=True)
class Parameter:
    """A number in an equation, with the bounds of its slider.

    `label` is LaTeX. `log` asks for positions spread over decades (0 may be the minimum). Raises ValueError
    for an empty range or a default outside it.
    """

    name: str
    label: str
    default: float
    minimum: float
    maximum: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        bounds = (self.minimum, self.maximum)
        if not (all(math.isfinite(b) for b in bounds) and self.minimum < self.maximum):
            raise ValueError(f"parameter {self.name} has the range {bounds}; give a finite minimum < maximum")
        if self.log and self.minimum < 0:
            raise ValueError(
                f"parameter {self.name} starts at {self.minimum}; a log slider needs minimum >= 0"
            )
        self.check(self.default)

    @property
    def words(self) -> str:
        r"""The label without LaTeX, for whoever hears it: \lambda of the name rate is "λ (rate)", k_1 is "k₁"."""
        symbol = re.sub(r"\\mathrm\{(\w+)\}", r"\1", self.label)
        symbol = re.sub(r"\\(?:var)?([A-Za-z]+)", lambda found: _greek(found[1]), symbol)
        shown = re.sub(r"_\{?(\d+)\}?", lambda found: found[1].translate(_LOWERED), symbol)
        if set(shown) & set("\\{}"):  # an index of more than digits
            return self.name
        return (
            shown if re.sub(r"[_{}]", "", symbol) == self.name.replace("_", "") else f"{shown} ({self.name})"
        )

    def check(self, value: float) -> float:
        """Return `value` as a float, or raise a ValueError that names it and the range."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name} = {value!r} is not a number; {self._remedy()}") from None
        if not self.minimum <= number <= self.maximum:  # also catches NaN
            raise ValueError(f"{self.name} = {number:g} is out of range; {self._remedy()}")
        return number

    def _remedy(self) -> str:
        return f"choose a value from {self.minimum:g} to {self.maximum:g}"

    def positions(self) -> tuple[float, ...]:
        """Slider positions, ascending, the default among them: 1-2-5 a decade if `log`, else even steps."""
        if self.log:
            low = self.minimum if self.minimum > 0 else min(1e-2, self.maximum / 1e3)
            decades = range(math.floor(math.log10(low)), math.ceil(math.log10(self.maximum)) + 1)
            inner = [float(f"{m}e{d}") for d in decades for m in (1, 2, 5)]
        else:
            step = self.step or (self.maximum - self.minimum) / 100
            count = int((self.maximum - self.minimum) / step + 1e-9)
            inner = [round(self.minimum + i * step, 10) for i in range(count + 1)]
        inside = {v for v in inner if self.minimum <= v <= self.maximum}
        return tuple(sorted(inside | {self.minimum, self.default, self.maximum}))


@dataclass(frozen=True)
class System:
    """A system of ordinary differential equations dy/dt = f(t, y; p) and all that a page needs to present it.

    - `rhs(t, components, p, xp)` returns `dim` components; `jacobian` the rows of df/dy, `None` if unknown.
    - `jumps(p)`: the times at which f jumps, `None` if it does not.
    - `exact(t, y0, p, t0=0.0)`: the solution with y(t0) = y0, (time, dim), `None` where there is no formula.
    - `plane`: the two components that the phase plane shows; `view`: its window ((xmin, xmax), (ymin, ymax)).
      For dim 1 the window is ((t0, t1), (ymin, ymax)), because the plane is then time against state.
    - `adapt(p)`: how time span, window and stiffness follow the parameters (see `frame`).
    - `look_for`: one sentence; `latex`: the equations.
    - `autonomous`: whether f does not depend on t; saves an implicit method an evaluation a step.
    - `dt`: a fixed step to begin with, None for a two-hundredth of the time span.
    - `atol_ratio`: the absolute tolerance over the relative one; below 1 where a component is tiny by nature.
    """

    key: str
    name: str
    latex: str
    look_for: str
    dim: int
    state_names: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    y0: tuple[float, ...]
    t_span: Interval
    view: tuple[Interval, Interval]
    stiff: bool
    rhs: Rhs = field(repr=False)
    jacobian: JacobianRows | None = field(default=None, repr=False)
    exact: Exact | None = field(default=None, repr=False)
    jumps: Callable[[Parameters], tuple[float, ...]] | None = field(default=None, repr=False)
    plane: tuple[int, int] = (0, 1)
    log_time: bool = False
    autonomous: bool = False
    adapt: Callable[[Parameters], Frame] | None = field(default=None, repr=False)
    dt: float | None = None
    atol_ratio: float = 1.0

    def __post_init__(self) -> None:
        if not len(self.state_names) == len(self.y0) == self.dim >= 1:
            raise ValueError(
                f"system {self.key!r} has dim {self.dim}, {len(self.state_names)} state names and "
                f"{len(self.y0)} initial values; give the same number of each"
            )
        if not self.t_span[0] < self.t_span[1]:
            raise ValueError(f"system {self.key!r} has t_span {self.t_span}; give t0 < t1")

    @property
    def defaults(self) -> dict[str, float]:
        """The default value of every parameter."""
        return {p.name: p.default for p in self.parameters}

    def check(self, params: Parameters) -> dict[str, float]:
        """Complete `params` with defaults and check every value.

        Raises ValueError naming the value and its range, or the unknown name and the known ones.
        """
        known = {p.name: p for p in self.parameters}
        for name in params:
            if name not in known:
                names = ", ".join(known) or "none"
                raise ValueError(f"{self.name} has no parameter {name!r}; its parameters are: {names}")
        return {name: p.check(params.get(name, p.default)) for name, p in known.items()}

    def field(self, **params: float) -> SystemField:
        """The vector field with these parameters (defaults for the others), for NumPy and torch.

        >>> SYSTEMS["van_der_pol"].field(mu=100.0)

        Raises ValueError for an unknown name or a value out of range.
        """
        return SystemField(self, self.check(params))

    def frame(self, **params: float) -> Frame:
        """Time span, window and stiffness that suit these parameters. Raises ValueError as `field` does."""
        values = self.check(params)
        return self.adapt(values) if self.adapt is not None else Frame(self.t_span, self.view, self.stiff)


class SystemField:
    """The field f(t, y) of one system with fixed parameters, for NumPy arrays and torch tensors.

    `y` has shape (..., dim) and any float dtype, which the result keeps. `t` is a float or an array; with as
    many axes as `y` its last axis must have size 1 (per-sample times are (batch, 1)), with fewer it
    broadcasts against the batch. Autograd flows through the torch path. Overflow gives inf silently: the
    solver reports explosions. Made by `System.field`.
    """

    __slots__ = ("_rhs", "dim", "p", "system")

    # What solvers may give it: arrays of NumPy's beside tensors, and times as plain floats.
    accepts_numpy = True
    accepts_float_time = True

    def __init__(self, system: System, p: Parameters) -> None:
        self.system = system
        self.p = dict(p)
        self.dim = system.dim
        self._rhs = system.rhs

    @property
    def autonomous(self) -> bool:
        """Whether f does not depend on t."""
        return self.system.autonomous

    @property
    def jumps(self) -> tuple[float, ...]:
        """The times at which f jumps: `node_core.odeint` takes them as `jumps=`."""
        return self.system.jumps(self.p) if self.system.jumps is not None else ()

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:g}" for name, value in self.p.items())
        return f"<{self.system.key} field({values})>"

    def __call__(self, t: Any, y: Array) -> Array:
        """dy/dt, shaped like `y`. Raises ValueError when the last axis of `y` is not `dim`."""
        t, y, components, xp = self._prepare(t, y)
        if xp is not np:
            return stack_last(xp, self._rhs(t, components, self.p, xp), components[0])
        return self._numpy_rhs(t, y, components)

    @np.errstate(all="ignore")  # as a decorator: half the price of a with block
    def _numpy_rhs(self, t: Any, y: np.ndarray, components: Components) -> np.ndarray:
        values = self._rhs(t, components, self.p, np)
        if y.ndim == 1:
            return np.array(values, dtype=y.dtype)
        out = np.empty_like(y)
        for i, value in enumerate(values):
            out[..., i] = value
        return out

    def jacobian(self, t: Any, y: Array) -> Array:
        """df/dy of shape (..., dim, dim), row i holding the derivatives of component i.

        Raises ValueError when the system has no analytic Jacobian.
        """
        if self.system.jacobian is None:
            raise ValueError(
                f"{self.system.name} has no analytic Jacobian; let the solver differentiate the field"
            )
        t, y, components, xp = self._prepare(t, y)
        if xp is not np:
            rows = self.system.jacobian(t, components, self.p, xp)
            flat = stack_last(xp, [entry for row in rows for entry in row], components[0])
            return flat.reshape(*y.shape, self.dim)
        return self._numpy_jacobian(self.system.jacobian, t, y, components)

    @np.errstate(all="ignore")
    def _numpy_jacobian(
        self, jacobian: JacobianRows, t: Any, y: np.ndarray, components: Components
    ) -> np.ndarray:
        rows = jacobian(t, components, self.p, np)
        if y.ndim == 1:
            return np.array(rows, dtype=y.dtype)
        out = np.empty((*y.shape, self.dim), dtype=y.dtype)
        for i, row in enumerate(rows):
            for j, entry in enumerate(row):
                out[..., i, j] = entry
        return out

    @property
    def has_jacobian(self) -> bool:
        """Whether `jacobian` can be called."""
        return self.system.jacobian is not None

    def exact(self, t: np.ndarray, y0: Sequence[float] | np.ndarray, t0: float = 0.0) -> np.ndarray | None:
        """The exact states (time, dim) with y(t0) = y0, or None where no formula is known."""
        if self.system.exact is None:
            return None
        return self.system.exact(np.asarray(t, dtype=float), y0, self.p, t0)

    def _prepare(self, t: Any, y: Any) -> tuple[Any, Array, Components, ModuleType]:
        """Bring t and y into one namespace and take y apart: components have the batch shape."""
        xp = namespace_of(y)
        if xp is np:
            if not isinstance(y, np.ndarray):
                y = np.asarray(y)
            if y.dtype.kind not in "fc":
                y = y.astype(np.float64)
            if not isinstance(t, (float, int)):
                t = np.asarray(t)
        else:
            if not (y.is_floating_point() or y.is_complex()):
                y = y.to(xp.get_default_dtype())
            if isinstance(t, np.generic):
                t = t.item()
            elif isinstance(t, np.ndarray):
                t = xp.as_tensor(t, dtype=y.dtype, device=y.device)
        if y.ndim == 0 or y.shape[-1] != self.dim:
            raise ValueError(
                f"{self.system.name} has {self.dim} state(s), but y has shape {tuple(y.shape)}; "
                f"give y a last axis of size {self.dim}"
            )
        if not isinstance(t, (float, int)) and t.ndim == y.ndim:
            t = self._drop_last_axis(t)
        if xp is not np:
            return t, y, y.unbind(-1), xp
        components = tuple(y) if y.ndim == 1 else tuple(y[..., i] for i in range(self.dim))
        return t, y, components, np

    @staticmethod
    def _drop_last_axis(t: Array) -> Array:
        if t.shape[-1] != 1:
            raise ValueError(f"t has shape {tuple(t.shape)}; give one time a sample, shape (batch, 1)")
        return t[..., 0]


class _CallableRhs:
    """A field on whole states, seen as a right-hand side on components (a class, so that it pickles)."""

    def __init__(self, f: Callable[[Any, Array], Array]) -> None:
        self.f = f

    def __call__(self, t: Any, y: Components, p: Parameters, xp: ModuleType) -> tuple[Any, ...]:
        # states on the last axis again; arrays of times get the axis back that SystemField took
        if getattr(t, "ndim", 0) > 0:
            t = t[..., None]
        out = self.f(t, stack_last(xp, y, y[0]))
        return tuple(out[..., i] for i in range(len(y)))


def system_from_callable(
    f: Callable[[Any, Array], Array],
    *,
    key: str,
    name: str,
    latex: str,
    look_for: str,
    y0: tuple[float, ...],
    t_span: Interval,
    view: tuple[Interval, Interval],
    state_names: tuple[str, ...] | None = None,
    stiff: bool = False,
    jacobian: JacobianRows | None = None,
) -> System:
    """A parameter-free System around any callable f(t, y), for instance a trained network.

    `f` must return an array shaped like `y`, (..., dim), for every namespace that it will be used with.
    """
    names = state_names or tuple(f"y{i + 1}" for i in range(len(y0)))
    return System(
        key=key,
        name=name,
        latex=latex,
        look_for=look_for,
        dim=len(y0),
        state_names=names,
        parameters=(),
        y0=y0,
        t_span=t_span,
        view=view,
        stiff=stiff,
        rhs=_CallableRhs(f),
        jacobian=jacobian,
    )
