"""Tolerances for each entry, norms, controllers, shortest steps and given ones: what they do, and where they cannot."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core import Backward, Controller, SolveError, odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.gradients.names import GRADIENTS
from node_core.solvers.controllers import CONTROLLERS
from node_core.solvers.methods import METHODS
from tests.solvers.problems import ADAPTIVE, FIXED, D, rotation, vector

OWN_ADAPTIVE = [name for name in ADAPTIVE if METHODS[name].family != "scipy"]
SCIPY = [name for name in METHODS if METHODS[name].family == "scipy"]


def scales(t: Any, y: Tensor) -> Tensor:
    """A turn of size one beside one of size 1e-4, of ten times its speed."""
    x, v, small, fast = y.unbind(-1)
    return torch.stack((v, -x, 10 * fast, -10 * small), -1)


START = vector(1.0, 0.0, 1e-4, 0.0)


def exact(t: float) -> Tensor:
    return vector(math.cos(t), -math.sin(t), 1e-4 * math.cos(10 * t), -1e-4 * math.sin(10 * t))


@pytest.mark.parametrize("name", ADAPTIVE)
def test_each_entry_is_held_to_its_own_tolerance(name: str) -> None:
    rtol = 1e-10  # all is left to atol
    options: dict[str, Any] = {"method": name, "rtol": rtol}
    for_each = odeint(scales, START, [0.0, 3.0], atol=vector(1e-5, 1e-5, 1e-9, 1e-9), **options)
    for_all = odeint(scales, START, [0.0, 3.0], atol=1e-4, **options)
    error = [float((solution.ys[-1] - exact(3.0))[2:].abs().max()) for solution in (for_each, for_all)]
    assert error[0] < 1e-6 < error[1]


@pytest.mark.parametrize(
    ("name", "batch"), [("dopri5", "shared"), ("dopri5", "per_sample"), ("rodas5p", "shared")]
)
def test_a_tolerance_of_one_shape_or_another_is_the_same(name: str, batch: str) -> None:
    y0 = torch.stack((START, 2 * START))
    forms: list[Any] = [
        1e-6, [1e-6] * 4, np.full(4, 1e-6), torch.full((2, 4), 1e-6), torch.full((2, 1), 1e-6), vector(1e-6),
    ]  # fmt: skip
    ends = [
        odeint(scales, y0, [0.0, 1.0], method=name, batch=batch, rtol=form, atol=form).ys[-1]
        for form in forms
    ]
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=0, atol=1e-9)


def test_rows_have_tolerances_of_their_own() -> None:
    y0 = torch.stack((vector(1.0, 0.0), vector(1.0, 0.0)))
    tolerance = torch.tensor([[1e-3], [1e-9]], dtype=D)
    solution = odeint(rotation, y0, [0.0, 5.0], batch="per_sample", rtol=tolerance, atol=tolerance)
    assert len(solution.steps.of(1)) > 3 * len(solution.steps.of(0))


@pytest.mark.parametrize("name", OWN_ADAPTIVE)
@pytest.mark.parametrize("zero", ["rtol", "atol"])
def test_one_tolerance_may_be_zero(name: str, zero: str) -> None:
    other = {"rtol": "atol", "atol": "rtol"}[zero]
    tolerances: Any = {zero: 0.0, other: 1e-6}
    # The second entry rests at zero.
    solution = odeint(lambda t, y: -y, vector(1.0, 0.0), [0.0, 1.0], method=name, **tolerances)
    torch.testing.assert_close(solution.ys[-1], vector(math.exp(-1.0), 0.0), rtol=0, atol=1e-5)
    # The second begins at zero and leaves it.
    leaving = odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], method=name, **tolerances)
    torch.testing.assert_close(leaving.ys[-1], vector(math.cos(1.0), -math.sin(1.0)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", OWN_ADAPTIVE)
def test_a_norm_of_one_s_own_is_what_a_step_is_judged_by(name: str) -> None:
    def largest(error: Tensor) -> Tensor:
        assert error.shape == (50, 2)
        return error.abs().max()

    y0 = torch.cat((torch.zeros(49, 2, dtype=D), vector(1.0, 0.0)[None]))
    solution = odeint(rotation, y0, [0.0, 5.0], method=name, rtol=1e-5, atol=1e-5, norm=largest)
    mean = odeint(rotation, y0, [0.0, 5.0], method=name, rtol=1e-5, atol=1e-5)
    true = vector(math.cos(5.0), -math.sin(5.0))
    error = [float((one.ys[-1, -1] - true).abs().max()) for one in (solution, mean)]
    assert error[0] < 0.5 * error[1]
    square = odeint(
        rotation, y0, [0.0, 5.0], method=name, rtol=1e-5, atol=1e-5, norm=lambda e: e.square().mean().sqrt()
    )
    torch.testing.assert_close(square.ys, mean.ys, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gradient", ["backprop", "checkpointed"])
def test_a_closed_form_in_columns_is_judged_in_the_user_s_layout(gradient: str) -> None:
    net, shapes = MLPField(3, (8,), dtype=D, seed=1), set()

    def seen(error: Tensor) -> Tensor:
        shapes.add(tuple(error.shape))
        return error[:, 0].abs().max()

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, t: Any, y: Tensor) -> Tensor:
            return self.net(t, y)

    y0 = torch.randn(5, 3, dtype=D, generator=torch.Generator().manual_seed(0))
    found = []
    for field in (net, Same()):
        solution = odeint(
            field, y0, [0.0, 2.0], gradient=gradient, norm=seen, rtol=vector(1e-3, 1e-4, 1e-5),
            atol=torch.linspace(1e-6, 1e-4, 5, dtype=D)[:, None],
        )  # fmt: skip
        found.append(
            (solution.stats.n_accepted, torch.autograd.grad(solution.ys.sum(), list(net.parameters())))
        )
    assert shapes == {(5, 3)}
    assert found[0][0] == found[1][0]
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("given", [{"norm": lambda e: e.abs().max()}, {"atol": vector(1e-6, 1e-8)}])
def test_a_backward_solve_has_other_entries_and_says_so(gradient: str, given: Any) -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    if gradient in ("backprop", "checkpointed"):
        solution = odeint(rotation, y0, [0.0, 1.0], gradient=gradient, params=(), **given)
        (by_start,) = torch.autograd.grad(solution.ys[-1, 0], y0)
        torch.testing.assert_close(by_start, vector(math.cos(1.0), math.sin(1.0)), rtol=0, atol=1e-4)
    elif gradient == "reversible":
        if "norm" in given:
            with pytest.raises(ValueError, match=r"two copies of the state.*take gradient='checkpointed'"):
                odeint(rotation, y0, [0.0, 1.0], gradient=gradient, params=(), **given)
            return
        solution = odeint(rotation, y0, [0.0, 1.0], gradient=gradient, params=(), **given)
        (by_start,) = torch.autograd.grad(solution.ys[-1, 0], y0)
        torch.testing.assert_close(by_start, vector(math.cos(1.0), math.sin(1.0)), rtol=0, atol=1e-4)
    else:
        with pytest.raises(ValueError, match=r"but the backward solve of gradient=.*take .*'checkpointed'"):
            odeint(rotation, y0, [0.0, 1.0], gradient=gradient, params=(), **given)
        back = Backward(rtol=1e-8, atol=1e-8)
        solution = odeint(rotation, y0, [0.0, 1.0], gradient=gradient, params=(), backward=back, **given)
        (by_start,) = torch.autograd.grad(solution.ys[-1, 0], y0)
        torch.testing.assert_close(by_start, vector(math.cos(1.0), math.sin(1.0)), rtol=0, atol=1e-4)


def test_a_controller_of_one_s_own() -> None:
    same = Controller("mine", CONTROLLERS["pi"].beta)
    y0, options = vector(1.0, 0.0), {"rtol": 1e-7, "atol": 1e-7}
    by_name, by_value = (odeint(rotation, y0, [0.0, 9.0], controller=c, **options) for c in ("pi", same))  # type: ignore[arg-type]
    assert by_name.steps.t.tolist() == by_value.steps.t.tolist()
    careful = odeint(
        rotation,
        y0,
        [0.0, 9.0],
        controller=Controller("careful", (1.0, 0.0, 0.0), safety=0.5),
        **options,  # type: ignore[arg-type]
    )
    assert len(careful.steps) > 1.3 * len(by_name.steps)
    per_sample = odeint(rotation, y0[None], [0.0, 9.0], controller=same, batch="per_sample", **options)  # type: ignore[arg-type]
    torch.testing.assert_close(per_sample.ys[-1, 0], by_name.ys[-1], rtol=0, atol=1e-5)
    # diffrax's P, I and D of Soederlind's PI3040: beta = (0.3 + 0.4, -0.4, 0) with its 0.3 as I.
    assert Controller.from_pid(0.4, 0.3, 0.0).beta == pytest.approx((0.7, -0.4, 0.0))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (((-1.0, 0.0, 0.0),), "three finite numbers with a positive sum"),
        (((1.0, 0.0, 0.0), 1.5), "safety=1.5 must lie above 0"),
        (((1.0, 0.0, 0.0), 0.9, 2.0), "smallest=2.0 and largest=10.0 bound"),
    ],
)
def test_a_controller_that_would_not_control_is_refused(arguments: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Controller("mine", *arguments)


@pytest.mark.parametrize("batch", ["shared", "per_sample"])
def test_a_step_below_the_shortest_fails_with_a_sentence(batch: str) -> None:
    def singular(t: Any, y: Tensor) -> Tensor:
        return y * y

    y0 = torch.tensor([[1.0]], dtype=D)
    with pytest.raises(
        SolveError,
        match=r"asks for a step of .* shorter than min_step = 0.001: the solution blows up at t = 0\.9999",
    ):
        odeint(singular, y0, [0.0, 2.0], batch=batch, min_step=1e-3)
    calm = odeint(rotation, y0.repeat(1, 2), [0.0, 1.0], batch=batch, min_step=1e-3, rtol=1e-4, atol=1e-4)
    assert np.all(np.abs(calm.steps.dt[:-1]) >= 1e-3)


@pytest.mark.parametrize("gradient", [None, "backprop", "checkpointed", "adjoint", "interpolated"])
@pytest.mark.parametrize("name", ["rk4", "heun", "trapezoid"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_steps_end_at_the_given_times(name: str, sign: float, gradient: str | None) -> None:
    ends = [sign * t for t in (0.0, 0.05, 0.2, 0.3, 0.55, 0.6, 0.9, 1.0)]
    y0 = vector(1.0, 0.0).requires_grad_(gradient is not None)
    options: dict[str, Any] = {"method": name, "gradient": gradient or "backprop", "params": ()}
    solution = odeint(rotation, y0, [0.0, sign * 0.5, sign * 1.0], dt=ends, **options)
    assert solution.steps.t.tolist() == ends[:-1]
    assert (solution.steps.t + solution.steps.dt).tolist() == pytest.approx(ends[1:])
    pieces = y0
    for a, b in pairwise(ends):
        pieces = odeint(rotation, pieces, [a, b], dt=abs(b - a), **options).ys[-1]
    torch.testing.assert_close(solution.ys[-1], pieces, rtol=0, atol=1e-12)
    torch.testing.assert_close(solution.ys[1, 0], vector(math.cos(0.5))[0], rtol=0, atol=2e-2)
    if gradient is not None:
        found, expected = (torch.autograd.grad(end[0], y0)[0] for end in (solution.ys[-1], pieces))
        # A continuous adjoint goes back by the same times, through the last output at 0.5.
        close = 1e-10 if gradient in ("backprop", "checkpointed") else 2e-2
        torch.testing.assert_close(found, expected, rtol=0, atol=close)


@pytest.mark.parametrize("name", FIXED)
def test_one_step_from_output_to_output(name: str) -> None:
    ts = [0.0, 0.1, 0.15, 0.4, 0.5]
    solution = odeint(rotation, vector(1.0, 0.0), ts, method=name, dt="ts")
    assert solution.steps.t.tolist() == ts[:-1]
    given = odeint(rotation, vector(1.0, 0.0), ts, method=name, dt=[-1.0, *ts, 2.0])
    torch.testing.assert_close(given.ys, solution.ys, rtol=0, atol=0)


def test_a_jump_ends_a_step_beside_the_given_times() -> None:
    solution = odeint(
        lambda t, y: torch.where(t < 0.37, 1.0, -1.0).expand_as(y).to(y), vector(0.0), [0.0, 1.0], method="rk4",
        dt="ts", jumps=[0.37],
    )  # fmt: skip
    torch.testing.assert_close(solution.ys[-1], vector(0.37 - 0.63), rtol=0, atol=1e-14)
    assert solution.steps.t.tolist() == [0.0, 0.37]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rtol": 0.0, "atol": 0}, "rtol=0 and atol=0 ask for an error of zero"),
        ({"rtol": -1e-6}, "rtol=-1e-06 must be a positive number, or zero"),
        ({"atol": "tight"}, "atol='tight' must be a positive number"),
        ({"atol": [1e-6, math.nan]}, "must be a positive number"),
        ({"norm": 2}, "norm is int, not a function"),
        ({"norm": lambda e: e}, r"norm\(error\) returned shape \(2,\): return one number"),
        ({"norm": lambda e: -e.abs().max()}, r"a norm is never negative"),
        ({"method": "rk4", "dt": 0.1, "norm": torch.max}, "takes the steps it is given"),
        ({"method": "rk4", "dt": 0.1, "controller": CONTROLLERS["i"]}, "has no controller to be replaced"),
        ({"method": "rk4", "dt": 0.1, "min_step": 0.01}, "takes equal steps: pass dt instead of min_step"),
        ({"method": "rk4", "dt": "each"}, "dt='each' is no step: give a step, times"),
        ({"method": "rk4", "dt": [0.0, 0.5]}, "dt holds times from 0 to 0.5, but ts goes from 0 to 1"),
        ({"method": "rk4", "dt": [0.0, 0.5, 0.5, 1.0]}, "do not run as ts does"),
        ({"method": "rk4", "dt": [0.0, None, 1.0]}, "is no sequence of times"),
        ({"method": "rk4", "dt": np.linspace(0, 1, 12), "max_steps": 10}, "dt holds 11 steps, more than max_steps=10"),
        ({"method": "scipy_radau", "rtol": [1e-6, 1e-6]}, "takes one positive rtol"),
        ({"method": "scipy_lsoda", "norm": torch.max}, "has SciPy's norm"),
        ({"method": "scipy_lsoda", "min_step": 0.1}, "is SciPy's, which has no shortest step"),
        ({"min_step": 0.5, "max_step": 0.1}, "min_step=0.5 is longer than max_step=0.1"),
        ({"dt": "ts"}, "chooses its own steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], **options)


def test_arrays_and_nestings_have_norms_of_their_own_shape() -> None:
    seen = set()

    def array_norm(error: Any) -> Any:
        seen.add((type(error), error.shape))
        return np.abs(error).max()

    def turn(t: float, y: Any) -> Any:
        return np.stack((y[1], -y[0]))

    start = np.array([[1.0, 0.5], [0.0, 0.0]])
    solution = odeint(turn, start, [0.0, 1.0], norm=array_norm, atol=np.array([1e-6, 1e-8]), rtol=0)
    assert seen == {(np.ndarray, (2, 2))}
    np.testing.assert_allclose(
        solution.ys[-1], [[math.cos(1), 0.5 * math.cos(1)], [-math.sin(1), -0.5 * math.sin(1)]], atol=1e-5
    )

    def nested_norm(error: Any) -> Any:
        return max(float(error["x"].abs().max()), float(error["v"].abs().max()))

    state = {"x": vector(1.0, 0.5), "v": vector(0.0, 0.0)}
    nested = odeint(lambda t, y: {"x": y["v"], "v": -y["x"]}, state, [0.0, 1.0], norm=nested_norm)
    torch.testing.assert_close(nested.ys["x"][-1], math.cos(1) * state["x"], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"y0 is no real tensor with an axis.*give one number each"):
        odeint(lambda t, y: {"x": y["v"], "v": -y["x"]}, state, [0.0, 1.0], rtol=[1e-3, 1e-3])
