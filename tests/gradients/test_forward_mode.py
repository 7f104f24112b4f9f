"""Forward-mode differentiation: the tangents of dual tensors arrive, or are refused in a sentence, in every method.

y' = -theta (1 + t^2) y^2 has 1/y grow by theta (t + t^3 / 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn

from node_core import MLPField, odeint
from node_core.gradients.names import CONTINUOUS, GRADIENTS

# What torch says of itself when its first dual tensor is made.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
D = torch.float64
INPUTS = {"y0": 1.3, "theta": 0.7, "t0": 0.2, "t1": 0.9}
METHODS: dict[str, dict[str, Any]] = {
    "dopri5": {"rtol": 1e-9, "atol": 1e-9},
    "dopri8": {"rtol": 1e-9, "atol": 1e-9},
    "bosh3": {"rtol": 1e-8, "atol": 1e-8},
    "euler": {"dt": 1 / 256},
    "rk4": {"dt": 0.05},
    "implicit_euler": {"dt": 1 / 128},
    "trapezoid": {"dt": 0.02},
    "rodas5p": {"rtol": 1e-8, "atol": 1e-8},
}
SCIPY = ("scipy_lsoda", "scipy_radau", "scipy_adams")
TOLERANCE = {"euler": 2e-2, "implicit_euler": 2e-2, "trapezoid": 1e-3}


@pytest.fixture(autouse=True)
def dual_level() -> Iterator[None]:
    with forward_ad.dual_level():
        yield


def exact(y0: Tensor, theta: Tensor, t0: Tensor, t1: Tensor) -> Tensor:
    return y0 / (1 + y0 * theta * (t1 - t0 + (t1**3 - t0**3) / 3))


def with_tangent(name: str) -> dict[str, Tensor]:
    """The inputs, one of which carries the tangent 1."""
    values = {key: torch.tensor(value, dtype=D) for key, value in INPUTS.items()}
    values[name] = forward_ad.make_dual(values[name], torch.ones((), dtype=D))
    return values


def tangent(value: Tensor) -> Tensor:
    found = forward_ad.unpack_dual(value).tangent
    assert found is not None, "the tangent was lost"
    return found


@pytest.mark.parametrize("recording", [True, False])
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("method", METHODS)
def test_the_tangent_of_each_input_arrives(method: str, name: str, recording: bool) -> None:
    v = with_tangent(name)
    middle = 0.5 * (v["t0"] + v["t1"])
    with torch.set_grad_enabled(recording):
        ys = odeint(
            lambda t, y: -v["theta"] * (1 + t * t) * y * y,
            v["y0"].reshape(1, 1),
            torch.stack([v["t0"], middle, v["t1"]]),
            method=method,
            **METHODS[method],
        ).ys
    tolerance = TOLERANCE.get(method, 1e-6)
    for row, end in ((1, middle), (2, v["t1"])):
        want = tangent(exact(v["y0"], v["theta"], v["t0"], end))
        torch.testing.assert_close(tangent(ys)[row, 0, 0], want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["y0", "theta"])
@pytest.mark.parametrize("method", ["dopri5", "rk4", "trapezoid", "rodas5p"])
def test_dense_output_carries_it(method: str, name: str) -> None:
    v = with_tangent(name)
    start, end = torch.zeros((), dtype=D), torch.tensor(0.37, dtype=D)
    solution = odeint(
        lambda t, y: -v["theta"] * (1 + t * t) * y * y,
        v["y0"][None],
        [0.0, 1.0],
        method=method,
        dense=True,
        **METHODS[method],
    )
    want = tangent(exact(v["y0"], v["theta"], start, end))
    torch.testing.assert_close(tangent(solution(0.37))[0], want, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", ["y0", "theta"])
def test_steps_of_each_sample_carry_it(name: str) -> None:
    v = with_tangent(name)
    options: dict[str, Any] = {"batch": "per_sample", "rtol": 1e-9, "atol": 1e-9}
    ys = odeint(
        lambda t, y: -v["theta"] * (1 + t * t) * y * y, v["y0"].expand(3, 1), [0.2, 0.5, 0.9], **options
    ).ys
    want = tangent(exact(*v.values()))
    torch.testing.assert_close(tangent(ys)[-1, :, 0], want.expand(3), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", ["rk4", "dopri5", "rodas5p"])
def test_a_field_with_a_closed_form_is_called_as_it_is(method: str) -> None:
    field = MLPField(2, (4,), time_dependent=True, seed=5, dtype=D)
    y0, direction = torch.tensor([[0.5, -0.3]], dtype=D), torch.tensor([[1.0, 2.0]], dtype=D)

    def end(y: Tensor) -> Tensor:
        return odeint(field, y, [0.0, 1.0], method=method, **METHODS[method]).ys[-1]

    found = tangent(end(forward_ad.make_dual(y0, direction)))
    want = torch.autograd.functional.jacobian(end, y0).view(2, 2) @ direction[0]
    torch.testing.assert_close(found[0], want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("method", ["implicit_euler", "trapezoid", "rodas5p"])
def test_coupled_rows_carry_it(method: str) -> None:
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=D)
    y0 = forward_ad.make_dual(torch.tensor([[1.0], [0.0]], dtype=D), torch.tensor([[0.0], [1.0]], dtype=D))
    ys = odeint(lambda t, y: turn @ y, y0, [0.0, 1.0], method=method, **METHODS[method]).ys
    want = torch.linalg.matrix_exp(turn)[:, 1:]
    torch.testing.assert_close(tangent(ys)[-1], want, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("method", ["dopri5", "rk4", "rodas5p"])
def test_a_gradient_carries_the_tangent_of_itself(method: str) -> None:
    """Forward over reverse: a product with the Hessian."""
    v = with_tangent("y0")
    y0 = v["y0"].requires_grad_()
    theta = v["theta"].requires_grad_()
    ys = odeint(
        lambda t, y: -theta * (1 + t * t) * y * y, y0[None], [0.2, 0.9], method=method, **METHODS[method]
    ).ys
    found = torch.autograd.grad(ys[-1, 0], (y0, theta))
    want = torch.autograd.grad(exact(y0, theta, v["t0"], v["t1"]), (y0, theta))
    for a, b in zip(found, want, strict=True):
        torch.testing.assert_close(tangent(a), tangent(b), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", ["implicit_euler", "trapezoid"])
def test_newton_s_methods_refuse_tangents_beside_a_graph(method: str) -> None:
    y0 = with_tangent("y0")["y0"][None].requires_grad_()
    with pytest.raises(ValueError, match=r"take method='rodas5p', or torch\.autograd\.grad"):
        odeint(lambda t, y: -y * y, y0, [0.0, 1.0], method=method, dt=0.1)


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("method", SCIPY)
def test_scipy_s_methods_refuse_them(method: str, name: str) -> None:
    v = with_tangent(name)
    ts = torch.stack([v["t0"], v["t1"]])
    with pytest.raises(ValueError, match=r"carry tangents .* take one of this library's"):
        odeint(lambda t, y: -v["theta"] * y, v["y0"][None], ts, method=method)


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("mode", [mode for mode in GRADIENTS if mode != "backprop"])
def test_the_modes_that_hide_their_solve_refuse_them(mode: str, name: str) -> None:
    v = with_tangent(name)
    ts = torch.stack([v["t0"], v["t1"]])
    with pytest.raises(ValueError, match=r"carry tangents .* take gradient='backprop'"):
        odeint(lambda t, y: -v["theta"] * y, v["y0"][None], ts, gradient=mode)


def test_tangents_that_an_event_or_named_parameters_would_lose_are_refused() -> None:
    y0 = with_tangent("y0")["y0"][None]
    theta = torch.tensor(1.0, dtype=D, requires_grad=True)
    with pytest.raises(ValueError, match="an event has no such derivatives"):
        odeint(lambda t, y: -y, y0, [0.0, 1.0], event=lambda t, y: y[0] - 1.0)
    with pytest.raises(ValueError, match="params= names what to go back to"):
        odeint(lambda t, y: -theta * y, y0, [0.0, 1.0], params=(theta,))


def test_a_module_s_parameters_carry_theirs() -> None:
    module = nn.Linear(1, 1, bias=False, dtype=D)
    weight = module.weight.detach().clone()

    class Field(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, t: Tensor, y: Tensor) -> Tensor:
            inner: Tensor = self.inner(y)
            return inner

    dual = {"inner.weight": forward_ad.make_dual(weight, torch.ones_like(weight))}

    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.field = Field()

        def forward(self, y: Tensor) -> Tensor:
            return odeint(self.field, y, [0.0, 1.0], rtol=1e-9, atol=1e-9).ys[-1]

    named = {f"field.{name}": value for name, value in dual.items()}
    end = torch.func.functional_call(Around(), named, (torch.ones(1, dtype=D),))
    torch.testing.assert_close(tangent(end)[0], weight[0, 0].exp(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize("method", [*METHODS, *SCIPY])
def test_a_solve_without_tangents_is_none_the_worse_for_the_level(method: str, mode: str) -> None:
    if method in SCIPY and mode not in CONTINUOUS:
        pytest.skip("SciPy's solvers have no such gradient")
    theta = torch.tensor(0.5, dtype=D, requires_grad=True)
    options = {"gradient": mode, "params": (theta,), **METHODS.get(method, {})}
    ys = odeint(lambda t, y: -theta * y, torch.ones(1, dtype=D), [0.0, 0.4, 1.0], method=method, **options).ys
    (found,) = torch.autograd.grad(ys[-1, 0], theta)
    torch.testing.assert_close(found, -(-theta.detach()).exp(), rtol=2e-2, atol=0)


@pytest.mark.parametrize("method", ["dopri5", "rk4", "rodas5p", "trapezoid", "scipy_lsoda"])
@pytest.mark.parametrize("mode", ["backprop", "checkpointed", "adjoint", "interpolated"])
@pytest.mark.parametrize("tracked", [True, False])
def test_a_tangent_that_shows_only_later_arrives_or_is_refused(tracked: bool, mode: str, method: str) -> None:
    theta = forward_ad.make_dual(torch.tensor(0.7, dtype=D), torch.ones((), dtype=D))

    def f(t: Tensor, y: Tensor) -> Tensor:
        return -y if t < 0.5 else -theta * y

    scipy = method in SCIPY
    y0 = torch.ones(1, dtype=D, requires_grad=tracked and not (scipy and mode not in CONTINUOUS))
    options: dict[str, Any] = METHODS.get(method, {})
    hidden = y0.requires_grad and mode != "backprop"
    if not (hidden or scipy):
        with torch.set_grad_enabled(method != "trapezoid"):  # which does not carry both
            ys = odeint(f, y0, [0.0, 1.0], method=method, gradient=mode, jumps=[0.5], **options).ys
        want = -0.5 * torch.exp(torch.tensor(-0.85, dtype=D))
        torch.testing.assert_close(tangent(ys)[-1, 0], want, rtol=1e-3, atol=0)
    else:
        with pytest.raises(ValueError, match="carries tangents of forward-mode differentiation, but not yet"):
            odeint(f, y0, [0.0, 1.0], method=method, gradient=mode, jumps=[0.5], **options)
