"""Fields of two halves, each moved by the other alone: what a symplectic method needs to know.

With positions q and momenta (or velocities) p side by side on the last axis, y = (q, p),

    dq/dt = dq(t, p),    dp/dt = dp(t, q),

the equations of motion of every energy H = T(p) + V(q) (Hairer, Lubich, Wanner, Geometric Numerical Integration,
2nd ed., I.1 and VI.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Half = Callable[[Any, Tensor], Tensor]


class Separable(nn.Module):
    """The field f(t, (q, p)) = (dq(t, p), dp(t, q)), for every method of `odeint`, the symplectic ones included.

        pendulum = Separable(lambda t, p: p, lambda t, q: -torch.sin(q))
        odeint(pendulum, torch.tensor([2.8, 0.0]), [0.0, 6000.0], method="leapfrog", dt=0.05)

    Args:
        dq: (t, p) -> dq/dt, shapes (..., dim / 2); a function or a module, whose parameters are this field's then.
        dp: (t, q) -> dp/dt, the same.

    Raises:
        ValueError: one of them is no function; later, a state whose last axis has no two halves.
    """

    def __init__(self, dq: Half, dp: Half) -> None:
        super().__init__()
        for name, half in (("dq", dq), ("dp", dp)):
            if not callable(half) or isinstance(half, type):
                raise ValueError(
                    f"{name} is {half!r}, not a function: pass dq(t, p), which returns dq/dt, and dp(t, q), which "
                    "returns dp/dt"
                )
        self.velocity, self.force = dq, dp

    def forward(self, t: Any, y: Any) -> Any:
        """dy/dt, shaped like y; of arrays, if both halves take them."""
        q, p = halves(y)
        return joined(self.dq(t, p), self.dp(t, q))

    def dq(self, t: Any, p: Tensor) -> Tensor:
        """dq/dt, which does not depend on q."""
        return _like(self.velocity(t, p), p, "dq(t, p)", "p")

    def dp(self, t: Any, q: Tensor) -> Tensor:
        """dp/dt, which does not depend on p."""
        return _like(self.force(t, q), q, "dp(t, q)", "q")


def _like(found: Any, asked: Any, call: str, name: str) -> Any:
    """What a half returned, if it has the shape of what it was asked at."""
    shape = getattr(found, "shape", None)
    if shape != asked.shape:
        what = type(found).__name__ if shape is None else f"shape {tuple(shape)}"
        raise ValueError(
            f"{call} returned {what} for {name} of shape {tuple(asked.shape)}: return a tensor of the same shape"
        )
    return found


def halves(y: Any) -> tuple[Any, Any]:
    """A state (..., dim) taken apart into q and p, each (..., dim / 2)."""
    n = y.shape[-1] // 2
    if y.shape[-1] != 2 * n:
        raise ValueError(
            f"the state has shape {tuple(y.shape)}: its last axis holds q and p side by side, as many of each, so give "
            "it an even size"
        )
    return y[..., :n], y[..., n:]


def joined(q: Any, p: Any) -> Any:
    """The state (..., dim) of two halves, tensors or numpy arrays."""
    return torch.cat((q, p), -1) if isinstance(q, Tensor) else np.concatenate((q, p), -1)
