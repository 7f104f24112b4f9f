"""Train the committed learned field: `python -m node_core.studies.adjoint.make_learned_field` (half a minute).

A Neural ODE learns from noisy points of spirals that wind onto a ring,

    dr/dt = r (1 - r^2) / 2,   dphi/dt = 2,

first from finite differences of the points (a cheap start), then through the solver, with the checkpointed gradient.
Everything is seeded. Beside the weights a JSON says how they were made and how well they fit.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.learned import CHECKPOINT, HIDDEN
from node_core.odeint import odeint

GROWTH, TURN = 0.5, 2.0
NOISE = 0.01
SPACING = 0.1
POINTS = 61
STARTS = 24
WINDOW = 8


def spirals(y0: Tensor, ts: Tensor) -> Tensor:
    """The exact spirals from y0 (n, 2) at the times (time,), shape (time, n, 2)."""
    radius, angle = y0.norm(dim=-1), torch.atan2(y0[:, 1], y0[:, 0])
    r = (1 + (radius**-2 - 1) * torch.exp(-2 * GROWTH * ts)[:, None]) ** -0.5
    phi = angle + TURN * ts[:, None]
    return torch.stack([r * phi.cos(), r * phi.sin()], dim=-1)


def data(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Times (time,) and noisy spirals (time, n, 2) from starts between r = 0.15 and 2.2."""
    ts = SPACING * torch.arange(POINTS, dtype=torch.float64)
    radius = torch.linspace(0.15, 2.2, STARTS, dtype=torch.float64)
    angle = 2 * torch.pi * torch.rand(STARTS, generator=generator, dtype=torch.float64)
    y0 = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    exact = spirals(y0, ts)
    return ts, exact + NOISE * torch.randn(exact.shape, generator=generator, dtype=torch.float64)


def train(seed: int = 0, warm_up: int = 3000, iterations: int = 300) -> tuple[MLPField, list[float]]:
    """Fit the field; return it with the losses of the second phase."""
    generator = torch.Generator().manual_seed(seed)
    ts, ys = data(generator)
    field = MLPField(2, (HIDDEN,), "tanh", seed=seed, dtype=torch.float64)
    middle, slope = ys[1:-1], (ys[2:] - ys[:-2]) / (2 * SPACING)
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, warm_up)
    for _ in range(warm_up):
        optimizer.zero_grad()
        ((field(0.0, middle) - slope) ** 2).mean().backward()
        optimizer.step()
        decay.step()
    return field, _through_the_solver(field, ts, ys, generator, iterations)


def _through_the_solver(
    field: MLPField, ts: Tensor, ys: Tensor, generator: torch.Generator, iterations: int
) -> list[float]:
    """Minimise the distance of solved windows to the points; return the losses."""
    optimizer = torch.optim.Adam(field.parameters(), lr=3e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    losses = []
    for _ in range(iterations):
        at = torch.randint(0, POINTS - WINDOW, (64,), generator=generator)
        which = torch.randint(0, STARTS, (64,), generator=generator)
        wanted = torch.stack([ys[at + k, which] for k in range(WINDOW + 1)])
        optimizer.zero_grad()
        solved = odeint(field, wanted[0], ts[: WINDOW + 1], rtol=1e-5, atol=1e-5, gradient="checkpointed").ys
        loss = ((solved - wanted) ** 2).mean()
        loss.backward()
        optimizer.step()
        decay.step()
        losses.append(float(loss.detach()))
    return losses


def make(path: Path = CHECKPOINT) -> dict[str, object]:
    """Train, save the weights and the JSON, and return what the JSON says."""
    torch.set_num_threads(1)
    field, losses = train()
    y0 = torch.tensor([[0.25, 0.0], [2.0, 0.0]], dtype=torch.float64)
    ts = torch.linspace(0.0, 6.0, 61, dtype=torch.float64)
    with torch.no_grad():
        gap = (odeint(field, y0, ts, rtol=1e-8, atol=1e-8).ys - spirals(y0, ts)).norm(dim=-1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: p.detach().contiguous() for name, p in field.named_parameters()}, path)
    facts: dict[str, object] = {
        "field": "MLPField(2, (24,), 'tanh'), float64",
        "made_by": "python -m node_core.studies.adjoint.make_learned_field",
        "data": f"{STARTS} noisy spirals, dr/dt = r (1 - r^2) / 2, dphi/dt = 2",
        "seed": 0,
        "final_loss": round(sum(losses[-20:]) / 20, 7),
        "largest_distance_to_the_exact_spirals": round(float(gap.max()), 4),
    }
    path.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return facts


if __name__ == "__main__":
    print(json.dumps(make(), indent=2))
