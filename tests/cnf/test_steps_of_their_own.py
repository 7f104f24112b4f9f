"""A point's log density with steps of its own: what the other points are does not matter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core.cnf.continuous import CNF
from node_core.cnf.divergence import Divergence
from node_core.cnf.hypernetwork import HypernetworkField
from node_core.fields.mlp.mlp import MLPField
from node_core.settings import SolverSettings


class Swirl(nn.Module):
    """Turns and stretches the faster the farther out; at rest in the middle."""

    dim = 2

    def forward(self, t: Any, z: Tensor) -> Tensor:
        square = z.square().sum(-1, keepdim=True)
        return torch.sin(6 * square) * z + 4 * square * torch.stack((-z[..., 1], z[..., 0]), -1)


def random(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def solver(batch: str, tolerance: float = 1e-5, **more: Any) -> SolverSettings:
    return SolverSettings("dopri5", rtol=tolerance, atol=tolerance, batch=batch, **more)


def steep(field: Any) -> Any:
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.mul_(2.0)
    return field


FIELDS = {
    "mlp": lambda: steep(MLPField(2, (9, 7), time_dependent=True, dtype=torch.float64)),
    "hypernetwork": lambda: steep(HypernetworkField(2, 8, 6, dtype=torch.float64)),
    "module": Swirl,
}
EACH = pytest.mark.parametrize("name", list(FIELDS))


def test_a_point_among_calm_ones_has_the_log_density_that_it_has_alone() -> None:
    point, calm = torch.tensor([[0.9, -0.3]], dtype=torch.float64), 0.01 * random(4000, 2)
    among = torch.cat((point, calm))
    with torch.no_grad():
        exact = float(CNF(Swirl(), solver=solver("shared", 1e-11)).log_prob(point))
        own = CNF(Swirl(), solver=solver("per_sample", 1e-4))
        assert float(own.log_prob(among)[0]) == pytest.approx(float(own.log_prob(point)), abs=1e-9)
        assert float(own.log_prob(among)[0]) == pytest.approx(exact, abs=0.2)
        shared = CNF(Swirl(), solver=solver("shared", 1e-4))
        assert abs(float(shared.log_prob(among)[0]) - exact) > 1.0  # what steps of their own are for


@EACH
def test_points_do_not_depend_on_their_company(name: str) -> None:
    flow, x = CNF(FIELDS[name](), solver=solver("per_sample", 1e-4)), random(7, 2)
    with torch.no_grad():
        together = flow.log_prob(x)
        alone = torch.cat([flow.log_prob(point[None]) for point in x])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)


@EACH
def test_density_and_gradient_are_those_of_shared_steps(name: str) -> None:
    field, x = FIELDS[name](), random(6, 2)
    found = []
    for batch in ("shared", "per_sample"):
        at = x.clone().requires_grad_()
        log_p = CNF(field, solver=solver(batch, 1e-9)).log_prob(at)
        found.append((log_p, *torch.autograd.grad(log_p.sum(), (at, *field.parameters()))))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@EACH
def test_all_that_a_flow_does_can_be_done_with_it(name: str) -> None:
    field = FIELDS[name]()
    flows = [CNF(field, solver=solver(batch, 1e-9), penalties=True) for batch in ("shared", "per_sample")]
    z = 0.5 * random(5, 2)
    with torch.no_grad():
        a, b = (flow.forward(z) for flow in flows)
        for ours, theirs in zip(a[:4], b[:4], strict=True):
            assert ours is not None
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
        flows = [CNF(field, solver=solver(batch, 1e-9)) for batch in ("shared", "per_sample")]
        paths, own = (flow.trajectory(z, 5) for flow in flows)
        torch.testing.assert_close(own.z, paths.z, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(own.log_prob, paths.log_prob, rtol=1e-6, atol=1e-6)
        flows = [CNF(field, solver=solver(batch)) for batch in ("shared", "per_sample")]
        (x, log_p), (own_x, own_log_p) = (flow.sample_with_log_prob(4, 1) for flow in flows)
        torch.testing.assert_close(own_x, x, rtol=1e-2, atol=1e-2)
        torch.testing.assert_close(own_log_p, log_p, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("kind", ["hutchinson", "hutch++"])
def test_an_estimated_trace_is_refused_in_a_sentence(kind: Any) -> None:
    flow = CNF(MLPField(2), solver=solver("per_sample"), divergence=Divergence(kind, vectors=3))
    with pytest.raises(ValueError, match=r"the noise of an estimated trace is drawn for all of them: take"):
        flow.log_prob(torch.zeros(3, 2))
    assert flow.sample(3).shape == (3, 2)  # needs no trace


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (SolverSettings("rk4", dt=0.1, batch="per_sample"), "adaptive explicit methods"),
        (
            SolverSettings("dopri5", batch="per_sample", gradient="adjoint"),
            "gradient='backprop', not 'adjoint'",
        ),
    ],
)
def test_what_has_no_steps_of_its_own_is_refused(settings: SolverSettings, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CNF(MLPField(2), solver=settings).log_prob(torch.zeros(3, 2))


@pytest.mark.parametrize("method", ["forward", "value_and_divergence", "divergence", "jacobian"])
def test_a_hypernetwork_takes_a_time_for_each_row(method: str) -> None:
    field, z = FIELDS["hypernetwork"](), random(5, 2)
    times = torch.linspace(0.0, 1.0, 5, dtype=torch.float64).unsqueeze(1)
    together = getattr(field, method)(times, z)
    rows = [getattr(field, method)(float(t), row[None]) for t, row in zip(times, z, strict=True)]
    for k, part in enumerate(together if isinstance(together, tuple) else (together,)):
        expected = torch.cat([row[k] if isinstance(row, tuple) else row for row in rows])
        torch.testing.assert_close(part, expected, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match=r"t has shape \(3, 1\) for z of shape \(5, 2\): give a number"):
        field(times[:3], z)
