# ruff: noqa: E501 - a table, a row a line
"""Solves that fail or crawl, each with the cause that `sol.diagnosis` must name: those its thresholds were fitted on.

Own ones and problems of the literature (sources at the fields). `benchmarks/failures_held_out.py` has those that were
written afterwards and fitted on by nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from node_core.solution import Cause

Field = Callable[[Any, Tensor], Tensor]
FEW: dict[str, Any] = {"max_steps": 600}
OWN, LITERATURE = "own", "literature"


@dataclass(frozen=True)
class Failure:
    """A solve and the cause that it must be told.

    Attributes:
        name, origin: what it is, and whether from the literature.
        cause: the right answer.
        f, y0, span: dy/dt = f(t, y), y(span[0]) = y0.
        options: arguments of `odeint`.
        dtype: of the state.
    """

    name: str
    origin: str
    cause: Cause
    f: Field
    y0: Any
    span: tuple[float, float]
    options: dict[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float64


def stack(*rows: Any) -> Tensor:
    """Components as the last axis."""
    return torch.stack(
        torch.broadcast_tensors(*(torch.as_tensor(row, dtype=torch.float64) for row in rows)), -1
    )


def van_der_pol(mu: float) -> Field:
    """x'' = mu (1 - x^2) x' - x."""
    return lambda t, y: torch.stack((y[..., 1], mu * (1 - y[..., 0] ** 2) * y[..., 1] - y[..., 0]), -1)


def robertson(t: Any, y: Tensor) -> Tensor:
    """Robertson's reaction (Hairer and Wanner, "Solving ODEs II", IV.10)."""
    a, b, c = y.unbind(-1)
    slow, fast = 0.04 * a - 1e4 * b * c, 3e7 * b * b
    return torch.stack((-slow, slow - fast, fast), -1)


def oregonator(t: Any, y: Tensor) -> Tensor:
    """The Belousov-Zhabotinskii reaction (the same book, IV.10)."""
    a, b, c = y.unbind(-1)
    return torch.stack(
        (77.27 * (b + a * (1 - 8.375e-6 * a - b)), (c - (1 + a) * b) / 77.27, 0.161 * (a - c)), -1
    )


def hires(t: Any, y: Tensor) -> Tensor:
    """High irradiance responses of photomorphogenesis (the same book, IV.10)."""
    a, b, c, d, e, f, g, h = y.unbind(-1)
    binding = 280 * f * h - 1.81 * g
    return torch.stack(
        (
            -1.71 * a + 0.43 * b + 8.32 * c + 0.0007,
            1.71 * a - 8.75 * b,
            -10.03 * c + 0.43 * d + 0.035 * e,
            8.32 * b + 1.71 * c - 1.12 * d,
            -1.745 * e + 0.43 * (f + g),
            -280 * f * h + 0.69 * d + 1.71 * e - 0.43 * f + 0.69 * g,
            binding,
            -binding,
        ),
        -1,
    )


def e5(t: Any, y: Tensor) -> Tensor:
    """Pyrolysis, problem E5 (the same book, IV.10)."""
    a, b, c, d = y.unbind(-1)
    first, second, third, fourth = 7.89e-10 * a, 1.1e7 * a * c, 1.13e9 * b * c, 1.13e3 * d
    return torch.stack((-first - second, first - third, first - second - third + fourth, second - fourth), -1)


def brusselator(cells: int) -> Field:
    """The Brusselator with diffusion on a line (the same book, IV.10)."""
    alpha, dx = 1 / 50, 1 / (cells + 1)

    def f(t: Any, y: Tensor) -> Tensor:
        u, v = y[:cells], y[cells:]
        full_u = torch.cat((y.new_ones(1), u, y.new_ones(1)))
        full_v = torch.cat((y.new_full((1,), 3.0), v, y.new_full((1,), 3.0)))
        spread = [alpha / dx**2 * (x[2:] - 2 * x[1:-1] + x[:-2]) for x in (full_u, full_v)]
        return torch.cat((1 + u * u * v - 4 * u + spread[0], 3 * u - u * u * v + spread[1]))

    return f


