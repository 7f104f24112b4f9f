"""A tableau of one's own as `method=`: checked, and then a method like the library's, in every mode."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core import ButcherTableau, odeint
from node_core.gradients.names import GRADIENTS
from node_core.settings import SolverSettings
from node_core.solvers.methods import METHODS, method_named
from node_core.solvers.stability import imaginary_axis_limit, stability_formula, stability_region
from node_core.solvers.tableaus.tableau import DenseOutput
from node_core.solvers.tableaus.tableaus import DOPRI5, FEHLBERG45, RK4, TABLEAUS
from tests.solvers.problems import D, forced, forced_exact, rotation, vector

ANY: Any = ButcherTableau  # what mypy would refuse as well
THIRD = Fraction(1, 3)
# Kutta's third-order method as people have it at hand: fractions, a square matrix of numpy's, lists.
KUTTA3 = ANY(
    "kutta3",
    a=np.array([[0, 0, 0], [0.5, 0, 0], [-1, 2, 0]]),
    b=[Fraction(1, 6), 2 * THIRD, Fraction(1, 6)],
    c=[0, Fraction(1, 2), 1],
    order=3,
)
MINE = replace(DOPRI5, name="mine")


def test_numbers_of_any_kind_become_floats_below_the_diagonal() -> None:
    assert KUTTA3.a == ((), (0.5,), (-1.0, 2.0))
    assert {type(value) for row in (*KUTTA3.a, KUTTA3.b, KUTTA3.c) for value in row} == {float}
    assert hash(KUTTA3) == hash(replace(KUTTA3))


def test_the_error_of_a_method_of_ones_own_falls_with_its_order() -> None:
    counts = (20, 40, 80)
    errors = []
    for count in counts:
        solution = odeint(forced, vector(1.0), [0.0, 2.0], method=KUTTA3, dt=2.0 / count)
        errors.append(abs(float(solution.ys[-1]) - float(forced_exact(2.0))))
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(3.0, abs=0.1)
    assert solution.method == "kutta3"
    middle = float(solution(1.01)[0])
    assert abs(middle - float(forced_exact(1.01))) < 1e-5  # the cubic Hermite polynomial


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(2, 2).double()

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return torch.tanh(self.inner(y)) * torch.cos(torch.as_tensor(t, dtype=D))


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize(("own", "named"), [(replace(RK4, name="mine"), "rk4"), (MINE, "dopri5")])
def test_every_gradient_mode_takes_it_as_the_method_of_the_same_coefficients(
    own: ButcherTableau, named: str, gradient: str
) -> None:
    steps: dict[str, Any] = {"rtol": 1e-7, "atol": 1e-7} if own.adaptive else {"dt": 0.1}
    found = []
    for method in (own, named):
        net = Net()
        y0 = vector(0.3, -0.7).requires_grad_()
        ys = odeint(net, y0, [0.0, 1.0], method=method, gradient=gradient, **steps).ys
        ys[-1].square().sum().backward()
        grads = [p.grad for p in net.parameters()]
        assert y0.grad is not None and all(g is not None for g in grads)
        found.append((ys.detach(), y0.grad, *grads))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


def test_each_row_of_a_batch_may_take_its_own_steps_with_it() -> None:
    y0 = torch.tensor([[1.0, 0.5], [-0.3, 2.0]], dtype=D)
    ours = odeint(rotation, y0, [0.0, 2.0], method=MINE, batch="per_sample").ys
    theirs = odeint(rotation, y0, [0.0, 2.0], method="dopri5", batch="per_sample").ys
    torch.testing.assert_close(ours[-1], theirs[-1], rtol=1e-13, atol=1e-13)


def test_what_has_no_error_estimate_takes_dt_and_what_has_one_does_not() -> None:
    with pytest.raises(ValueError, match="method='kutta3' needs a step size: pass dt"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], method=KUTTA3)
    with pytest.raises(ValueError, match="method='mine' chooses its own steps"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], method=MINE, dt=0.1)


def test_the_librarys_own_are_themselves_and_settings_take_a_tableau() -> None:
    assert method_named(DOPRI5) is METHODS["dopri5"]
    with pytest.raises(ValueError, match="called 'rk4', as a method of the library is"):
        method_named(replace(KUTTA3, name="rk4"))
    ys = SolverSettings(method=KUTTA3, dt=0.01).solve(lambda t, y: -y, vector(1.0), [0.0, 1.0]).ys
    assert float(ys[-1]) == pytest.approx(math.exp(-1.0), rel=1e-6)


def test_a_failure_names_the_method() -> None:
    with pytest.raises(Exception, match=r"\(method='mine'\)"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 100.0], method=MINE, max_steps=3)


def test_its_region_of_stability_can_be_drawn() -> None:
    # all methods of three stages and third order have the R of Taylor's polynomial
    assert imaginary_axis_limit(KUTTA3) == pytest.approx(math.sqrt(3.0))
    assert stability_region(KUTTA3, (-3.0, 1.0), (-3.0, 3.0), 5).magnitude.shape == (5, 5)
    assert stability_formula(KUTTA3) == stability_formula(replace(KUTTA3, name="other"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": 4}, r"says order=4, but b satisfies the order conditions only up to order 3"),
        ({"order": 11}, r"claims order 11, which cannot be checked: say order=10"),
        ({"b": (1 / 6, 2 / 3 + 1e-6, 1 / 6 - 1e-6)}, r"only up to order 1: correct a coefficient"),
    ],
)
def test_a_tableau_of_another_order_than_it_claims_is_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        method_named(replace(KUTTA3, **changes))


def test_an_embedded_solution_and_a_dense_output_are_held_to_their_orders() -> None:
    assert FEHLBERG45.b_error is not None and MINE.b_error is not None
    with pytest.raises(ValueError, match=r"says error_order=5, but b - b_error .* up to order 4"):
        method_named(replace(MINE, error_order=5))
    with pytest.raises(ValueError, match=r"embedded solution b - b_error is of an order above error_order=3"):
        method_named(replace(MINE, error_order=3))
    with pytest.raises(ValueError, match=r"says its order=4, but the dense output .* up to order 1"):
        method_named(replace(KUTTA3, dense=DenseOutput(tuple((b,) for b in KUTTA3.b), order=4)))
    # the one that goes on with the lower order of the pair: its estimate has that order, too
    lower = replace(
        FEHLBERG45,
        name="lower",
        b=tuple(b - e for b, e in zip(FEHLBERG45.b, FEHLBERG45.b_error, strict=True)),
        b_error=tuple(-e for e in FEHLBERG45.b_error),
        order=4,
        error_order=4,
        dense=None,
    )
    assert method_named(lower).order == 4
    assert method_named(replace(TABLEAUS["dopri8"], name="eight")).error_order == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": np.array([[0, 0, 0], [0.25, 0.25, 0], [-1, 2, 0]])}, "is implicit: row 1 of a is not zero"),
        ({"a": None}, "a of 'kutta3' is None: give one row of numbers a stage"),
        ({"b": 1.0}, "b of 'kutta3' is 1.0: give a sequence of numbers"),
        ({"b_error": (0.0, 0.0, 0.0), "error_order": 2}, "b_error of zeros"),
        ({"b_error": (0.1, -0.2, 0.1), "error_order": 4}, "error order 4 above its order 3"),
    ],
)
def test_what_is_no_explicit_tableau_is_refused_with_the_reason(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(KUTTA3, **changes)
