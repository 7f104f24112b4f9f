"""The closed-form linearization against plain autograd over all stages."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from node_core.fields.layout import as_feature_major
from node_core.fields.mlp.linearization import MLPLinearization
from node_core.fields.mlp.mlp import MLPField

DIM = 3


def linearize(field: MLPField, ts: Sequence[Any] | Tensor, ys: Sequence[Tensor] | Tensor) -> MLPLinearization:
    return field.linearize(ts, ys)


def stages(count: int, *shape: int) -> tuple[Tensor, Tensor, list[float]]:
    generator = torch.Generator().manual_seed(23)
    ys, gs = torch.randn(2, count, *shape, generator=generator, dtype=torch.float64).unbind()
    return ys, gs, [0.3 * i - 0.5 for i in range(count)]


def expected_gradients(
    field: MLPField, ts: Sequence[Tensor], ys: Tensor, gs: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """By one autograd pass over the sum of g_i . f(t_i, y_i): (ys, times, parameters)."""
    leaf = ys.clone().requires_grad_()
    times = [t.clone().requires_grad_() for t in ts]
    total = torch.stack([(g * field(t, y)).sum() for t, y, g in zip(times, leaf, gs, strict=True)]).sum()
    found = torch.autograd.grad(
        total, [leaf, *times, *field.parameters()], allow_unused=True, materialize_grads=True
    )
    return found[0], list(found[1 : 1 + len(times)]), list(found[1 + len(times) :])


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == expected.shape
    if actual.numel() == 0:
        return
    scale = max(1.0, float(expected.abs().max()))
    assert float((actual - expected).abs().max()) <= 1e-12 * scale


@pytest.mark.parametrize("activation", ["tanh", "softplus", "elu"])
@pytest.mark.parametrize("hidden", [(8,), (8, 6), (8, 5, 7)])
@pytest.mark.parametrize("time_dependent", [False, True])
def test_a_reverse_sweep_equals_autograd_over_all_stages(
    activation: str, hidden: tuple[int, ...], time_dependent: bool
) -> None:
    field = MLPField(DIM, hidden, activation, time_dependent, seed=3, dtype=torch.float64)
    ys, gs, ts = stages(6, 5, DIM)
    gy, gt, gp = expected_gradients(field, [torch.tensor(t, dtype=torch.float64) for t in ts], ys, gs)
    linearization = linearize(field, ts, list(ys))
    for i in reversed(range(6)):
        assert_equal(linearization.vjp(i, gs[i]), gy[i])
    for actual, expected in zip(linearization.parameter_gradients(), gp, strict=True):
        assert_equal(actual, expected)
    assert_equal(linearization.time_gradients(), torch.stack(gt))


def test_per_sample_times_keep_a_gradient_for_each_sample() -> None:
    field = MLPField(DIM, (8, 6), time_dependent=True, seed=3, dtype=torch.float64)
    ys, gs, _ = stages(4, 5, DIM)
    ts = list(gs.sum(-1, keepdim=True))
    gy, gt, gp = expected_gradients(field, ts, ys, gs)
    linearization = linearize(field, ts, list(ys))
    for i in reversed(range(4)):
        assert_equal(linearization.vjp(i, gs[i]), gy[i])
    for actual, expected in zip(linearization.parameter_gradients(), gp, strict=True):
        assert_equal(actual, expected)
    assert_equal(linearization.time_gradients(), torch.stack(gt))


@pytest.mark.parametrize("shape", [(DIM,), (0, DIM), (2, 3, DIM), (700, DIM), (2048, DIM)])
def test_any_batch_shape_works_also_past_one_group_of_stages(shape: tuple[int, ...]) -> None:
    field = MLPField(DIM, (8, 6), time_dependent=True, seed=3, dtype=torch.float64)
    ys, gs, ts = stages(5, *shape)
    gy, gt, gp = expected_gradients(field, [torch.tensor(t, dtype=torch.float64) for t in ts], ys, gs)
    linearization = linearize(field, torch.tensor(ts, dtype=torch.float64), as_feature_major(ys))
    for i in (3, 0, 4, 2, 1):
        assert_equal(linearization.vjp(i, gs[i]), gy[i])
    for actual, expected in zip(linearization.parameter_gradients(), gp, strict=True):
        assert_equal(actual, expected)
    assert_equal(linearization.time_gradients(), torch.stack(gt))


@pytest.mark.parametrize("batch", [5, 700])
def test_stages_without_a_cotangent_add_nothing(batch: int) -> None:
    field = MLPField(DIM, (8, 6), time_dependent=True, seed=3, dtype=torch.float64)
    ys, gs, ts = stages(5, batch, DIM)
    gs[[0, 2, 3]] = 0.0
    _, gt, gp = expected_gradients(field, [torch.tensor(t, dtype=torch.float64) for t in ts], ys, gs)
    linearization = linearize(field, ts, list(ys))
    for i in (4, 1):
        linearization.vjp(i, gs[i])
    for actual, expected in zip(linearization.parameter_gradients(), gp, strict=True):
        assert_equal(actual, expected)
    assert_equal(linearization.time_gradients(), torch.stack(gt))


def test_linearizations_of_one_compiled_field_do_not_share_memory_while_they_live() -> None:
    field = MLPField(DIM, (8, 6), seed=3, dtype=torch.float64)
    ys, gs, ts = stages(4, 5, DIM)
    compiled = field.compiled()

    def sweep(order: Sequence[int], scale: float) -> list[Tensor]:
        one = compiled.linearize(ts, list(scale * ys))
        two = compiled.linearize(ts, list(2.0 * scale * ys))
        found = [x.vjp(i, gs[i]) for i in order for x in (one, two)]
        return [*found, *one.parameter_gradients(), *two.parameter_gradients()]

    first = sweep((3, 2, 1, 0), 1.0)
    kept = [x.clone() for x in first]
    sweep((3, 2, 1, 0), -3.0)  # takes the memory that the first sweep gave back
    assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))
    alone = field.linearize(ts, list(ys))
    assert_equal(alone.vjp(3, gs[3]), first[0])


def test_a_second_cotangent_at_a_stage_is_refused() -> None:
    field = MLPField(DIM, (8,), seed=3, dtype=torch.float64)
    ys, gs, ts = stages(2, 5, DIM)
    linearization = linearize(field, ts, list(ys))
    linearization.vjp(1, gs[1])
    with pytest.raises(RuntimeError, match="stage 1 already took its cotangent"):
        linearization.vjp(1, gs[1])


def test_times_and_states_must_be_equally_many() -> None:
    ys, _, ts = stages(3, 5, DIM)
    with pytest.raises(ValueError, match="2 stage times for 3 stage states"):
        linearize(MLPField(DIM, (8,), dtype=torch.float64), ts[:2], list(ys))
