"""The plants of the lesson, by their keys: `PLANTS`. Loads no torch.

The cart-pole is that of Barto, Sutton and Anderson (1983) without friction, its pole a mass at the end of a rod; the
unicycle and its target are standard in robotics (Siegwart and Nourbakhsh, chapter 3); predators that are harvested are
Goh's (1980) way to hold a Lotka-Volterra system at a point.
"""

from __future__ import annotations

import math
from types import ModuleType

from node_core.models.control.plant import Components, Constant, Control, Plant, State, Task, Values

UPRIGHT = math.radians(5.0)
"""A pole within 5 degrees counts as upright."""


def pendulum(x: Components, u: Components, p: Values, xp: ModuleType) -> Components:
    """A mass on a massless rod, driven at its pivot."""
    theta, omega = x
    inertia = p["mass"] * p["length"] ** 2
    return omega, xp.sin(theta) * (p["gravity"] / p["length"]) + (u[0] - omega * p["friction"]) * (
        1.0 / inertia
    )


def pendulum_energy(x: Components, p: Values, xp: ModuleType) -> object:
    """Kinetic and potential energy (J), the pivot at height 0."""
    theta, omega = x
    kinetic = 0.5 * p["mass"] * p["length"] ** 2 * omega**2
    return kinetic + p["mass"] * p["gravity"] * p["length"] * xp.cos(theta)


def cart_pole(x: Components, u: Components, p: Values, xp: ModuleType) -> Components:
    """A pole that is balanced by pushing the cart on which it stands."""
    _, speed, theta, omega = x
    sin, cos = xp.sin(theta), xp.cos(theta)
    mass, length, gravity = p["mass"], p["length"], p["gravity"]
    push = u[0] + sin * (omega * omega * (mass * length) - cos * (mass * gravity))
    acceleration = push / (sin * sin * mass + p["cart"])
    return speed, acceleration, omega, (sin * gravity - cos * acceleration) * (1.0 / length)


def cart_pole_energy(x: Components, p: Values, xp: ModuleType) -> object:
    """Kinetic and potential energy (J), the pivot at height 0."""
    _, speed, theta, omega = x
    mass, length, cos = p["mass"], p["length"], xp.cos(theta)
    kinetic = 0.5 * (p["cart"] + mass) * speed**2 + 0.5 * mass * length**2 * omega**2
    return kinetic + mass * length * speed * omega * cos + mass * p["gravity"] * length * cos


def unicycle(x: Components, u: Components, p: Values, xp: ModuleType) -> Components:
    """It rolls where it points, and turns."""
    _, _, heading = x
    ahead = u[0] * (1.0 - p["slip"])
    return ahead * xp.cos(heading), ahead * xp.sin(heading), u[1]


def lotka_volterra(x: Components, u: Components, p: Values, xp: ModuleType) -> Components:
    """Prey and predators over their equilibrium; the control takes predators away, or sets some free."""
    prey, predators = x
    growth = (1.0 - predators) * p["alpha"]
    return prey * growth, predators * ((prey - 1.0) * p["gamma"] - u[0])


def lotka_volterra_energy(x: Components, p: Values, xp: ModuleType) -> object:
    """Volterra's constant of motion (1/year)."""
    prey, predators = x
    return p["gamma"] * (prey - xp.log(prey)) + p["alpha"] * (predators - xp.log(predators))