def prothero_robinson(rate: float) -> Field:
    """y' = -rate (y - cos t) - sin t (Prothero and Robinson 1974)."""
    return lambda t, y: -rate * (y - torch.cos(t)) - torch.sin(t)


def kepler(t: Any, y: Tensor) -> Tensor:
    """Two bodies: with no angular momentum they collide."""
    r, v = y[:2], y[2:]
    return torch.cat((v, -r / r.norm() ** 3))


def oscillator(omega: float) -> Field:
    """x'' = -omega^2 x."""
    return lambda t, y: torch.stack((y[..., 1], -(omega**2) * y[..., 0]), -1)


class Net(nn.Module):
    """tanh MLP of seeded weights, times a factor; with dropout if asked."""

    def __init__(self, dim: int, scale: float, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.a = nn.Parameter(scale * torch.randn(dim, 32, generator=generator, dtype=torch.float64))
        self.b = nn.Parameter(torch.randn(32, dim, generator=generator, dtype=torch.float64) / 6)
        self.dropout = dropout

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """Return dy/dt."""
        hidden = torch.tanh(y @ self.a.to(y.dtype))
        return nn.functional.dropout(hidden, self.dropout, self.dropout > 0) @ self.b.to(y.dtype)


def noisy(size: float) -> Field:
    """y' = -y + noise."""
    return lambda t, y: -y + size * torch.randn_like(y)


class Counter:
    """A field that remembers how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """Return dy/dt."""
        self.calls += 1
        return -y * (1 + 0.1 * math.sin(self.calls))


def stiff_net(rate: float, dim: int = 4) -> Field:
    """A net that is drawn to a curve at a rate."""
    net = Net(dim, 1.0)
    return lambda t, y: net(t, y) - rate * (y - torch.sin(t))


def pulses(period: float, width: float, height: float = 1.0) -> Field:
    """y' = -y + a train of pulses."""
    return lambda t, y: -y + height * ((t % period) < width).to(y.dtype)


def square(t: Any, y: Tensor) -> Tensor:
    """y' = y^2: y = 1 / (1/y0 - t)."""
    return y * y


def decay(rate: float) -> Field:
    """y' = -rate y."""
    return lambda t, y: -rate * y


S, P, U, N = Cause.STIFFNESS, Cause.SINGULARITY, Cause.UNDEFINED, Cause.NOISE
J, W, L, R = Cause.JUMP, Cause.SWITCH, Cause.LENGTH, Cause.ROUNDING
F32 = torch.float32

FITTED: tuple[Failure, ...] = (
    Failure("van der Pol, mu = 1000", LITERATURE, S, van_der_pol(1000.0), [2.0, 0.0], (0.0, 2000.0), FEW),
    Failure("van der Pol, mu = 100, tsit5", LITERATURE, S, van_der_pol(100.0), [2.0, 0.0], (0.0, 200.0), {"method": "tsit5", **FEW}),
    Failure("Robertson", LITERATURE, S, robertson, [1.0, 0.0, 0.0], (0.0, 1e4), {"atol": 1e-9, **FEW}),
    Failure("Robertson, float32", LITERATURE, S, robertson, [1.0, 0.0, 0.0], (0.0, 1e3), {"rtol": 1e-4, "atol": 1e-7, **FEW}, F32),
    Failure("Oregonator", LITERATURE, S, oregonator, [1.0, 2.0, 3.0], (0.0, 360.0), {"max_steps": 2000}),
    Failure("HIRES", LITERATURE, S, hires, [1.0, 0, 0, 0, 0, 0, 0, 0.0057], (0.0, 321.8), {"max_steps": 1500}),
    Failure("Brusselator, 40 cells", LITERATURE, S, brusselator(40), [1 + math.sin(2 * math.pi * i / 41) for i in range(1, 41)] + [3.0] * 40, (0.0, 10.0), {"rtol": 1e-4, "atol": 1e-4, "max_steps": 300}),
    Failure("Prothero-Robinson, 1e4, bosh3", LITERATURE, S, prothero_robinson(1e4), [1.0], (0.0, 10.0), {"method": "bosh3", **FEW}),
    Failure("Prothero-Robinson, 1e3, dopri8", LITERATURE, S, prothero_robinson(1e3), [1.0], (0.0, 100.0), {"method": "dopri8", **FEW}),
    Failure("Prothero-Robinson, 1e3, Adams", LITERATURE, S, prothero_robinson(1e3), [1.0], (0.0, 100.0), {"method": "scipy_adams", "max_steps": 2000}),
    Failure("decay at two rates", OWN, S, lambda t, y: y * y.new_tensor([-1.0, -1e4]), [1.0, 1.0], (0.0, 20.0), FEW),
    Failure("a stiff net", OWN, S, stiff_net(3e3), [1.0, 0.5, 0.0, -1.0], (0.0, 20.0), FEW),
    Failure("a stiff net, batch of 8, float32", OWN, S, stiff_net(1e3), [[0.1 * i, 0.5, 0.0, -1.0] for i in range(8)], (0.0, 40.0), {"rtol": 1e-3, "atol": 1e-4, **FEW}, F32),
    Failure("one stiff row of three, per_sample", OWN, S, lambda t, y: -(1.0 + 5e3 * (y[..., 1:] > 0)) * (y - torch.sin(t)) * y.new_tensor([1.0, 0.0]), [[1.0, -1.0], [1.0, 1.0], [1.0, -1.0]], (0.0, 10.0), {"batch": "per_sample", **FEW}),
    Failure("stiff backward in time", OWN, S, lambda t, y: 2e3 * (y - torch.cos(t)), [1.0], (10.0, 0.0), FEW),
    Failure("a steep sigmoid", OWN, S, lambda t, y: 1 - 2 * torch.sigmoid(2e3 * (y - 0.5 * torch.sin(t))), [0.0], (0.0, 50.0), FEW),
    Failure("y' = y^2", LITERATURE, P, square, [1.0], (0.0, 2.0)),
    Failure("y' = y^2, float32", LITERATURE, P, square, [1.0], (0.0, 2.0), {}, F32),
    Failure("y' = y^2, rodas5p", LITERATURE, P, square, [1.0], (0.0, 2.0), {"method": "rodas5p"}),
    Failure("y' = y^2, LSODA", LITERATURE, P, square, [1.0], (0.0, 2.0), {"method": "scipy_lsoda"}),
    Failure("y' = 1 + y^2", LITERATURE, P, lambda t, y: 1 + y * y, [0.0], (0.0, 2.0)),
    Failure("y' = t + y^2, Riccati", LITERATURE, P, lambda t, y: t + y * y, [0.0], (0.0, 5.0), {"method": "dopri8"}),
    Failure("Kepler collision", LITERATURE, P, kepler, [1.0, 0.0, 0.0, 0.0], (0.0, 3.0)),
    Failure("y' = exp(y)", OWN, P, lambda t, y: torch.exp(y), [0.0], (0.0, 2.0)),
    Failure("y' = 1 / (1 - t)", OWN, P, lambda t, y: 1 / (1 - t) + 0 * y, [0.0], (0.0, 2.0)),
    Failure("y' = y^2 in one row of three, per_sample", OWN, P, square, [[0.1], [1.0], [-1.0]], (0.0, 3.0), {"batch": "per_sample"}),
    Failure("y' = y^2 by Euler", OWN, P, square, [1.0], (0.0, 3.0), {"method": "euler", "dt": 0.05}),
    Failure("y' = 100 y", OWN, Cause.OVERFLOW, lambda t, y: 100 * y, [1.0], (0.0, 10.0), {"rtol": 1e-3, "atol": 1e-3}),
    Failure("y' = -1 - sqrt(y)", LITERATURE, U, lambda t, y: -1 - torch.sqrt(y), [1.0], (0.0, 2.0)),
    Failure("y' = log(y)", LITERATURE, U, lambda t, y: torch.log(y), [0.5], (0.0, 2.0)),
    Failure("Torricelli, y' = -2 sqrt(y)", LITERATURE, U, lambda t, y: -2 * torch.sqrt(y), [1.0], (0.0, 2.0)),
    Failure("asin past one", OWN, U, lambda t, y: 1 + torch.asin(y), [0.0], (0.0, 2.0), {"method": "rodas5p"}),
    Failure("NaN from a time on", OWN, U, lambda t, y: y * math.nan if t > 0.55 else -y, [1.0], (0.0, 2.0)),
    Failure("sqrt by rk4", OWN, U, lambda t, y: -1 - torch.sqrt(y), [1.0], (0.0, 2.0), {"method": "rk4", "dt": 0.05}),
    Failure("a net with dropout", OWN, N, Net(2, 1.0, 0.3), [1.0, 0.5], (0.0, 10.0), FEW),
    Failure("noise of 10 %", OWN, N, noisy(0.1), [1.0], (0.0, 10.0), FEW),
    Failure("noise of 0.1 %, dopri8", OWN, N, noisy(1e-3), [1.0], (0.0, 10.0), {"method": "dopri8", **FEW}),
    Failure("a field that counts its calls", OWN, N, Counter(), [1.0], (0.0, 10.0), FEW),
    Failure("a train of pulses", OWN, J, pulses(1.0, 0.1), [0.0], (0.0, 1000.0), {"max_steps": 1500}),
    Failure("a square wave at 1e-9", OWN, J, lambda t, y: torch.sign(torch.sin(t)) - 0.1 * y, [0.0], (0.0, 500.0), {"rtol": 1e-9, "atol": 1e-9, "max_steps": 1500}),
    Failure("doses every hour", LITERATURE, J, lambda t, y: torch.stack((5.0 * ((t % 1.0) < 0.05) - y[0], y[0] - 0.3 * y[1])), [0.0, 0.0], (0.0, 500.0), {"method": "tsit5", "max_steps": 1500}),
    Failure("sliding, y' = 0.3 - sign(y)", LITERATURE, W, lambda t, y: 0.3 - torch.sign(y), [1.0], (0.0, 100.0), {"max_steps": 1000}),
    Failure("dry friction", LITERATURE, W, lambda t, y: torch.stack((y[1], 0.9 * torch.sin(t) - torch.sign(y[1]))), [0.0, 0.5], (0.0, 50.0), {"max_steps": 1000}),
    Failure("fast oscillator", OWN, L, oscillator(100.0), [1.0, 0.0], (0.0, 100.0), FEW),
    Failure("Lorenz for long", LITERATURE, L, lambda t, y: torch.stack((10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2])), [1.0, 1.0, 1.0], (0.0, 1000.0), FEW),
    Failure("oscillator by bosh3 at 1e-9", OWN, L, oscillator(1.0), [1.0, 0.0], (0.0, 100.0), {"method": "bosh3", "rtol": 1e-9, "atol": 1e-9, **FEW}),
    Failure("Kepler, 1000 turns", LITERATURE, L, kepler, [1.0, 0.0, 0.0, 1.0], (0.0, 6283.0), FEW),
    Failure("max_step of 0.01", OWN, Cause.STEP_LIMIT, decay(1.0), [1.0], (0.0, 100.0), {"max_step": 0.01, "max_steps": 10_000, "time_limit": 0.3}),
    Failure("a tolerance of 1e-17", OWN, R, lambda t, y: -y + torch.cos(t), [1.0], (0.0, 100.0), {"rtol": 1e-17, "atol": 1e-17, "max_steps": 300}),
    Failure("y' = -500 y by rk4", LITERATURE, Cause.STEP_TOO_LONG, decay(500.0), [1.0], (0.0, 30.0), {"method": "rk4", "dt": 0.01}),
)  # fmt: skip
