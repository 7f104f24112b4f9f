"""Dense output can be differentiated as ys can: by the start, by the parameters and by its times, in every mode."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from node_core import MLPField, odeint
from node_core.gradients.names import CONTINUOUS
from node_core.solvers.methods import METHODS
from tests.gradients.test_gradients import DISCRETE, FIELDS, MODES, start
from tests.solvers.problems import D, forced, forced_exact, step_arguments, vector

EACH = pytest.mark.parametrize("mode", MODES)
TIMES = [0.9, 0.0, 0.31, 1.0, 0.31, 0.77]
TIGHT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}


def by_all(field: Any, ys: Tensor, y0: Tensor) -> list[Tensor]:
    weights = torch.linspace(0.5, 1.5, ys.numel(), dtype=D).view_as(ys)
    inputs = (y0, *field.parameters())
    return list(
        torch.autograd.grad((ys.square() * weights).sum(), inputs, materialize_grads=True, allow_unused=True)
    )


@EACH
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("method", ["dopri5", "dopri8", "fehlberg45", "rodas5p"])
def test_it_has_the_gradient_of_outputs_at_the_same_times(name: str, method: str, mode: str) -> None:
    field, y0 = FIELDS[name](), start().requires_grad_()
    solution = odeint(field, y0, [0.0, 0.5, 1.0], method=method, gradient=mode, dense=True, **TIGHT)
    found = by_all(field, solution(TIMES), y0)
    rows = sorted(set(TIMES))
    asked = odeint(field, y0, rows, method=method, **TIGHT).ys[[rows.index(t) for t in TIMES]]
    for a, b in zip(found, by_all(field, asked, y0), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("mode", DISCRETE)
def test_the_discrete_modes_differentiate_the_values_themselves(name: str, named: bool, mode: str) -> None:
    """At a loose tolerance only the derivative of what was computed passes."""
    field = FIELDS[name]()

    def values(y0: Tensor, *_: Tensor) -> Tensor:
        params = list(field.parameters())[:2] if named else None
        options: dict[str, Any] = {
            "method": "rk4",
            "dt": 0.4,
            "gradient": mode,
            "params": params,
            "dense": True,
        }
        return odeint(field, y0, [0.0, 1.1], **options)([0.2, 1.1, 0.7])

    inputs = (start().requires_grad_(), *list(field.parameters())[:2])
    assert torch.autograd.gradcheck(values, inputs, atol=1e-6, fast_mode=True)
    assert torch.autograd.gradgradcheck(values, inputs, atol=1e-5, fast_mode=True)


@EACH
def test_a_loss_of_both_outputs_and_dense_output_is_differentiated_as_a_whole(mode: str) -> None:
    field, y0 = MLPField(2, (4,), dtype=D), start().requires_grad_()
    solution = odeint(field, y0, [0.0, 1.0], gradient=mode, dense=True, **TIGHT)
    (found,) = torch.autograd.grad(solution.ys[-1].sum() + 3.0 * solution(0.4).sum(), y0)
    ys = odeint(field, y0, [0.0, 0.4, 1.0], **TIGHT).ys
    (exact,) = torch.autograd.grad(ys[-1].sum() + 3.0 * ys[1].sum(), y0)
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-7)


@EACH
def test_backward_steps_are_those_of_ys_whatever_was_asked_in_between(mode: str) -> None:
    y0 = start().requires_grad_()
    solution = odeint(FIELDS["module"](), y0, [0.0, 1.0], gradient=mode, dense=True)
    solution(0.5).sum().backward(retain_graph=True)
    if mode != "backprop":
        with pytest.raises(ValueError, match="nothing was recorded"):
            _ = solution.backward_steps
    solution.ys.sum().backward()
    assert math.isclose(
        solution.backward_steps.dt[solution.backward_steps.accepted].sum(), -1.0, rel_tol=1e-9
    )


@EACH
@pytest.mark.parametrize("method", ["dopri5", "rk4", "rodas5p"])
@pytest.mark.parametrize("tracked", [True, False])
def test_it_can_be_differentiated_by_its_times(method: str, tracked: bool, mode: str) -> None:
    """y' = y cos t."""
    options: dict[str, Any] = {"dt": 0.01} if method == "rk4" else TIGHT
    y0 = vector(1.0).requires_grad_(tracked)
    solution = odeint(forced, y0, [0.0, 2.0], method=method, gradient=mode, dense=True, **options)
    t = torch.tensor([1.3, 0.2], dtype=D, requires_grad=True)
    (found,) = torch.autograd.grad(solution(t).sum(), t)
    exact = torch.from_numpy(forced_exact(t.detach())) * torch.cos(t.detach())
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-6)
    single = torch.tensor(0.5, requires_grad=True)
    (slope,) = torch.autograd.grad(solution(single)[0], single)
    assert float(slope) == pytest.approx(float(forced_exact(0.5)) * math.cos(0.5), abs=1e-5)


def test_times_in_a_list_of_tensors_are_told_to_be_stacked() -> None:
    solution = odeint(forced, vector(1.0), [0.0, 2.0])
    t = torch.tensor(1.0, requires_grad=True)
    with pytest.raises(
        ValueError, match=r"list of tensors that require gradients: pass them as one, torch\.stack"
    ):
        solution([0.5, t])
    assert solution(torch.stack((t, t + 0.5))).requires_grad
    with torch.no_grad():
        assert not solution(t).requires_grad


@EACH
def test_it_stops_at_an_event_and_goes_back_from_before_it(mode: str) -> None:
    y0 = vector(1.0, 0.0).requires_grad_()

    def f(t: Any, y: Tensor) -> Tensor:
        return torch.stack((y[1], -y[0]))

    solution = odeint(f, y0, [0.0, 3.0], event=lambda t, y: y[0], gradient=mode, dense=True, **TIGHT)
    assert solution.t_event is not None
    end = float(solution.t_event.detach())
    for t in (0.3, 1.5, end):
        (found,) = torch.autograd.grad(solution(t)[0], y0, retain_graph=True)
        torch.testing.assert_close(found, vector(math.cos(t), math.sin(t)), rtol=1e-6, atol=1e-6)


@EACH
@pytest.mark.parametrize("name", [name for name in METHODS if name != "implicit_euler"])
def test_by_t_it_is_refused_where_the_field_has_changed_since(name: str, mode: str) -> None:
    if METHODS[name].family == "scipy" and mode not in CONTINUOUS:
        pytest.skip("SciPy's solvers have no such gradient")
    w = torch.tensor(0.5, dtype=D, requires_grad=True)
    solution = odeint(
        lambda t, y: -w * y,
        vector(1.0),
        [0.0, 1.0],
        method=name,
        gradient=mode,
        params=(w,),
        dense=True,
        **step_arguments(name, 0.01),
    )
    t = torch.tensor(0.5, dtype=D, requires_grad=True)
    (slope,) = torch.autograd.grad(solution(t)[0], t)
    assert float(slope) == pytest.approx(-0.5 * math.exp(-0.25), rel=1e-2)
    w.data.mul_(1.001)
    with pytest.raises(ValueError, match=r"no derivative by t: pass t\.detach\(\)"):
        solution(t)
