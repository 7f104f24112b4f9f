"""The page for those who come from torchdiffeq runs, and their calls give what theirs give, through a shim of names.

The subjects are those of torchdiffeq's own suite: accuracy, tuples, adjoints against backpropagation, jumps, events,
SciPy's methods, longest steps. Left out, because it is about its insides or has no counterpart: the Adams variants,
`perturb`, callbacks as attributes of the field, the norms inside of its autograd function, and
the implicit Runge-Kutta methods that are not here.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torchdiffeq
from torch import Tensor, nn

from tests import torchdiffeq_shim as shim
from tests.solvers.problems import D

PAGE = Path(__file__).resolve().parents[1] / "docs" / "coming-from-torchdiffeq.md"
ADAPTIVE = ("bosh3", "tsit5", "dopri5", "dopri8")
FIXED = ("euler", "midpoint", "heun2", "heun3", "rk4")


class Line(nn.Module):
    """y = a t + b, whose field pulls neighbours away by the fifth power."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.2, dtype=D)), nn.Parameter(torch.tensor(3.0, dtype=D))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return self.a + (y - (self.a * t + self.b)) ** 5

    def exact(self, t: Tensor) -> Tensor:
        return (self.a * t + self.b).detach()


class Turning(nn.Module):
    """A linear field of ten dimensions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        u = 0.1 * torch.randn(10, 10, dtype=D)
        self.A = nn.Parameter(u - u.T + 0.05 * u)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return self.A @ y

    def exact(self, t: Tensor) -> Tensor:
        y0 = torch.ones(10, dtype=D)
        return torch.stack([torch.linalg.matrix_exp(self.A.detach() * (s - t[0])) @ y0 for s in t])


def times(reverse: bool = False) -> Tensor:
    t = torch.linspace(1, 8, 10, dtype=D)
    return t.flip(0) if reverse else t


def test_the_page_runs_from_top_to_bottom() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["ys"].shape == (10, 1, 2)
    theirs = torchdiffeq.odeint(names["f"], names["y0"], names["t"])
    torch.testing.assert_close(names["ys"], theirs, rtol=1e-4, atol=1e-5)
    fall = math.sqrt(2 * 10 / 9.81)
    expected = fall * (1 + 2 * 0.9 + 2 * 0.81)
    assert names["start"] == pytest.approx(expected, abs=1e-5)
    assert names["slope"].item() == pytest.approx(3 * 0.81 * 9.81 * fall, rel=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, D])
@pytest.mark.parametrize("method", [*ADAPTIVE, *FIXED])
def test_solutions_are_as_exact_as_theirs_have_to_be(method: str, dtype: torch.dtype, reverse: bool) -> None:
    t = times(reverse)
    for f in (Line(), Turning()) if method in ADAPTIVE else (Line(),):
        exact = f.exact(t).to(dtype)
        tight = {"rtol": 1e-12, "atol": 1e-14} if dtype is D else {"rtol": 1e-6, "atol": 1e-6}
        options: dict[str, Any] = tight if method == "dopri8" else {"rtol": 1e-6, "atol": 1e-6}
        ys = shim.odeint(f.to(dtype), exact[0], t, method=method, **options)
        torch.testing.assert_close(ys, exact, rtol=4e-3 if method == "bosh3" else 2e-3, atol=2e-3)
        assert ys.dtype == dtype


@pytest.mark.parametrize("solver", ["RK45", "RK23", "DOP853", "Radau", "LSODA"])
def test_solvers_of_scipy_or_their_formulas_here(solver: str) -> None:
    f, t = Turning(), times()
    ys = shim.odeint_adjoint(
        f, f.exact(t)[0], t, method="scipy_solver", options={"solver": solver}, rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(ys, f.exact(t), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", ADAPTIVE)
def test_tuples_are_solved_and_differentiated_as_theirs(method: str) -> None:
    f, t = Line(), times()[:3].clone().requires_grad_()
    y0 = f.exact(times())[0].requires_grad_()

    def pair(t: Tensor, y: Any) -> Any:
        return f(t, y[0]), f(t, y[1])

    ys = shim.odeint(pair, (y0, y0), t, method=method)
    for part in ys:
        torch.testing.assert_close(part, f.exact(t.detach()), rtol=0, atol=1e-9)
    theirs = torchdiffeq.odeint(pair, (y0, y0), t, method="dopri8")
    found, known = (torch.autograd.grad(each[0].sum(), (y0, t)) for each in (ys, theirs))
    for a, b in zip(found, known, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seminorm", [False, True])
def test_the_adjoint_is_the_gradient_of_backpropagation(seminorm: bool) -> None:
    options: dict[str, Any] = {"adjoint_options": {"norm": "seminorm"}} if seminorm else {}
    grads = []
    for interface, more in ((shim.odeint_adjoint, options), (torchdiffeq.odeint, {})):
        f, t = Turning(), times().requires_grad_()
        y0 = torch.ones(10, dtype=D, requires_grad=True)
        ys = interface(f, y0, t, rtol=1e-7, atol=1e-9, **more)
        torch.manual_seed(0)
        grads.append(torch.autograd.grad(ys, (y0, t, f.A), torch.rand_like(ys)))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_the_adjoint_has_a_method_and_tolerances_of_its_own() -> None:
    f, y0 = Turning(), torch.ones(10, dtype=D, requires_grad=True)
    exact = torch.autograd.grad(shim.odeint(f, y0, times()).square().sum(), (y0, f.A))
    for more in (
        {"adjoint_rtol": 1e-5, "adjoint_atol": 1e-5},
        {"adjoint_method": "dopri8"},
        {"adjoint_method": "rk4", "adjoint_options": {"step_size": 0.05}},
    ):
        ys = shim.odeint_adjoint(f, y0, times(), **more)
        for a, b in zip(torch.autograd.grad(ys.square().sum(), (y0, f.A)), exact, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


class Switch:
    """y' = -y / 2 before t = 0.5, y^2 from then on; counts its calls."""

    def __init__(self) -> None:
        self.nfe = 0

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        self.nfe += 1
        return -0.5 * y if t < 0.5 else y**2


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("method", ["bosh3", "tsit5", "dopri5"])
def test_a_jump_that_is_told_costs_fewer_evaluations(method: str, adjoint: bool) -> None:
    y0, t = torch.tensor([1.0, 2.0], dtype=D, requires_grad=True), torch.tensor([0.0, 1.0])
    plain, told = Switch(), Switch()
    more: dict[str, Any] = {"adjoint_params": ()} if adjoint else {}
    interface = shim.odeint_adjoint if adjoint else shim.odeint
    jump = {"jump_t": torch.tensor([0.5])}
    first = interface(plain, y0, t, rtol=1e-6, atol=1e-6, method=method, **more)
    second = interface(told, y0, t, rtol=1e-6, atol=1e-6, method=method, options=jump, **more)
    assert told.nfe < plain.nfe
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)
    if adjoint:
        plain.nfe = told.nfe = 0
        first.sum().backward(), second.sum().backward()
        assert told.nfe < plain.nfe


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("method", [*ADAPTIVE, *FIXED])
def test_an_event_ends_where_the_solution_is(method: str, reverse: bool) -> None:
    f, t = Line(), times(reverse)
    exact = f.exact(t)
    options: dict[str, Any] = {} if method in ADAPTIVE else {"step_size": 0.05, "interp": "cubic"}
    found, ys = shim.odeint(
        f, exact[0], t[:2], event_fn=lambda t, y: (y - exact[2]).sum(), method=method, options=options
    )
    assert ys.shape == (2,)
    assert found.item() == pytest.approx(float(t[2]), rel=5e-3 if method == "euler" else 1e-4)
    assert ys[-1].item() == pytest.approx(float(exact[2]), rel=5e-3 if method == "euler" else 1e-4)


