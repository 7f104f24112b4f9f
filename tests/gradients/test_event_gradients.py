"""The derivatives of t_event and y_event against closed forms: every gradient mode, kind of method and input."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.gradients.names import GRADIENTS
from node_core.solution import Solution, Status
from node_core.solvers.methods import METHODS
from tests.solvers.problems import D, rotation, step_arguments, vector

# Fixed and adaptive, with each kind of dense output; the last two serve the continuous modes alone.
NAMES = ["rk4", "midpoint", "dopri5", "dopri8", "bosh3", "implicit_euler", "trapezoid", "rodas5p"]
REFERENCES = ["scipy_lsoda", "scipy_radau", "scipy_adams"]
PAIRS = [(mode, name) for mode in GRADIENTS for name in NAMES] + [
    (mode, name) for mode in ("adjoint", "interpolated") for name in REFERENCES
]
TIGHT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}
EACH = pytest.mark.parametrize(("mode", "name"), PAIRS)


class Falling(nn.Module):
    """Height and speed under a gravity g that can be learned."""

    def __init__(self, g: float = 9.81) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.tensor(g, dtype=D))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return torch.stack((y[..., 1], -self.g.expand_as(y[..., 1])), -1)


class Decay(nn.Module):
    """y' = -k y."""

    def __init__(self, k: float = 0.8) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.tensor(k, dtype=D))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return -self.k * y


def tolerance(name: str) -> float:
    if name == "implicit_euler":
        return 5e-2  # of speeds up to 5, in steps of 0.005
    return 2e-5 if METHODS[name].adaptive else 2e-4


def ended(solution: Solution) -> tuple[Tensor, Tensor]:
    assert solution.t_event is not None
    assert solution.y_event is not None
    return solution.t_event, solution.y_event


@EACH
def test_when_and_how_fast_a_ball_lands(mode: str, name: str) -> None:
    """t_e = (v + w) / g and speed -w, with w = sqrt(v^2 + 2 g h)."""
    field, y0 = Falling(), vector(1.0, 2.0).requires_grad_()
    ts = torch.tensor([0.25, 0.5, 5.0], dtype=D, requires_grad=True)
    solution = odeint(
        field,
        y0,
        ts,
        method=name,
        gradient=mode,
        event=lambda t, y: y[0],
        direction=-1,
        **step_arguments(name, 0.005),
    )
    h, v, g, t0 = (x.detach().clone().requires_grad_() for x in (y0[0], y0[1], field.g, ts[0]))
    w = (v * v + 2 * g * h).sqrt()
    exact_t, exact_y = t0 + (v + w) / g, torch.stack((0 * h, -w))
    t_event, y_event = ended(solution)
    near: dict[str, Any] = {"rtol": 0.0, "atol": tolerance(name)}
    torch.testing.assert_close(t_event, exact_t, **near)
    torch.testing.assert_close(y_event, exact_y, **near)
    for ours, exact in ((t_event, exact_t), (y_event[1], exact_y[1]), (y_event[0], exact_y[0])):
        by_y, by_g, by_ts = torch.autograd.grad(
            ours, (y0, field.g, ts), retain_graph=True, materialize_grads=True
        )
        found = torch.stack((by_y[0], by_y[1], by_g, by_ts[0]))
        wanted = torch.stack(
            torch.autograd.grad(exact, (h, v, g, t0), retain_graph=True, materialize_grads=True)
        )
        torch.testing.assert_close(found, wanted, rtol=0, atol=4 * tolerance(name))
        assert by_ts[1:].tolist() == [0.0, 0.0]


