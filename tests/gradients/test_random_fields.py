"""Fields that draw random numbers: the gradient is that of the run that was made, or there is a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core import odeint
from tests.gradients.test_gradients import DISCRETE, MODES
from tests.solvers.problems import D

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


class Dropping(nn.Module):
    """A net with dropout; with `late` it drops only after t = 0.3, where a look at the start cannot see it."""

    def __init__(self, late: bool = False, device: str = "cpu") -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.a = nn.Parameter(torch.randn(2, 12, generator=generator, dtype=D).to(device))
        self.b = nn.Parameter(torch.randn(12, 2, generator=generator, dtype=D).to(device))
        self.late = late

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        hidden = torch.tanh(y @ self.a)
        if not self.late or float(t) > 0.3:
            hidden = nn.functional.dropout(hidden, 0.3, self.training)
        return hidden @ self.b


def run(f: Any, owner: nn.Module, device: str, **options: Any) -> list[Tensor]:
    """Outputs and gradients of one run, always from the same random state; outputs lie inside of steps and at ends."""
    torch.manual_seed(7)
    y0 = torch.full((5, 2), 0.4, dtype=D, device=device, requires_grad=True)
    ys = odeint(f, y0, [0.0, 0.33, 0.6, 1.0], **options).ys
    after = torch.rand(1)  # what is drawn next does not depend on the mode either
    return [ys.detach(), after, *torch.autograd.grad(ys.square().sum(), (y0, *owner.parameters()))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("method", ["euler", "rk4", "dopri5", "dopri8"])
def test_checkpointed_draws_again_what_the_solve_drew(method: str, late: bool, device: str) -> None:
    options: dict[str, Any] = {"dt": 0.2} if method in ("euler", "rk4") else {"rtol": 1.0, "atol": 1.0}
    f = Dropping(late, device)
    a = run(f, f, device, method=method, **options)
    b = run(f, f, device, method=method, gradient="checkpointed", **options)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)
    calm = run(f.eval(), f, device, method=method, **options)
    assert float((calm[2] - a[2]).norm()) > 0.01 * float(a[2].norm()), (
        "this run is one in which dropout matters"
    )


@pytest.mark.parametrize("mode", DISCRETE)
def test_named_parameters_of_a_random_function_have_the_gradient_of_the_run(mode: str) -> None:
    f = Dropping()
    options: dict[str, Any] = {"method": "rk4", "dt": 0.2}
    a = run(f, f, "cpu", **options)
    b = run(lambda t, y: f(t, y), f, "cpu", params=f.parameters(), gradient=mode, **options)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", DISCRETE)
@pytest.mark.parametrize("named", [False, True])
def test_second_derivatives_are_those_of_the_run(mode: str, named: bool) -> None:
    f, found = Dropping(), []
    for gradient, params in (("backprop", None), (mode, list(f.parameters()) if named else None)):
        torch.manual_seed(7)
        y0 = torch.full((5, 2), 0.4, dtype=D, requires_grad=True)
        ys = odeint(f, y0, [0.0, 0.33, 1.0], method="rk4", dt=0.25, gradient=gradient, params=params).ys
        (slope,) = torch.autograd.grad(ys.square().sum(), y0, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), y0)[0])
    torch.testing.assert_close(found[1], found[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("mode", "method"),
    [(mode, method) for mode in MODES if mode not in DISCRETE for method in ("dopri5", "rk4")]
    + [("adjoint", "scipy_adams"), ("interpolated", "scipy_adams")],
)
def test_continuous_modes_refuse_a_random_field_with_the_remedy(mode: str, method: str, late: bool) -> None:
    f = Dropping(late)
    options: dict[str, Any] = {"dt": 0.2} if method == "rk4" else {"rtol": 1.0, "atol": 1.0}
    with pytest.raises(ValueError, match=r"draws random numbers at every call.*'checkpointed'.*f\.eval\(\)"):
        run(f, f, "cpu", method=method, gradient=mode, **options)
    f.eval()
    assert torch.isfinite(run(f, f, "cpu", method=method, gradient=mode, **options)[2]).all()


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "backprop"])
def test_numbers_from_a_generator_of_its_own_are_noticed_on_the_way_back(mode: str) -> None:
    generator = torch.Generator().manual_seed(3)

    def f(t: Any, y: Tensor) -> Tensor:
        return -y + 0.1 * torch.randn(y.shape, generator=generator, dtype=D)

    y0 = torch.ones(2, dtype=D, requires_grad=True)
    ys = odeint(f, y0, [0.0, 1.0], gradient=mode, method="rk4", dt=0.2).ys
    with pytest.raises(RuntimeError, match=r"no longer what it was in the solve.*random numbers"):
        ys.sum().backward()


def test_a_calm_field_leaves_the_random_state_alone() -> None:
    f = Dropping().eval()
    makers: list[Callable[[], Any]] = [lambda mode=mode: run(f, f, "cpu", gradient=mode) for mode in MODES]  # type: ignore[misc]
    assert len({float(make()[1]) for make in makers}) == 1
