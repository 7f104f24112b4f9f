"""Closed forms and own derivatives are used only where they are those of the function that the field computes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from node_core import MLPField, odeint
from node_core.cnf.continuous import CNF
from node_core.fields.own import has_closed_form, is_autonomous, own_method
from tests.gradients.test_gradients import MODES
from tests.solvers.problems import D

TIGHT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}


def field() -> MLPField:
    return MLPField(2, (5,), seed=4, dtype=D)


class Damped(MLPField):
    """Another function than MLPField's, and one of time."""

    def forward(self, t: Any, y: Tensor) -> Tensor:
        assert isinstance(t, Tensor), "whoever writes a field of their own gets t as a tensor"
        return super().forward(t, y) - (1.0 + t) * y


class Spoken(MLPField):
    """The same by `__call__`."""

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        return super().__call__(t, y) - 0.5 * y


class Flagged(nn.Module):
    """A user's module whose attribute has the name of a method of ours."""

    compiled = False

    def __init__(self) -> None:
        super().__init__()
        self.inner = field()

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return self.inner(t, y) - y


class Compiling(Flagged):
    """A user's module with a method of that name."""

    def compiled(self) -> str:  # type: ignore[override]
        return "something else"


def hooked() -> MLPField:
    found = field()
    found.register_forward_hook(lambda module, args, value: value - args[1])
    return found


def pre_hooked() -> MLPField:
    found = field()
    found.register_forward_pre_hook(lambda module, args: (args[0], 0.5 * args[1]))
    return found


def patched() -> MLPField:
    found = field()
    inner = found.forward
    found.forward = lambda t, y: inner(t, y) - y  # type: ignore[method-assign]
    return found


def normed() -> MLPField:
    found = field()
    parametrizations.weight_norm(found, "weight_1")
    with torch.no_grad():
        dict(found.named_parameters())["parametrizations.weight_1.original0"].mul_(1.7)
    return found


def pruned() -> MLPField:
    found = field()
    prune.l1_unstructured(found, "weight_1", amount=0.5)
    return found


def half_frozen() -> MLPField:
    found = field()
    found.weight_1.requires_grad_(False)
    return found


