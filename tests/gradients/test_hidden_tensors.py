"""Tensors that a field depends on and nobody was told of get their gradient, or a sentence; never silence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from node_core import MLPField, odeint
from node_core.gradients.names import CONTINUOUS
from tests.gradients.test_gradients import DISCRETE, MODES, TimeNet
from tests.solvers.problems import D

TIGHT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-8}
EACH = pytest.mark.parametrize("mode", MODES)
HIDING = pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "backprop"])


def weight() -> Tensor:
    return torch.tensor([[-0.2, 1.0], [-1.0, -0.3]], dtype=D, requires_grad=True)


def start(tracked: bool = True) -> Tensor:
    return torch.tensor([[0.5, -0.3], [1.0, 0.2]], dtype=D, requires_grad=tracked)


class Holder(nn.Module):
    """dy/dt = tanh(y) W^T with a parameter that is known, and a tensor that is not one."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.3, dtype=D))
        self.kept = [w]

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return self.scale * torch.tanh(y) @ self.kept[0].T


class Bare(nn.Module):
    """The same without any parameter, its tensor a plain attribute."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = w

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return torch.tanh(y) @ self.w.T


class Case(NamedTuple):
    """A field, the leaf that it hides, and what to pass as params so that the leaf gets a gradient."""

    f: Any
    leaf: Tensor
    params: list[Tensor]


def plain(w: Tensor) -> Case:
    return Case(Bare(w), w, [w])


def listed(w: Tensor) -> Case:
    f = Holder(w)
    return Case(f, w, [*f.parameters(), w])


def made(w: Tensor) -> Case:
    """A hypernetwork: the weight is the output of something else."""
    output = 2.0 * w.sin()
    return Case(Bare(output), w, [output])


def made_elsewhere(w: Tensor) -> Case:
    """The same, differentiated by the hypernetwork's own parameters."""
    return Case(Bare(2.0 * w.sin()), w, [w])


def function(w: Tensor) -> Case:
    return Case(lambda t, y: torch.tanh(y) @ w.T, w, [w])


def method(w: Tensor) -> Case:
    return Case(Bare(w).forward, w, [w])


CASES: list[Callable[[Tensor], Case]] = [plain, listed, made, made_elsewhere, function, method]
CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
SOLVERS = pytest.mark.parametrize("solver", ["dopri5", "rodas5p"])


def loss(f: Any, y0: Tensor, solver: str = "dopri5", **options: Any) -> Tensor:
    steps: dict[str, Any] = {"dt": 0.02} if solver == "rk4" else TIGHT
    ys = odeint(f, y0, [0.0, 0.4, 1.0], method=solver, **steps, **options).ys
    return (ys.square() * torch.linspace(0.5, 1.5, ys.numel(), dtype=D).view_as(ys)).sum()


@cache
def reference(case: Callable[[Tensor], Case]) -> list[Tensor]:
    """dL/dw and dL/dy0 by autograd through rk4, written out."""
    w, y0 = weight(), start()
    f, h = case(w).f, 0.01
    y, ys = y0, [y0]
    for n in range(100):
        t = torch.tensor(n * h, dtype=D)
        a = f(t, y)
        b = f(t + h / 2, y + h / 2 * a)
        c = f(t + h / 2, y + h / 2 * b)
        y = y + h / 6 * (a + 2 * b + 2 * c + f(t + h, y + h * c))
        if n in (39, 99):
            ys.append(y)
    out = torch.stack(ys)
    total = (out.square() * torch.linspace(0.5, 1.5, out.numel(), dtype=D).view_as(out)).sum()
    return list(torch.autograd.grad(total, (w, y0)))


@CASE
@SOLVERS
@pytest.mark.parametrize("tracked", [True, False])
def test_backprop_finds_them(case: Callable[[Tensor], Case], solver: str, tracked: bool) -> None:
    w, y0 = weight(), start(tracked)
    loss(case(w).f, y0, solver).backward()
    for found, exact in zip((w.grad, y0.grad) if tracked else (w.grad,), reference(case), strict=False):
        assert found is not None
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-6)


