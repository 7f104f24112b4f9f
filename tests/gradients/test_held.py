"""Parameters that are made of each other, or carry hooks: each counts once in every mode, method and derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from node_core import MLPField, odeint
from tests.gradients.test_gradients import DISCRETE, MODES

D = torch.float64
METHODS: dict[str, dict[str, Any]] = {
    "dopri5": {"rtol": 1e-8, "atol": 1e-8},
    "rk4": {"dt": 0.1},
    "trapezoid": {"dt": 0.02},
    "rodas5p": {"rtol": 1e-8, "atol": 1e-8},
}
TOLERANCE = {"rk4": 1e-4, "trapezoid": 1e-3}
EACH = pytest.mark.parametrize("mode", MODES)
METHOD = pytest.mark.parametrize("method", METHODS)


def leaf(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=D, requires_grad=True)


def gradient_of(tensor: Tensor) -> float:
    assert tensor.grad is not None
    return float(tensor.grad)


def decay(rate: Callable[[], Tensor], y0: Tensor | None = None, **options: Any) -> Tensor:
    """y(1) of y' = -rate y."""
    start = torch.ones(1, dtype=D) if y0 is None else y0
    return odeint(lambda t, y: -rate() * y, start, [0.0, 1.0], **options).ys[-1, 0]


def twice(w: Tensor) -> list[Tensor]:
    return [w, 2.0 * w]


def chain(w: Tensor) -> list[Tensor]:
    double = 2.0 * w
    square = double * double
    return [square + double, double, w, square]


def views(w: Tensor) -> list[Tensor]:
    made = w * 1.0
    return [made, made.view(1, 1)[0], made[:1]]


def siblings(w: Tensor) -> list[Tensor]:
    """Made of one tensor that is not named: no fault."""
    return [2.0 * w, w * w]


def outputs_of_one_operation(w: Tensor) -> list[Tensor]:
    return [*torch.cat((2.0 * w, w * w)).split(1)]


CASES = pytest.mark.parametrize("make", [twice, chain, views, siblings, outputs_of_one_operation])


def total(tensors: list[Tensor]) -> Tensor:
    return sum((p for p in tensors), torch.zeros(1, dtype=D))


@EACH
@METHOD
@CASES
def test_parameters_made_of_each_other_count_once(
    make: Callable[[Tensor], list[Tensor]], method: str, mode: str
) -> None:
    w, exact = leaf(0.25), leaf(0.25)
    params = make(w)
    decay(lambda: total(params), params=params, gradient=mode, method=method, **METHODS[method]).backward()
    torch.exp(-total(make(exact))).backward()
    torch.testing.assert_close(w.grad, exact.grad, rtol=TOLERANCE.get(method, 1e-6), atol=1e-7)


