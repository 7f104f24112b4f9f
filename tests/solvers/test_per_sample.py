"""Per-sample steps: a batch is solved as if each row were alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.systems import SYSTEMS
from node_core.solution import SolveError, Status
from node_core.solvers.methods import METHODS
from tests.solvers.problems import Counting, D, rotation, vector

NAMES = [name for name, method in METHODS.items() if method.family == "explicit" and method.adaptive]
EACH = pytest.mark.parametrize("name", NAMES)


class Rates:
    """Row i decays to cos t at its own rate: (rate, y) with rate' = 0, so that the rows share one field."""

    def __call__(self, t: Any, y: torch.Tensor) -> torch.Tensor:
        rate, x = y[..., 0], y[..., 1]
        time = t[..., 0] if t.ndim else t
        return torch.stack((torch.zeros_like(rate), -rate * (x - torch.cos(time)) - torch.sin(time)), -1)


RATES = torch.tensor([[1.0, 2.0], [10.0, 1.5], [300.0, 1.2]], dtype=D)


@EACH
@pytest.mark.parametrize("ts", [[0.0, 0.4, 1.7, 2.0], [2.0, 1.9, 0.3, 0.0]])
def test_it_gives_each_row_what_it_gets_alone(name: str, ts: list[float]) -> None:
    # The first step is given, because the two ways choose it differently; it is long enough for an error above
    # round-off, which would steer them apart.
    options: dict[str, Any] = {"method": name, "rtol": 1e-7, "atol": 1e-7, "dt0": 0.3}
    y0 = torch.tensor([[1.0, 0.0], [0.2, 3.0], [-2.0, 0.5]], dtype=D)
    field = SYSTEMS["pendulum"].field()
    together = odeint(field, y0, ts, batch="per_sample", **options)
    for i in range(3):
        alone = odeint(field, y0[i], ts, **options)
        log = together.steps.of(i)
        np.testing.assert_allclose(log.t, alone.steps.t, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(log.dt, alone.steps.dt, rtol=1e-5)
        np.testing.assert_array_equal(log.accepted, alone.steps.accepted)
        torch.testing.assert_close(together.ys[:, i], alone.ys, rtol=1e-9, atol=1e-9)


def test_a_stiff_row_does_not_drag_the_others_along() -> None:
    solution = odeint(Rates(), RATES, [0.0, 3.0], batch="per_sample")
    shared = odeint(Rates(), RATES, [0.0, 3.0])
    steps = [len(solution.steps.of(i)) for i in range(3)]
    assert steps[2] > 5 * steps[0]
    assert steps[0] < 40
    assert len(shared.steps) >= 0.8 * steps[2]
    torch.testing.assert_close(solution.ys[-1, :, 1], shared.ys[-1, :, 1], rtol=1e-4, atol=1e-5)


def test_rows_that_have_arrived_are_no_longer_evaluated() -> None:
    sizes: list[int] = []

    def field(t: Any, y: torch.Tensor) -> torch.Tensor:
        sizes.append(len(y))
        return Rates()(t, y)

    odeint(field, RATES, [0.0, 3.0], batch="per_sample")
    assert max(sizes) == 3
    assert sizes[-1] == 1


@EACH
def test_its_evaluations_are_counted_exactly_and_every_attempt_is_logged(name: str) -> None:
    f = Counting(Rates())
    solution = odeint(f, RATES, [0.0, 0.5, 3.0], method=name, batch="per_sample")
    assert solution.stats.nfe == f.calls
    assert len(solution.steps) == solution.stats.n_accepted + solution.stats.n_rejected
    for i in range(3):
        log = solution.steps.of(i)
        ends = (log.t + log.dt)[log.accepted]
        np.testing.assert_allclose(ends[:-1], log.t[log.accepted][1:], rtol=1e-12)
        assert ends[-1] == pytest.approx(3.0)
        np.testing.assert_array_equal(log.accepted, log.error_ratio <= 1)


@EACH
def test_many_outputs_in_one_step_are_right(name: str) -> None:
    ts = np.linspace(0.0, 2.0, 101)
    y0 = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=D)
    ys = odeint(rotation, y0, ts, method=name, rtol=1e-9, atol=1e-9, batch="per_sample").ys
    c, s = np.cos(ts), np.sin(ts)
    exact = np.stack([np.stack([c, -s], -1), np.stack([2 * s, 2 * c], -1)], 1)
    np.testing.assert_allclose(ys.numpy(), exact, rtol=0, atol=2e-7)


