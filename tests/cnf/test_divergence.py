"""The divergence against closed forms, autograd, and the spread its estimators promise."""

import pytest
import torch
from torch import Tensor

from node_core.cnf.divergence import Divergence
from node_core.cnf.hypernetwork import HypernetworkField
from node_core.fields.mlp.mlp import MLPField


def random(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def curved(t: object, z: Tensor) -> Tensor:
    """A field whose Jacobian varies from point to point: f_i = sin(z_i) z_{i+1} + z_i^2."""
    return torch.sin(z) * z.roll(-1, -1) + z**2


def curved_trace(z: Tensor) -> Tensor:
    return (torch.cos(z) * z.roll(-1, -1) + 2 * z).sum(-1)


def test_the_exact_divergence_of_a_linear_field_is_the_trace_of_its_matrix() -> None:
    A, z = random(4, 4), random(7, 4, seed=6)
    found = Divergence().measure(lambda t, y: y @ A.T, 0.0, z, None, jacobian=True)
    torch.testing.assert_close(found.divergence, A.trace().expand(7), rtol=0, atol=1e-12)
    assert found.jacobian_squared is not None
    torch.testing.assert_close(found.jacobian_squared, A.square().sum().expand(7), rtol=0, atol=1e-12)


def test_the_exact_divergence_of_a_curved_field_is_its_closed_form() -> None:
    z = random(9, 3)
    found = Divergence().measure(curved, 0.0, z, None)
    torch.testing.assert_close(found.divergence, curved_trace(z), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.value, curved(0.0, z), rtol=0, atol=0)


@pytest.mark.parametrize(
    "field",
    [
        MLPField(3, (8, 6), time_dependent=True, dtype=torch.float64),
        HypernetworkField(3, 7, 5, dtype=torch.float64),
    ],
    ids=["mlp", "hypernetwork"],
)
def test_closed_form_divergence_and_jacobian_are_those_of_autograd(
    field: MLPField | HypernetworkField,
) -> None:
    z = random(6, 3)
    t = torch.tensor(0.4, dtype=torch.float64)
    by_autograd = Divergence().measure(lambda t, y: field(t, y), t, z, None, jacobian=True)
    plain = Divergence().measure(field, t, z, None)
    with_jacobian = Divergence().measure(field, t, z, None, jacobian=True)
    torch.testing.assert_close(plain.divergence, by_autograd.divergence, rtol=0, atol=1e-12)
    torch.testing.assert_close(with_jacobian.divergence, by_autograd.divergence, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        with_jacobian.jacobian_squared, by_autograd.jacobian_squared, rtol=0, atol=1e-12
    )
    torch.testing.assert_close(with_jacobian.value, by_autograd.value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("noise", ["gaussian", "rademacher"])
@pytest.mark.parametrize("kind", ["hutchinson", "hutch++"])
def test_the_mean_of_an_estimator_lies_within_its_own_confidence_band(kind: str, noise: str) -> None:
    estimator = Divergence(kind, noise, 1 if kind == "hutchinson" else 3)  # type: ignore[arg-type]
    z = random(1, 4).expand(4000, 4).contiguous()
    with torch.no_grad():
        found = estimator.measure(curved, 0.0, z, estimator.draw(z, seed=11)).divergence
    standard_error = found.std() / len(found) ** 0.5
    assert float(standard_error) > 1e-6  # the noise is really there
    assert abs(float(found.mean() - curved_trace(z[:1]))) < 4 * float(standard_error)


def test_the_estimated_jacobian_norm_is_unbiased() -> None:
    estimator = Divergence("hutchinson", "gaussian")
    z = random(1, 4).expand(8000, 4).contiguous()
    with torch.no_grad():
        found = estimator.measure(curved, 0.0, z, estimator.draw(z, seed=3), jacobian=True).jacobian_squared
        exact = Divergence().measure(curved, 0.0, z[:1], None, jacobian=True).jacobian_squared
    assert found is not None
    assert exact is not None
    assert abs(float(found.mean() - exact)) < 4 * float(found.std()) / 8000**0.5


def test_hutch_plus_plus_beats_hutchinson_on_a_jacobian_of_low_rank() -> None:
    u = random(16, 1)
    A = 5 * u @ u.T + 0.05 * random(16, 16, seed=8)
    z = torch.zeros(2000, 16, dtype=torch.float64)
    errors = []
    for kind in ("hutchinson", "hutch++"):
        estimator = Divergence(kind, "gaussian", 3)
        with torch.no_grad():
            found = estimator.measure(lambda t, y: y @ A.T, 0.0, z, estimator.draw(z, seed=2)).divergence
        errors.append(float((found - A.trace()).square().mean()))
    assert errors[1] < 0.05 * errors[0]


def test_hutch_plus_plus_is_exact_where_its_subspace_fills_the_space() -> None:
    z = random(5, 2)
    estimator = Divergence("hutch++", "gaussian", 6)
    found = estimator.measure(curved, 0.0, z, estimator.draw(z, seed=1))
    torch.testing.assert_close(found.divergence, curved_trace(z), rtol=0, atol=1e-10)


def test_the_noise_of_a_seed_is_fixed_and_of_the_states_kind() -> None:
    z = torch.zeros(3, 2)
    estimator = Divergence("hutchinson", "rademacher", 2)
    first, again, other = (estimator.draw(z, seed) for seed in (4, 4, 5))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.shape == (2, 3, 2)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert set(first.unique().tolist()) == {-1.0, 1.0}


def test_estimates_are_differentiable_and_unbiased_in_their_gradient() -> None:
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    z = random(1, 3).expand(4000, 3).contiguous()
    for kind in ("hutchinson", "hutch++"):
        estimator = Divergence(kind, "gaussian", 3)
        found = estimator.measure(lambda t, y: scale * curved(t, y), 0.0, z, estimator.draw(z, seed=9))
        (gradient,) = torch.autograd.grad(found.divergence.mean(), scale)
        band = 4 * float(found.divergence.detach().std()) / 4000**0.5 / 1.3
        assert abs(float(gradient - curved_trace(z[:1]))) < band


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kind": "trace"}, "choose one of exact"),
        ({"noise": "uniform"}, "choose one of gaussian"),
        ({"kind": "hutchinson", "vectors": 0}, "at least 1"),
        ({"kind": "hutch++", "vectors": 2}, "at least 3"),
    ],
)
def test_a_mistake_is_a_sentence(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Divergence(**arguments)  # type: ignore[arg-type]


def test_a_field_of_another_width_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"returned shape \(6, 3\) for points of shape \(6, 2\)"):
        Divergence().measure(lambda t, z: torch.cat((z, z[:, :1]), -1), 0.0, random(6, 2), None)
