"""The penalties against closed forms on a linear field, their gradients, and what they do to a training."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from node_core.fields.mlp.mlp import MLPField
from node_core.odeint import odeint
from node_core.training.classifier import regularizers
from node_core.training.classifier.regularizers import NODES, jacobian_norm, kinetic_energy, nodes_and_weights


class Linear(torch.nn.Module):
    """dy/dt = a y, whose solution is y0 exp(a t)."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return self.a * y

    def jacobian(self, t: Any, y: Tensor) -> Tensor:
        return (self.a * torch.eye(y.shape[-1], dtype=y.dtype)).expand(*y.shape, y.shape[-1])


def _solved(field: Linear, y0: Tensor, end: float) -> tuple[list[float], Tensor, list[float]]:
    nodes, weights = nodes_and_weights(end)
    ys = odeint(field, y0, [0.0, *nodes, end], rtol=1e-10, atol=1e-10).ys
    return nodes, ys[1:-1], weights


def test_the_kinetic_energy_of_a_linear_field_is_its_closed_form_and_so_is_its_gradient() -> None:
    # int_0^T a^2 y0^2 exp(2 a t) dt = (a y0^2 / 2) (exp(2 a T) - 1)
    end, a = 1.5, -0.7
    y0 = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)
    field = Linear(a)
    energy = kinetic_energy(field, *_solved(field, y0, end))
    size = y0.square().sum(1).mean().item()
    assert energy.item() == pytest.approx(size * a / 2 * (np.exp(2 * a * end) - 1), rel=1e-8)
    (gradient,) = torch.autograd.grad(energy, field.a)
    expected = size / 2 * (np.exp(2 * a * end) * (1 + 2 * a * end) - 1)
    assert gradient.item() == pytest.approx(expected, rel=1e-6)


def test_the_jacobian_norm_of_a_linear_field_is_its_closed_form() -> None:
    field, end = Linear(-0.7), 1.5
    where = _solved(field, torch.ones(3, 2, dtype=torch.float64), end)
    assert jacobian_norm(field, *where).item() == pytest.approx(2 * 0.7**2 * end, rel=1e-12)
    probe = regularizers.rademacher(3, 2, np.random.default_rng(0)).double()
    # e^T (a I) has the norm |a|^2 dim for every e of +-1.
    assert jacobian_norm(field, *where, probe).item() == pytest.approx(2 * 0.7**2 * end, rel=1e-12)


def test_the_probe_estimates_the_exact_norm_of_a_net_without_bias() -> None:
    field = MLPField(3, (8, 8), seed=2, time_dependent=True)
    nodes, weights = nodes_and_weights(1.0)
    ys = torch.randn(NODES, 1, 3, generator=torch.Generator().manual_seed(0))
    exact = jacobian_norm(field, nodes, ys, weights).item()
    signs = torch.tensor(np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T, dtype=torch.float32)
    estimates = [jacobian_norm(field, nodes, ys, weights, e[None]).item() for e in signs]
    assert np.mean(estimates) == pytest.approx(exact, rel=1e-5)
    assert np.std(estimates) > 1e-4 * exact


def test_the_penalties_are_differentiable_by_the_fields_weights() -> None:
    field = MLPField(2, (6,), seed=0, dtype=torch.float64)
    nodes, weights = nodes_and_weights(1.0)
    ys = torch.randn(NODES, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    probe = regularizers.rademacher(4, 2, np.random.default_rng(0)).double()
    parameters = tuple(p.detach().requires_grad_() for p in field.parameters())
    names = [name for name, _ in field.named_parameters()]

    def penalties(*values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        class Bound(torch.nn.Module):
            def forward(self, t: Any, y: Tensor) -> Tensor:
                return torch.func.functional_call(field, dict(zip(names, values, strict=True)), (t, y))

            def jacobian(self, t: Any, y: Tensor) -> Tensor:
                columns = [
                    torch.autograd.grad(self(t, y)[..., i].sum(), y, create_graph=True)[0] for i in range(2)
                ]
                return torch.stack(columns, -2)

        bound, at = Bound(), ys.clone().requires_grad_()
        return (
            kinetic_energy(bound, nodes, at, weights),
            jacobian_norm(bound, nodes, at, weights),
            jacobian_norm(bound, nodes, at, weights, probe),
        )

    assert torch.autograd.gradcheck(penalties, parameters)
    own = jacobian_norm(field, nodes, ys, weights)
    assert own.item() == pytest.approx(penalties(*parameters)[1].item(), rel=1e-12)


def test_the_quadrature_is_exact_to_degree_eleven_and_no_further() -> None:
    nodes, weights = nodes_and_weights(2.0)
    sums = {d: sum(w * t**d for t, w in zip(nodes, weights, strict=True)) for d in (11, 12)}
    assert sums[11] == pytest.approx(2.0**12 / 12, rel=1e-12)
    assert abs(sums[12] / (2.0**13 / 13) - 1) > 1e-9


def test_random_end_times_fill_their_interval_around_t1() -> None:
    rng = np.random.default_rng(0)
    ends = np.array([regularizers.random_end(2.0, 0.25, rng) for _ in range(2000)])
    assert 1.5 <= ends.min() < 1.51
    assert 2.49 < ends.max() <= 2.5
    assert ends.mean() == pytest.approx(2.0, abs=0.02)
    assert regularizers.random_end(2.0, 0.0, rng) == 2.0
