"""The registry of systems: `SYSTEMS["van_der_pol"].field(mu=100.0)` is a vector field f(t, y).

The equations stand in `node_core.fields.systems.classical`, the types in `node_core.fields.systems.system`.
Torch-free at import: the server process of the app reads this module.
"""

from __future__ import annotations

import math

from node_core.fields.systems import classical
from node_core.fields.systems.learned import learned, learned_jacobian
from node_core.fields.systems.system import (
    Frame,
    Parameter,
    Parameters,
    System,
    SystemField,
    system_from_callable,
)

__all__ = [
    "SYSTEMS",
    "Frame",
    "Parameter",
    "System",
    "SystemField",
    "get_system",
    "system_from_callable",
]


def _aligned(*rows: str) -> str:
    return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"


LINEAR_DECAY = System(
    key="linear_decay",
    name="Linear decay",
    latex=r"\dot y = -\lambda\, y",
    look_for="An explicit method explodes once the step times λ leaves its stability interval, "
    "though the solution only decays.",
    dim=1,
    state_names=("y",),
    parameters=(Parameter("rate", r"\lambda", 1.0, 0.01, 1000.0, log=True),),
    y0=(1.0,),
    t_span=(0.0, 5.0),
    view=((0.0, 5.0), (-1.5, 1.5)),
    stiff=False,
    autonomous=True,
    rhs=classical.decay,
    jacobian=classical.decay_jacobian,
    exact=classical.decay_exact,
    dt=0.5,
)

LINEAR_SPIRAL = System(
    key="linear_spiral",
    name="Linear spiral",
    latex=_aligned(r"\dot x &= a\,x - b\,y", r"\dot y &= b\,x + a\,y"),
    look_for="With a < 0 the path winds inwards; Euler with a large step winds outwards instead.",
    dim=2,
    state_names=("x", "y"),
    parameters=(
        Parameter("a", "a", -0.1, -2.0, 1.0, step=0.05),
        Parameter("b", "b", 2.0, -10.0, 10.0, step=0.1),
    ),
    y0=(2.0, 0.0),
    t_span=(0.0, 15.0),
    view=((-2.5, 2.5), (-2.5, 2.5)),
    stiff=False,
    autonomous=True,
    rhs=classical.spiral,
    jacobian=classical.spiral_jacobian,
    exact=classical.spiral_exact,
    dt=0.1,
)

HARMONIC_OSCILLATOR = System(
    key="harmonic_oscillator",
    name="Harmonic oscillator",
    latex=_aligned(r"\dot x &= v", r"\dot v &= -\omega^2 x"),
    look_for="The exact path closes: a method that gains energy spirals out, one that loses it in.",
    dim=2,
    state_names=("x", "v"),
    parameters=(Parameter("omega", r"\omega", 1.0, 0.1, 10.0, step=0.1),),
    y0=(1.0, 0.0),
    t_span=(0.0, 20.0),
    view=((-2.0, 2.0), (-2.0, 2.0)),
    stiff=False,
    autonomous=True,
    rhs=classical.oscillator,
    jacobian=classical.oscillator_jacobian,
    exact=classical.oscillator_exact,
    dt=0.15,
)

PENDULUM = System(
    key="pendulum",
    name="Pendulum",
    latex=_aligned(r"\dot\theta &= v", r"\dot v &= -\omega^2 \sin\theta - c\,v"),
    look_for="Near the upper equilibrium the pendulum lingers and the adaptive steps grow; "
    "an inaccurate method tips it over the top.",
    dim=2,
    state_names=("theta", "v"),
    parameters=(
        Parameter("omega", r"\omega", 1.0, 0.1, 5.0, step=0.1),
        Parameter("damping", "c", 0.0, 0.0, 2.0, step=0.05),
    ),
    y0=(2.8, 0.0),
    t_span=(0.0, 25.0),
    view=((-4.0, 4.0), (-3.0, 3.0)),
    stiff=False,
    autonomous=True,
    rhs=classical.pendulum,
    jacobian=classical.pendulum_jacobian,
    exact=classical.pendulum_exact,
    dt=0.1,
)

LOTKA_VOLTERRA = System(
    key="lotka_volterra",
    name="Lotka-Volterra",
    latex=_aligned(r"\dot x &= \alpha\,x - \beta\,x y", r"\dot y &= \delta\,x y - \gamma\,y"),
    look_for="Prey and predators follow a closed loop; "
    "steps shorten at its sharp corner and a poor method drifts off it.",
    dim=2,
    state_names=("x", "y"),
    parameters=(
        Parameter("alpha", r"\alpha", 1.5, 0.1, 5.0, step=0.1),
        Parameter("beta", r"\beta", 1.0, 0.1, 5.0, step=0.1),
        Parameter("gamma", r"\gamma", 3.0, 0.1, 5.0, step=0.1),
        Parameter("delta", r"\delta", 1.0, 0.1, 5.0, step=0.1),
    ),
    y0=(1.0, 1.0),
    t_span=(0.0, 12.0),
    view=((0.0, 8.0), (0.0, 6.0)),
    stiff=False,
    autonomous=True,
    rhs=classical.lotka_volterra,
    jacobian=classical.lotka_volterra_jacobian,
    dt=0.05,
)


