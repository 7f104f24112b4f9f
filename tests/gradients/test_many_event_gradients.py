"""The derivatives of crossings that are recorded, and of what comes after an event in a loop, in every mode."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core import Event, odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.gradients.names import GRADIENTS, goes_with
from node_core.solvers.methods import METHODS
from tests.solvers.problems import D, step_arguments, vector

CASES = [
    *[
        (mode, name, 1.0)
        for mode in GRADIENTS
        for name in ("dopri5", "rk4", "rodas5p")
        if goes_with(mode, METHODS[name].family)
    ],
    *[(mode, "tsit5", -1.0) for mode in GRADIENTS],
    ("checkpointed", "trapezoid", 1.0),
    ("adjoint", "scipy_lsoda", 1.0),
    ("interpolated", "scipy_adams", -1.0),
]


def endless(mode: str) -> float:
    """An end time that is none, where the mode can do without."""
    return 9.0 if mode == "reversible" else math.inf


class Turning(nn.Module):
    """A rotation of learnable speed."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = nn.Parameter(torch.tensor(speed, dtype=D))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return self.speed * torch.stack((y[..., 1], -y[..., 0]), -1)


@pytest.mark.parametrize(("mode", "name", "sign"), CASES)
def test_times_and_states_of_recorded_crossings(mode: str, name: str, sign: float) -> None:
    """x = r cos(w t - phi) meets a threshold s where it falls, at (phi + acos(s / r) + 2 pi k) / w."""
    field, y0 = Turning(sign * 1.3), vector(0.8, sign * 0.6).requires_grad_()
    threshold = vector(0.2).requires_grad_()
    events = [
        Event(lambda t, y: y[0] - threshold[0], -1, terminal=False),
        Event(lambda t, y: sign * t - 7.0),
    ]
    solution = odeint(
        field, y0, [0.0, sign * 1.0, sign * endless(mode)], method=name, gradient=mode, event=events,
        **step_arguments(name, 0.05),
    )  # fmt: skip
    found = solution.events[0]
    assert len(found) == 2

    w, (x, v), s = (z.detach().clone().requires_grad_() for z in (field.speed, y0, threshold))
    start = torch.stack((x, v)).detach().requires_grad_()
    r, phi = start.norm(), torch.atan2(start[1], start[0])
    exact = torch.stack([(phi + torch.acos(s[0] / r) + 2 * math.pi * k) / w for k in range(2)])
    fallen = torch.stack((s[0].expand(2), -(r * r - s[0] ** 2).sqrt().expand(2)), -1)
    near: dict[str, Any] = {"rtol": 0.0, "atol": 5e-3 if name == "trapezoid" else 2e-4}
    torch.testing.assert_close(found.t, exact, **near)
    torch.testing.assert_close(found.y, fallen, **near)

    weights = vector(1.0, -0.7)

    def loss(t: Tensor, y: Tensor) -> Tensor:
        return (weights * t).sum() + (weights * y[:, 1]).sum() + (y[0, 0] * t[1])

    ours = loss(found.t, found.y) + 2 * solution.ys[1, 0]
    angle = w * sign
    theirs = loss(exact, fallen) + 2 * (start[0] * torch.cos(angle) + start[1] * torch.sin(angle))
    got = torch.autograd.grad(ours, (field.speed, y0, threshold))
    wanted = torch.autograd.grad(theirs, (w, start, s))
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=5e-2 if name == "trapezoid" else 1e-3)


@pytest.mark.parametrize("mode", GRADIENTS)
def test_a_closed_form_in_columns_gives_what_a_module_gives(mode: str) -> None:
    net = MLPField(2, (6,), time_dependent=True, dtype=D, seed=3)

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, t: Any, y: Tensor) -> Tensor:
            return self.net(t, y)

    def solve(field: nn.Module) -> tuple[Tensor, list[Tensor]]:
        y0 = torch.tensor([[1.0, -0.5], [0.3, 0.8]], dtype=D, requires_grad=True)
        level = float((net(0.0, y0) * 0.3 + y0).mean().detach())
        events = [Event(lambda t, y: y.mean() - level, terminal=False), Event(lambda t, y: t - 0.9)]
        solution = odeint(field, y0, [0.0, 0.5, 2.0], gradient=mode, event=events, rtol=1e-8, atol=1e-8)
        assert len(solution.events[0]) >= 1
        value = solution.events[0].t.sum() + (solution.events[0].y ** 2).sum() + solution.ys.sum()
        return value, list(torch.autograd.grad(value, (y0, *net.parameters())))

    (value, gradients), (other, others) = solve(net), solve(Same())
    torch.testing.assert_close(value, other)
    for one, two in zip(gradients, others, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-7)


def fall(t: Any, y: Tensor) -> Tensor:
    return torch.stack((y[1], torch.full_like(y[1], -9.81)))


@pytest.mark.parametrize("mode", GRADIENTS)
def test_a_bouncing_ball_knows_how_its_last_bounce_depends_on_its_restitution(mode: str) -> None:
    """Dropped from h, the n-th bounce is at sqrt(2 h / g) (1 + 2 e + ... + 2 e^(n - 1))."""
    e, h = torch.tensor(0.8, dtype=D, requires_grad=True), torch.tensor(1.5, dtype=D, requires_grad=True)
    t: Any = 0.0
    y = torch.stack((h, torch.zeros_like(h)))
    for _ in range(4):
        solution = odeint(
            fall,
            y,
            [t, t + 2.0 if mode == "reversible" else math.inf],
            gradient=mode,
            params=(),
            event=Event(lambda t, y: y[0], direction=-1),
        )
        t, y = solution.t_event, solution.y_event * torch.stack((torch.ones((), dtype=D), -e))
    e2, h2 = (z.detach().clone().requires_grad_() for z in (e, h))
    exact = (2 * h2 / 9.81).sqrt() * (1 + 2 * (e2 + e2**2 + e2**3))
    torch.testing.assert_close(t, exact)
    torch.testing.assert_close(y[1], e2.detach() ** 4 * (2 * 9.81 * h2.detach()).sqrt())
    found, wanted = torch.autograd.grad(t, (e, h)), torch.autograd.grad(exact, (e2, h2))
    torch.testing.assert_close(torch.stack(found), torch.stack(wanted))


def test_training_finds_the_restitution() -> None:
    """By Newton's method for the time of the third bounce."""
    e = torch.tensor(0.5, dtype=D, requires_grad=True)
    wanted = math.sqrt(2 / 9.81) * (1 + 2 * 0.75 + 2 * 0.75**2)
    for _ in range(5):
        t: Any = 0.0
        y = vector(1.0, 0.0)
        for _ in range(3):
            solution = odeint(fall, y, [t, math.inf], event=Event(lambda t, y: y[0], direction=-1))
            t, y = solution.t_event, solution.y_event * torch.stack((torch.ones((), dtype=D), -e))
        (slope,) = torch.autograd.grad(t, e)
        e = (e - (t - wanted) / slope).detach().requires_grad_()
    assert float(e.detach()) == pytest.approx(0.75, abs=1e-4)
