"""The methods that `odeint` knows, in the order in which people meet them. Loads no array library."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from node_core.solvers.tableau import ButcherTableau
from node_core.solvers.tableaus import TABLEAUS

Family = Literal["explicit", "implicit", "scipy"]


@dataclass(frozen=True)
class Method:
    """What is known of a method before it runs.

    Attributes:
        name: its name in `odeint(method=...)`.
        label: its name for people.
        family: "explicit" (one tableau), "implicit" (solves linear systems) or "scipy" (a reference).
        order: order of the solution it goes on with; the highest one where the method varies its order.
        error_order: order of the embedded solution; 0 without one, and for methods that vary their order.
        adaptive: whether it chooses its steps (`rtol`, `atol`) or takes `dt`.
        description: one line.
        tableau: the coefficients of an explicit method, else None.
        stiff: whether it is made for stiff problems.
    """

    name: str
    label: str
    family: Family
    order: int
    error_order: int
    adaptive: bool
    description: str
    tableau: ButcherTableau | None = None
    stiff: bool = False


def _explicit(name: str, label: str, description: str) -> Method:
    """Take the facts of an explicit method from its tableau, so that they cannot disagree."""
    tableau = TABLEAUS[name]
    return Method(
        name=name,
        label=label,
        family="explicit",
        order=tableau.order,
        error_order=tableau.error_order,
        adaptive=tableau.adaptive,
        description=description,
        tableau=tableau,
    )


_ALL = (
    _explicit("euler", "Euler", "Follows the tangent: one evaluation a step, first order."),
    _explicit("midpoint", "Midpoint", "Goes half a step to find the slope for the whole one; second order."),
    _explicit("heun", "Heun", "Averages the slopes at both ends of the step; second order."),
    _explicit("ralston", "Ralston", "The two-stage method with the smallest error bound; second order."),
    _explicit("rk4", "Runge-Kutta 4", "The classical Runge-Kutta method: four stages, fourth order."),
    _explicit(
        "rk4_38", "Runge-Kutta 3/8", "Kutta's other fourth-order method: a bit more accurate than rk4."
    ),
    _explicit("bosh3", "Bogacki-Shampine 3(2)", "Cheap adaptive steps; good at loose tolerances."),
    _explicit("fehlberg45", "Fehlberg 5(4)", "The first widely used embedded pair; six stages."),
    _explicit("dopri5", "Dormand-Prince 5(4)", "The usual choice for problems that are not stiff."),
    _explicit("tsit5", "Tsitouras 5(4)", "As cheap as dopri5, with smaller error coefficients."),
    _explicit(
        "dopri8", "Dormand-Prince 8(7)", "Thirteen stages; the best for tight tolerances on smooth fields."
    ),
    Method(
        name="implicit_euler",
        label="Implicit Euler",
        family="implicit",
        order=1,
        error_order=0,
        adaptive=False,
        description="Uses the slope at the end of the step: damps everything stiff, first order.",
        stiff=True,
    ),
    Method(
        name="trapezoid",
        label="Trapezoidal rule",
        family="implicit",
        order=2,
        error_order=0,
        adaptive=False,
        description="Averages the slopes at both ends, the new one implicitly: stable, but does not damp.",
        stiff=True,
    ),
    Method(
        name="rodas5p",
        label="Rodas5P",
        family="implicit",
        order=5,
        error_order=4,
        adaptive=True,
        description="Adaptive Rosenbrock method for stiff problems: linear systems, no Newton iteration.",
        stiff=True,
    ),
    Method(
        name="scipy_lsoda",
        label="LSODA (SciPy)",
        family="scipy",
        order=12,
        error_order=0,
        adaptive=True,
        description="Multistep reference that switches between Adams and BDF when the problem turns stiff.",
        stiff=True,
    ),
    Method(
        name="scipy_radau",
        label="Radau IIA (SciPy)",
        family="scipy",
        order=5,
        error_order=3,
        adaptive=True,
        description="Implicit Runge-Kutta reference of fifth order for stiff problems.",
        stiff=True,
    ),
    Method(
        name="scipy_adams",
        label="Adams (SciPy VODE)",
        family="scipy",
        order=12,
        error_order=0,
        adaptive=True,
        description="Variable-order Adams-Moulton reference, the solver that the Neural ODE paper used.",
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}


def method_named(name: str) -> Method:
    """Look a method up by its name.

    Raises:
        ValueError: if there is none; names the closest match and all methods.
    """
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    closest = difflib.get_close_matches(str(name).lower(), METHODS, n=1, cutoff=0.5)
    hint = f"did you mean {closest[0]!r}? All methods" if closest else "choose one of"
    raise ValueError(f"Unknown method {name!r}: {hint}: {', '.join(METHODS)}.")
