"""Stiffness: an explicit and an implicit method on van der Pol's oscillator and on a net that has learned it.

The net learns in Lienard's coordinates, where the field has values of one size: with w = x - x^3/3 - x'/mu and the slow
time s = t / mu,

    dx/ds = mu^2 (x - x^3/3 - w),    dw/ds = x.

The state creeps along w = x - x^3/3, to which it is drawn at a rate of about mu^2: an explicit method's step stays
below about 3 / mu^2, however smooth the solution is (Hairer and Wanner, Solving Ordinary Differential Equations II,
section IV.1). A net that is fitted to the derivatives of such a field has its eigenvalues too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.systems import SYSTEMS
from node_core.odeint import odeint
from node_core.solution import Solution
from node_core.studies.limits.stiff_config import STIFF_METHODS, StiffConfig, StiffResult, StiffSolve
from node_core.studies.timing import timed

START = (2.0, -2.0 / 3.0)  # x = 2 at rest: van der Pol's own start, in Lienard's coordinates
BOX = ((-2.5, 2.5), (-1.2, 1.2))
SAMPLES = 1024
LEARNING_RATE = 0.01
MOST_VALUES = 300

Floats = NDArray[np.float64]
Rates = Callable[[Floats, Floats], np.ndarray]


def run(config: StiffConfig) -> StiffResult:
    """Solve every mu by every method, with the formula and with the net."""
    net, error = learned(config)
    system = SYSTEMS["van_der_pol"]
    solves = []
    for mu in config.mus:
        formula, scaled = system.field(mu=mu), at_mu(net, mu)
        end = config.span * mu

        def formula_rates(t: Floats, y: Floats, formula: Any = formula) -> np.ndarray:
            return np.stack(
                [np.linalg.eigvals(formula.jacobian(s, row)) for s, row in zip(t, y, strict=True)]
            )

        def net_rates(t: Floats, y: Floats, scaled: MLPField = scaled) -> np.ndarray:
            with torch.no_grad():
                return np.linalg.eigvals(scaled.jacobian(0.0, torch.from_numpy(y)).numpy())

        for method in STIFF_METHODS:
            solves.append(_solve(config, "formula", method, mu, formula, system.y0, end, formula_rates))
            solves.append(_solve(config, "net", method, mu, scaled, START, end, net_rates))
    return StiffResult(config, tuple(solves), error)


def lienard(y: Tensor) -> Tensor:
    """(x - x^3/3 - w, x) of states (..., 2) of x and w: the field but for mu."""
    x, w = y.unbind(-1)
    return torch.stack([x - x**3 / 3 - w, x], dim=-1)


def learned(config: StiffConfig) -> tuple[MLPField, float]:
    """A net fitted to `lienard` in `BOX` by Adam, and its relative error there."""
    low, high = np.array(BOX).T
    y = torch.from_numpy(np.random.default_rng(config.seed).uniform(low, high, (SAMPLES, 2)))
    true = lienard(y)
    net = MLPField(2, (config.hidden,), "tanh", seed=config.seed, dtype=torch.float64)
    adam = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(adam, config.iterations)
    for _ in range(config.iterations):
        loss = nn.functional.mse_loss(net(0.0, y), true)
        adam.zero_grad()
        loss.backward()
        adam.step()
        rate.step()
    with torch.no_grad():
        return net, float((net(0.0, y) - true).norm() / true.norm())


def at_mu(net: MLPField, mu: float) -> MLPField:
    """The same net as a field in van der Pol's own time: its outputs times mu and 1 / mu."""
    field = MLPField(2, net.hidden, "tanh", dtype=torch.float64)
    field.load_state_dict(net.state_dict())
    with torch.no_grad():
        scale = torch.tensor([mu, 1.0 / mu], dtype=torch.float64)
        for name, outer in (("weight_2", scale[:, None]), ("bias_2", scale)):
            field.get_parameter(name).mul_(outer)
    return field


def _solve(
    config: StiffConfig,
    name: str,
    method: str,
    mu: float,
    field: Any,
    start: tuple[float, ...],
    end: float,
    rates_at: Rates,
) -> StiffSolve:
    y0 = torch.tensor(start, dtype=torch.float64)

    def compute() -> Solution:
        with torch.no_grad():
            return odeint(
                field,
                y0,
                [0.0, end],
                method=method,
                rtol=config.rtol,
                atol=config.rtol,
                max_steps=config.max_steps,
                on_error="return",
            )

    solution, seconds = timed(compute)
    log = solution.steps
    last = log.n_accepted - 1
    chosen = np.unique(np.linspace(0, last, min(MOST_VALUES, log.n_accepted)).round().astype(int))
    t, dt = log.t[log.accepted][chosen], log.dt[log.accepted][chosen]
    with torch.no_grad():
        rates = rates_at(t, np.asarray(solution(t), dtype=float))
    return StiffSolve(
        name,
        method,
        mu,
        len(log),
        solution.stats.nfe,
        solution.status.ok,
        seconds,
        np.asarray(dt[:, None] * rates, dtype=np.complex128),
        float(rates.real.min()),
    )
