"""How straight paths are, and what Euler steps and clouds of points come to, against closed forms."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from node_core.cnf.bases import StandardNormal
from node_core.cnf.continuous import CNF
from node_core.cnf.straightness import (
    chord_distance,
    energy_distance,
    euler_samples,
    straightness,
    unevenness,
)
from node_core.fields.mlp.mlp import MLPField
from node_core.settings import SolverSettings

TIGHT = SolverSettings(rtol=1e-9, atol=1e-9)
Z = StandardNormal(2).sample(40, 1, torch.float64)


def turning(_: Any, y: Tensor) -> Tensor:
    return 2.0 * torch.stack((-y[..., 1], y[..., 0]), -1)


def hurrying(t: Any, y: Tensor) -> Tensor:
    return 2.0 * torch.as_tensor(t) * torch.ones_like(y) * y.new_tensor([3.0, 1.0])


def drifting(_: Any, y: Tensor) -> Tensor:
    return torch.ones_like(y)


@pytest.mark.parametrize("t1", [1.0, 1.5])
def test_a_turning_flow_is_as_uneven_as_its_arcs_and_chords_say(t1: float) -> None:
    flow = CNF(turning, StandardNormal(2), t1=t1, solver=TIGHT)
    found = unevenness(flow, flow.trajectory(Z, 201))
    angle = 2.0 * t1
    exact = Z.square().sum(1) * (angle**2 - 2 * (1 - math.cos(angle)))
    torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-6)
    assert straightness(flow, Z, 201) == pytest.approx(float(exact.mean()), rel=1e-3)


def test_a_straight_line_of_uneven_speed_is_not_straight() -> None:
    flow = CNF(hurrying, StandardNormal(2), solver=TIGHT)
    assert straightness(flow, Z, 201) == pytest.approx(10.0 / 3.0, rel=1e-3)
    assert straightness(CNF(drifting, StandardNormal(2), t1=3.0, solver=TIGHT), Z) < 1e-12


def test_half_a_circle_is_a_radius_away_from_its_chord() -> None:
    ts = torch.linspace(0, math.pi, 101, dtype=torch.float64)
    z = torch.stack((ts.cos(), ts.sin()), -1)[:, None] * torch.tensor([1.0, 3.0])[:, None]
    torch.testing.assert_close(chord_distance(ts, z), torch.tensor([1.0, 3.0]).double(), rtol=1e-6, atol=0)
    line = ts[:, None, None] * torch.ones(1, 2, 2, dtype=torch.float64)
    assert float(chord_distance(ts, line).max()) < 1e-12


@pytest.mark.parametrize("steps", [1, 3, 7, 32])
def test_euler_samples_are_so_many_euler_steps(steps: int) -> None:
    field = MLPField(2, (16, 16), time_dependent=True, dtype=torch.float64)
    flow, y = CNF(field, t1=0.7), Z
    h = 0.7 / steps
    with torch.no_grad():
        for k in range(steps):
            y = y + h * field(k * h, y)
    torch.testing.assert_close(euler_samples(flow, Z, steps), y, rtol=0, atol=1e-12)


def test_one_euler_step_is_exact_on_straight_paths_and_many_come_near_on_others() -> None:
    straight = CNF(drifting, StandardNormal(2), solver=TIGHT)
    torch.testing.assert_close(euler_samples(straight, Z, 1), Z + 1.0)
    flow = CNF(turning, StandardNormal(2), solver=TIGHT)
    ends = flow.forward(Z).points
    errors = [float((euler_samples(flow, Z, n) - ends).norm(dim=1).mean()) for n in (1, 8, 64)]
    assert errors[0] > 1.0
    assert errors[2] < errors[1] / 6


def test_the_energy_distance_of_known_clouds() -> None:
    a, b = torch.zeros(5, 2), torch.tensor([[3.0, 4.0]]).expand(7, 2)
    assert energy_distance(a, b) == pytest.approx(10.0)
    assert energy_distance(a, a) == 0.0
    base = StandardNormal(2)
    same = [energy_distance(base.sample(60, k), base.sample(60, 1000 + k)) for k in range(100)]
    assert min(same) < 0.0 < max(same)  # no bias
    assert abs(sum(same) / 100) < 0.01
    assert energy_distance(base.sample(500, 1), base.sample(500, 2) + 1.0) > 0.3


def test_clouds_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="give 2 to 10,000 points"):
        energy_distance(torch.zeros(1, 2), torch.zeros(5, 2))
    with pytest.raises(ValueError, match="2 and 3 dimensions"):
        energy_distance(torch.zeros(5, 2), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="steps = 0: choose 1 to 1000"):
        euler_samples(CNF(MLPField(2)), torch.zeros(3, 2), 0)
