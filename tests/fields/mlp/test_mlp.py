"""MLPField and its closed form against autograd and against the net written with torch's own activations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from node_core.fields.layout import as_feature_major
from node_core.fields.mlp.mlp import MLPField

DIM, BATCH = 3, 11
TORCH_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "softplus": lambda x: torch.nn.functional.softplus(x, threshold=40.0),
    "elu": torch.nn.functional.elu,
}
HIDDEN = [(8,), (8, 6), (8, 5, 7)]

every_net = pytest.mark.parametrize(
    ("activation", "hidden", "time_dependent"),
    [(a, h, t) for a in TORCH_ACTIVATIONS for h in HIDDEN for t in (False, True)],
)


def tensors(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(17)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def reference(field: MLPField, t: Tensor, y: Tensor) -> Tensor:
    """The textbook formula, row-major, with torch's activation."""
    p = list(field.parameters())
    x = torch.cat((y, t.expand(*y.shape[:-1], 1)), -1) if field.time_dependent else y
    for weight, bias in zip(p[:-2:2], p[1:-2:2], strict=True):
        x = TORCH_ACTIVATIONS[field.activation](x @ weight.T + bias)
    return x @ p[-2].T + p[-1]


def reference_jacobian(field: MLPField, t: Tensor, y: Tensor) -> Tensor:
    """(batch, dim, dim) by autograd, differentiable."""
    value = reference(field, t, y)
    rows = [torch.autograd.grad(value[:, i].sum(), y, create_graph=True)[0] for i in range(field.dim)]
    return torch.stack(rows, 1)