@CASE
@HIDING
@pytest.mark.parametrize("solver", ["dopri5", "rk4", "rodas5p", "implicit_euler", "scipy_lsoda"])
@pytest.mark.parametrize("tracked", [True, False])
def test_other_modes_refuse_them_with_the_remedy(
    case: Callable[[Tensor], Case], mode: str, solver: str, tracked: bool
) -> None:
    options: dict[str, Any] = {"dt": 0.1} if solver in ("rk4", "implicit_euler") else {}
    with pytest.raises(
        ValueError, match=rf"shapes \(2, 2\).*gradient='{mode}' cannot see: pass them as params="
    ):
        odeint(case(weight()).f, start(tracked), [0.0, 1.0], method=solver, gradient=mode, **options)


@CASE
@EACH
@SOLVERS
@pytest.mark.parametrize("tracked", [True, False])
def test_the_remedy_gives_their_gradient(
    case: Callable[[Tensor], Case], mode: str, solver: str, tracked: bool
) -> None:
    w, y0 = weight(), start(tracked)
    f, _, params = case(w)
    loss(f, y0, solver, gradient=mode, params=params).backward()
    for found, exact in zip((w.grad, y0.grad) if tracked else (w.grad,), reference(case), strict=False):
        assert found is not None
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-6)


@CASE
@EACH
def test_who_wants_none_gets_none(case: Callable[[Tensor], Case], mode: str) -> None:
    w, y0 = weight(), start()
    f = case(w).f
    loss(f, y0, gradient=mode, params=()).backward()
    assert w.grad is None and y0.grad is not None
    torch.testing.assert_close(y0.grad, reference(case)[1], rtol=1e-6, atol=1e-7)
    assert not odeint(f, start(False), [0.0, 1.0], gradient=mode, params=()).ys.requires_grad


@EACH
@pytest.mark.parametrize("make", [TimeNet, lambda: MLPField(2, (4,), time_dependent=True, dtype=D)])
def test_a_subset_of_the_parameters_is_a_subset_in_every_mode(
    make: Callable[[], nn.Module], mode: str
) -> None:
    whole, part = make(), make()
    loss(whole, start(), gradient="backprop").backward()
    first, second, *_ = part.parameters()
    y0 = start()
    loss(part, y0, gradient=mode, params=[second]).backward()
    assert first.grad is None and y0.grad is not None
    exact = list(whole.parameters())[1].grad
    torch.testing.assert_close(second.grad, exact, rtol=1e-6, atol=1e-7)


def test_a_subset_is_a_subset_with_steps_of_its_own_for_each_sample() -> None:
    first, second = weight(), torch.tensor(0.7, dtype=D, requires_grad=True)

    def f(t: Any, y: Tensor) -> Tensor:
        return second * torch.tanh(y) @ first.T

    y0 = start()
    options: dict[str, Any] = {"batch": "per_sample", "rtol": 1e-9, "atol": 1e-9}
    exact = torch.autograd.grad(odeint(f, y0, [0.0, 1.0], **options).ys.sum(), (second, y0))
    odeint(f, y0, [0.0, 1.0], params=second, **options).ys.sum().backward()
    assert first.grad is None
    for found, wanted in zip((second.grad, y0.grad), exact, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@EACH
def test_a_parameter_that_is_named_twice_counts_once(mode: str) -> None:
    found = []
    for params in ([1], [1, 1]):
        w = weight()
        loss(
            lambda t, y, w=w: torch.tanh(y) @ w.T, start(), gradient=mode, params=[w for _ in params]
        ).backward()
        found.append(w.grad)
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)


def test_the_second_derivative_of_a_subset_is_that_of_the_subset() -> None:
    w, y0 = weight(), start()
    total = loss(lambda t, y: torch.tanh(y) @ w.T, y0, "rk4", params=())
    (slope,) = torch.autograd.grad(total, y0, create_graph=True)
    (found,) = torch.autograd.grad(slope.square().sum(), y0)
    (slope,) = torch.autograd.grad(loss(lambda t, y: torch.tanh(y) @ w.T, y0, "rk4"), y0, create_graph=True)
    (exact,) = torch.autograd.grad(slope.square().sum(), y0)
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=1e-10)


class Model(nn.Module):
    """A model that solves inside, as one to be used with functional_call."""

    def __init__(self, field: nn.Module, **options: Any) -> None:
        super().__init__()
        self.field, self.options = field, options

    def forward(self, y0: Tensor) -> Tensor:
        return odeint(self.field, y0, [0.0, 0.4, 1.0], **self.options).ys


