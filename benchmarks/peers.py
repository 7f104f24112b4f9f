"""The same net for every library that is compared, and which libraries are here.

torchdiffeq is one of the development requirements. The others are only for looking at: torchode, torchdyn and diffrax
(with JAX) are measured where they are installed, and named as missing where not.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from node_core import MLPField

HIDDEN = (64, 64)
TOLERANCE = 1e-5
SPAN = (0.0, 1.0)
# torchdiffeq and diffrax control their steps by the last error alone: with our "i" all take the same number of steps.
SAME_STEPS: dict[str, Any] = {"rtol": TOLERANCE, "atol": TOLERANCE, "controller": "i"}


class Net(nn.Module):
    """2-64-64-2 tanh, as anybody writes it."""

    def __init__(self) -> None:
        super().__init__()
        field = MLPField(2, HIDDEN)
        self.net = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
        with torch.no_grad():
            for p, q in zip(self.net.parameters(), field.parameters(), strict=True):
                p.copy_(q)

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """dy/dt."""
        return self.net(y)


def start(batch: int) -> Tensor:
    """Initial states (batch, 2), standard normal."""
    return torch.randn(batch, 2, generator=torch.Generator().manual_seed(batch))


def missing() -> list[str]:
    """The libraries that are not installed here."""
    return [name for name in ("torchode", "torchdyn", "diffrax") if find_spec(name) is None]


def torchode_solver(net: Net, adjoint: str = "AutoDiffAdjoint") -> Callable[[Tensor, Tensor], Tensor]:
    """torchode's dopri5 with a step for the whole batch's rows each (it knows no other)."""
    import torchode

    term = torchode.ODETerm(net)
    method = torchode.Dopri5(term=term)
    controller = torchode.IntegralController(atol=TOLERANCE, rtol=TOLERANCE, term=term)
    solver = getattr(torchode, adjoint)(method, controller)

    def solve(y0: Tensor, ts: Tensor) -> Tensor:
        problem = torchode.InitialValueProblem(y0=y0, t_eval=ts.expand(len(y0), -1))
        return solver.solve(problem).ys.transpose(0, 1)

    return solve


class Diffrax:
    """diffrax's dopri5, compiled, in float32: `solve` for the states, `gradient` of the mean of their squares."""

    def __init__(self, net: Net, ts: Tensor, adjoint: str = "RecursiveCheckpointAdjoint") -> None:
        import diffrax
        import jax
        import jax.numpy as jnp

        layers = [m for m in net.net if isinstance(m, nn.Linear)]
        self._weights = [
            (jnp.asarray(m.weight.detach().numpy()), jnp.asarray(m.bias.detach().numpy())) for m in layers
        ]
        times = jnp.asarray(ts.numpy())

        def f(t: Any, y: Any, weights: Any) -> Any:
            for w, b in weights[:-1]:
                y = jnp.tanh(y @ w.T + b)
            w, b = weights[-1]
            return y @ w.T + b

        def solve(y0: Any, weights: Any) -> Any:
            return diffrax.diffeqsolve(
                diffrax.ODETerm(f),
                diffrax.Dopri5(),
                t0=float(ts[0]),
                t1=float(ts[-1]),
                dt0=None,
                y0=y0,
                args=weights,
                saveat=diffrax.SaveAt(ts=times),
                stepsize_controller=diffrax.PIDController(rtol=TOLERANCE, atol=TOLERANCE),
                adjoint=getattr(diffrax, adjoint)(),
            ).ys

        self._solve = jax.jit(solve)
        self._gradient = jax.jit(jax.grad(lambda weights, y0: jnp.mean(solve(y0, weights)[1:] ** 2)))
        self._asarray = jnp.asarray

    def solve(self, y0: Tensor) -> None:
        """Solve and wait for the result."""
        self._solve(self._asarray(y0.numpy()), self._weights).block_until_ready()

    def gradient(self, y0: Tensor) -> None:
        """dL/dtheta, waited for."""
        self._gradient(self._weights, self._asarray(y0.numpy()))[0][0].block_until_ready()
