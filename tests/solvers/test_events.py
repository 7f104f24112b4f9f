"""Terminal events: the solve stops where a function crosses zero, on every path through the library."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.systems import SYSTEMS
from node_core.solution import Status
from node_core.solvers.methods import METHODS
from tests.solvers.problems import D, rotation, step_arguments, vector

EACH = pytest.mark.parametrize("name", list(METHODS))
G = 9.81


def falling(t: Any, y: torch.Tensor) -> torch.Tensor:
    """A ball thrown upward: height and speed."""
    return torch.stack((y[..., 1], torch.full_like(y[..., 1], -G)), -1)


def test_a_ball_hits_the_ground_when_it_should() -> None:
    solution = odeint(falling, vector(1.0, 2.0), [0.0, 10.0], event=lambda t, y: y[0])
    t_exact = (2.0 + math.sqrt(4.0 + 2 * G)) / G
    assert solution.status is Status.EVENT
    assert solution.t_event is not None
    assert solution.y_event is not None
    assert float(solution.t_event) == pytest.approx(t_exact, abs=1e-10)
    assert abs(float(solution.y_event[0])) < 1e-10
    assert float(solution.y_event[1]) == pytest.approx(2.0 - G * t_exact, abs=1e-9)
    assert "crossed zero" in solution.message


@EACH
def test_every_method_stops_where_the_rotation_crosses(name: str) -> None:
    solution = odeint(
        rotation,
        vector(1.0, 0.0),
        [0.0, 0.5, 1.0, 5.0],
        method=name,
        event=lambda t, y: y[0],
        **step_arguments(name, 0.01),
    )
    assert solution.status is Status.EVENT
    assert solution.t_event is not None
    assert solution.y_event is not None
    first_order = METHODS[name].order == 1
    tolerance = 2e-2 if first_order else 1e-6 if METHODS[name].adaptive else 1e-3
    assert float(solution.t_event) == pytest.approx(math.pi / 2, abs=tolerance)
    assert abs(float(solution.y_event[0])) < 1e-10
    assert solution.ys.shape == (3, 2)
    assert solution.ts.tolist() == [0.0, 0.5, 1.0]
    torch.testing.assert_close(solution(float(solution.t_event)), solution.y_event, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["dopri5", "dopri8", "rodas5p"])
def test_a_tight_tolerance_gives_the_root_to_ten_digits(name: str) -> None:
    solution = odeint(
        rotation, vector(1.0, 0.0), [0.0, 5.0], method=name, rtol=1e-12, atol=1e-12, event=lambda t, y: y[0]
    )
    assert float(solution.t_event or 0.0) == pytest.approx(math.pi / 2, abs=1e-10)


@EACH
def test_events_are_found_backward_in_time(name: str) -> None:
    solution = odeint(
        rotation,
        vector(1.0, 0.0),
        [0.0, -5.0],
        method=name,
        event=lambda t, y: y[0],
        **step_arguments(name, 0.01),
    )
    assert solution.status is Status.EVENT
    assert float(solution.t_event or 0.0) == pytest.approx(-math.pi / 2, abs=2e-2)


@pytest.mark.parametrize("name", ["euler", "rk4", "heun", "implicit_euler"])
def test_an_event_at_the_end_of_a_step_is_that_end(name: str) -> None:
    constant = SYSTEMS["linear_decay"]
    assert constant.dim == 1

    def field(t: Any, y: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(y)

    solution = odeint(
        field, vector(0.0), [0.0, 0.75, 2.0], method=name, dt=0.25, event=lambda t, y: y[0] - 0.75
    )
    assert solution.status is Status.EVENT
    assert float(solution.t_event or 0.0) == 0.75
    assert len(solution.steps) == 3
    assert solution.ys[:, 0].tolist() == [0.0, 0.75]


def test_an_event_of_time_alone_stops_there() -> None:
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 5.0], event=lambda t, y: t - 1.25)
    assert float(solution.t_event or 0.0) == pytest.approx(1.25, abs=1e-12)


def test_no_crossing_means_the_whole_span_and_no_event() -> None:
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 5.0], event=lambda t, y: y[0] + 2)
    assert solution.status is Status.SUCCESS
    assert solution.t_event is None
    assert solution.y_event is None


def test_the_event_does_not_change_the_steps_before_it() -> None:
    free = odeint(rotation, vector(1.0, 0.0), [0.0, 5.0]).steps
    stopped = odeint(rotation, vector(1.0, 0.0), [0.0, 5.0], event=lambda t, y: y[0]).steps
    np.testing.assert_array_equal(stopped.t, free.t[: len(stopped)])
    np.testing.assert_array_equal(stopped.dt, free.dt[: len(stopped)])


@pytest.mark.parametrize("shape", [(2,), (5, 2), (2, 3, 2)])
@pytest.mark.parametrize("grad", [True, False])
def test_a_closed_form_field_gets_its_event_in_the_users_shape(shape: tuple[int, ...], grad: bool) -> None:
    field, y0 = MLPField(2, (8, 8), dtype=D, seed=1), torch.randn(shape, dtype=D)
    shapes = set()

    def event(t: Any, y: torch.Tensor) -> torch.Tensor:
        shapes.add(tuple(y.shape))
        return t - 0.6 + 0 * y.sum()

    with torch.set_grad_enabled(grad):
        solution = odeint(field, y0, [0.0, 0.3, 2.0], event=event)
        plain = odeint(field, y0, [0.0, 0.3, 0.6])
    assert shapes == {shape}
    assert solution.y_event is not None
    assert solution.y_event.shape == shape
    torch.testing.assert_close(solution.y_event, plain.ys[-1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(solution.ys, plain.ys[:2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("no_grad", [True, False])
def test_the_stiff_path_in_numpy_gives_events_tensors(no_grad: bool) -> None:
    seen = []

    def event(t: Any, y: torch.Tensor) -> torch.Tensor:
        seen.append(type(y))
        return y[0]

    field = SYSTEMS["van_der_pol"].field(mu=100.0)
    with torch.set_grad_enabled(not no_grad):
        solution = odeint(
            field, vector(2.0, 0.0), [0.0, 300.0], method="rodas5p", rtol=1e-8, atol=1e-8, event=event
        )
        reference = odeint(
            field, vector(2.0, 0.0), [0.0, 300.0], method="scipy_radau", rtol=1e-9, atol=1e-9, event=event
        )
    assert set(seen) == {torch.Tensor}
    assert isinstance(solution.y_event, torch.Tensor)
    assert float(solution.t_event or 0.0) == pytest.approx(float(reference.t_event or 1.0), rel=1e-6)


def test_a_gradient_flows_through_the_outputs_before_an_event() -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    solution = odeint(rotation, y0, [0.0, 1.0, 5.0], event=lambda t, y: y[0], rtol=1e-9, atol=1e-9)
    (slope,) = torch.autograd.grad(solution.ys[1, 0], y0)
    torch.testing.assert_close(slope, vector(math.cos(1.0), math.sin(1.0)), rtol=1e-7, atol=1e-7)


def test_an_event_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"event\(t, y\) returned shape \(2,\): return one number"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], event=lambda t, y: y)
    for wrong in (lambda t, y: y[0] < 0.5, lambda t, y: bool(y[0] < 0.5), lambda t, y: None):
        with pytest.raises(ValueError, match=r"returned .*: return a number that changes its sign"):
            odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], event=wrong)
    with pytest.raises(ValueError, match=r"event\(t, y\) is NaN at t = 0: it must be a number"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], event=lambda t, y: y[0] * math.nan)
    with pytest.raises(ValueError, match="event is int, not a function"):
        odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], event=3)  # type: ignore[arg-type]
