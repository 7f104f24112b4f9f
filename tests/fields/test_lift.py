"""Which modules are solved by the closed form of the chain that they are, and that nothing else changes for them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from node_core import odeint
from node_core.fields.lift.lift import lift
from node_core.gradients.names import CONTINUOUS, GRADIENTS
from node_core.solution import Solution

D = torch.float64
Y0 = torch.tensor([[1.0, 0.5], [-0.3, 0.2], [0.4, -1.1]], dtype=D)
TS = [0.0, 0.4, 1.0]


def net(*widths: int, activation: Callable[[], nn.Module] = nn.Tanh, bias: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b, bias=bias, dtype=D), activation()]
    return nn.Sequential(*layers[:-1])


class Chain(nn.Module):
    """y' = net(y)."""

    def __init__(self, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.net = net(2, 8, 8, 2) if inner is None else inner

    def forward(self, t: Any, y: Any) -> Any:
        return self.net(y)


class YThenT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net(3, 8, 2, activation=nn.Softplus)

    def forward(self, t: Any, y: Any) -> Any:
        return self.net(torch.cat([y, t.expand(y.shape[0], 1)], dim=-1))


class TThenY(YThenT):
    def forward(self, t: Any, y: Any) -> Any:
        return self.net(torch.cat((torch.ones_like(y[..., :1]) * t, y), -1))


class ByHand(nn.Module):
    """Layers in a list and by attributes, functions instead of modules, a branch on a plain value."""

    def __init__(self, timed: bool = False) -> None:
        super().__init__()
        self.last = nn.Linear(8, 2, dtype=D)  # the order of the parameters is not that of the layers
        self.layers = nn.ModuleList([nn.Linear(2 + timed, 8, dtype=D), nn.Linear(8, 8, bias=False, dtype=D)])
        self.timed = timed

    def forward(self, t: Any, y: Any) -> Any:
        if self.timed:
            y = torch.cat([y, t.expand_as(y[..., :1])], -1)
        for layer in self.layers:
            y = torch.sigmoid(layer(y))
        return self.last(y)


class Shared(nn.Module):
    """One layer twice, and another's weight in a place of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(*s, dtype=D) for s in ((2, 8), (8, 8), (8, 8), (8, 2)))
        self.c.weight = self.b.weight

    def forward(self, t: Any, y: Any) -> Any:
        y = F.elu(self.a(y))
        y = F.elu(self.b(F.elu(self.b(y))))
        return self.d(F.elu(self.c(y)))


class OwnWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(8, 2, dtype=D))
        self.v = nn.Parameter(torch.randn(2, 8, dtype=D))
        self.unused = nn.Parameter(torch.ones(3, dtype=D))

    def forward(self, t: Any, y: Any) -> Any:
        return F.linear(F.linear(y, self.w).tanh(), self.v)


class OfLinear(nn.Linear):
    """A subclass with a forward of its own is run as it is written."""

    def forward(self, input: Any) -> Any:
        return F.linear(torch.tanh(F.linear(input, self.weight, self.bias)), self.weight, self.bias)


def frozen() -> nn.Module:
    f = Chain()
    f.net[0].weight.requires_grad_(False)  # type: ignore[index]
    return f


LIFTED: dict[str, Callable[[], nn.Module]] = {
    "tanh": Chain,
    "one hidden layer": lambda: Chain(net(2, 5, 2)),
    "four hidden layers": lambda: Chain(net(2, 5, 6, 7, 5, 2)),
    "relu": lambda: Chain(net(2, 16, 16, 2, activation=nn.ReLU)),
    "relu in place": lambda: Chain(net(2, 16, 2, activation=lambda: nn.ReLU(inplace=True))),
    "elu": lambda: Chain(net(2, 8, 2, activation=nn.ELU)),
    "sigmoid": lambda: Chain(net(2, 8, 8, 2, activation=nn.Sigmoid)),
    "no bias": lambda: Chain(net(2, 8, 8, 2, bias=False)),
    "y and t": YThenT,
    "t and y": TThenY,
    "by hand": ByHand,
    "by hand, timed": lambda: ByHand(timed=True),
    "shared": Shared,
    "own weights": OwnWeights,
    "of linear": lambda: Chain(OfLinear(2, 2, dtype=D)),
    "eval": lambda: Chain().eval(),
    "frozen": frozen,
    "nested": lambda: Chain(nn.Sequential(net(2, 8, 8), nn.Tanh(), nn.Identity(), nn.Linear(8, 2, dtype=D))),
    "copied": lambda: copy.deepcopy(Chain()),
    "a buffer that is not used": lambda: with_buffer(Chain()),
}


def with_buffer(f: nn.Module) -> nn.Module:
    f.register_buffer("mean", torch.zeros(2))
    return f


def solve(f: nn.Module, gradient: str = "backprop", y0: Tensor = Y0, **options: Any) -> Solution:
    return odeint(f, y0, TS, rtol=1e-6, atol=1e-6, gradient=gradient, **options)


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return LIFTED[name]()


# Every module by the way that everybody takes, and some by all.
WAYS = [*((name, "backprop") for name in LIFTED)] + [
    (name, way)
    for name in ("tanh", "t and y", "shared", "own weights")
    for way in GRADIENTS
    if way != "backprop"
]


@pytest.mark.parametrize(("name", "gradient"), WAYS)
def test_a_lifted_module_has_the_values_and_gradients_that_it_has_without(name: str, gradient: str) -> None:
    f = made(name)
    found: list[list[Tensor]] = []
    for allowed in (True, False):
        y0 = Y0.clone().requires_grad_()
        solution = solve(f, gradient, y0, lift=allowed)
        again = solution.ys[-1].square().sum() + solution.ys[1].sum()
        wanted = [y0, *(p for p in f.parameters() if p.requires_grad)]
        found.append([solution.ys.detach(), *torch.autograd.grad(again, wanted, materialize_grads=True)])
        assert all(p.grad is None for p in f.parameters())
        if allowed and gradient not in CONTINUOUS:
            assert solution.stats.engine != "torch", solution.stats.engine_reason
    for now, known in zip(*found, strict=True):
        torch.testing.assert_close(now, known, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["tanh", "relu", "t and y", "shared", "own weights", "frozen"])
@pytest.mark.parametrize("gradient", ["backprop", "checkpointed"])
def test_second_derivatives_are_those_of_the_module(name: str, gradient: str) -> None:
    f, found = made(name), []
    for allowed in (True, False):
        y0 = Y0.clone().requires_grad_()
        wanted = [y0, *(p for p in f.parameters() if p.requires_grad)]
        loss = (
            odeint(f, y0, [0.0, 1.0], method="rk4", dt=0.2, gradient=gradient, lift=allowed)
            .ys[-1]
            .square()
            .sum()
        )
        first = torch.autograd.grad(loss, wanted, create_graph=True, materialize_grads=True)
        size = sum(g.square().sum() for g in first)
        found.append(torch.autograd.grad(size, wanted, materialize_grads=True))  # type: ignore[arg-type]
    for now, known in zip(*found, strict=True):
        torch.testing.assert_close(now, known, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["tanh", "t and y", "shared", "no bias"])
def test_outside_of_autograd_and_in_single_precision_it_is_the_same_solution(name: str) -> None:
    for f, y0, tolerance in ((made(name), Y0, 1e-10), (made(name).float(), Y0.float(), 1e-4)):
        with torch.no_grad():
            now, known = (odeint(f, y0, TS, rtol=1e-5, atol=1e-5, lift=allowed) for allowed in (True, False))
        assert now.stats.engine != "torch" == known.stats.engine
        assert now.stats.nfe == known.stats.nfe
        torch.testing.assert_close(now.ys, known.ys, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(now([0.1, 0.9]), known([0.1, 0.9]), rtol=tolerance, atol=tolerance)


def test_named_parameters_alone_get_a_gradient() -> None:
    f = made("tanh")
    wanted = [f.net[2].weight, f.net[0].bias]  # type: ignore[index, union-attr]
    now, known = (solve(f, params=wanted, lift=allowed) for allowed in (True, False))
    assert now.stats.engine != "torch"
    for solution in (now, known):
        f.zero_grad()
        solution.ys.sum().backward()
        assert [p.grad is not None for p in f.parameters()] == [
            any(p is w for w in wanted) for p in f.parameters()
        ]
    torch.testing.assert_close(now.ys, known.ys)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_tangents_of_forward_mode_take_the_modules_own_way() -> None:
    f, tangent = made("tanh"), torch.ones_like(Y0)
    with forward_ad.dual_level():
        now, known = (
            forward_ad.unpack_dual(solve(f, y0=forward_ad.make_dual(Y0, tangent), lift=allowed).ys).tangent
            for allowed in (True, False)
        )
        torch.testing.assert_close(now, known)


class Counts(Chain):
    nfe = 0

    def forward(self, t: Any, y: Any) -> Any:
        self.nfe += 1
        return self.net(y)


class Prints(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        print(t)
        return self.net(y)


class Appends(Chain):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def forward(self, t: Any, y: Any) -> Any:
        self.seen.append(t)
        return self.net(y)


class BranchesOnTime(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        return self.net(y) if t < 0.5 else self.net(-y)


class BranchesOnType(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        return self.net(y) if isinstance(y, int) else self.net(self.net(y).tanh())


class Catches(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        try:
            return self.net(y * 2.0)
        except Exception:
            return self.net(y)


class Helper(Chain):
    def scaled(self, y: Any) -> Any:
        return self.net(y)

    def forward(self, t: Any, y: Any) -> Any:
        return self.scaled(y)


class SuperCall(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        return super().forward(t, y)


class OwnCall(Chain):
    def __call__(self, t: Any, y: Any) -> Any:
        return 2.0 * super().__call__(t, y)


class OwnAttributes(Chain):
    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)


class Residual(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        return y + self.net(y)


class Scaled(Chain):
    scale = 2.0

    def forward(self, t: Any, y: Any) -> Any:
        return self.scale * self.net(y)


class InPlace(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        y = self.net(y)
        y[..., 0] = 0.0
        return y


class Detached(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        return self.net(y.detach())


class TimeIsTwice(YThenT):
    def forward(self, t: Any, y: Any) -> Any:
        return self.net(torch.cat([y, (t + 1.0).expand(y.shape[0], 1)], dim=-1))


class HiddenWeight(Chain):
    def __init__(self) -> None:
        super().__init__()
        self.others = [nn.Linear(2, 2, dtype=D)]

    def forward(self, t: Any, y: Any) -> Any:
        return self.others[0](self.net(y).tanh())


class BufferWeight(Chain):
    def __init__(self) -> None:
        super().__init__()
        self.w: Tensor
        self.register_buffer("w", torch.eye(2, dtype=D))

    def forward(self, t: Any, y: Any) -> Any:
        return F.linear(self.net(y).tanh(), self.w)


OUTER = nn.Linear(2, 2, dtype=D)


class UsesGlobal(Chain):
    def forward(self, t: Any, y: Any) -> Any:
        return OUTER(self.net(y).tanh())


def hooked(register: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        f = Chain()
        getattr(f.net[2], register)(lambda *args: None)  # type: ignore[index]
        return f

    return make


def changed(change: Callable[[Any], Any]) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        f = Chain()
        return change(f) or f

    return make


def closed_over() -> nn.Module:
    factor = torch.tensor(2.0, dtype=D, requires_grad=True)

    class Closed(Chain):
        def forward(self, t: Any, y: Any) -> Any:
            return factor * self.net(y)

    return Closed()


class Twice(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return 2.0 * w


LEFT: dict[str, Callable[[], nn.Module]] = {
    "counts": Counts,
    "prints": Prints,
    "appends": Appends,
    "branches on time": BranchesOnTime,
    "branches on type": BranchesOnType,
    "catches": Catches,
    "helper": Helper,
    "super": SuperCall,
    "own call": OwnCall,
    "own attributes": OwnAttributes,
    "residual": Residual,
    "scaled": Scaled,
    "in place": InPlace,
    "detached": Detached,
    "another time": TimeIsTwice,
    "hidden weight": HiddenWeight,
    "buffer as weight": BufferWeight,
    "uses a global": UsesGlobal,
    "closure": closed_over,
    "one linear layer": lambda: Chain(nn.Linear(2, 2, dtype=D)),
    "two linear layers": lambda: Chain(nn.Sequential(nn.Linear(2, 4, dtype=D), nn.Linear(4, 2, dtype=D))),
    "ends with tanh": lambda: Chain(nn.Sequential(*net(2, 4, 2), nn.Tanh())),
    "mixed": lambda: Chain(nn.Sequential(*net(2, 4, 4), nn.ReLU(), *net(4, 4, 2))),
    "silu": lambda: Chain(net(2, 4, 2, activation=nn.SiLU)),
    "gelu": lambda: Chain(net(2, 4, 2, activation=lambda: nn.GELU(approximate="tanh"))),
    "softplus with beta": lambda: Chain(net(2, 4, 2, activation=lambda: nn.Softplus(2.0))),
    "elu with alpha": lambda: Chain(net(2, 4, 2, activation=lambda: nn.ELU(0.5))),
    "dropout": lambda: Chain(nn.Sequential(*net(2, 4, 2), nn.Dropout(0.0))),
    "layer norm": lambda: Chain(nn.Sequential(nn.LayerNorm(2, dtype=D), *net(2, 4, 2))),
    "forward hook": hooked("register_forward_hook"),
    "forward pre-hook": hooked("register_forward_pre_hook"),
    "backward hook": hooked("register_full_backward_hook"),
    "forward of the instance": changed(lambda f: setattr(f, "forward", lambda t, y: -y)),
    "weight norm": changed(lambda f: weight_norm(f.net[0]) and None),
    "parametrized": changed(
        lambda f: parametrize.register_parametrization(f.net[0], "weight", Twice()) and None
    ),
    "scripted": changed(lambda f: torch.jit.trace(f, (torch.tensor(0.0, dtype=D), Y0), check_trace=False)),
    "compiled": changed(lambda f: f.compile(backend="eager")),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("name", LEFT)
def test_what_is_no_plain_chain_is_called_as_it_is(name: str) -> None:
    torch.manual_seed(0)
    f = LEFT[name]()
    before = {key: value for key, value in vars(f).items() if not key.startswith("_")}
    found = lift(f, Y0, tuple(f.parameters()))
    assert isinstance(found, str) and found.startswith("f ")
    assert {key: value for key, value in vars(f).items() if not key.startswith("_")} == before
    assert not getattr(f, "nfe", 0) and not getattr(f, "seen", [])


def test_the_stats_say_why_a_module_was_left() -> None:
    f = Counts()
    with torch.no_grad():
        stats = solve(f).stats
    assert (stats.engine, f.nfe) == ("torch", stats.nfe)
    assert "Counts.forward does more than compute" in stats.engine_reason
    short = odeint(made("tanh"), Y0, [0.0, 0.1], method="rk4", dt=0.1).stats
    assert "at most 8 evaluations" in short.engine_reason
    with torch.autocast("cpu", torch.bfloat16):
        assert isinstance(lift(made("tanh"), Y0.float(), ()), str)
    for y0 in (Y0.float(), Y0.half(), Y0[:, :1]):
        assert isinstance(lift(made("tanh"), y0, ()), str)


def test_global_hooks_keep_every_module_as_it_is() -> None:
    handle = nn.modules.module.register_module_forward_hook(lambda *args: None)
    try:
        assert isinstance(lift(made("tanh"), Y0, ()), str)
    finally:
        handle.remove()
    assert not isinstance(lift(made("tanh"), Y0, ()), str)


def test_a_module_is_looked_at_anew_at_every_solve() -> None:
    f = made("by hand")
    with torch.no_grad():
        before = solve(f).ys[-1]
        f.last = nn.Linear(8, 2, dtype=D)
        now, known = solve(f), solve(f, lift=False)
        assert now.stats.engine != "torch"
        torch.testing.assert_close(now.ys, known.ys, rtol=1e-9, atol=1e-11)
        assert not torch.allclose(now.ys[-1], before)
        f.last.register_forward_hook(lambda module, args, out: 2.0 * out)
        assert solve(f).stats.engine == "torch"


def test_tensors_put_into_a_module_for_one_solve_are_the_ones_that_are_used() -> None:
    f = made("tanh")
    other = {name: (p.detach() + 0.1).requires_grad_() for name, p in f.named_parameters()}

    class Solve(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = f

        def forward(self, allowed: bool) -> Tensor:
            return solve(self.f, lift=allowed).ys

    found = []
    for allowed in (True, False):
        ys = torch.func.functional_call(Solve(), {f"f.{k}": v for k, v in other.items()}, (allowed,))
        found.append([ys.detach(), *torch.autograd.grad(ys.sum(), list(other.values()))])
    for now, known in zip(*found, strict=True):
        torch.testing.assert_close(now, known, rtol=1e-9, atol=1e-11)


def test_a_recorded_adjoint_is_that_of_the_modules_parameters() -> None:
    for name in ("tanh", "t and y", "no bias"):
        f, found = made(name), []
        for allowed in (True, False):
            y0 = Y0.clone().requires_grad_()
            solution = solve(f, "checkpointed", y0, record_adjoint=True, lift=allowed)
            solution.ys.sum().backward()
            found.append(solution.adjoint)
        for key in ("a", "z", "parameter_gradient"):
            now, known = (torch.from_numpy(getattr(one, key)) for one in found)
            torch.testing.assert_close(now, known, rtol=1e-9, atol=1e-11)
