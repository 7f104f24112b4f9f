"""The equations of the classical systems: right-hand sides, Jacobians and closed-form solutions.

Each right-hand side takes `(t, components, p, xp)`: components of the batch shape, `p` the parameters by
name, `xp` numpy or torch. Jacobian entries may be plain numbers. `exact` functions follow
`node_core.fields.systems.system.Exact`: times (time,), y(t0) = y0 -> states (time, dim).
`node_core.fields.systems.systems` says what they are for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from scipy.special import ellipj, ellipkinc

from node_core.fields.base import tanh_of

P = Mapping[str, float]
Y = Sequence[Any]
Y0 = Sequence[float] | np.ndarray
Row = tuple[Any, ...]

BEND_SHRINKAGE = 0.15
"""Rate at which the bend system's spiral shrinks, so that the way back does not cover the way there."""


def decay(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field y' = -rate y."""
    return (-p["rate"] * y[0],)


def decay_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[-rate]."""
    return ((-p["rate"],),)


def decay_exact(t: np.ndarray, y0: Y0, p: P, t0: float = 0.0) -> np.ndarray:
    """y0 exp(-rate (t - t0))."""
    return float(y0[0]) * np.exp(-p["rate"] * (np.asarray(t, float) - t0))[:, None]


def spiral(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field x' = a x - b y, y' = b x + a y: the complex number z' = (a + i b) z."""
    x, v = y
    a, b = p["a"], p["b"]
    return a * x - b * v, b * x + a * v


def spiral_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[a, -b], [b, a]], eigenvalues a +- i b."""
    return (p["a"], -p["b"]), (p["b"], p["a"])


def _turn(y0: Y0, radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """y0 scaled by `radius` and turned by `angle`, (time, 2)."""
    x0, v0 = (float(v) for v in y0)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([radius * (c * x0 - s * v0), radius * (s * x0 + c * v0)], axis=-1)


def spiral_exact(t: np.ndarray, y0: Y0, p: P, t0: float = 0.0) -> np.ndarray:
    """z0 exp((a + i b)(t - t0))."""
    dt = np.asarray(t, float) - t0
    return _turn(y0, np.exp(p["a"] * dt), p["b"] * dt)


def oscillator(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field x' = v, v' = -omega^2 x."""
    return y[1], -(p["omega"] ** 2) * y[0]


def oscillator_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[0, 1], [-omega^2, 0]], eigenvalues +- i omega."""
    return (0.0, 1.0), (-(p["omega"] ** 2), 0.0)


def oscillator_exact(t: np.ndarray, y0: Y0, p: P, t0: float = 0.0) -> np.ndarray:
    """Solution x = x0 cos(omega dt) + v0 / omega sin(omega dt), v = x'."""
    x0, v0 = (float(v) for v in y0)
    omega = p["omega"]
    c, s = (g(omega * (np.asarray(t, float) - t0)) for g in (np.cos, np.sin))
    return np.stack([x0 * c + v0 / omega * s, v0 * c - x0 * omega * s], axis=-1)