def assert_equal(actual: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    assert actual.shape == expected.shape
    if actual.numel() == 0:
        return
    scale = max(1.0, float(expected.detach().abs().max()))
    assert float((actual - expected).detach().abs().max()) <= tolerance * scale


def times(kind: str, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(0.7, dtype=dtype) if kind == "shared" else tensors((BATCH, 1), dtype=dtype)[0]


@every_net
@pytest.mark.parametrize("kind", ["shared", "per sample"])
def test_the_closed_form_equals_autograd(
    activation: str, hidden: tuple[int, ...], time_dependent: bool, kind: str
) -> None:
    field = MLPField(DIM, hidden, activation, time_dependent, seed=3, dtype=torch.float64)
    y, g, w = tensors((BATCH, DIM), (BATCH, DIM), (BATCH,))
    y = 2.0 * y
    t = times(kind)
    leaf_t, leaf_y = t.clone().requires_grad_(), y.clone().requires_grad_()
    value = reference(field, leaf_t, leaf_y)
    jacobian = reference_jacobian(field, leaf_t, leaf_y)
    divergence = jacobian.diagonal(dim1=1, dim2=2).sum(-1)
    leaves = [leaf_y, *field.parameters(), leaf_t]
    first = torch.autograd.grad(
        value, leaves, g, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    both = torch.autograd.grad(
        (g * value).sum() + (w * divergence).sum(), leaves, allow_unused=True, materialize_grads=True
    )

    compiled = field.compiled()
    assert_equal(compiled(t, y), value)
    vjp = compiled.vjp(t, y, g)
    assert_equal(vjp.value, value)
    for actual, expected in zip((vjp.y, *vjp.parameters, vjp.t), first, strict=True):
        assert_equal(actual, expected)
    assert compiled.vjp(t, y, g, parameters=False).parameters == ()
    assert_equal(compiled.jvp(t, y, g)[1], (jacobian @ g.unsqueeze(-1)).squeeze(-1))
    assert_equal(compiled.jacobian(t, y), jacobian)
    assert_equal(compiled.divergence(t, y), divergence)
    combined = compiled.divergence_vjp(t, y, g, w)
    assert_equal(combined.value, value)
    assert_equal(combined.divergence, divergence)
    for actual, expected in zip((combined.y, *combined.parameters, combined.t), both, strict=True):
        assert_equal(actual, expected)


@every_net
def test_forward_jacobian_and_divergence_are_differentiable_and_right(
    activation: str, hidden: tuple[int, ...], time_dependent: bool
) -> None:
    field = MLPField(DIM, hidden, activation, time_dependent, seed=5, dtype=torch.float64)
    (y,) = tensors((BATCH, DIM))
    y.requires_grad_()
    t = torch.tensor(-0.4, dtype=torch.float64, requires_grad=True)
    jacobian = reference_jacobian(field, t, y)
    divergence = jacobian.diagonal(dim1=1, dim2=2).sum(-1)
    leaves = [y, t, *field.parameters()]
    for actual, expected in (
        (field(t, y), reference(field, t, y)),
        (field.jacobian(t, y), jacobian),
        (field.divergence(t, y), divergence),
    ):
        assert_equal(actual, expected)
        pairs = zip(
            torch.autograd.grad(actual.sin().sum(), leaves, allow_unused=True, materialize_grads=True),
            torch.autograd.grad(
                expected.sin().sum(), leaves, allow_unused=True, materialize_grads=True, retain_graph=True
            ),
            strict=True,
        )
        for a, e in pairs:
            assert_equal(a, e)


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_forward_passes_gradcheck_once_and_twice(activation: str) -> None:
    field = MLPField(2, (4, 3), activation, time_dependent=True, seed=1, dtype=torch.float64)
    t = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (y,) = tensors((3, 2))
    names = [name for name, _ in field.named_parameters()]

    def call(t: Tensor, y: Tensor, *params: Tensor) -> Tensor:
        values = dict(zip(names, params, strict=True))
        return torch.func.functional_call(field, values, (t, y))

    leaves = (t, y.requires_grad_(), *(p.detach().clone().requires_grad_() for p in field.parameters()))
    assert torch.autograd.gradcheck(call, leaves)
    assert torch.autograd.gradgradcheck(call, leaves)


def test_the_jacobian_equals_torch_func_jacrev() -> None:
    field = MLPField(DIM, (8, 6), seed=2, dtype=torch.float64)
    (y,) = tensors((DIM,))
    assert_equal(field.compiled().jacobian(0.0, y), torch.func.jacrev(lambda s: field(0.0, s))(y))


@pytest.mark.parametrize("shape", [(DIM,), (BATCH, DIM), (2, 5, DIM), (0, DIM), (1, DIM)])
@pytest.mark.parametrize("t", [0.5, torch.tensor(0.5)])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_any_batch_shape_and_time_type_gives_the_formula(
    shape: tuple[int, ...], t: float | Tensor, hidden: tuple[int, ...]
) -> None:
    field = MLPField(DIM, hidden, time_dependent=True, seed=2, dtype=torch.float64)
    y, g = tensors(shape, shape)
    expected = reference(field, torch.tensor(0.5, dtype=torch.float64), y).detach()
    compiled = field.compiled()
    assert_equal(field(t, y).detach(), expected)
    assert_equal(compiled(t, y), expected)
    vjp = compiled.vjp(t, y, g)
    assert vjp.y.shape == shape
    assert vjp.t.shape == ()
    assert compiled.divergence(t, y).shape == shape[:-1]
    assert compiled.jacobian(t, y).shape == (*shape, DIM)
    assert compiled.divergence_vjp(t, y, g, y.sum(-1)).y.shape == shape
    assert field.divergence(t, y).shape == shape[:-1]
    assert field.jacobian(t, y).shape == (*shape, DIM)


@pytest.mark.parametrize("shape", [(BATCH, DIM), (512, DIM), (2, 5, DIM)])
def test_layouts_give_the_same_numbers_and_feature_major_stays_feature_major(shape: tuple[int, ...]) -> None:
    field = MLPField(DIM, (8, 6), seed=2, dtype=torch.float64)
    y, g = tensors(shape, shape)
    columns, g_columns = as_feature_major(y), as_feature_major(g)
    assert columns.shape == y.shape
    assert torch.equal(columns, y)
    assert columns.movedim(-1, 0).is_contiguous()
    compiled = field.compiled()
    by_rows, by_columns = compiled.vjp(0.0, y, g), compiled.vjp(0.0, columns, g_columns)
    assert_equal(by_columns.value, by_rows.value, 1e-14)
    assert_equal(by_columns.y, by_rows.y, 1e-14)
    assert compiled(0.0, columns).movedim(-1, 0).is_contiguous()
    assert by_columns.y.movedim(-1, 0).is_contiguous()
    assert_equal(field(0.0, columns), field(0.0, y), 1e-14)


@every_net
def test_float32_agrees_with_float64_to_float32_precision(
    activation: str, hidden: tuple[int, ...], time_dependent: bool
) -> None:
    exact = MLPField(DIM, hidden, activation, time_dependent, seed=4, dtype=torch.float64)
    single = MLPField(DIM, hidden, activation, time_dependent, seed=4)
    y, g, w = tensors((BATCH, DIM), (BATCH, DIM), (BATCH,))
    expected = exact.compiled().divergence_vjp(0.3, y, g, w)
    actual = single.compiled().divergence_vjp(0.3, y.float(), g.float(), w.float())
    for a, e in zip(
        (actual.value, actual.divergence, actual.y, *actual.parameters, actual.t),
        (expected.value, expected.divergence, expected.y, *expected.parameters, expected.t),
        strict=True,
    ):
        assert a.dtype == torch.float32
        assert_equal(a.double(), e, 2e-5)


def test_saturated_units_stay_finite_and_exact() -> None:
    for activation in TORCH_ACTIVATIONS:
        field = MLPField(DIM, (8, 6), activation, seed=3, dtype=torch.float64)
        y, g = tensors((BATCH, DIM), (BATCH, DIM))
        y = (400.0 * y).requires_grad_()
        value = reference(field, torch.tensor(0.0), y)
        (expected,) = torch.autograd.grad(value, y, g)
        vjp = field.vjp(0.0, y.detach(), g)
        assert_equal(vjp.value, value)
        assert_equal(vjp.y, expected)


@pytest.mark.parametrize("activation", list(TORCH_ACTIVATIONS))
def test_a_compiled_field_keeps_its_weights_and_a_new_one_sees_the_update(activation: str) -> None:
    field, twin = (MLPField(DIM, (8, 6), activation, True, seed=2, dtype=torch.float64) for _ in range(2))
    y, g = tensors((BATCH, DIM), (BATCH, DIM))
    t = torch.tensor(0.3, dtype=torch.float64)
    old = field.compiled()
    optimizer = torch.optim.SGD(field.parameters(), lr=0.1)
    field(t, y).square().sum().backward()
    optimizer.step()
    # The factors of the derivatives are made on first use: they too must belong to the old weights.
    kept, expected = old.vjp(t, y, g), twin.vjp(t, y, g)
    for actual, wanted in zip(
        (kept.value, kept.y, kept.t), (expected.value, expected.y, expected.t), strict=True
    ):
        assert torch.equal(actual, wanted)
    assert_equal(old.linearize([0.3], [y]).vjp(0, g), expected.y)
    new = field.compiled()
    assert_equal(new(t, y), reference(field, t, y))
    assert float((new(t, y) - kept.value).abs().max()) > 1e-3


def test_results_are_not_overwritten_by_later_calls() -> None:
    compiled = MLPField(DIM, (8, 6), time_dependent=True, seed=2).compiled()
    y, g = tensors((BATCH, DIM), (BATCH, DIM), dtype=torch.float32)
    value, vjp = compiled(0.1, y), compiled.vjp(0.1, y, g)
    kept = [x.clone() for x in (value, vjp.y, *vjp.parameters, vjp.t)]
    compiled.divergence_vjp(0.9, 3.0 * y, g, g.sum(-1))
    compiled.vjp(0.9, 2.0 * y, -g)
    assert all(torch.equal(a, b) for a, b in zip((value, vjp.y, *vjp.parameters, vjp.t), kept, strict=True))


def test_the_batch_size_may_change_between_calls() -> None:
    field = MLPField(DIM, (8, 6), seed=2, dtype=torch.float64)
    compiled = field.compiled()
    for n in (512, 3, 512, 1):
        (y,) = tensors((n, DIM))
        assert_equal(compiled.vjp(0.0, y, y).value, reference(field, torch.tensor(0.0), y))


def test_the_seed_fixes_the_weights_and_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = MLPField(2, seed=1), MLPField(2, seed=1, dtype=torch.float64), MLPField(2, seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b.float()) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.get_parameter("weight_1"), other.get_parameter("weight_1"))


def test_an_autonomous_field_ignores_the_time() -> None:
    field = MLPField(DIM, seed=1)
    (y,) = tensors((BATCH, DIM), dtype=torch.float32)
    assert torch.equal(field(0.0, y), field(5.0, y))
    assert torch.equal(field.compiled()(0.0, y), field.compiled()(5.0, y))


def test_state_dict_round_trips() -> None:
    one, two = MLPField(2, (5,), seed=1), MLPField(2, (5,), seed=2)
    two.load_state_dict(one.state_dict())
    (y,) = tensors((4, 2), dtype=torch.float32)
    assert torch.equal(one(0.0, y), two(0.0, y))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLPField(0), "dim must be at least 1, not 0"),
        (lambda: MLPField(2, ()), "1 to 3 positive widths"),
        (lambda: MLPField(2, (4, 4, 4, 4)), "1 to 3 positive widths"),
        (lambda: MLPField(2, (4, 0)), "1 to 3 positive widths"),
        (lambda: MLPField(2, activation="relu"), "tanh, softplus, elu, not 'relu'"),
        (lambda: MLPField(2, dtype=torch.int64), "floating dtype"),
        (lambda: MLPField(2)(0.0, torch.zeros(4, 3)), "last axis is dim = 2"),
        (lambda: MLPField(2, time_dependent=True)(torch.zeros(4), torch.zeros(4, 2)), "per-sample times"),
    ],
)
def test_mistakes_are_named_with_their_remedy(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
