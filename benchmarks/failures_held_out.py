# ruff: noqa: E501 - a table, a row a line
"""The other half of the failures: written when the thresholds of the diagnosis stood, and fitted on by nobody."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.failures import (
    F32,
    FEW,
    LITERATURE,
    OWN,
    Failure,
    J,
    L,
    N,
    Net,
    P,
    R,
    S,
    U,
    W,
    brusselator,
    e5,
    kepler,
    noisy,
    oscillator,
    prothero_robinson,
    pulses,
    robertson,
    square,
    stiff_net,
    van_der_pol,
)
from node_core.solution import Cause

_POLLU_RATES = (
    *(
        0.35,
        26.6,
        1.23e4,
        8.6e-4,
        8.2e-4,
        1.5e4,
        1.3e-4,
        2.4e4,
        1.65e4,
        9e3,
        2.2e-2,
        1.2e4,
        1.88,
        1.63e4,
        4.8e6,
    ),
    *(3.5e-4, 1.75e-2, 1e8, 4.44e11, 1.24e3, 2.1, 5.78, 4.74e-2, 1.78e3, 3.12),
)


def pollu(t: Any, y: Tensor) -> Tensor:
    """Air pollution, 20 species (Verwer 1994; the test set for IVP solvers)."""
    k, s = _POLLU_RATES, y.unbind(-1)
    r = (
        *(
            k[0] * s[0],
            k[1] * s[1] * s[3],
            k[2] * s[4] * s[1],
            k[3] * s[6],
            k[4] * s[6],
            k[5] * s[6] * s[5],
            k[6] * s[8],
        ),
        *(k[7] * s[8] * s[5], k[8] * s[10] * s[1], k[9] * s[10] * s[0], k[10] * s[12], k[11] * s[9] * s[1]),
        *(
            k[12] * s[13],
            k[13] * s[0] * s[5],
            k[14] * s[2],
            k[15] * s[3],
            k[16] * s[3],
            k[17] * s[15],
            k[18] * s[15],
        ),
        *(
            k[19] * s[16] * s[5],
            k[20] * s[18],
            k[21] * s[18],
            k[22] * s[0] * s[3],
            k[23] * s[18] * s[0],
            k[24] * s[19],
        ),
    )
    return torch.stack(
        (
            -r[0] - r[9] - r[13] - r[22] - r[23] + r[1] + r[2] + r[8] + r[10] + r[11] + r[21] + r[24],
            -r[1] - r[2] - r[8] - r[11] + r[0] + r[20],
            -r[14] + r[0] + r[16] + r[18] + r[21],
            -r[1] - r[15] - r[16] - r[22] + r[14],
            -r[2] + 2 * r[3] + r[5] + r[6] + r[12] + r[19],
            -r[5] - r[7] - r[13] - r[19] + r[2] + 2 * r[17],
            -r[3] - r[4] - r[5] + r[12],
            r[3] + r[4] + r[5] + r[6],
            -r[6] - r[7],
            -r[11] + r[6] + r[8],
            -r[8] - r[9] + r[7] + r[10],
            r[8],
            -r[10] + r[9],
            -r[12] + r[11],
            r[13],
            -r[17] - r[18] + r[15],
            -r[19],
            r[19],
            -r[20] - r[21] - r[23] + r[22] + r[24],
            -r[24] + r[23],
        ),
        -1,
    )


_POLLU_Y0 = [0, 0.2, 0, 0.04, 0, 0, 0.1, 0.3, 0.01, 0, 0, 0, 0, 0, 0, 0, 0.007, 0, 0, 0]


def heat(cells: int) -> Any:
    """The heat equation on a line with a source that swings."""

    def f(t: Any, y: Tensor) -> Tensor:
        full = torch.cat((y.new_zeros(1), y, y.new_zeros(1)))
        return (cells + 1) ** 2 * (full[2:] - 2 * y + full[:-2]) + torch.sin(t)

    return f


def davis_skodje(t: Any, y: Tensor) -> Tensor:
    """A slow curve and a fast approach to it (Davis and Skodje 1999), rate 2000."""
    u, v = y.unbind(-1)
    return torch.stack((-u, -2e3 * v + (1999 * u + 2e3 * u * u) / (1 + u) ** 2), -1)


def fitzhugh(t: Any, y: Tensor) -> Tensor:
    """FitzHugh-Nagumo with a very fast membrane."""
    v, w = y.unbind(-1)
    return torch.stack((2e4 * (v - v**3 / 3 - w + 0.5), 0.08 * (v + 0.7 - 0.8 * w)), -1)


def three_bodies_on_a_line(t: Any, y: Tensor) -> Tensor:
    """Two bodies that fall to a third at rest (masses 1)."""
    x, v = y[:2], y[2:]
    gap = (x[0] - x[1]).abs()
    pull = (x[1] - x[0]) / gap**3
    return torch.cat((v, torch.stack((pull, -pull))))


class BrokenNet(nn.Module):
    """A net that takes the root of what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Net(2, 1.0)

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """Return dy/dt."""
        return self.inner(t, y) - 0.5 - torch.sqrt(y + 0.2)