@EACH
@pytest.mark.parametrize("forward", [True, False])
def test_a_threshold_and_a_loss_of_everything_at_once(mode: str, name: str, forward: bool) -> None:
    """y = y0 exp(-k t) meets exp(s t), with s the event's own parameter, whichever way time runs."""
    sign = 1.0 if forward else -1.0
    field, y0, s = Decay(sign * 0.8), vector(2.0).requires_grad_(), vector(sign * 0.3).requires_grad_()
    solution = odeint(
        field,
        y0,
        [0.0, sign * 0.2, sign * 5.0],
        method=name,
        gradient=mode,
        event=lambda t, y: y[0] - torch.exp(s[0] * t),
        **step_arguments(name, 0.005),
    )
    t_event, y_event = ended(solution)
    loss = 3 * t_event * sign + y_event[0] ** 2 + 5 * solution.ys[1, 0]
    found = torch.stack([g.reshape(()) for g in torch.autograd.grad(loss, (y0, field.k, s))])
    start, k, rate = (x.detach().reshape(()).clone().requires_grad_() for x in (y0, field.k, s))
    t = start.log() / (k + rate)
    exact = 3 * t * sign + torch.exp(2 * rate * t) + 5 * start * torch.exp(-k * sign * 0.2)
    wanted = torch.stack(torch.autograd.grad(exact, (start, k, rate)))
    torch.testing.assert_close(found, wanted, rtol=5 * tolerance(name), atol=5 * tolerance(name))


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize("name", ["dopri5", "dopri8", "rk4", "rodas5p"])
def test_a_net_s_event_is_that_of_finite_differences(mode: str, name: str) -> None:
    """The closed form in columns, batches, and the same net as a module that has no closed form."""
    net = MLPField(2, (6,), time_dependent=True, dtype=D, seed=2)
    weights = torch.tensor([[1.0, -0.5], [0.3, 0.8]], dtype=D)
    options = {"method": name, **step_arguments(name, 0.02)}

    def event(t: Any, y: Tensor) -> Tensor:
        return (y * y).sum() - 2.5 + 0.4 * t

    def loss(field: Any, y0: Tensor, **more: Any) -> Tensor:
        solution = odeint(field, y0, [0.0, 0.1, 4.0], event=event, **options, **more)
        t_event, y_event = ended(solution)
        return t_event + (weights * y_event).sum() + solution.ys[1].sum()

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, t: Any, y: Tensor) -> Tensor:
            return torch.as_tensor(self.net(t, y) + y)

    y0 = torch.tensor([[0.5, -0.3], [0.6, 0.2]], dtype=D)
    direction = torch.randn(y0.shape, generator=torch.Generator().manual_seed(1), dtype=D)
    for field in (Wrapped(), lambda t, y: y):
        start = y0.clone().requires_grad_()
        (found,) = torch.autograd.grad(loss(field, start, gradient=mode), start)
        with torch.no_grad():
            step = 1e-4
            ahead, behind = (loss(field, y0 + s * step * direction) for s in (1, -1))
        slope = float((ahead - behind) / (2 * step))
        assert float((found * direction).sum()) == pytest.approx(slope, rel=2e-4)


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize("name", ["dopri5", "rk4", "tsit5", "dopri8"])
def test_a_closed_form_gives_what_a_module_gives(mode: str, name: str) -> None:
    net = MLPField(2, (6, 5), time_dependent=True, dtype=D, seed=2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.0)

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, t: Any, y: Tensor) -> Any:
            return self.net(t, y)

    gradients = []
    for field, how in ((net, mode), (Plain(), "backprop")):
        y0 = torch.tensor([[0.5, -0.3], [0.6, 0.2], [1.0, 1.0]], dtype=D, requires_grad=True)
        event = lambda t, y: y[2, 0] - y[0, 0] - 0.8 + 0.3 * t  # noqa: E731
        solution = odeint(
            field, y0, [0.0, 0.01, 9.0], method=name, gradient=how, event=event, **step_arguments(name, 0.02)
        )
        t_event, y_event = ended(solution)
        loss = t_event + y_event.square().sum() + solution.ys[1].sum()
        gradients.append(torch.autograd.grad(loss, (y0, *net.parameters())))
    exact = mode in ("backprop", "checkpointed")
    for ours, other in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-8 if exact else 1e-4, atol=1e-9 if exact else 5e-5)


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize("name", ["euler", "rk4", "trapezoid", "dopri5"])
def test_an_event_at_an_output_and_at_the_end_of_a_step(mode: str, name: str) -> None:
    """y' = 1 from y0, until y = 3/4: t_e = t0 + 3/4 - y0, and the output there is still one at a fixed time."""
    y0 = vector(0.0).requires_grad_()
    ts = torch.tensor([0.0, 0.75, 2.0], dtype=D, requires_grad=True)
    options: dict[str, Any] = {"dt0": 0.25} if METHODS[name].adaptive else {"dt": 0.25}
    solution = odeint(
        lambda t, y: torch.ones_like(y),
        y0,
        ts,
        method=name,
        gradient=mode,
        params=(),
        event=lambda t, y: y[0] - 0.75,
        **options,
    )
    t_event, y_event = ended(solution)
    assert t_event.item() == pytest.approx(0.75, abs=1e-12)
    if len(solution.ts) == 2:  # not where rounding puts the event before the output
        assert solution.ys[1].tolist() == pytest.approx([0.75])
    loss = 2 * t_event + 5 * y_event[0] + 7 * solution.ys[-1, 0]
    by_y, by_ts = torch.autograd.grad(loss, (y0, ts))
    assert by_y.tolist() == pytest.approx([5.0])
    before = [2.0 - 7.0, 7.0, 0.0] if len(solution.ts) == 2 else [2.0 - 0.0, 0.0, 0.0]
    assert by_ts.tolist() == pytest.approx(before)