def _van_der_pol_frame(p: Parameters) -> Frame:
    """Two periods, about 2 pi + (3 - 2 ln 2) mu each; y peaks near 4 mu / 3 on the fast jumps."""
    mu = p["mu"]
    t1 = float(f"{2.1 * (2 * math.pi + (3 - 2 * math.log(2)) * mu):.2g}")
    height = 2.5 + 1.5 * mu
    return Frame((0.0, t1), ((-3.0, 3.0), (-height, height)), mu >= 50.0)


VAN_DER_POL = System(
    key="van_der_pol",
    name="Van der Pol",
    latex=_aligned(r"\dot x &= y", r"\dot y &= \mu\,(1 - x^2)\,y - x"),
    look_for="Long slow stretches end in sudden jumps: steps crowd at the jumps, "
    "and with large μ an explicit method stays slow everywhere.",
    dim=2,
    state_names=("x", "y"),
    parameters=(Parameter("mu", r"\mu", 5.0, 0.0, 1000.0, log=True),),
    y0=(2.0, 0.0),
    t_span=(0.0, 30.0),
    view=((-3.0, 3.0), (-10.0, 10.0)),
    stiff=False,
    autonomous=True,
    rhs=classical.van_der_pol,
    jacobian=classical.van_der_pol_jacobian,
    adapt=_van_der_pol_frame,
    dt=0.05,
)

LORENZ = System(
    key="lorenz",
    name="Lorenz",
    latex=_aligned(r"\dot x &= \sigma\,(y - x)", r"\dot y &= x\,(\rho - z) - y", r"\dot z &= x y - \beta\,z"),
    look_for="Two methods agree a while, then part for good: chaos multiplies every error, however small.",
    dim=3,
    state_names=("x", "y", "z"),
    parameters=(
        Parameter("sigma", r"\sigma", 10.0, 0.0, 30.0, step=0.5),
        Parameter("rho", r"\rho", 28.0, 0.0, 100.0, step=0.5),
        Parameter("beta", r"\beta", 8.0 / 3.0, 0.0, 10.0, step=0.1),
    ),
    y0=(1.0, 1.0, 1.0),
    t_span=(0.0, 25.0),
    view=((-25.0, 25.0), (0.0, 55.0)),
    stiff=False,
    autonomous=True,
    rhs=classical.lorenz,
    jacobian=classical.lorenz_jacobian,
    plane=(0, 2),
    dt=0.01,
)

FITZHUGH_NAGUMO = System(
    key="fitzhugh_nagumo",
    name="FitzHugh-Nagumo",
    latex=_aligned(r"\dot v &= v - \tfrac{v^3}{3} - w + I", r"\dot w &= \varepsilon\,(v + a - b\,w)"),
    look_for="A nerve cell fires: "
    "between the spikes the steps are long, at each rise and fall of v they are short.",
    dim=2,
    state_names=("v", "w"),
    parameters=(
        Parameter("current", "I", 0.5, -1.0, 2.0, step=0.05),
        Parameter("epsilon", r"\varepsilon", 0.08, 0.001, 1.0, log=True),
        Parameter("a", "a", 0.7, 0.0, 1.5, step=0.05),
        Parameter("b", "b", 0.8, 0.0, 1.5, step=0.05),
    ),
    y0=(-1.0, 1.0),
    t_span=(0.0, 150.0),
    view=((-2.5, 2.5), (-1.0, 2.2)),
    stiff=False,
    autonomous=True,
    rhs=classical.fitzhugh_nagumo,
    jacobian=classical.fitzhugh_nagumo_jacobian,
    dt=0.5,
)

