"""Habits of other libraries are answered in this one's words, and following the advice works."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core import odeint
from tests.solvers.problems import D, vector

ANY: Any = odeint  # what mypy would refuse as well


def decay(t: Any, y: Tensor) -> Tensor:
    return -y


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ({"options": {"step_size": 0.1}}, r"'options'.*step_size as dt="),
        ({"adjoint_params": ()}, r"'adjoint_params': it is called params"),
        ({"event_fn": decay}, r"'event_fn': it is called event"),
        ({"args": (1.0,)}, r"'args'.*lambda t, y: f\(t, y, \*args\)"),
        ({"t_eval": [0.5]}, r"'t_eval': pass these times as ts"),
        ({"metod": "rk4"}, r"'metod': did you mean method\?"),
        ({"zzz": 1}, r"'zzz': there are method, rtol"),
    ],
)
def test_an_argument_of_another_library_is_told_its_name_here(arguments: dict[str, Any], meant: str) -> None:
    with pytest.raises(TypeError, match=f"odeint has no argument {meant}"):
        ANY(decay, vector(1.0), [0.0, 1.0], **arguments)


class OnlyState(nn.Module):
    def forward(self, y: Tensor) -> Tensor:
        return -y


@pytest.mark.parametrize("method", ["dopri5", "euler", "rodas5p", "scipy_radau"])
@pytest.mark.parametrize("f", [lambda y: -y, OnlyState(), OnlyState().forward])
def test_a_field_without_a_time_is_told_to_take_one(f: Any, method: str) -> None:
    steps: dict[str, Any] = {"dt": 0.01} if method == "euler" else {}
    with pytest.raises(ValueError, match=r"called as f\(t, y\).*pass lambda t, y: f\(y\)"):
        odeint(f, vector(1.0), [0.0, 1.0], method=method, **steps)
    ys = odeint(lambda t, y: f(y), vector(1.0), [0.0, 1.0], method=method, **steps).ys
    assert float(ys[-1]) == pytest.approx(math.exp(-1.0), rel=1e-2)


def test_an_event_and_a_jacobian_are_told_so_too() -> None:
    with pytest.raises(ValueError, match=r"event takes \(y\), but it is called as event\(t, y\)"):
        odeint(decay, vector(1.0), [0.0, 1.0], event=ANY_FUNCTION)
    with pytest.raises(ValueError, match=r"jacobian takes \(y\), but it is called as jacobian\(t, y\)"):
        odeint(decay, vector(1.0), [0.0, 1.0], method="rodas5p", jacobian=ANY_FUNCTION)


def one_argument(y: Tensor) -> Tensor:
    return y[0] - 0.5


ANY_FUNCTION: Any = one_argument


def test_an_error_of_the_field_itself_stays_what_it_was() -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        wrong: Any = "a"
        return y + wrong

    with pytest.raises(TypeError, match=r"must be Tensor|unsupported operand"):
        odeint(f, vector(1.0), [0.0, 1.0])


def test_a_field_in_the_order_of_scipy_is_refused() -> None:
    """-0.5 y + 0 t would take one for the other and have the right shape."""

    def f(y: Any, t: Any) -> Any:
        return -0.5 * y + 0.0 * t

    class Module(nn.Module):
        def forward(self, x: Any, t: Any) -> Any:
            return f(x, t)

    for field in (f, Module(), lambda y, t: f(y, t)):
        with pytest.raises(ValueError, match=r"is a function of \([xy], t\).*pass lambda t, y: f\(y, t\)"):
            odeint(field, vector(1.0), [0.0, 1.0])
    ys = odeint(lambda t, y: f(y, t), vector(1.0), [0.0, 1.0]).ys
    assert float(ys[-1]) == pytest.approx(math.exp(-0.5), rel=1e-5)


def test_other_orders_of_names_are_none_of_its_business() -> None:
    class Short(nn.Module):
        def forward(s, t: Any, y: Tensor) -> Tensor:  # noqa: N805
            return -y

        def other(me, t: Any, y: Tensor) -> Tensor:  # noqa: N805
            return -y

        @staticmethod
        def still(t: Any, y: Tensor) -> Tensor:
            return -y

    def with_local(x: Any, *rest: Tensor) -> Tensor:
        t = rest[0]
        return -t

    module = Short()
    for f in (
        module,
        module.forward,
        module.other,
        module.still,
        Short.still,
        with_local,
    ):
        assert float(odeint(f, vector(1.0), [0.0, 1.0]).ys[-1]) == pytest.approx(math.exp(-1.0), rel=1e-5)


def test_states_that_would_fill_the_memory_with_matrices_are_refused() -> None:
    for method, entries in (("scipy_radau", 2001), ("scipy_lsoda", 10_001)):
        with pytest.raises(ValueError, match=rf"dense matrices of {entries} x {entries} numbers"):
            odeint(decay, torch.ones(entries, dtype=D), [0.0, 1.0], method=method)
    ys = odeint(decay, torch.ones(10_001, dtype=D), [0.0, 1.0], method="scipy_adams").ys
    assert float(ys[-1, 0]) == pytest.approx(math.exp(-1.0), rel=1e-5)
