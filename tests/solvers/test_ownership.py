"""Whose memory is whose: a field may not write into the state, nor may results share memory with what made them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core import MLPField, odeint
from node_core.solvers.methods import METHODS
from tests.gradients.test_gradients import MODES
from tests.solvers.problems import ADAPTIVE, EXPLICIT, D, rotation, step_arguments, vector

EACH = pytest.mark.parametrize("name", list(METHODS))


def careless(t: Any, y: Tensor) -> Tensor:
    """The rotation, which leaves something else in y."""
    dy = rotation(t, y)
    y[..., 0] = 3.0
    return dy


@EACH
@pytest.mark.parametrize("shape", [(2,), (3, 2)])
@pytest.mark.parametrize("grad", [True, False])
def test_a_field_that_writes_into_y_is_refused_and_the_start_is_untouched(
    name: str, shape: tuple[int, ...], grad: bool
) -> None:
    y0 = torch.ones(shape, dtype=D)
    for batch in ("shared", "per_sample"):
        if batch == "per_sample" and (name not in ADAPTIVE or name not in EXPLICIT or len(shape) < 2):
            continue
        with (
            torch.set_grad_enabled(grad),
            pytest.raises(ValueError, match=r"changed y in place.*y = y\.clone\(\)"),
        ):
            odeint(careless, y0, [0.0, 1.0], method=name, batch=batch, **step_arguments(name))
    assert torch.equal(y0, torch.ones(shape, dtype=D))


@pytest.mark.parametrize("mode", MODES)
def test_a_field_that_writes_into_y_is_refused_where_gradients_are_wanted(mode: str) -> None:
    for name in ("dopri5", "rk4", "rodas5p", "trapezoid"):
        y0 = torch.ones(2, dtype=D, requires_grad=True)
        with pytest.raises(ValueError, match=r"changed y in place"):
            odeint(careless, y0, [0.0, 1.0], method=name, gradient=mode, **step_arguments(name))
        assert torch.equal(y0.detach(), torch.ones(2, dtype=D))


@EACH
def test_the_remedy_for_writing_into_y_works(name: str) -> None:
    solution = odeint(
        lambda t, y: careless(t, y.clone()),
        vector(1.0, 0.0),
        [0.0, 1.0],
        method=name,
        **step_arguments(name, 1e-3),
    )
    assert float(solution.ys[-1, 0]) == pytest.approx(math.cos(1.0), abs=2e-3)


def test_an_event_that_writes_into_y_is_refused() -> None:
    for name in ("dopri5", "rodas5p", "scipy_lsoda", "euler"):
        with torch.no_grad(), pytest.raises(ValueError, match=r"event\(t, y\) changed y in place"):
            odeint(
                rotation,
                vector(1.0, 0.0),
                [0.0, 1.0],
                method=name,
                event=lambda t, y: y.mul_(2.0)[0] + 9.0,
                **step_arguments(name),
            )


def test_fields_may_be_evaluated_in_inference_mode() -> None:
    net = nn.Linear(2, 2)
    with torch.inference_mode():
        ys = odeint(lambda t, y: net(y), torch.ones(2), [0.0, 1.0], rtol=1e-4, atol=1e-4).ys
        odeint(MLPField(2, (4,)), torch.ones(2), [0.0, 1.0])
    assert torch.isfinite(ys).all()


@EACH
@pytest.mark.parametrize("tracked", [True, False])
def test_nothing_that_is_done_to_the_start_or_the_outputs_changes_the_dense_output(
    name: str, tracked: bool
) -> None:
    if tracked and METHODS[name].family == "scipy":
        pytest.skip("SciPy's solvers do not record")
    y0, ts = vector(1.0, 0.0).requires_grad_(tracked), torch.tensor([0.0, 1.0], dtype=D)
    options = {"dense": True, "event": lambda t, y: y[0] - 0.9, **step_arguments(name)}
    solution = odeint(rotation, y0, ts, method=name, **options)
    assert solution.t_event is not None
    end = float(solution.t_event.detach())
    times = [0.0, 1e-3, end / 2, end]
    with torch.no_grad():
        before = solution(times).clone()
        for given in (y0, ts, solution.ys, solution.ts, solution.y_event):
            assert given is not None
            given.mul_(0.0).add_(7.0)
        torch.testing.assert_close(solution(times), before, rtol=0, atol=0)
    assert ts.tolist() == solution.ts.tolist() == [7.0] * len(ts) or len(solution.ts) < len(ts)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["dopri5", "rodas5p"])
def test_outputs_may_be_changed_in_place_before_the_way_back(mode: str, method: str) -> None:
    def gradient(spoil: bool) -> Tensor:
        y0 = torch.ones(3, 2, dtype=D, requires_grad=True)
        ys = odeint(lambda t, y: -(y**3), y0, [0.0, 0.5, 1.0], gradient=mode, method=method).ys
        loss = ys.sum()
        if spoil:
            ys.data.zero_()
        return torch.autograd.grad(loss, y0)[0]

    # y = 1 / sqrt(1 + 2 t) from y0 = 1, and dy/dy0 = (1 + 2 t)^(-3/2).
    torch.testing.assert_close(
        gradient(False), torch.full((3, 2), 1 + 2**-1.5 + 3**-1.5, dtype=D), rtol=1e-4, atol=0
    )
    assert torch.equal(gradient(True), gradient(False))


@EACH
@pytest.mark.parametrize("grad", [True, False])
def test_a_field_may_return_the_state_itself(name: str, grad: bool) -> None:
    """y' = y, by a function that makes no new tensor."""
    with torch.set_grad_enabled(grad):
        y0 = vector(1.0, 2.0).requires_grad_(grad and METHODS[name].family != "scipy")
        solution = odeint(
            lambda t, y: y, y0, [0.0, 0.5, 1.0], method=name, dense=True, **step_arguments(name, 1e-3)
        )
        exact = torch.outer(torch.tensor([1.0, math.exp(0.5), math.e], dtype=D), vector(1.0, 2.0))
        torch.testing.assert_close(solution.ys.detach(), exact, rtol=2e-3, atol=0)
        torch.testing.assert_close(solution([0.0, 0.5, 1.0]).detach(), exact, rtol=2e-3, atol=0)