class Momentum:
    """A field that mixes in what it answered before."""

    def __init__(self) -> None:
        self.before: Tensor | None = None

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """Return dy/dt."""
        now = -y if self.before is None else -0.9 * y + 0.1 * self.before
        self.before = now.detach().clone()
        return now


def thermostat(t: Any, y: Tensor) -> Tensor:
    """A heater that is on below 20 degrees and off above: without hysteresis it chatters."""
    return -0.1 * (y - 10) + 3.0 * (y < 20).to(y.dtype)


def zeno(t: Any, y: Tensor) -> Tensor:
    """Relay control of a double integrator by x + v |v| / 2 (Fuller 1963): switches without end."""
    x, v = y.unbind(-1)
    return torch.stack((v, -torch.sign(x + 0.4 * v * v.abs())), -1)


def duffing(t: Any, y: Tensor) -> Tensor:
    """Forced Duffing oscillator."""
    x, v = y.unbind(-1)
    return torch.stack((v, x - x**3 - 0.3 * v + 0.5 * torch.cos(1.2 * t)), -1)


HELD_OUT: tuple[Failure, ...] = (
    Failure("Pollu", LITERATURE, S, pollu, _POLLU_Y0, (0.0, 60.0), {"rtol": 1e-5, "atol": 1e-9, **FEW}),
    Failure("E5", LITERATURE, S, e5, [1.76e-3, 0.0, 0.0, 0.0], (0.0, 1e11), {"rtol": 1e-4, "atol": 1e-18, **FEW}),
    Failure("Davis-Skodje", LITERATURE, S, davis_skodje, [3.0, 1.5], (0.0, 10.0), FEW),
    Failure("heat equation, 60 cells", LITERATURE, S, heat(60), [0.0] * 60, (0.0, 5.0), FEW),
    Failure("Brusselator, 60 cells, tsit5", LITERATURE, S, brusselator(60), [1 + math.sin(2 * math.pi * i / 61) for i in range(1, 61)] + [3.0] * 60, (0.0, 10.0), {"method": "tsit5", **FEW}),
    Failure("Robertson, fehlberg45", LITERATURE, S, robertson, [1.0, 0.0, 0.0], (0.0, 1e3), {"method": "fehlberg45", "atol": 1e-9, **FEW}),
    Failure("van der Pol, mu = 300, dopri8, rtol 1e-4", LITERATURE, S, van_der_pol(300.0), [2.0, 0.0], (0.0, 600.0), {"method": "dopri8", "rtol": 1e-4, "atol": 1e-4, **FEW}),
    Failure("van der Pol, mu = 1000, Adams", LITERATURE, S, van_der_pol(1000.0), [2.0, 0.0], (0.0, 2000.0), {"method": "scipy_adams", "max_steps": 2000}),
    Failure("Prothero-Robinson, 1e6, controller I", LITERATURE, S, prothero_robinson(1e6), [1.0], (0.0, 10.0), {"controller": "i", **FEW}),
    Failure("fast FitzHugh-Nagumo", LITERATURE, S, fitzhugh, [-1.0, 1.0], (0.0, 50.0), FEW),
    Failure("a damped fast oscillation that is over", OWN, S, lambda t, y: torch.stack((y[1], -1e6 * (y[0] - torch.sin(t)) - 800 * y[1])), [0.0, 1.0], (0.0, 50.0), {"max_steps": 1500}),
    Failure("a stiff net of 64 states", OWN, S, stiff_net(1e3, 64), [0.01 * i for i in range(64)], (0.0, 30.0), {"rtol": 1e-4, "atol": 1e-5, **FEW}),
    Failure("stiff, bosh3, float32", OWN, S, prothero_robinson(2e3), [1.0], (0.0, 20.0), {"method": "bosh3", "rtol": 1e-3, "atol": 1e-4, **FEW}, F32),
    Failure("a stiff state of 20 x 20", OWN, S, lambda t, y: torch.sin(t) - 1e3 * (y - y.mean()) - y, [[0.1 * (i % 7) for i in range(20)]] * 20, (0.0, 20.0), {"rtol": 1e-4, "atol": 1e-5, **FEW}),
    Failure("y' = y^3, bosh3", LITERATURE, P, lambda t, y: y**3, [1.0], (0.0, 2.0), {"method": "bosh3"}),
    Failure("y' = 1 + y^2 from the far side, backward", LITERATURE, P, lambda t, y: 1 + y * y, [0.0], (0.0, -2.0), {"method": "tsit5"}),
    Failure("three bodies on a line", LITERATURE, P, three_bodies_on_a_line, [-1.0, 1.0, 0.0, 0.0], (0.0, 5.0), {"method": "dopri8"}),
    Failure("y' = y^2 - t, Radau", LITERATURE, P, lambda t, y: y * y - t, [1.0], (0.0, 3.0), {"method": "scipy_radau"}),
    Failure("thermal runaway, y' = exp(y) / 2 - y / 10, float32", LITERATURE, P, lambda t, y: 0.5 * torch.exp(y) - 0.1 * y, [0.0], (0.0, 5.0), {"rtol": 1e-4, "atol": 1e-4}, F32),
    Failure("competing squares", OWN, P, lambda t, y: torch.stack((y[0] * y[0] - y[1], y[0] - y[1])), [2.0, 1.0], (0.0, 3.0)),
    Failure("a batch, of which one row blows up", OWN, P, lambda t, y: y * y - 1, [[0.5], [-1.0], [1.5], [0.0]], (0.0, 3.0)),
    Failure("y' = y^2 by rk4", OWN, P, square, [2.0], (0.0, 2.0), {"method": "rk4", "dt": 0.02}),
    Failure("1 / t from below", LITERATURE, P, lambda t, y: -1 / t + 0 * y, [0.0], (-1.0, 1.0)),
    Failure("y' = 30 y, float32", OWN, Cause.OVERFLOW, lambda t, y: 30 * y, [1.0], (0.0, 10.0), {"rtol": 1e-3, "atol": 1e-3}, F32),
    Failure("y' = 50 y by midpoint", OWN, Cause.OVERFLOW, lambda t, y: 50 * y, [1.0], (0.0, 40.0), {"method": "midpoint", "dt": 0.01}),
    Failure("acos below minus one", LITERATURE, U, lambda t, y: -1 - torch.acos(y), [0.5], (0.0, 2.0)),
    Failure("a power of a negative number", LITERATURE, U, lambda t, y: -1 - y**1.5, [1.0], (0.0, 2.0), {"method": "tsit5"}),
    Failure("a leaking tank of two, float32", LITERATURE, U, lambda t, y: torch.stack((-torch.sqrt(y[0]) - 0.2, torch.sqrt(y[0]) - y[1])), [1.0, 0.0], (0.0, 5.0), {"rtol": 1e-4, "atol": 1e-4}, F32),
    Failure("a net with a root", OWN, U, BrokenNet(), [0.5, 0.5], (0.0, 5.0)),
    Failure("log(1 - t)", OWN, U, lambda t, y: torch.log(1 - t) - y, [1.0], (0.0, 2.0), {"method": "dopri8"}),
    Failure("NaN at the start", OWN, U, lambda t, y: y / (y - y), [1.0], (0.0, 1.0)),
    Failure("sqrt, per_sample", OWN, U, lambda t, y: -1 - torch.sqrt(y), [[5.0], [1.0]], (0.0, 2.0), {"batch": "per_sample"}),
    Failure("dropout in float32, batch of 16", LITERATURE, N, Net(2, 1.0, 0.1), [[0.1 * i, 0.5] for i in range(16)], (0.0, 10.0), {"rtol": 1e-5, "atol": 1e-5, **FEW}, F32),
    Failure("noise of 1e-5 at 1e-9", OWN, N, noisy(1e-5), [1.0], (0.0, 10.0), {"rtol": 1e-9, "atol": 1e-9, **FEW}),
    Failure("a field with a memory", OWN, N, Momentum(), [1.0], (0.0, 10.0), {"rtol": 1e-8, "atol": 1e-8, **FEW}),
    Failure("noise, rodas5p", OWN, N, noisy(0.05), [1.0], (0.0, 10.0), {"method": "rodas5p", "max_steps": 300}),
    Failure("short pulses, tsit5", OWN, J, pulses(0.5, 0.2, 10.0), [0.0], (0.0, 500.0), {"method": "tsit5", "max_steps": 1500}),
    Failure("a staircase", OWN, J, lambda t, y: torch.floor(t) - y, [0.0], (0.0, 300.0), {"rtol": 1e-8, "atol": 1e-8, "max_steps": 1500}),
    Failure("a buck converter, switched by the clock", LITERATURE, J, lambda t, y: torch.stack((12.0 * ((t % 0.4) < 0.15) - y[1], y[0] - y[1])), [0.0, 0.0], (0.0, 200.0), {"method": "bosh3", "rtol": 1e-6, "max_steps": 1500}),
    Failure("a thermostat without hysteresis", LITERATURE, W, thermostat, [15.0], (0.0, 100.0), {"max_steps": 1000}),
    Failure("Fuller's relay", LITERATURE, W, zeno, [1.0, 0.0], (0.0, 50.0), {"max_steps": 1000}),
    Failure("a wall that pushes back", OWN, W, lambda t, y: torch.where(y > 0, -torch.ones_like(y), torch.full_like(y, 2.0)), [1.0], (0.0, 50.0), {"method": "tsit5", "max_steps": 1000}),
    Failure("Duffing for long, tsit5", LITERATURE, L, duffing, [1.0, 0.0], (0.0, 5000.0), {"method": "tsit5", **FEW}),
    Failure("two frequencies, dopri8", OWN, L, lambda t, y: torch.stack((y[1], -900 * y[0], y[3], -y[2])), [1.0, 0.0, 1.0, 0.0], (0.0, 300.0), {"method": "dopri8", **FEW}),
    Failure("a fast driven field", OWN, L, lambda t, y: torch.cos(200 * t) - 0.1 * y, [0.0], (0.0, 50.0), {"method": "bosh3", **FEW}),
    Failure("eccentric Kepler", LITERATURE, L, kepler, [1.0, 0.0, 0.0, 0.4], (0.0, 3000.0), {"method": "dopri8", "rtol": 1e-8, "atol": 1e-8, **FEW}),
    Failure("max_step of 1e-3, tsit5", OWN, Cause.STEP_LIMIT, lambda t, y: -y + torch.cos(t), [1.0], (0.0, 9.0), {"method": "tsit5", "max_step": 1e-3, "time_limit": 0.3}),
    Failure("1e-8 in float32", LITERATURE, R, oscillator(1.0), [1.0, 0.0], (0.0, 100.0), {"rtol": 1e-8, "atol": 1e-9, **FEW}, F32),
    Failure("van der Pol, mu = 100 by midpoint", LITERATURE, Cause.STEP_TOO_LONG, van_der_pol(100.0), [2.0, 0.0], (0.0, 30.0), {"method": "midpoint", "dt": 0.02}),
    Failure("a cubic damper by Euler", OWN, Cause.STEP_TOO_LONG, lambda t, y: -10 * y**3, [3.0], (0.0, 10.0), {"method": "euler", "dt": 0.1}),
)  # fmt: skip