@pytest.mark.parametrize("mode", GRADIENTS)
def test_an_event_at_the_start_moves_with_the_start(mode: str) -> None:
    y0, ts = vector(0.0, -2.0).requires_grad_(), torch.tensor([0.0, 1.0], dtype=D, requires_grad=True)
    field = Falling()
    solution = odeint(field, y0, ts, gradient=mode, event=lambda t, y: y[0], direction=-1)
    t_event, y_event = ended(solution)
    assert t_event.item() == 0.0
    by_y, by_ts = torch.autograd.grad(t_event, (y0, ts), retain_graph=True)
    assert by_y.tolist() == pytest.approx([0.5, 0.0])
    assert by_ts.tolist() == pytest.approx([1.0, 0.0])
    (by_y,) = torch.autograd.grad(y_event[1], y0)
    assert by_y.tolist() == pytest.approx([-9.81 / 2, 1.0])


@pytest.mark.parametrize("mode", GRADIENTS)
def test_only_the_event_s_own_threshold_is_learned(mode: str) -> None:
    height = torch.tensor(0.5, dtype=D, requires_grad=True)
    solution = odeint(
        rotation, vector(1.0, 0.0), [0.0, 3.0], gradient=mode, event=lambda t, y: y[0] - height, **TIGHT
    )
    t_event, y_event = ended(solution)
    (by_t,) = torch.autograd.grad(t_event, height, retain_graph=True)
    assert float(by_t) == pytest.approx(-1 / math.sqrt(0.75), rel=1e-6)
    (by_y,) = torch.autograd.grad(y_event[1], height)
    assert float(by_y) == pytest.approx(0.5 / math.sqrt(0.75), rel=1e-6)


def test_learning_by_an_event_reaches_its_goal() -> None:
    """The speed with which a ball has to be thrown to land after one second: g / 2."""
    speed = torch.tensor(2.0, dtype=D, requires_grad=True)
    field = Falling()
    for _ in range(12):
        y0 = torch.stack((torch.zeros((), dtype=D), speed))
        t_event, _ = ended(odeint(field, y0, [0.0, 9.0], event=lambda t, y: y[0], direction=-1, **TIGHT))
        (by_speed,) = torch.autograd.grad(t_event, speed)
        with torch.no_grad():
            speed -= (t_event - 1.0) / by_speed
    assert speed.item() == pytest.approx(9.81 / 2, rel=1e-7)


@pytest.mark.parametrize("mode", GRADIENTS)
def test_where_the_solution_only_touches_the_zero_there_is_no_derivative(mode: str) -> None:
    y0, field = vector(0.0, 0.0).requires_grad_(), Falling()
    solution = odeint(field, y0, [0.0, 1.0], gradient=mode, event=lambda t, y: y[0], direction=-1)
    assert solution.status is Status.EVENT
    for value in ended(solution):
        with pytest.raises(RuntimeError, match=r"event at t = 0 has no derivative: .* only touches it"):
            value.sum().backward()
    solution.ys.sum().backward()
    assert y0.grad is not None
    assert y0.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize(
    "event",
    [lambda t, y: float(y[0]) - 0.5, lambda t, y: y.numpy()[0] - 0.5, lambda t, y: y[0].detach() - 0.5],
    ids=["float", "numpy", "detached"],
)
def test_an_event_of_plain_numbers_stops_but_has_no_gradient(mode: str, event: Any) -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    solution = odeint(rotation, y0, [0.0, 0.5, 3.0], gradient=mode, params=(), event=event)
    assert ended(solution)[0].item() == pytest.approx(math.pi / 3, abs=1e-5)
    for value in ended(solution):
        with pytest.raises(RuntimeError, match="t_event and y_event have no gradient: event"):
            value.sum().backward()
    (by_y,) = torch.autograd.grad(solution.ys[1, 0], y0)
    assert by_y.tolist() == pytest.approx([math.cos(0.5), math.sin(0.5)], abs=1e-5)