ROBERTSON = System(
    key="robertson",
    name="Robertson",
    latex=_aligned(
        r"\dot y_1 &= -k_1 y_1 + k_3\,y_2 y_3",
        r"\dot y_2 &= k_1 y_1 - k_3\,y_2 y_3 - k_2\,y_2^2",
        r"\dot y_3 &= k_2\,y_2^2",
    ),
    look_for="Nothing seems to happen, yet explicit methods crawl: "
    "the fast reaction limits their step long after it is over.",
    dim=3,
    state_names=("y1", "y2", "y3"),
    parameters=(
        Parameter("k1", "k_1", 0.04, 0.001, 1.0, log=True),
        Parameter("k2", "k_2", 3e7, 1e3, 1e9, log=True),
        Parameter("k3", "k_3", 1e4, 10.0, 1e6, log=True),
    ),
    y0=(1.0, 0.0, 0.0),
    t_span=(0.0, 1e4),
    view=((-0.05, 1.05), (-2e-6, 4e-5)),
    stiff=True,
    autonomous=True,
    rhs=classical.robertson,
    jacobian=classical.robertson_jacobian,
    log_time=True,
    dt=10.0,
    # y2 is some 1e-5: with atol = rtol nothing would hold it, and explicit methods blow up at once
    atol_ratio=1e-6,
)

SUDDEN_BEND = System(
    key="sudden_bend",
    name="Sudden bend",
    latex=_aligned(
        r"\dot x &= -0.15\,x - \omega(t)\,y",
        r"\dot y &= \omega(t)\,x - 0.15\,y",
        r"\omega(t) &= -\omega_0 \tanh\bigl(s\,(t - t_b)\bigr)",
    ),
    look_for="The rotation turns round at one moment: the adaptive method shortens its steps exactly there, "
    "a fixed step runs past it.",
    dim=2,
    state_names=("x", "y"),
    parameters=(
        Parameter("bend", "t_b", 3.0, 0.5, 6.0, step=0.1),
        Parameter("sharpness", "s", 50.0, 1.0, 1000.0, log=True),
        Parameter("rate", r"\omega_0", 1.2, 0.1, 5.0, step=0.1),
    ),
    y0=(1.0, 0.0),
    t_span=(0.0, 6.0),
    view=((-1.2, 1.2), (-1.2, 1.2)),
    stiff=False,
    rhs=classical.bend,
    jacobian=classical.bend_jacobian,
    exact=classical.bend_exact,
    dt=0.1,
)

STRUCK_OSCILLATOR = System(
    key="struck_oscillator",
    name="Struck oscillator",
    latex=_aligned(
        r"\dot x &= v",
        r"\dot v &= -\omega^2 x - c\,v + \tfrac{1}{w}\,\bigl[\,t_s \le t < t_s + w\,\bigr]",
    ),
    look_for="A method knows f only where it asks: it misses a short blow between two steps, or takes it for as long "
    "as its own step.",
    dim=2,
    state_names=("x", "v"),
    parameters=(
        Parameter("strike", "t_s", 5.0, 0.0, 20.0, step=0.1),
        Parameter("width", "w", 0.01, 0.001, 2.0, log=True),
        Parameter("omega", r"\omega", 1.0, 0.1, 5.0, step=0.1),
        Parameter("damping", "c", 0.2, 0.0, 2.0, step=0.05),
    ),
    y0=(0.0, 0.0),
    t_span=(0.0, 20.0),
    view=((-1.2, 1.2), (-1.2, 1.2)),
    stiff=False,
    rhs=classical.struck_oscillator,
    jacobian=classical.struck_oscillator_jacobian,
    exact=classical.struck_oscillator_exact,
    jumps=classical.struck_oscillator_jumps,
    dt=0.1,
)

LEARNED = System(
    key="learned",
    name="Learned spiral (ODE-Net)",
    latex=r"(\dot x, \dot y)^{\top} = W_2 \tanh\bigl(W_1 (x, y)^{\top} + b_1\bigr) + b_2",
    look_for="A net has learned this field from spirals; the solver does not care where a field comes from.",
    dim=2,
    state_names=("x", "y"),
    parameters=(),
    y0=(0.25, 0.0),
    t_span=(0.0, 8.0),
    view=((-1.3, 1.3), (-1.3, 1.3)),
    stiff=False,
    autonomous=True,
    rhs=learned,
    jacobian=learned_jacobian,
    dt=0.2,
)

SYSTEMS: dict[str, System] = {
    system.key: system
    for system in (
        LINEAR_DECAY,
        LINEAR_SPIRAL,
        HARMONIC_OSCILLATOR,
        PENDULUM,
        LOTKA_VOLTERRA,
        VAN_DER_POL,
        LORENZ,
        FITZHUGH_NAGUMO,
        ROBERTSON,
        SUDDEN_BEND,
        STRUCK_OSCILLATOR,
        LEARNED,
    )
}
"""Every built-in system by its key. Read-only by agreement."""


def get_system(key: str) -> System:
    """The system with this key. Raises ValueError listing the keys."""
    try:
        return SYSTEMS[key]
    except KeyError:
        raise ValueError(f"there is no system {key!r}; choose one of {', '.join(SYSTEMS)}") from None