def test_a_field_that_depends_on_time_gets_each_rows_own_time() -> None:
    y0 = torch.tensor([[1.0, 0.0], [0.5, 0.2], [2.0, 1.0]], dtype=D)
    system = SYSTEMS["sudden_bend"]
    options: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}
    ys = odeint(system.field(), y0, [0.0, 3.5, 6.0], batch="per_sample", **options).ys
    torch.testing.assert_close(
        ys, odeint(system.field(), y0, [0.0, 3.5, 6.0], **options).ys, rtol=1e-6, atol=1e-6
    )
    field = MLPField(2, (8,), time_dependent=True, dtype=D)
    ys = odeint(field, y0, [0.0, 1.0], batch="per_sample", **options).ys
    torch.testing.assert_close(ys, odeint(field, y0, [0.0, 1.0], **options).ys, rtol=1e-6, atol=1e-6)


def test_states_with_more_axes_are_batched_over_the_first() -> None:
    y0 = torch.randn(3, 4, 2, dtype=D)
    ys = odeint(rotation, y0, [0.0, 1.0], batch="per_sample", rtol=1e-9, atol=1e-9).ys
    torch.testing.assert_close(
        ys, odeint(rotation, y0, [0.0, 1.0], rtol=1e-9, atol=1e-9).ys, rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize("ts", [[0.0, 0.6, 1.0], [1.0, 0.6, 0.0]])
def test_its_gradient_is_that_of_shared_steps(ts: list[float]) -> None:
    field, y0 = MLPField(2, (8, 8), dtype=D, seed=3), torch.randn(4, 2, dtype=D, requires_grad=True)
    gradients = []
    for batch in ("shared", "per_sample"):
        ys = odeint(field, y0, ts, rtol=1e-11, atol=1e-11, batch=batch).ys
        gradients.append(
            torch.autograd.grad(
                (ys * torch.arange(1, 4).view(-1, 1, 1)).square().sum(), [y0, *field.parameters()]
            )
        )
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_one_row_that_blows_up_is_named() -> None:
    y0 = vector(0.1, 1.0).unsqueeze(1)
    solution = odeint(lambda t, y: y * y, y0, [0.0, 0.5, 2.0], batch="per_sample", on_error="return")
    assert solution.status in (Status.STEP_UNDERFLOW, Status.NON_FINITE)
    assert "sample 1" in solution.message
    assert "t = 1" in solution.message
    assert solution.ts.tolist() == [0.0, 0.5]
    torch.testing.assert_close(solution.ys[1, :, 0], vector(0.1 / 0.95, 2.0), rtol=1e-5, atol=1e-5)


def test_an_overflow_is_no_success() -> None:
    y0 = torch.full((2, 1), 1e308, dtype=D)
    solution = odeint(
        lambda t, y: torch.full_like(y, 1e308), y0, [0.0, 5.0], batch="per_sample", on_error="return"
    )
    assert not solution.status.ok
    assert torch.isfinite(solution.ys).all()


def test_max_steps_is_counted_for_each_row_and_exactly_enough_is_enough() -> None:
    needed = [len(odeint(Rates(), RATES, [0.1, 3.0], batch="per_sample").steps.of(i)) for i in range(3)]
    enough = odeint(Rates(), RATES, [0.1, 3.0], batch="per_sample", max_steps=max(needed))
    assert enough.status is Status.SUCCESS
    with pytest.raises(SolveError, match="sample 2 took max_steps") as caught:
        odeint(Rates(), RATES, [0.1, 3.0], batch="per_sample", max_steps=max(needed) - 1)
    assert caught.value.solution is not None
    assert caught.value.solution.status is Status.MAX_STEPS


def test_a_field_without_a_value_for_one_row_is_named() -> None:
    with pytest.raises(SolveError, match="not finite at t = 0 for sample 1"):
        odeint(lambda t, y: torch.sqrt(y), torch.tensor([[1.0], [-1.0]]), [0.0, 1.0], batch="per_sample")


def test_spans_that_are_long_or_far_are_no_underflow() -> None:
    for ts in ([0.0, 1e12], [1e11, 1e11 + 1]):
        y0 = torch.zeros(2, 1, dtype=D)
        assert odeint(lambda t, y: torch.ones_like(y), y0, ts, batch="per_sample").status is Status.SUCCESS


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "rk4", "dt": 0.1}, "adaptive explicit methods"),
        ({"method": "rodas5p"}, "adaptive explicit methods"),
        ({"event": lambda t, y: y[0, 0]}, "batch='shared'"),
        ({"dense": True}, "keeps no dense output: put the times you want into ts"),
        ({"y0": torch.ones(2)}, r"shape \(batch, dim\), not \(2,\)"),
        (
            {"y0": torch.ones(2, 2, requires_grad=True), "gradient": "adjoint"},
            "gradient='backprop', not 'adjoint'",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(options: dict[str, Any], match: str) -> None:
    options = {"y0": torch.ones(2, 2), **options}
    with pytest.raises(ValueError, match=match):
        odeint(rotation, options.pop("y0"), [0.0, 1.0], batch="per_sample", **options)
