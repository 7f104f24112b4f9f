"""What the tests of the implicit methods share: fields with known solutions, and a way to run a stepper."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp

from node_core.solvers.controllers import controller_named
from node_core.solvers.loop import Limits, LoopResult, integrate
from node_core.solvers.norms import NumpyNorm, TorchNorm
from node_core.solvers.steppers.step import Field, Stepper


class ForcedPendulum:
    """y'' = -sin y + cos(t) / 2, for numpy and torch: nonlinear and dependent on t."""

    accepts_numpy = True

    def __call__(self, t: Any, y: Any) -> Any:
        xp = torch if isinstance(y, torch.Tensor) else np
        force = 0.5 * np.cos(float(t))
        return xp.stack((y[..., 1], force - xp.sin(y[..., 0])), -1)


class VanDerPol:
    """x' = v, v' = mu (1 - x^2) v - x, for numpy and torch."""

    accepts_numpy = True
    autonomous = True

    def __init__(self, mu: float) -> None:
        self.mu = mu

    def __call__(self, t: Any, y: Any) -> Any:
        xp = torch if isinstance(y, torch.Tensor) else np
        x, v = y[..., 0], y[..., 1]
        return xp.stack((v, self.mu * (1 - x * x) * v - x), -1)

    def jacobian(self, t: Any, y: Any) -> Any:
        xp = torch if isinstance(y, torch.Tensor) else np
        x, v = y[..., 0], y[..., 1]
        top = xp.stack((0 * x, 0 * x + 1), -1)
        bottom = xp.stack((-2 * self.mu * x * v - 1, self.mu * (1 - x * x)), -1)
        return xp.stack((top, bottom), -2)


def robertson(t: float, y: np.ndarray) -> np.ndarray:
    """Robertson's reaction (autonomous, stiff): the components sum to 1."""
    a, b, c = y
    return np.array([-0.04 * a + 1e4 * b * c, 0.04 * a - 1e4 * b * c - 3e7 * b * b, 3e7 * b * b])


def prothero_robinson(t: float, y: np.ndarray, rate: float = 1e6) -> np.ndarray:
    """y' = -rate (y - cos t) - sin t: the exact solution is cos t, however stiff (Prothero, Robinson 1974)."""
    return -rate * (y - np.cos(t)) - np.sin(t)


def reference(f: Field, y0: np.ndarray, t0: float, t1: float) -> np.ndarray:
    """y(t1) to 12 digits."""
    return np.asarray(solve_ivp(f, (t0, t1), y0, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1])


def fixed(stepper: Stepper, f: Field, y0: Any, ts: list[float], dt: float) -> LoopResult:
    """Solve with steps dt."""
    norm = TorchNorm(1.0, 1.0) if isinstance(y0, torch.Tensor) else NumpyNorm(1.0, 1.0)
    return integrate(stepper, f, y0, ts, norm=norm, dt=dt, keep_steps=True)


def adaptive(
    stepper: Stepper, f: Field, y0: Any, ts: list[float], rtol: float, atol: float | None = None
) -> LoopResult:
    """Solve with the PI controller."""
    kind = TorchNorm if isinstance(y0, torch.Tensor) else NumpyNorm
    norm = kind(rtol, rtol if atol is None else atol)
    limits = Limits(max_steps=20_000)
    return integrate(stepper, f, y0, ts, norm=norm, controller=controller_named("pi"), limits=limits)


def slope(dts: list[float], errors: list[float]) -> float:
    """Fitted order of convergence."""
    return float(np.polyfit(np.log(dts), np.log(errors), 1)[0])