class Dressed(nn.Module):
    """A module in another's clothes, as torch.compile and DistributedDataParallel do it: attributes pass through."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return self.inner(t, y) - y

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name) if name == "inner" else getattr(self.inner, name)


FIELDS: dict[str, Callable[[], nn.Module]] = {
    "subclass": lambda: Damped(2, (5,), seed=4, dtype=D),
    "call": lambda: Spoken(2, (5,), seed=4, dtype=D),
    "attribute": Flagged,
    "method": Compiling,
    "hook": hooked,
    "pre-hook": pre_hooked,
    "patched": patched,
    "weight norm": normed,
    "pruned": pruned,
    "half frozen": half_frozen,
    "dressed": lambda: Dressed(field()),
    "copied": lambda: copy.deepcopy(hooked()),
}


def solved(f: Any, own: nn.Module, times: list[float], **options: Any) -> list[Tensor]:
    """The outputs, and the gradients by the start and by what the module trains."""
    y0 = torch.tensor([[0.5, -0.3], [1.0, 0.2]], dtype=D, requires_grad=True)
    trained = [p for p in own.parameters() if p.requires_grad]
    ys = odeint(f, y0, times, **options).ys
    return [ys.detach(), *torch.autograd.grad(ys.square().sum(), (y0, *trained))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_not_what_its_class_wrote_is_solved_as_it_is(name: str, mode: str) -> None:
    f = FIELDS[name]()
    reference = solved(lambda t, y: f(t, y), f, [0.0, 0.4, 1.0], **TIGHT)
    for a, b in zip(solved(f, f, [0.0, 0.4, 1.0], gradient=mode, **TIGHT), reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", ["rodas5p", "trapezoid", "implicit_euler"])
@pytest.mark.parametrize("name", FIELDS)
def test_its_jacobian_is_its_own_in_implicit_methods(name: str, method: str) -> None:
    f = FIELDS[name]()
    options: dict[str, Any] = {"rtol": 1e-7, "atol": 1e-7} if method == "rodas5p" else {"dt": 0.05}
    with torch.no_grad():
        nfe = odeint(f, torch.ones(2, dtype=D), [0.0, 1.0], method=method, **options).stats.nfe
        alone = odeint(lambda t, y: f(t, y), torch.ones(2, dtype=D), [0.0, 1.0], method=method, **options)
    # Newton's iteration converges as fast, a Rosenbrock method takes no more steps, with the true Jacobian alone.
    assert nfe <= alone.stats.nfe
    reference = solved(lambda t, y: f(t, y), f, [0.0, 1.0], method=method, **options)
    for a, b in zip(solved(f, f, [0.0, 1.0], method=method, **options), reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FIELDS)
def test_a_flow_of_it_has_its_own_density(name: str) -> None:
    class Alone:
        """Nothing is known of it but its values."""

        dim = 2

        def __call__(self, t: Any, z: Tensor) -> Tensor:
            return f(t, z)

    f, x = FIELDS[name](), torch.tensor([[0.3, -0.2], [1.0, 0.4]], dtype=D)
    if name in ("attribute", "method"):
        f.dim = 2  # type: ignore[assignment]
    torch.testing.assert_close(CNF(f).log_prob(x), CNF(Alone()).log_prob(x), rtol=1e-6, atol=1e-6)


@contextmanager
def global_hook() -> Iterator[None]:
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, value: value * 2.0)
    try:
        yield
    finally:
        handle.remove()


def test_hooks_on_all_modules_are_heard() -> None:
    f, y0 = field(), torch.ones(2, dtype=D)
    with global_hook():
        doubled = odeint(f, y0, [0.0, 1.0], **TIGHT).ys
    torch.testing.assert_close(doubled, odeint(lambda t, y: 2.0 * f(t, y), y0, [0.0, 1.0], **TIGHT).ys)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_weight_norm_by_hooks_is_solved_as_it_is() -> None:
    f = field()
    torch.nn.utils.weight_norm(f, "weight_1")
    reference = solved(lambda t, y: f(t, y), f, [0.0, 1.0], **TIGHT)
    for mode in MODES:
        for a, b in zip(solved(f, f, [0.0, 1.0], gradient=mode, **TIGHT), reference, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"
)  # torch.compile's
def test_a_compiled_module_is_solved_as_it_is() -> None:
    inner = Damped(2, (5,), seed=4, dtype=D)
    f = torch.compile(inner, backend="eager")
    reference = solved(lambda t, y: f(t, y), inner, [0.0, 1.0], method="rk4", dt=0.5)
    for a, b in zip(solved(f, inner, [0.0, 1.0], method="rk4", dt=0.5), reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_only_a_class_that_wrote_its_closed_form_has_it() -> None:
    assert has_closed_form(field(), "compiled")
    assert not any(
        has_closed_form(make(), "compiled") for name, make in FIELDS.items() if name != "half frozen"
    )
    assert own_method(field(), "jacobian") is not None
    assert own_method(Damped(2, (5,)), "jacobian") is None
    assert is_autonomous(field()) and not is_autonomous(Damped(2, (5,)))


def test_a_fields_own_jacobian_goes_with_its_function() -> None:
    class Decay:
        def __call__(self, t: Any, y: Tensor) -> Tensor:
            return -y

        def jacobian(self, t: Any, y: Tensor) -> Tensor:
            return -torch.eye(1, dtype=D)

    class Growth(Decay):
        def __call__(self, t: Any, y: Tensor) -> Tensor:
            return y

    assert own_method(Decay(), "jacobian") is not None
    assert own_method(Growth(), "jacobian") is None
    growth = Growth()
    growth.jacobian = lambda t, y: torch.eye(1, dtype=D)  # type: ignore[method-assign]
    assert own_method(growth, "jacobian") is growth.jacobian