@pytest.mark.parametrize("interface", [shim.odeint, shim.odeint_adjoint])
def test_the_gradient_of_an_event_is_theirs(interface: Any) -> None:
    grads = []
    for event, way in ((shim.odeint_event, interface), (torchdiffeq.odeint_event, torchdiffeq.odeint)):
        f = Turning()
        y0, t0 = torch.ones(10, dtype=D, requires_grad=True), torch.tensor(0.0, dtype=D)
        found, ys = event(f, y0, t0, event_fn=lambda t, y: y[0] - 1.5 * y[1] - t + 1, odeint_interface=way)
        grads.append((found.detach(), *torch.autograd.grad(found + ys[-1].square().sum(), (y0, f.A))))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_the_grid_of_fixed_steps_is_t_or_a_given_one_and_the_norm_sees_the_structure() -> None:
    y0, t = torch.tensor(1.0, dtype=D, requires_grad=True), torch.tensor([0.0, 1.0], dtype=D)
    ys = shim.odeint(lambda t, y: y, y0, t, method="euler")
    assert ys[-1].item() == 2.0
    grid = {"grid_constructor": lambda f, y0, t: torch.linspace(0, 1, 11, dtype=D)}
    ys = shim.odeint(lambda t, y: y, y0, t, method="euler", options=grid)
    assert ys[-1].item() == pytest.approx(1.1**10)
    assert torch.autograd.grad(ys[-1], y0)[0].item() == pytest.approx(1.1**10)
    shapes = []

    def norm(state: Any) -> Tensor:
        shapes.append(tuple(part.shape for part in state))
        return torch.stack([part.square().mean() for part in state]).amax().sqrt()

    pair = (torch.tensor(1.0), torch.ones(2, 2))
    shim.odeint(lambda t, y: y, pair, torch.tensor([0.0, 1.0]), rtol=1e-5, atol=1e-5, options={"norm": norm})
    assert set(shapes) == {((), (2, 2))}


def test_the_longest_step_and_complex_states_and_single_numbers() -> None:
    assert shim.odeint(Switch(), torch.ones(2), torch.tensor([1.0])).shape == (1, 2)
    counts = []
    for options in ({"max_step": math.inf}, {"max_step": 0.1}):
        f = Switch()
        shim.odeint(f, torch.tensor(0.1, dtype=D), torch.tensor([0.0, 1.0]), options=options)
        counts.append(f.nfe)
    assert counts[1] > 60
    z0 = torch.tensor([1.0 + 1.0j], dtype=torch.complex128)
    ours, theirs = (
        way(lambda t, z: 1j * z, z0, torch.tensor([0.0, 2.0], dtype=D))
        for way in (shim.odeint, torchdiffeq.odeint)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