def test_an_event_of_time_alone_leaves_the_state_s_derivative() -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    t_event, y_event = ended(odeint(rotation, y0, [0.0, 3.0], event=lambda t, y: t - 1.0, **TIGHT))
    (by_y,) = torch.autograd.grad(y_event[0], y0, retain_graph=True)
    assert by_y.tolist() == pytest.approx([math.cos(1.0), math.sin(1.0)], abs=1e-7)
    (by_t,) = torch.autograd.grad(t_event, y0)
    assert by_t.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("mode", ["backprop", "checkpointed"])
def test_a_second_derivative_is_refused(mode: str) -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    for value in ended(odeint(rotation, y0, [0.0, 3.0], gradient=mode, params=(), event=lambda t, y: y[0])):
        with pytest.raises(RuntimeError, match="no second derivative"):
            torch.autograd.grad(value.sum(), y0, create_graph=True)


@pytest.mark.parametrize("mode", GRADIENTS)
def test_the_adjoint_is_recorded_from_the_event_on(mode: str) -> None:
    """a(t) = dL/dy(t) of L = t_e: it begins as -g_y / (g_y f) at the event, and ends as the gradient."""
    y0 = vector(1.0, 2.0).requires_grad_()
    solution = odeint(
        Falling(), y0, [0.0, 5.0], gradient=mode, record_adjoint=True, event=lambda t, y: y[0], **TIGHT
    )
    t_event, y_event = ended(solution)
    t_event.backward()
    record = solution.adjoint
    assert y0.grad is not None
    assert record.t.max() <= t_event.item() + 1e-12
    assert record.a[-1].tolist() == pytest.approx(y0.grad.tolist(), rel=1e-6)
    w = -y_event[1].item()
    for t, a in zip(record.t, record.a, strict=True):
        assert a.tolist() == pytest.approx([1 / w, (t_event.item() - t) / w], rel=1e-5, abs=1e-5) or (
            a.tolist() == [0.0, 0.0] and t == pytest.approx(t_event.item())
        )


def test_what_is_not_differentiated_shares_no_memory_with_the_solution() -> None:
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 3.0], event=lambda t, y: y[0])
    _, y_event = ended(solution)
    before = solution.ys.clone()
    assert not y_event.requires_grad
    y_event.mul_(0.0)
    torch.testing.assert_close(solution.ys, before, rtol=0, atol=0)


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize("name", ["rk4", "dopri5", "rodas5p"])
def test_behind_a_jump_the_field_s_new_value_counts_and_at_it_the_old_one(mode: str, name: str) -> None:
    """y' = 1 until t = 1, then 3: y = 2 at t_e = 1 + (1 - y0) / 3; y = 1 at the jump, which is reached at rate 1."""

    def pulse(t: Any, y: Tensor) -> Tensor:
        return torch.where(t < 1.0, 1.0, 3.0) * torch.ones_like(y)

    for level, rate in ((2.0, 3.0), (1.0, 1.0)):

        def event(t: Any, y: Tensor, level: float = level) -> Tensor:
            return y[0] - level

        y0 = vector(0.0).requires_grad_()
        solution = odeint(
            pulse,
            y0,
            [0.0, 5.0],
            method=name,
            gradient=mode,
            params=(),
            jumps=[1.0],
            event=event,
            **step_arguments(name, 0.25),
        )
        t_event, y_event = ended(solution)
        assert t_event.item() == pytest.approx(1.0 if level == 1.0 else 4 / 3, abs=1e-9)
        (by_y,) = torch.autograd.grad(t_event, y0, retain_graph=True)
        assert by_y.item() == pytest.approx(-1 / rate, rel=1e-6)
        (by_y,) = torch.autograd.grad(y_event[0], y0)
        assert by_y.item() == pytest.approx(0.0, abs=1e-6)