@pytest.mark.parametrize("mode", DISCRETE)
@METHOD
@pytest.mark.parametrize("named", [(0, 1), (1,)])
def test_their_second_and_third_derivatives_do_so_too(named: tuple[int, ...], method: str, mode: str) -> None:
    """y' = -(w v + v) y^2 with v = w^2; what is not named is a constant."""

    def derivatives(w: Tensor, solve: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        found = [solve(w, w * w)]
        for _ in range(3):
            found += torch.autograd.grad(found[-1].sum(), w, create_graph=True)
        return found

    def solved(w: Tensor, v: Tensor) -> Tensor:
        def f(t: Any, y: Tensor) -> Tensor:
            return -(w * v + v) * y * y

        params = [(w, v)[i] for i in named]
        options = {"params": params, "gradient": mode, "method": method, **METHODS[method]}
        return odeint(f, torch.ones(1, dtype=D), [0.0, 1.0], **options).ys[-1]

    def exact(w: Tensor, v: Tensor) -> Tensor:
        held = w if 0 in named else w.detach()
        return 1.0 / (1.0 + held * v + v)

    for found, wanted in zip(derivatives(leaf(0.5), solved), derivatives(leaf(0.5), exact), strict=True):
        torch.testing.assert_close(found, wanted, rtol=10 * TOLERANCE.get(method, 1e-6), atol=1e-6)


@EACH
@METHOD
@pytest.mark.parametrize("how", ["event", "dense", "start", "end"])
def test_they_count_once_wherever_the_solution_is_asked_for(how: str, method: str, mode: str) -> None:
    w, exact = leaf(0.5), leaf(0.5)
    v = 2.0 * w
    options = {"params": [w, v], "gradient": mode, "method": method, **METHODS[method]}

    def f(t: Any, y: Tensor) -> Tensor:
        return -(w + v) * y

    one = torch.ones(1, dtype=D)
    if how == "event":
        solution = odeint(f, one, [0.0, 3.0], event=lambda t, y: y[0] - 0.5, **options)
        assert solution.t_event is not None
        found, wanted = solution.t_event, math.log(2.0) / (3.0 * exact)
    elif how == "dense":
        found, wanted = odeint(f, one, [0.0, 2.0], dense=True, **options)(1.0), torch.exp(-3.0 * exact)
    elif how == "start":
        found, wanted = odeint(f, v, [0.0, 1.0], **options).ys[-1], 2.0 * exact * torch.exp(-3.0 * exact)
    else:
        found = odeint(f, one, [0.0, v[0]], **options).ys[-1]
        wanted = torch.exp(-6.0 * exact * exact)
    found.sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(w.grad, exact.grad, rtol=10 * TOLERANCE.get(method, 1e-6), atol=1e-6)


class Sum(nn.Module):
    """y' = -(a + b) y."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.5], dtype=D))
        self.b = nn.Parameter(torch.tensor([0.5], dtype=D))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return -(self.a + self.b) * y


class Solving(nn.Module):
    """A module that solves inside, for functional_call."""

    def __init__(self, field: nn.Module, **options: Any) -> None:
        super().__init__()
        self.field, self.options = field, options

    def forward(self, y0: Tensor) -> Tensor:
        return odeint(self.field, y0, [0.0, 1.0], **self.options).ys[-1]


@EACH
def test_weights_of_a_module_that_are_made_of_each_other_count_once(mode: str) -> None:
    w = leaf(0.5)
    functional_call(
        Solving(Sum(), gradient=mode, rtol=1e-8, atol=1e-8),
        {"field.a": w, "field.b": 2.0 * w},
        (torch.ones(1, dtype=D),),
    ).sum().backward()
    assert gradient_of(w) == pytest.approx(-3.0 * math.exp(-1.5), rel=1e-6)


@EACH
def test_derivatives_by_hand_have_nothing_to_take_off(mode: str) -> None:
    """A closed form gives the derivative by each weight alone."""
    field, y0 = MLPField(1, (3,), dtype=D, seed=1), torch.ones(4, 1, dtype=D)
    first, second, *rest = dict(field.named_parameters()).items()

    def made(w: Tensor) -> dict[str, Tensor]:
        return {
            first[0]: w,
            second[0]: 2.0 * w.reshape(-1)[:3],
            **{name: p.detach() for name, p in rest},
        }

    w, exact = (first[1].detach().clone().requires_grad_() for _ in range(2))
    others = {f"field.{name}": p for name, p in made(w).items()}
    functional_call(Solving(field, gradient=mode, rtol=1e-9, atol=1e-9), others, (y0,)).sum().backward()
    weights = made(exact)
    ys = odeint(lambda t, y: functional_call(field, weights, (t, y)), y0, [0.0, 1.0], rtol=1e-9, atol=1e-9).ys
    ys[-1].sum().backward()
    torch.testing.assert_close(w.grad, exact.grad, rtol=1e-6, atol=1e-7)


@EACH
@METHOD
@pytest.mark.parametrize("made", [False, True])
def test_a_hook_sees_the_whole_gradient_once(made: bool, method: str, mode: str) -> None:
    """Such a hook clips gradients; it was called in every evaluation of the way back."""
    root, calls = leaf(0.5), []
    w = 1.0 * root if made else root

    def hook(g: Tensor) -> Tensor:
        calls.append(float(g))
        return g.clamp(-0.25, 0.25)

    w.register_hook(hook)
    decay(lambda: w, params=[w], gradient=mode, method=method, **METHODS[method]).backward()
    assert calls == [pytest.approx(-math.exp(-0.5), rel=TOLERANCE.get(method, 1e-6))]
    assert gradient_of(root) == -0.25


@pytest.mark.parametrize(("mode", "named"), [("backprop", True), ("backprop", False), ("checkpointed", True)])
@METHOD
def test_a_hook_sees_each_derivative_of_a_derivative_once(method: str, mode: str, named: bool) -> None:
    w = leaf(0.5)
    w.register_hook(lambda g: 2.0 * g)
    params = [w] if named else None
    y = decay(lambda: w, params=params, gradient=mode, method=method, **METHODS[method])
    (first,) = torch.autograd.grad(y, w, create_graph=True)
    (second,) = torch.autograd.grad(first, w)
    tolerance = 10 * TOLERANCE.get(method, 1e-6)
    assert float(first.detach()) == pytest.approx(-2.0 * math.exp(-0.5), rel=tolerance)
    assert float(second) == pytest.approx(4.0 * math.exp(-0.5), rel=tolerance)


@EACH
@METHOD
def test_a_tensor_that_retains_its_gradient_retains_the_whole_once(method: str, mode: str) -> None:
    root = leaf(0.25)
    w = 2.0 * root
    v = w * w
    w.retain_grad()
    v.retain_grad()
    decay(lambda: w + v, params=[v, w], gradient=mode, method=method, **METHODS[method]).backward()
    y, tolerance = math.exp(-0.75), TOLERANCE.get(method, 1e-6)
    assert gradient_of(v) == pytest.approx(-y, rel=tolerance)
    assert gradient_of(w) == pytest.approx(-2.0 * y, rel=tolerance)
    assert gradient_of(root) == pytest.approx(-4.0 * y, rel=tolerance)