def pendulum(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field theta' = v, v' = -omega^2 sin(theta) - damping v."""
    theta, v = y
    force = -(p["omega"] ** 2) * xp.sin(theta)
    damping = p["damping"]
    return v, (force - damping * v if damping else force)


def pendulum_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[0, 1], [-omega^2 cos(theta), -damping]]."""
    return (0.0, 1.0), (-(p["omega"] ** 2) * xp.cos(y[0]), -p["damping"])


def pendulum_exact(t: np.ndarray, y0: Y0, p: P, t0: float = 0.0) -> np.ndarray | None:
    """Undamped: Jacobi elliptic functions (DLMF 22.19(i)); None with damping or at rest on the separatrix.

    With k^2 = sin^2(theta0 / 2) + (v0 / 2 omega)^2: swinging (k < 1) sin(theta / 2) =
    k sn(omega t + u0, k^2); rotating (k > 1) theta = 2 am(k omega t + u0, 1 / k^2).
    """
    if p["damping"] != 0.0:
        return None
    omega = p["omega"]
    tau = omega * (np.asarray(t, float) - t0)
    winding = 2 * math.pi * round(float(y0[0]) / (2 * math.pi))
    half, speed = (float(y0[0]) - winding) / 2, float(y0[1]) / (2 * omega)
    k = math.hypot(math.sin(half), speed)
    if k == 0.0:
        return np.stack([np.full_like(tau, winding), np.zeros_like(tau)], axis=-1)
    if k < 1.0:
        u0 = ellipkinc(math.atan2(math.sin(half), speed), k * k)
        sn, cn, _, _ = ellipj(tau + u0, k * k)
        return np.stack([winding + 2 * np.arcsin(k * sn), 2 * omega * k * cn], axis=-1)
    sense = math.copysign(1.0, speed)
    u0 = ellipkinc(half, 1 / k**2)
    if not math.isfinite(u0):
        return None
    _, _, dn, amplitude = ellipj(sense * k * tau + u0, 1 / k**2)
    return np.stack([winding + 2 * amplitude, 2 * sense * omega * k * dn], axis=-1)


def lotka_volterra(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field x' = alpha x - beta x y, y' = delta x y - gamma y."""
    x, v = y
    return x * (p["alpha"] - p["beta"] * v), v * (p["delta"] * x - p["gamma"])


def lotka_volterra_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[alpha - beta y, -beta x], [delta y, delta x - gamma]]."""
    x, v = y
    return (p["alpha"] - p["beta"] * v, -p["beta"] * x), (p["delta"] * v, p["delta"] * x - p["gamma"])


def van_der_pol(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field x' = y, y' = mu (1 - x^2) y - x."""
    x, v = y
    return v, p["mu"] * (1.0 - x * x) * v - x


def van_der_pol_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[0, 1], [-2 mu x y - 1, mu (1 - x^2)]]."""
    x, v = y
    return (0.0, 1.0), (-2.0 * p["mu"] * x * v - 1.0, p["mu"] * (1.0 - x * x))


def lorenz(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z (Lorenz 1963)."""
    x, v, z = y
    return p["sigma"] * (v - x), x * (p["rho"] - z) - v, x * v - p["beta"] * z


def lorenz_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[-sigma, sigma, 0], [rho - z, -1, -x], [y, x, -beta]]."""
    x, v, z = y
    return (-p["sigma"], p["sigma"], 0.0), (p["rho"] - z, -1.0, -x), (v, x, -p["beta"])


def fitzhugh_nagumo(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field v' = v - v^3 / 3 - w + current, w' = epsilon (v + a - b w)."""
    v, w = y
    return v - v * v * v / 3.0 - w + p["current"], p["epsilon"] * (v + p["a"] - p["b"] * w)


def fitzhugh_nagumo_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[1 - v^2, -1], [epsilon, -epsilon b]]."""
    return (1.0 - y[0] * y[0], -1.0), (p["epsilon"], -p["epsilon"] * p["b"])


def robertson(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field y1' = -k1 y1 + k3 y2 y3, y2' = k1 y1 - k3 y2 y3 - k2 y2^2, y3' = k2 y2^2 (Robertson 1966)."""
    a, b, c = y
    slow = p["k1"] * a - p["k3"] * b * c
    fast = p["k2"] * b * b
    return -slow, slow - fast, fast


def robertson_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """Row sums over each column are zero: mass is conserved."""
    _, b, c = y
    k1, by_b, by_c, fast = p["k1"], p["k3"] * c, p["k3"] * b, 2.0 * p["k2"] * b
    return (-k1, by_b, by_c), (k1, -by_b - fast, -by_c), (0.0, fast, 0.0)


def _bend_rate(t: Any, p: P, xp: ModuleType) -> Any:
    """Angular velocity: +rate before the bend, -rate after it."""
    return -p["rate"] * tanh_of(xp, p["sharpness"] * (t - p["bend"]))


def bend(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field z' = (-0.15 + i w(t)) z with w(t) = -rate tanh(sharpness (t - bend)), written in x and y."""
    x, v = y
    w = _bend_rate(t, p, xp)
    return -BEND_SHRINKAGE * x - w * v, w * x - BEND_SHRINKAGE * v


def bend_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[-0.15, -w(t)], [w(t), -0.15]]."""
    w = _bend_rate(t, p, xp)
    return (-BEND_SHRINKAGE, -w), (w, -BEND_SHRINKAGE)


def bend_exact(t: np.ndarray, y0: Y0, p: P, t0: float = 0.0) -> np.ndarray:
    """z0 exp(-0.15 dt + i angle), angle = -rate / sharpness [ln cosh(sharpness (s - bend))] from t0 to t."""

    def log_cosh(s: Any) -> Any:
        size = np.abs(p["sharpness"] * (s - p["bend"]))
        return size + np.log1p(np.exp(-2 * size))  # less ln 2, which cancels in the difference

    times = np.asarray(t, float)
    angle = -p["rate"] / p["sharpness"] * (log_cosh(times) - log_cosh(t0))
    return _turn(y0, np.exp(-BEND_SHRINKAGE * (times - t0)), angle)


def struck_oscillator(t: Any, y: Y, p: P, xp: ModuleType) -> Row:
    """Field x' = v, v' = -omega^2 x - damping v + push(t): 1 / width from `strike` on for `width`, else none."""
    x, v = y
    pushed = (t >= p["strike"]) & (t < p["strike"] + p["width"])
    height = 1.0 / p["width"]
    push = height * pushed if isinstance(pushed, bool | np.bool_) else xp.full_like(x, height) * pushed
    return v, -(p["omega"] ** 2) * x - p["damping"] * v + push


def struck_oscillator_jacobian(t: Any, y: Y, p: P, xp: ModuleType) -> tuple[Row, ...]:
    """[[0, 1], [-omega^2, -damping]]."""
    return (0.0, 1.0), (-(p["omega"] ** 2), -p["damping"])


def struck_oscillator_jumps(p: P) -> tuple[float, ...]:
    """The two edges of the push."""
    return p["strike"], p["strike"] + p["width"]


def struck_oscillator_exact(t: np.ndarray, y0: Y0, p: P, t0: float = 0.0) -> np.ndarray:
    """Solution Phi(t - t0) y0 + the integral of Phi(t - s) (0, push(s)) over s from t0 to t.

    Phi is the flow of the free oscillator, A its matrix; the integral of Phi(u) b over u is A^-1 Phi(u) b.
    """
    half = p["damping"] / 2
    free = np.array([[0.0, 1.0], [-(p["omega"] ** 2), -p["damping"]]])
    turn = free + half * np.eye(2)
    rate = np.sqrt(complex(p["omega"] ** 2 - half**2))  # imaginary where the damping lets nothing swing

    def flow(span: np.ndarray, start: np.ndarray) -> np.ndarray:
        c, s = np.cos(rate * span).real, (span * np.sinc(rate * span / np.pi)).real
        return np.exp(-half * span)[:, None] * (np.outer(c, start) + np.outer(s, turn @ start))

    times = np.asarray(t, float)
    # The part of the push between t0 and t, whichever comes first.
    edges = [
        np.clip(edge, np.minimum(t0, times), np.maximum(t0, times)) for edge in struck_oscillator_jumps(p)
    ]
    push = np.linalg.solve(free, [0.0, 1.0 / p["width"]])
    gained = flow(times - edges[0], push) - flow(times - edges[1], push)
    return flow(times - t0, np.asarray(y0, float)) + np.where(times >= t0, 1.0, -1.0)[:, None] * gained