def moved(model: nn.Module) -> dict[str, Tensor]:
    """Other weights than the model's own, as an inner step of meta-learning makes them."""
    return {
        name: (1.5 * p.detach() + 0.1).requires_grad_()
        for name, p in model.named_parameters()
        if "unused" not in name
    }


@EACH
@pytest.mark.parametrize("make", [TimeNet, lambda: MLPField(2, (4,), time_dependent=True, dtype=D)])
@pytest.mark.parametrize("solver", ["dopri5", "rodas5p"])
def test_a_solve_within_functional_call_has_the_gradient_of_its_own_weights(
    make: Callable[[], nn.Module], solver: str, mode: str
) -> None:
    model = Model(make(), gradient=mode, method=solver, **TIGHT)
    others, y0 = moved(model), start()
    found = torch.autograd.grad(functional_call(model, others, (y0,)).square().sum(), (y0, *others.values()))
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(others.get(name, p))
    own = [p for name, p in model.named_parameters() if name in others]
    exact = torch.autograd.grad(Model(model.field, method="dopri8", **TIGHT)(y0).square().sum(), (y0, *own))
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("make", [TimeNet, lambda: MLPField(2, (4,), time_dependent=True, dtype=D)])
def test_second_derivatives_within_functional_call_are_those_of_its_own_weights(
    make: Callable[[], nn.Module], mode: str
) -> None:
    model = Model(make(), gradient=mode, method="rk4", dt=0.2)
    others, y0 = moved(model), start()

    def curvature(ys: Tensor, by: Sequence[Tensor]) -> Tensor:
        slopes = torch.autograd.grad(ys.square().sum(), by, create_graph=True)
        return torch.autograd.grad(sum((s.square().sum() for s in slopes), torch.zeros((), dtype=D)), y0)[0]

    found = curvature(functional_call(model, others, (y0,)), list(others.values()))
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(others.get(name, p))
    own = [p for name, p in model.named_parameters() if name in others]
    plain = odeint(lambda t, y: model.field(t, y), y0, [0.0, 0.4, 1.0], method="rk4", dt=0.2).ys
    torch.testing.assert_close(found, curvature(plain, own), rtol=1e-8, atol=1e-9)


@EACH
def test_dense_output_is_that_of_the_weights_of_the_solve(mode: str) -> None:
    field = MLPField(2, (4,), dtype=D)
    others = {name: p.detach() * 2.0 for name, p in field.named_parameters()}
    solutions = []

    class Solving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.field = field

        def forward(self, y0: Tensor) -> Tensor:
            solutions.append(odeint(self.field, y0, [0.0, 1.0], method="dopri8", gradient=mode, dense=True))
            return solutions[-1].ys

    with torch.no_grad():
        functional_call(Solving(), {f"field.{name}": p for name, p in others.items()}, (start(False),))
        exact = functional_call(field, others, (0.0, start(False)))
        found = (solutions[0](1e-4) - start(False)) / 1e-4
    torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-3)


@HIDING
@pytest.mark.parametrize("equal", [True, False])
def test_a_function_around_a_module_that_changed_since_is_told_so(mode: str, equal: bool) -> None:
    """The weights of the solve are gone when its gradient is asked for; also where they were equal to the old ones."""

    class Closing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = TimeNet()

        def forward(self, y0: Tensor) -> Tensor:
            def f(t: Any, y: Tensor) -> Tensor:
                return self.net(t, y)

            return odeint(f, y0, [0.0, 1.0], gradient=mode, params=self.net.parameters()).ys

    model = Closing()
    others = {
        name: (p.detach() * (1.0 if equal else 1.1)).requires_grad_() for name, p in model.named_parameters()
    }
    ys = functional_call(model, others, (start(),))
    with pytest.raises(RuntimeError, match=r"no longer what it was in the solve.*functional_call.*backprop"):
        ys.sum().backward()


@HIDING
def test_a_field_that_went_from_training_to_evaluation_is_told_so(mode: str) -> None:
    class Stretched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = TimeNet()

        def forward(self, t: Any, y: Tensor) -> Tensor:
            return (1.0 if self.training else 1.02) * self.net(t, y)

    f = Stretched()
    ys = odeint(f, start(), [0.0, 1.0], gradient=mode).ys
    f.eval()
    with pytest.raises(RuntimeError, match=r"training to evaluation"):
        ys.sum().backward()
    f.train()
    y0 = start()
    odeint(f, y0, [0.0, 1.0], gradient=mode).ys.sum().backward()
    assert y0.grad is not None and math.isfinite(float(y0.grad.sum()))