@pytest.mark.parametrize("name", ["euler", "rk4", "dopri5", "rodas5p", "trapezoid"])
def test_a_field_may_return_a_view_of_a_parameter_that_changes_later(name: str) -> None:
    slope = nn.Parameter(vector(1.0, -2.0))
    with torch.no_grad():
        solution = odeint(
            lambda t, y: slope.expand_as(y),
            torch.zeros(3, 2, dtype=D),
            [0.0, 1.0],
            method=name,
            **step_arguments(name),
        )
        before = solution([0.2, 0.97])
        slope.mul_(10.0)
        torch.testing.assert_close(solution([0.2, 0.97])[0], before[0], rtol=1e-12, atol=1e-12)


class FromThirdOn:
    """A field whose third result and those after it are something else."""

    def __init__(self, change: Any) -> None:
        self.change, self.calls = change, 0

    def __call__(self, t: Any, y: Tensor) -> Any:
        self.calls += 1
        return self.change(y) if self.calls >= 3 else -y


@EACH
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda y: y[..., :1], r"returned shape \(1,\) for a state of shape \(2,\)"),
        (lambda y: y.sum(), r"returned shape \(\)"),
        (lambda y: (-y).float(), r"returned torch\.float32 for a state of torch\.float64"),
        (lambda y: [-1.0, -1.0], r"returned list, not a tensor"),
        (lambda y: None, r"returned NoneType"),
    ],
)
def test_every_result_of_the_field_is_checked_not_the_first_alone(
    name: str, grad: bool, change: Any, match: str
) -> None:
    options = step_arguments(name)
    if METHODS[name].family == "implicit":
        options["jacobian"] = lambda t, y: -torch.eye(2, dtype=D)
    with torch.set_grad_enabled(grad), pytest.raises(ValueError, match=match):
        odeint(FromThirdOn(change), vector(1.0, 2.0), [0.0, 1.0], method=name, **options)


@pytest.mark.parametrize("mode", ["checkpointed", "adjoint", "interpolated"])
def test_results_on_the_way_back_are_checked_too(mode: str) -> None:
    f, y0 = FromThirdOn(lambda y: -y), torch.ones(2, dtype=D, requires_grad=True)
    ys = odeint(f, y0, [0.0, 1.0], gradient=mode).ys
    f.change = lambda y: y[:1]
    with pytest.raises(ValueError, match=r"returned shape \(1,\)"):
        ys.sum().backward()
