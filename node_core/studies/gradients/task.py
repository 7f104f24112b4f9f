"""From a `Task` to what a worker computes with: the field as a module, the loss, and one gradient."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.learned import HIDDEN, load_weights
from node_core.odeint import odeint
from node_core.solution import Solution, SolveError
from node_core.solvers.methods import METHODS
from node_core.studies.gradients.config import Floats, Task

# What a gradient may cost is counted, so that a busy machine refuses nothing: steps each way, and for an implicit
# method the columns of the Jacobians of all that goes back.
MAX_STEPS = 5_000
MAX_COLUMNS = 20_000


class LinearField(nn.Module):
    """f(t, z) = A z with A = [[-delta, -omega], [omega, -delta]]; the four entries of A are the parameters."""

    def __init__(self, delta: float, omega: float) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.tensor([[-delta, -omega], [omega, -delta]], dtype=torch.float64))

    def forward(self, t: Any, z: Tensor) -> Tensor:
        """dz/dt for z (..., 2)."""
        return z @ self.A.T


class VanDerPolField(nn.Module):
    """f(t, z) = (z2, mu (1 - z1^2) z2 - z1) with mu as the one parameter."""

    def __init__(self, mu: float) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.tensor(mu, dtype=torch.float64))

    def forward(self, t: Any, z: Tensor) -> Tensor:
        """dz/dt for z (..., 2)."""
        x, v = z.unbind(-1)
        return torch.stack([v, self.mu * (1 - x * x) * v - x], dim=-1)


def learned_module() -> MLPField:
    """The committed ODE-Net field as a trainable module."""
    field = MLPField(2, (HIDDEN,), "tanh", dtype=torch.float64)
    field.load_state_dict({name: torch.from_numpy(value) for name, value in load_weights().items()})
    return field


def module_of(task: Task) -> nn.Module:
    """The task's field as a fresh module whose parameters are theta."""
    values = task.values
    if task.field == "linear":
        return LinearField(values["delta"], values["omega"])
    if task.field == "van_der_pol":
        return VanDerPolField(values["mu"])
    return learned_module()


def start_of(task: Task) -> Tensor:
    """z(0), (dim,)."""
    return torch.tensor(task.spec.y0, dtype=torch.float64)


def loss_of(ys: Tensor, task: Task) -> Tensor:
    """L = 1/2 sum_i |z(t_i) - z*|^2 for the states at the observation times, (observations, dim)."""
    return 0.5 * ((ys - torch.tensor(task.spec.target, dtype=ys.dtype)) ** 2).sum()


class Gradient(NamedTuple):
    """One gradient: [dL/dz(0), dL/dtheta] flat, L, and the solution with its records."""

    value: Floats
    loss: float
    solution: Solution


def gradient(
    task: Task,
    mode: str,
    rtol: float,
    method: str = "dopri5",
    *,
    record: bool = False,
    max_step: float | None = None,
    jumps: tuple[float, ...] = (),
) -> Gradient:
    """Solve the task and go back in `mode`, with atol = rtol.

    Args:
        record: keep the way back, and dense output.
        max_step: no step is longer.
        jumps: times at which a step ends, though f does not jump.

    Raises:
        SolveError: the solve, or the way back, could not go on.
    """
    field, y0 = module_of(task), start_of(task).requires_grad_()
    solution = odeint(
        field,
        y0,
        [0.0, *task.observations],
        method=method,
        rtol=rtol,
        atol=rtol,
        gradient=mode,
        record_adjoint=record,
        dense=record,
        max_steps=most_steps(field, mode, method),
        max_step=max_step,
        jumps=jumps,
    )
    loss = loss_of(solution.ys[1:], task)
    loss.backward()
    assert y0.grad is not None
    pieces = [y0.grad, *(p.grad for p in field.parameters() if p.grad is not None)]
    return Gradient(
        torch.cat([piece.reshape(-1) for piece in pieces]).numpy(), float(loss.detach()), solution
    )


def most_steps(field: nn.Module, mode: str, method: str) -> int:
    """How many steps a solve may take: fewer where each needs the Jacobian of [z, a, dL/dtheta]."""
    if METHODS[method].family != "implicit" or mode in ("backprop", "checkpointed"):
        return MAX_STEPS
    return min(MAX_STEPS, MAX_COLUMNS // (4 + sum(p.numel() for p in field.parameters())))


def solve_loss(task: Task, theta: Floats, rtol: float, method: str) -> tuple[float, int]:
    """L and the evaluations of f at [z(0), theta] flat: what finite differences are made of."""
    field = module_of(task)
    values = torch.from_numpy(theta)
    with torch.no_grad():
        nn.utils.vector_to_parameters(values[2:], field.parameters())
        found = odeint(
            field,
            values[:2].clone(),
            [0.0, *task.observations],
            method=method,
            rtol=rtol,
            atol=rtol,
            max_steps=MAX_STEPS,
        )
        return float(loss_of(found.ys[1:], task)), found.stats.nfe


def flat_inputs(task: Task) -> Floats:
    """[z(0), theta] flat: what the gradient is taken by."""
    with torch.no_grad():
        theta = nn.utils.parameters_to_vector(module_of(task).parameters())
    return torch.cat([start_of(task), theta.reshape(-1)]).numpy()


def relative(value: Floats, truth: Floats) -> float:
    """|value - truth| / |truth|, capped at 1e12 so that it can be drawn."""
    size = float(np.linalg.norm(truth))
    if not np.isfinite(value).all():
        return 1e12
    return min(float(np.linalg.norm(value - truth)) / (size if size > 0 else 1.0), 1e12)


def told(error: SolveError) -> str:
    """A failure's message as a sentence for the page."""
    text = str(error).split("; or take")[0]
    text = re.sub(r" \(try method=[^)]*\)", "", text)
    text = re.sub(
        r"took max_steps = (\d+) steps and reached only (t = [^:]*): .*",
        lambda found: (
            f"{int(found[1]):,} steps led only to {found[2]}: loosen the tolerance, take another solver or a "
            "shorter horizon T"
        ),
        text,
    )
    return text[:1].upper() + text[1:] + "."
