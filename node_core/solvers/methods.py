"""The methods that `odeint` knows, in the order in which people meet them. Loads no array library."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from node_core.solvers.tableaus.tableau import ButcherTableau
from node_core.solvers.tableaus.tableaus import TABLEAUS

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


# What other libraries call their methods, in lower case without signs, and what does the same here ...
_SAME_ELSEWHERE = {
    "dopri5": ("rk45", "ode45", "dp5", "dormandprince", "dormandprince54"),
    "bosh3": ("rk23", "ode23", "bs3", "bogackishampine", "bogackishampine32"),
    "dopri8": ("dop853", "rk853"),
    "fehlberg45": ("rkf45", "rkf54", "fehlberg"),
    "tsit5": ("tsitouras", "tsitouras54"),
    "rk4": ("rk4classic", "rungekutta4"),
    "euler": ("forwardeuler", "expliciteuler"),
    "heun": ("heun2", "improvedeuler"),
    "implicit_euler": ("backwardeuler", "bdf1"),
    "trapezoid": ("trapezoidal", "cranknicolson", "ode23t"),
    "scipy_radau": ("radau", "radau5", "radauiia5"),
    "scipy_lsoda": ("lsoda", "odeint"),
    "scipy_adams": ("vode", "zvode", "ode113", "cvodeadams", "explicitadams", "implicitadams", "fixedadams"),
}
# ... or comes next to it.
_NEAR_ELSEWHERE = {
    "rodas5p": (
        *("bdf", "ndf", "qndf", "fbdf", "cvodebdf", "ode15s", "ode23s", "ode23tb", "trbdf2", "rosenbrock23"),
        *(
            "rodas4",
            "rodas5",
            "kvaerno3",
            "kvaerno4",
            "kvaerno5",
            "kencarp3",
            "kencarp4",
            "kencarp5",
            "sdirk2",
        ),
        *("gl2", "gl4", "gl6", "radauiia3"),
    ),
    "dopri8": ("ode78", "ode89", "vern6", "vern7", "vern8", "vern9"),
    "bosh3": ("adaptiveheun", "fehlberg2", "heun3", "ssprk3"),
    "midpoint": ("reversibleheun", "leapfrog", "leapfrogmidpoint", "asynchronousleapfrog", "alf"),
}


def method_named(name: str) -> Method:
    """Look a method up by its name.

    Raises:
        ValueError: if there is none; names what another library's name stands for, or the closest match.
    """
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    raise ValueError(f"Unknown method {name!r}: {_hint(str(name))}: {', '.join(METHODS)}.")


def _hint(name: str) -> str:
    """What was probably meant."""
    bare = "".join(c for c in name.lower() if c.isalnum())
    for ours, others in _SAME_ELSEWHERE.items():
        if bare in others:
            return f"here it is called {ours!r}. All methods"
    for ours, others in _NEAR_ELSEWHERE.items():
        if bare in others:
            stiff = " (or 'scipy_radau' and 'scipy_lsoda' of SciPy)" if METHODS[ours].stiff else ""
            return f"there is none here, {ours!r} comes next to it{stiff}. All methods"
    closest = difflib.get_close_matches(name.lower(), METHODS, n=1, cutoff=0.5)
    return f"did you mean {closest[0]!r}? All methods" if closest else "choose one of"