@EACH
def test_a_module_with_nothing_hidden_costs_no_evaluation_more_than_its_solve(mode: str) -> None:
    calls = 0

    class Counting(TimeNet):
        def forward(self, t: Tensor, y: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return super().forward(t, y)

    solution = odeint(Counting(), start(), [0.0, 1.0], gradient=mode)
    assert solution.stats.nfe == calls
    assert solution.stats.nfe == odeint(Counting(), start(), [0.0, 1.0], gradient="backprop").stats.nfe
    calls = 0
    solution.ys.sum().backward()
    if mode != "backprop":
        assert solution.backward_stats.nfe == calls


class Late(nn.Module):
    """y' = a y, and from t = 0.5 on y' = w y with a tensor that is no parameter."""

    def __init__(self, w: Tensor, own: bool) -> None:
        super().__init__()
        if own:
            self.a = nn.Parameter(torch.tensor(-0.5, dtype=D))
        else:
            self.register_buffer("a", torch.tensor(-0.5, dtype=D))
        self.kept = [w]

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return (self.a if t < 0.5 else self.kept[0]) * y


@EACH
@pytest.mark.parametrize("solver", ["dopri5", "rk4", "rodas5p", "trapezoid", "scipy_lsoda"])
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_what_a_field_depends_on_only_later_has_its_gradient_or_is_told(
    tracked: bool, own: bool, solver: str, mode: str
) -> None:
    if solver == "scipy_lsoda" and mode not in CONTINUOUS:
        pytest.skip("SciPy's solvers have no such gradient")
    w = torch.tensor(-1.5, dtype=D, requires_grad=True)
    y0 = torch.ones(1, dtype=D, requires_grad=tracked)
    options: dict[str, Any] = {"dt": 0.01} if solver in ("rk4", "trapezoid") else {"rtol": 1e-6, "atol": 1e-6}
    options |= {"method": solver, "gradient": mode, "jumps": [0.5]}
    f = Late(w, own)
    if mode == "backprop" and (tracked or own):
        odeint(f, y0, [0.0, 1.0], **options).ys[-1].sum().backward()
    else:
        with pytest.raises(ValueError, match=r"not yet where the solve begins.*pass them as params="):
            odeint(f, y0, [0.0, 1.0], **options)
        odeint(f, y0, [0.0, 1.0], params=[*f.parameters(), w], **options).ys[-1].sum().backward()
    assert w.grad is not None
    assert float(w.grad) == pytest.approx(0.5 * math.exp(-1.0), rel=1e-3)


class Hamiltonian(nn.Module):
    """dq/dt = dH/dp, dp/dt = -dH/dq, by a leaf that the field makes for this where y is none."""

    def __init__(self) -> None:
        super().__init__()
        self.stiffness = nn.Parameter(torch.tensor(1.7, dtype=D))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        with torch.enable_grad():
            y = y if y.requires_grad else y.detach().requires_grad_()
            energy = (y[..., 1].square() + self.stiffness * y[..., 0].square()).sum() / 2
            (slope,) = torch.autograd.grad(energy, y, create_graph=True)
        return torch.stack((slope[..., 1], -slope[..., 0]), -1)


@EACH
@pytest.mark.parametrize("tracked", [True, False])
def test_a_leaf_that_the_field_makes_for_itself_is_not_hidden(mode: str, tracked: bool) -> None:
    f, y0 = Hamiltonian(), torch.tensor([1.0, 0.0], dtype=D, requires_grad=tracked)
    odeint(f, y0, [0.0, 1.0], gradient=mode, **TIGHT).ys[-1, 0].backward()
    rate = math.sqrt(1.7)  # q = cos(sqrt(k) t)
    assert f.stiffness.grad is not None
    assert float(f.stiffness.grad) == pytest.approx(-math.sin(rate) / (2 * rate), abs=1e-6)
    if y0.grad is not None:
        assert float(y0.grad[0]) == pytest.approx(math.cos(rate), abs=1e-6)
    frozen = odeint(f.requires_grad_(False), y0.detach(), [0.0, 1.0], gradient=mode)
    assert not frozen.ys.requires_grad
