"""A solve that cannot go on says what is wrong with the field, not what the method stumbled over."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core import SolveError, Status, odeint
from node_core.solvers.methods import METHODS
from tests.solvers.problems import D, step_arguments

FIXED = [name for name, method in METHODS.items() if not method.adaptive]
IMPLICIT = [name for name, method in METHODS.items() if method.family == "implicit"]


def failure(f: Callable[[Any, Tensor], Tensor], y0: Tensor, **options: Any) -> SolveError:
    with pytest.raises(SolveError) as caught:
        odeint(f, y0, [0.0, 2.0], **options)
    return caught.value


class Dropping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.a = nn.Parameter(torch.randn(2, 32, generator=generator, dtype=D))
        self.b = nn.Parameter(torch.randn(32, 2, generator=generator, dtype=D))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return nn.functional.dropout(torch.tanh(y @ self.a), 0.5, self.training) @ self.b


@pytest.mark.parametrize(
    "name", [name for name, m in METHODS.items() if (m.adaptive or m.stiff) and name != "scipy_lsoda"]
)
@pytest.mark.parametrize("grad", [True, False])
def test_noise_in_the_field_is_named(name: str, grad: bool) -> None:
    torch.manual_seed(0)
    f, y0 = Dropping(), torch.ones(3, 2, dtype=D)
    options: dict[str, Any] = {"method": name, "max_steps": 300, **step_arguments(name, 0.1)}
    if METHODS[name].family == "scipy":
        options["params"] = ()
    with torch.set_grad_enabled(grad):
        error = failure(f, y0, **options)
        assert "answers differently at each call" in str(error) and ".eval()" in str(error)
        odeint(f.eval(), y0, [0.0, 0.1], **options)


def test_noise_is_named_row_by_row_and_out_of_time_too() -> None:
    f, y0 = Dropping(), torch.ones(3, 2, dtype=D)
    assert "answers differently" in str(failure(f, y0, batch="per_sample", max_steps=100))
    for method in ("dopri5", "euler", "scipy_radau"):
        options = {"dt": 1e-5, "max_steps": 10**6} if method == "euler" else {"max_steps": 10**6}
        with torch.no_grad():
            error = failure(f, y0, method=method, time_limit=0.02, **options)
        assert "answers differently" in str(error)
        assert error.solution is not None and error.solution.status is Status.TIME_LIMIT


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("grad", [True, False])
def test_a_field_that_is_nan_from_a_time_on_has_not_exploded(name: str, grad: bool) -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        return y * math.nan if t > 0.55 else -y

    with torch.set_grad_enabled(grad):
        error = failure(f, torch.ones(1, dtype=D), method=name, dt=0.1)
    assert "f(t, y) is NaN at t = 0.6, y = [0." in str(error)
    assert error.solution is not None and error.solution.status is Status.NON_FINITE


@pytest.mark.parametrize("name", FIXED)
def test_a_field_that_is_nan_for_a_state_names_its_row(name: str) -> None:
    y0 = torch.tensor([[9.0], [0.3]], dtype=D)
    message = str(failure(lambda t, y: -1.0 - torch.sqrt(y), y0, method=name, dt=0.1))
    assert "f(t, y) is NaN at t = " in message and "y = [-0." in message and "in row 1" in message


@pytest.mark.parametrize("name", IMPLICIT)
def test_a_field_without_a_slope_is_told_so(name: str) -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        return torch.where(
            y > 5.0, torch.sqrt(y - 5.0), -y
        )  # whose slope below 5 is 0 times NaN, to autograd

    message = str(failure(f, torch.ones(1, dtype=D), method=name, **step_arguments(name, 0.1)))
    assert "df/dy is not finite at t = " in message and "jacobian=" in message


@pytest.mark.parametrize("name", ["euler", "midpoint", "rk4"])
def test_a_state_that_exploded_is_still_told_so(name: str) -> None:
    y0 = torch.full((1,), 5.0, dtype=D)
    message = str(failure(lambda t, y: -50.0 * y**3, y0, method=name, dt=0.1))
    assert "the state exploded" in message and "take a smaller dt" in message
