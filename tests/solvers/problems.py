"""What the tests of the front door share: problems with known solutions, and counters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from node_core.solvers.methods import METHODS

EXPLICIT = [name for name, method in METHODS.items() if method.family == "explicit"]
FIXED = [name for name, method in METHODS.items() if not method.adaptive]
ADAPTIVE = [name for name, method in METHODS.items() if method.adaptive]
OWN = [name for name, method in METHODS.items() if method.family != "scipy"]
D = torch.float64


def vector(*values: float) -> Tensor:
    """A state in float64."""
    return torch.tensor(values, dtype=D)


def forced(t: Any, y: Tensor) -> Tensor:
    """y' = y cos t, whose solution y0 exp(sin t) excites every elementary differential, in t and in y."""
    return y * torch.cos(t)


def forced_exact(t: Any, y0: float = 1.0) -> np.ndarray:
    """Solution of `forced`."""
    return np.asarray(y0 * np.exp(np.sin(np.asarray(t))))


def rotation(t: Any, y: Tensor) -> Tensor:
    """x' = v, v' = -x."""
    return torch.stack((y[..., 1], -y[..., 0]), -1)


class Counting:
    """Counts the calls of a field."""

    def __init__(self, f: Any) -> None:
        self.f, self.calls = f, 0

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        self.calls += 1
        return self.f(t, y)


def step_arguments(name: str, dt: float = 0.05) -> dict[str, Any]:
    """`dt` for a method of fixed steps, tolerances for an adaptive one."""
    return {"rtol": 1e-8, "atol": 1e-8} if METHODS[name].adaptive else {"dt": dt}