PENDULUM = Plant(
    "pendulum",
    "Pendulum",
    r"m\ell^2\,\ddot\theta = m g \ell \sin\theta - c\,\dot\theta + u",
    "The motor is too weak to lift it: watch the net learn to swing it up.",
    states=(
        State("theta", r"\theta", "rad", angle=True, tolerance=UPRIGHT),
        State("omega", r"\dot\theta", "rad/s", scale=4.0, weight=0.5, moving=True),
    ),
    controls=(Control("torque", "u", "N m", 5.0, 20.0),),
    parameters=(
        Constant("mass", "m", 1.0, 0.2, 3.0, 0.1, unit="kg"),
        Constant("length", r"\ell", 1.0, 0.3, 2.0, 0.1, unit="m"),
        Constant("gravity", "g", 9.81, 0.0, 25.0, unit="m/s²"),
        Constant("friction", "c", 0.0, 0.0, 2.0, 0.1, unit="N m s"),
    ),
    tasks=(
        Task("swing_up", "Swing up", (-math.pi, -1.0), (math.pi, 1.0), 5.0, 8.0, (math.pi - 0.1, 0.0), False),
        Task("balance", "Balance", (-0.4, -0.5), (0.4, 0.5), 3.0, 4.0, (0.4, 0.0)),
    ),
    plane=(0, 1),
    view=((-math.pi, math.pi), (-8.0, 8.0)),
    rates=pendulum,
    energy=pendulum_energy,
)
CART_POLE = Plant(
    "cart_pole",
    "Cart-pole",
    r"\begin{aligned} (M + m\sin^2\theta)\,\ddot x &= u + m\ell\,\dot\theta^2\sin\theta - m g \sin\theta\cos\theta"
    r"\\ \ell\,\ddot\theta &= g\sin\theta - \ddot x\cos\theta \end{aligned}",
    "To straighten a pole that leans to the right, the cart must first run further to the right.",
    states=(
        State("x", "x", "m", scale=2.0, weight=0.4),
        State("v", r"\dot x", "m/s", scale=2.0, weight=0.2, moving=True),
        State("theta", r"\theta", "rad", angle=True, weight=2.0, tolerance=UPRIGHT),
        State("omega", r"\dot\theta", "rad/s", scale=4.0, weight=0.4, moving=True),
    ),
    controls=(Control("force", "u", "N", 10.0, 40.0),),
    parameters=(
        Constant("cart", "M", 1.0, 0.2, 5.0, 0.1, unit="kg"),
        Constant("mass", "m", 0.1, 0.02, 1.0, 0.02, unit="kg"),
        Constant("length", r"\ell", 0.5, 0.2, 2.0, 0.1, unit="m"),
        Constant("gravity", "g", 9.81, 0.0, 25.0, unit="m/s²"),
    ),
    tasks=(
        Task(
            "balance",
            "Balance",
            (-0.5, -0.5, -0.5, -0.5),
            (0.5, 0.5, 0.5, 0.5),
            3.0,
            5.0,
            (0.0, 0.0, 0.4, 0.0),
        ),
        Task(
            "swing_up",
            "Swing up",
            (-0.5, -0.5, -math.pi, -0.5),
            (0.5, 0.5, math.pi, 0.5),
            4.0,
            6.0,
            (0.0, 0.0, math.pi - 0.1, 0.0),
            growing=False,
        ),
    ),
    plane=(2, 3),
    view=((-math.pi, math.pi), (-8.0, 8.0)),
    rates=cart_pole,
    energy=cart_pole_energy,
)
UNICYCLE = Plant(
    "unicycle",
    "Unicycle",
    r"\dot x = (1 - s)\,u_1\cos\varphi, \quad \dot y = (1 - s)\,u_1\sin\varphi, \quad \dot\varphi = u_2",
    "It can't move sideways: see where it turns first, and where it drives backwards.",
    states=(
        State("x", "x", "m", scale=2.0, weight=4.0, tolerance=0.1),
        State("y", "y", "m", scale=2.0, weight=4.0, tolerance=0.1),
        State("heading", r"\varphi", "rad", angle=True, weight=0.0),
    ),
    controls=(
        Control("speed", "u_1", "m/s", 1.0, 5.0),
        Control("turning", "u_2", "rad/s", 2.0, 10.0),
    ),
    parameters=(Constant("slip", "s", 0.0, 0.0, 0.5, 0.05),),
    tasks=(
        Task(
            "reach",
            "Reach the target",
            (-2.0, -2.0, -math.pi),
            (2.0, 2.0, math.pi),
            4.0,
            6.0,
            (-1.5, 1.0, 1.0),
        ),
    ),
    plane=(0, 1),
    view=((-2.5, 2.5), (-2.5, 2.5)),
    rates=unicycle,
    linear=False,
)
LOTKA_VOLTERRA = Plant(
    "lotka_volterra",
    "Lotka-Volterra",
    r"\dot x = \alpha x\,(1 - y), \qquad \dot y = \gamma y\,(x - 1) - u y",
    "Left alone the populations circle for ever: a little harvest at the right time brings them to rest.",
    states=(
        State("prey", "x", "", target=1.0, tolerance=0.05, least=0.05),
        State("predators", "y", "", target=1.0, tolerance=0.05, least=0.05),
    ),
    controls=(Control("harvest", "u", "1/year", 0.5, 2.0),),
    parameters=(
        Constant("alpha", r"\alpha", 1.0, 0.2, 3.0, 0.1, unit="1/year"),
        Constant("gamma", r"\gamma", 1.0, 0.2, 3.0, 0.1, unit="1/year"),
    ),
    tasks=(Task("hold", "Hold at the point", (0.3, 0.3), (2.0, 2.0), 8.0, 10.0, (2.0, 1.0)),),
    plane=(0, 1),
    view=((0.0, 3.0), (0.0, 3.0)),
    rates=lotka_volterra,
    energy=lotka_volterra_energy,
    time="years",
)
PLANTS = {plant.key: plant for plant in (PENDULUM, CART_POLE, UNICYCLE, LOTKA_VOLTERRA)}
"""By key, in the order in which a page offers them."""
