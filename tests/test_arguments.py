"""What the front door says to what it cannot serve, and that following its advice works."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core import odeint
from node_core.solvers.methods import METHODS
from tests.solvers.problems import D, rotation, step_arguments, vector

TURN = [[math.cos(1.0), math.sin(1.0)], [-math.sin(1.0), math.cos(1.0)]]


def test_a_complex_state_is_told_how_to_be_solved_without_losing_its_imaginary_part() -> None:
    z0 = torch.tensor([1.0 + 2.0j, -0.5j], dtype=torch.complex128)

    def spin(z: Tensor) -> Tensor:
        return 1j * z

    with pytest.raises(ValueError, match=r"complex128.*y0\.real, y0\.imag.*torch\.complex\(\*y\.chunk"):
        odeint(lambda t, z: spin(z), z0, [0.0, 1.0])

    def f(t: Any, y: Tensor) -> Tensor:
        dz = spin(torch.complex(*y.chunk(2, -1)))
        return torch.cat((dz.real, dz.imag), -1)

    for name in METHODS:
        with torch.no_grad():
            y0 = torch.cat((z0.real, z0.imag), -1)
            ys = odeint(f, y0, [0.0, 1.0], method=name, **step_arguments(name, dt=1e-3)).ys
        end = torch.complex(*ys[-1].chunk(2, -1))
        torch.testing.assert_close(end, z0 * complex(math.cos(1.0), math.sin(1.0)), rtol=0, atol=2e-3)


def test_a_dict_of_tensors_is_told_how_to_become_a_state() -> None:
    y0 = {"x": vector(1.0), "v": vector(0.0)}
    given: Any = y0
    with pytest.raises(
        ValueError, match=r"a dict of 2 tensors.*torch\.cat\(list\(y0\.values\(\)\), dim=-1\)"
    ):
        odeint(rotation, given, [0.0, 1.0])
    ys = odeint(rotation, torch.cat(list(y0.values()), dim=-1), [0.0, 1.0]).ys
    assert float(ys[-1, 0]) == pytest.approx(math.cos(1.0), abs=1e-5)
    numbers: Any = {"x": 1.0}
    with pytest.raises(ValueError, match=r"y0 is dict, not a tensor: put its numbers into one tensor"):
        odeint(rotation, numbers, [0.0, 1.0])


@pytest.mark.parametrize("name", ["rtol", "atol"])
@pytest.mark.parametrize("value", [[1e-3, 1e-6], (1e-3, 1e-6), np.full(2, 1e-6), torch.full((2,), 1e-6)])
def test_a_tolerance_for_each_coordinate_is_told_to_scale_the_state(name: str, value: Any) -> None:
    tolerance: Any = {name: value}
    with pytest.raises(
        ValueError, match=rf"{name}=.*several numbers: one {name} serves the whole state.*divide"
    ):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], **tolerance)


def test_times_in_two_dimensions_are_told_that_the_batch_shares_one_row() -> None:
    for ts in ([[0.0, 1.0]], [[0.0], [1.0]], torch.zeros(3, 2)):
        with pytest.raises(
            ValueError, match=r"ts has shape \(\d, \d\).*one row for the whole batch.*ts\.flatten"
        ):
            odeint(rotation, vector(1.0, 0.0), ts)


def test_a_state_without_numbers_or_with_too_few_digits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"device 'meta'.*no numbers.*on a real device"):
        odeint(rotation, torch.empty(2, device="meta"), [0.0, 1.0])
    with pytest.raises(ValueError, match=r"float8.*cannot calculate with: pass y0\.float\(\)"):
        odeint(rotation, torch.ones(2).to(torch.float8_e4m3fn), [0.0, 1.0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", list(METHODS))
def test_half_precision_is_solved_to_its_digits_or_refused_with_the_remedy(
    name: str, dtype: torch.dtype
) -> None:
    y0 = torch.tensor([[1.0, 0.0]], dtype=dtype)
    options: dict[str, Any] = {"rtol": 1e-2, "atol": 1e-2} if METHODS[name].adaptive else {"dt": 0.02}
    if METHODS[name].family == "implicit":
        with pytest.raises(
            ValueError, match=rf"{name}.*linear systems, for which torch has no {dtype}.*y0\.float"
        ):
            odeint(rotation, y0, [0.0, 1.0], method=name, **options)
        y0 = y0.float()
    ys = odeint(rotation, y0, [0.0, 1.0], method=name, **options).ys
    assert ys.dtype == y0.dtype
    assert float(ys[-1, 0, 0]) == pytest.approx(math.cos(1.0), abs=0.04)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("RK45", "dopri5"),
        ("RK23", "bosh3"),
        ("DOP853", "dopri8"),
        ("Radau", "scipy_radau"),
        ("LSODA", "scipy_lsoda"),
        ("ode45", "dopri5"),
        ("implicit_adams", "scipy_adams"),
        ("BS3", "bosh3"),
        ("Crank-Nicolson", "trapezoid"),
        ("backward_euler", "implicit_euler"),
    ],
)
def test_another_librarys_name_for_a_method_is_translated(theirs: str, ours: str) -> None:
    with pytest.raises(ValueError, match=rf"Unknown method '{theirs}': here it is called '{ours}'\."):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], method=theirs)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("BDF", "rodas5p"),
        ("Kvaerno5", "rodas5p"),
        ("kvaerno3", "rodas5p"),
        ("ode15s", "rodas5p"),
        ("Vern7", "dopri8"),
        ("adaptive_heun", "bosh3"),
        ("ReversibleHeun", "midpoint"),
    ],
)
def test_a_method_that_is_not_here_is_told_what_comes_next_to_it(theirs: str, ours: str) -> None:
    scipys = r" \(or 'scipy_radau' and 'scipy_lsoda' of SciPy\)" if ours == "rodas5p" else ""
    with pytest.raises(ValueError, match=rf"there is none here, '{ours}' comes next to it{scipys}\."):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], method=theirs)


TRANSFORMS: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], Any]] = {
    "vmap": lambda solve, y: torch.func.vmap(solve)(torch.stack((y, y))),
    "grad": lambda solve, y: torch.func.grad(lambda y: solve(y).sum())(y),
    "vjp": lambda solve, y: torch.func.vjp(solve, y),
    "jvp": lambda solve, y: torch.func.jvp(solve, (y,), (y,)),
    "jacrev": lambda solve, y: torch.func.jacrev(solve)(y),
    "jacfwd": lambda solve, y: torch.func.jacfwd(solve)(y),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(
    ("method", "gradient"),
    [("dopri5", "backprop"), ("rk4", "checkpointed"), ("rodas5p", "backprop"), ("scipy_lsoda", "adjoint")],
)
def test_a_transform_of_torch_func_is_refused_and_its_remedy_works(
    transform: str, method: str, gradient: str
) -> None:
    def solve(y0: Tensor) -> Tensor:
        return odeint(
            rotation, y0, [0.0, 1.0], method=method, gradient=gradient, **step_arguments(method)
        ).ys[-1]

    with pytest.raises(ValueError, match=r"transform of torch\.func.*torch\.autograd\.functional\.jacobian"):
        TRANSFORMS[transform](solve, vector(1.0, 0.0))
    jacobian = torch.autograd.functional.jacobian(solve, vector(1.0, 0.0))
    torch.testing.assert_close(jacobian, torch.tensor(TURN, dtype=D), rtol=0, atol=1e-5)
    if gradient != "adjoint":
        _, moved = torch.autograd.functional.jvp(solve, vector(1.0, 0.0), vector(0.0, 1.0))
        torch.testing.assert_close(moved, torch.tensor(TURN, dtype=D)[:, 1], rtol=0, atol=1e-5)


def test_a_transform_inside_of_the_field_is_the_fields_own_affair() -> None:
    """A Hamiltonian's gradient by torch.func: H = (x^2 + v^2) / 2."""

    def f(t: Any, y: Tensor) -> Tensor:
        slope = torch.func.grad(lambda y: 0.5 * y.square().sum())(y)
        return torch.stack((slope[1], -slope[0]))

    for method in ("dopri5", "rodas5p"):
        y0 = vector(1.0, 0.0).requires_grad_()
        ys = odeint(f, y0, [0.0, 1.0], method=method).ys
        (found,) = torch.autograd.grad(ys[-1, 0], y0)
        torch.testing.assert_close(found, torch.tensor(TURN[0], dtype=D), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", list(METHODS))
def test_a_field_under_autocast_is_told_so_and_its_remedies_work(name: str) -> None:
    net = torch.nn.Linear(2, 2)
    options: dict[str, Any] = {"rtol": 1e-1, "atol": 1e-1} if METHODS[name].adaptive else {"dt": 0.1}

    def in_full(t: Any, y: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return net(y)

    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(
            ValueError, match=r"bfloat16.*under torch\.autocast.*dy\.to\(y\.dtype\).*enabled=False"
        ):
            odeint(lambda t, y: net(y), torch.ones(3, 2), [0.0, 1.0], method=name, **options)
        inside = odeint(in_full, torch.ones(3, 2), [0.0, 1.0], method=name, **options).ys
        odeint(lambda t, y: net(y).to(y.dtype), torch.ones(3, 2), [0.0, 1.0], method="rk4", dt=0.1)
    with torch.no_grad():
        outside = odeint(in_full, torch.ones(3, 2), [0.0, 1.0], method=name, **options).ys
    torch.testing.assert_close(inside, outside, rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["checkpointed", "adjoint", "interpolated"])
@pytest.mark.parametrize("method", ["dopri5", "rodas5p"])
def test_the_way_back_runs_under_the_autocast_of_the_solve(method: str, mode: str) -> None:
    net, seen = torch.nn.Linear(2, 2), set()

    def f(t: Any, y: Tensor) -> Tensor:
        seen.add(torch.is_autocast_enabled("cpu"))
        return net(y).to(y.dtype)

    y0 = torch.tensor([[1.0, 0.5]], requires_grad=True)
    options: dict[str, Any] = {"method": method, "params": list(net.parameters()), "rtol": 1e-2, "atol": 1e-2}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ys = odeint(f, y0, [0.0, 1.0], gradient=mode, **options).ys
    found = torch.autograd.grad(ys.sum(), (y0, net.weight))
    assert seen == {True}
    exact = torch.autograd.grad(odeint(f, y0, [0.0, 1.0], **options).ys.sum(), (y0, net.weight))
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"f": nn.Tanh}, r"f is the class Tanh, not a function: pass the field"),
        (
            {"y0": torch.ones(2, 2).to_sparse()},
            r"y0 is a tensor of layout torch\.sparse_coo: pass y0\.to_dense\(\)",
        ),
        ({"dense": "yes"}, r"dense='yes' is none of True, False and None"),
    ],
)
def test_what_is_of_another_kind_is_told_so(arguments: dict[str, Any], match: str) -> None:
    given: dict[str, Any] = {"f": rotation, "y0": vector(1.0, 0.0), "ts": [0.0, 1.0], **arguments}
    with pytest.raises(ValueError, match=match):
        odeint(given.pop("f"), given.pop("y0"), given.pop("ts"), **given)


@pytest.mark.parametrize("t", [None, "a", 1j, math.nan, [0.1, math.nan], [None, 0.5]])
def test_dense_output_is_asked_at_times(t: Any) -> None:
    with pytest.raises(ValueError, match="is no time"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0])(t)
