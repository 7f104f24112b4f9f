"""The methods that `odeint` knows, in the order in which people meet them. Loads no array library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from node_core.solvers.elsewhere import meant_by
from node_core.solvers.tableaus.splittings import SPLITTINGS, Splitting
from node_core.solvers.tableaus.tableau import ButcherTableau
from node_core.solvers.tableaus.tableaus import TABLEAUS

Family = Literal["explicit", "symplectic", "implicit", "scipy"]


@dataclass(frozen=True)
class Method:
    """What is known of a method before it runs.

    Attributes:
        name: its name in `odeint(method=...)`.
        label: its name for people.
        family: "explicit" (one tableau), "symplectic" (kicks and drifts of a separable field), "implicit" (solves
            linear systems) or "scipy" (a reference).
        order: order of the solution it goes on with; the highest one where the method varies its order.
        error_order: order of the embedded solution; 0 without one, and for methods that vary their order.
        adaptive: whether it chooses its steps (`rtol`, `atol`) or takes `dt`.
        description: one line.
        tableau: the coefficients of an explicit method, else None.
        splitting: the coefficients of a symplectic method, else None.
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
    splitting: Splitting | None = None
    stiff: bool = False


def _explicit(name: str, label: str, description: str) -> Method:
    return _facts(TABLEAUS[name], label, description)


def _facts(tableau: ButcherTableau, label: str, description: str) -> Method:
    """Take the facts of an explicit method from its tableau, so that they cannot disagree."""
    return Method(
        name=tableau.name,
        label=label,
        family="explicit",
        order=tableau.order,
        error_order=tableau.error_order,
        adaptive=tableau.adaptive,
        description=description,
        tableau=tableau,
    )


def _symplectic(name: str, label: str, description: str) -> Method:
    splitting = SPLITTINGS[name]
    return Method(name, label, "symplectic", splitting.order, 0, False, description, splitting=splitting)


_ALL = (
    _explicit("euler", "Euler", "Follows the tangent: one evaluation a step, first order."),
    _explicit("midpoint", "Midpoint", "Goes half a step to find the slope for the whole one; second order."),
    _explicit("heun", "Heun", "Averages the slopes at both ends of the step; second order."),
    _explicit("ralston", "Ralston", "The two-stage method with the smallest error bound; second order."),
    _explicit("heun3", "Heun 3", "Heun's method of three stages, of which the end weighs two; third order."),
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
    _symplectic(
        "semi_implicit_euler",
        "Symplectic Euler",
        "Kicks, then drifts with the new speed: as cheap as Euler, and energy does not drift; first order.",
    ),
    _symplectic(
        "leapfrog",
        "Leapfrog (Verlet)",
        "Velocity Verlet: one force a step, the way back is the way there, energy does not drift; second order.",
    ),
    _symplectic("yoshida4", "Yoshida 4", "Three leapfrogs, the middle one backward; fourth order."),
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


def method_named(method: str | ButcherTableau) -> Method:
    """Look a method up by its name, or make one of a tableau, whose order is checked.

    Raises:
        ValueError: if there is none; names what another library's name stands for, or the closest match. A tableau
            that is not of the order it claims, or that has the name of another method.
    """
    if isinstance(method, ButcherTableau):
        return _of_tableau(method)
    if isinstance(method, str) and method in METHODS:
        return METHODS[method]
    raise ValueError(f"Unknown method {method!r}: {meant_by(method, METHODS)}: {', '.join(METHODS)}.")


@lru_cache(maxsize=64)
def _of_tableau(tableau: ButcherTableau) -> Method:
    known = METHODS.get(tableau.name)
    if known is not None and known.tableau == tableau:
        return known
    if known is not None:
        raise ValueError(
            f"A tableau of your own is called {tableau.name!r}, as a method of the library is: give it another name."
        )
    tableau.check_order()
    return _facts(tableau, tableau.name, tableau.source or "A tableau of one's own.")
