"""The continuous flow against closed forms, against itself backward, and against torchdiffeq's example."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.cnf_peer import peer_nll, peer_of
from node_core.cnf.bases import StandardNormal
from node_core.cnf.continuous import CNF
from node_core.cnf.divergence import Divergence
from node_core.cnf.flow import Flow, grid_points
from node_core.cnf.hypernetwork import HypernetworkField
from node_core.cnf.planar import PlanarFlow
from node_core.cnf.realnvp import RealNVP
from node_core.cnf.targets import TARGETS
from node_core.fields.mlp.mlp import MLPField
from node_core.settings import SolverSettings

TIGHT = SolverSettings(rtol=1e-9, atol=1e-9)
A = torch.tensor([[0.3, -1.2], [0.8, -0.5]], dtype=torch.float64)


class Linear(nn.Module):
    """f(t, z) = A z: a Gaussian stays one."""

    dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.A = nn.Parameter(A.clone())

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        return z @ self.A.T


def random(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def steep(field: MLPField | HypernetworkField, factor: float = 2.0) -> Any:
    """The field with larger weights, so that the flow really moves."""
    with torch.no_grad():
        for p in field.parameters():
            p.mul_(factor)
    return field


def test_a_gaussian_through_a_linear_flow_has_the_known_density() -> None:
    x, t1 = random(20, 2), 0.8
    flow = CNF(Linear(), t1=t1, solver=TIGHT)
    E = torch.linalg.matrix_exp(A * t1)
    expected = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), E @ E.T).log_prob(
        x
    )
    found = flow.log_prob(x)
    torch.testing.assert_close(found.detach(), expected, rtol=0, atol=1e-7)
    # Its gradient by A too: the density's own, through the matrix exponential.
    (ours,) = torch.autograd.grad(found.sum(), list(flow.parameters()))
    B = A.clone().requires_grad_()
    E = torch.linalg.matrix_exp(B * t1)
    gaussian = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), E @ E.T)
    (theirs,) = torch.autograd.grad(gaussian.log_prob(x).sum(), B)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_the_log_determinant_of_a_linear_flow_is_the_trace_times_the_time() -> None:
    flow, z = CNF(Linear(), t1=0.7, solver=TIGHT), random(6, 2)
    with torch.no_grad():
        forward, inverse = flow.forward(z), flow.inverse(z)
    torch.testing.assert_close(forward.log_det, (0.7 * A.trace()).expand(6), rtol=0, atol=1e-9)
    torch.testing.assert_close(inverse.log_det, (-0.7 * A.trace()).expand(6), rtol=0, atol=1e-9)
    torch.testing.assert_close(forward.points, z @ torch.linalg.matrix_exp(0.7 * A).T, rtol=0, atol=1e-7)


@pytest.mark.parametrize("gradient", ["adjoint", "adjoint_seminorm", "interpolated", "checkpointed"])
def test_every_gradient_mode_agrees_on_a_likelihood(gradient: str) -> None:
    field, x = steep(MLPField(2, (9, 7), time_dependent=True, dtype=torch.float64)), random(12, 2)
    gradients = []
    for mode in ("backprop", gradient):
        flow = CNF(field, solver=SolverSettings(rtol=1e-9, atol=1e-9, gradient=mode))
        gradients.append(torch.autograd.grad(-flow.log_prob(x).mean(), list(field.parameters())))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["rk4", "tsit5", "bosh3"])
def test_every_solver_gives_the_same_density(method: str) -> None:
    field, x = steep(HypernetworkField(2, 8, 6, dtype=torch.float64)), random(12, 2)
    exact = CNF(field, solver=TIGHT).log_prob(x)
    choice = (
        SolverSettings(method, dt=0.01) if method == "rk4" else SolverSettings(method, rtol=1e-7, atol=1e-7)
    )
    torch.testing.assert_close(CNF(field, solver=choice).log_prob(x), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["mlp", "hypernetwork"])
@pytest.mark.parametrize("t1", [1.0, 4.0])
def test_likelihood_and_gradient_are_those_of_torchdiffeqs_example(kind: str, t1: float) -> None:
    field = steep(
        MLPField(2, (12, 10), dtype=torch.float64)
        if kind == "mlp"
        else HypernetworkField(2, 12, 8, dtype=torch.float64)
    )
    x = random(30, 2) * 1.5
    tolerance = 1e-9
    nll = -CNF(field, t1=t1, solver=SolverSettings(rtol=tolerance, atol=tolerance)).log_prob(x).mean()
    peer = peer_of(field)
    theirs = peer_nll(peer, x.clone(), t1, tolerance)
    torch.testing.assert_close(nll, theirs, rtol=0, atol=1e-7)
    for a, b in zip(
        torch.autograd.grad(nll, list(field.parameters())),
        torch.autograd.grad(theirs, list(peer.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_the_inverse_of_a_sample_is_the_noise_it_came_from() -> None:
    flow = CNF(steep(MLPField(2, (16, 16), dtype=torch.float64)), solver=SolverSettings(rtol=1e-8, atol=1e-8))
    with torch.no_grad():
        x = flow.sample(100, seed=3)
        noise = flow.base.sample(100, 3, torch.float64)
        torch.testing.assert_close(flow.inverse(x).points, noise, rtol=0, atol=1e-6)
        again, log_prob = flow.sample_with_log_prob(100, seed=3)
        torch.testing.assert_close(again, x, rtol=0, atol=1e-6)
        torch.testing.assert_close(flow.log_prob(x), log_prob, rtol=0, atol=1e-6)
    assert float((x - noise).abs().max()) > 0.3


def test_the_density_integrates_to_one_at_every_time() -> None:
    flow = CNF(steep(HypernetworkField(2, 16, 8)))
    extent = ((-8.0, 8.0), (-8.0, 8.0))
    _, area = grid_points(extent, 96)
    movie = flow.density_movie(extent, 96, [0.0, 0.5, 1.0])
    for picture in movie:
        assert abs(float(picture.sum()) * area - 1.0) < 1e-3
    assert float((movie[2] - movie[0]).abs().max()) > 0.01
    torch.testing.assert_close(flow.density_grid(extent, 96), movie[2])


@pytest.mark.parametrize("backward", [False, True])
def test_along_a_trajectory_the_log_density_falls_by_the_integral_of_the_divergence(backward: bool) -> None:
    flow = CNF(steep(MLPField(2, (8, 8), time_dependent=True, dtype=torch.float64)), solver=TIGHT)
    paths = flow.trajectory(random(5, 2), 201, backward=backward)
    assert paths.z.shape == (201, 5, 2)
    assert float(paths.ts[0]) == (1.0 if backward else 0.0)
    integral = torch.trapezoid(paths.divergence, paths.ts, dim=0)
    torch.testing.assert_close(paths.log_prob[0] - paths.log_prob[-1], integral, rtol=0, atol=1e-4)
    for k in (0, 100, 200):
        t = float(paths.ts[k])
        with torch.no_grad():
            torch.testing.assert_close(flow.log_prob_at(paths.z[k], t), paths.log_prob[k], rtol=0, atol=1e-6)


def test_penalties_integrate_kinetic_energy_and_jacobian_norm() -> None:
    z, t1 = random(6, 2), 0.5
    flow = CNF(Linear(), t1=t1, solver=TIGHT, penalties=True)
    with torch.no_grad():
        there = flow.forward(z)
        back = flow.inverse(there.points)
    assert there.kinetic is not None
    assert there.jacobian is not None
    assert back.kinetic is not None
    torch.testing.assert_close(there.jacobian, (t1 * A.square().sum()).expand(6), rtol=0, atol=1e-8)
    torch.testing.assert_close(there.kinetic, back.kinetic, rtol=0, atol=1e-6)
    times = torch.linspace(0, t1, 401, dtype=torch.float64)
    speeds = torch.stack([(z @ torch.linalg.matrix_exp(A * t).T @ A.T).square().sum(1) for t in times])
    torch.testing.assert_close(there.kinetic, torch.trapezoid(speeds, times, dim=0), rtol=1e-5, atol=1e-6)


def test_the_estimated_likelihood_lies_around_the_exact_one() -> None:
    field, x = steep(MLPField(2, (8, 8), dtype=torch.float64)), random(1, 2).expand(3000, 2).contiguous()
    with torch.no_grad():
        exact = CNF(field, solver=TIGHT).log_prob(x[:1])
        noisy = CNF(field, divergence=Divergence("hutchinson", "gaussian"), noise_seed=7).log_prob(x)
    band = 4 * float(noisy.std()) / math.sqrt(3000)
    assert band > 1e-4
    assert abs(float(noisy.mean() - exact)) < band


def test_noise_is_fixed_by_its_seed() -> None:
    field, x = steep(MLPField(2, (8,))), torch.randn(9, 2, generator=torch.Generator().manual_seed(1))
    noisy = CNF(field, divergence=Divergence("hutchinson"), noise_seed=7)
    first = noisy.log_prob(x)
    torch.testing.assert_close(noisy.log_prob(x), first, rtol=0, atol=0)
    noisy.noise_seed = 8
    assert not torch.equal(noisy.log_prob(x), first)


ESTIMATES = [
    Divergence("hutchinson"),
    Divergence("hutchinson", "gaussian", 2),
    Divergence("hutch++", vectors=3),
]


@pytest.mark.parametrize("estimate", ESTIMATES, ids=lambda d: f"{d.kind}-{d.noise}")
def test_every_solve_draws_fresh_noise_that_the_global_generator_repeats(estimate: Divergence) -> None:
    x = random(9, 4)
    flow = CNF(steep(MLPField(4, (8,), dtype=torch.float64)), divergence=estimate)
    torch.manual_seed(3)
    first, second = flow.log_prob(x), flow.log_prob(x)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    torch.testing.assert_close(flow.log_prob(x), first, rtol=0, atol=0)
    torch.testing.assert_close(flow.log_prob(x), second, rtol=0, atol=0)


@pytest.mark.parametrize("gradient", ["adjoint", "checkpointed", "interpolated"])
def test_noise_is_one_within_a_solve_and_its_way_back(gradient: str) -> None:
    field, x = steep(MLPField(3, (6,), dtype=torch.float64)), random(4, 3)
    found = []
    for mode in ("backprop", gradient):
        torch.manual_seed(5)
        choice = SolverSettings(rtol=1e-9, atol=1e-9, gradient=mode)
        flow = CNF(field, solver=choice, divergence=Divergence("hutchinson"))
        found.append(torch.autograd.grad(flow.log_prob(x).sum(), list(field.parameters())))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimate", ESTIMATES[::2], ids=lambda d: d.kind)
def test_training_as_in_the_readme_does_not_fit_the_noise(estimate: Divergence) -> None:
    torch.manual_seed(0)
    dim = 2 if estimate.kind == "hutchinson" else 4
    x = torch.from_numpy(TARGETS["two_moons"].sample(32, seed=0))
    x = torch.cat((x, x.flip(0)), 1)[:, :dim]
    field = MLPField(dim, (32, 32), time_dependent=True)
    choice = SolverSettings("dopri5", rtol=1e-3, atol=1e-3)
    flow = CNF(field, solver=choice, divergence=estimate)
    adam = torch.optim.Adam(flow.parameters(), lr=0.01)
    losses = []
    for _ in range(80):
        loss = -flow.log_prob(x).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    with torch.no_grad():
        exact = float(-CNF(field, solver=choice).log_prob(x).mean())
    assert exact < losses[0] - 0.5
    # With one draw for all steps the loss is 11 nats (hutchinson) and 0.8 nats (hutch++) too good by now.
    assert float(np.mean(losses[-10:])) > exact - 0.4


def test_samples_are_fresh_unless_their_seed_is_given() -> None:
    flows: list[Flow] = [CNF(MLPField(2)), RealNVP(2, 8), PlanarFlow(3)]
    for flow in flows:
        torch.manual_seed(1)
        with torch.no_grad():
            first, (second, _) = flow.sample(5), flow.sample_with_log_prob(5)
            assert not torch.allclose(first, second)
            torch.manual_seed(1)
            torch.testing.assert_close(flow.sample(5), first)
            torch.testing.assert_close(flow.sample(5, seed=7), flow.sample(5, seed=7))


def test_an_exact_solve_leaves_the_global_generator_alone() -> None:
    flow, x = CNF(MLPField(2)), torch.zeros(3, 2)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    flow.log_prob(x)
    flow.sample(4, seed=2)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_mistakes_are_sentences() -> None:
    flow = CNF(MLPField(2))
    with pytest.raises(ValueError, match="points of shape"):
        flow.log_prob(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="give both the same dimension"):
        CNF(MLPField(2), StandardNormal(3))
    with pytest.raises(ValueError, match="pass a base"):
        CNF(lambda t, z: z)
    with pytest.raises(ValueError, match="needs time"):
        CNF(MLPField(2), t1=0.0)
    with pytest.raises(ValueError, match="needs time"):
        CNF(MLPField(2), t1=math.nan)
    with pytest.raises(ValueError, match=r"give an object, such as Divergence\("):
        CNF(MLPField(2), divergence="hutchinson")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"give an object, such as SolverSettings\("):
        CNF(MLPField(2), solver="rk4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give a density with samples"):
        CNF(MLPField(2), "normal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"x is a ndarray: give a tensor|start is a ndarray: give a tensor"):
        flow.log_prob(np.zeros((3, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is a list: give a tensor"):
        flow.trajectory([[0.0, 0.0]])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choose a time within"):
        flow.density_grid(((-1.0, 1.0), (-1.0, 1.0)), 8, t=2.0)
    with pytest.raises(ValueError, match="must run from 0 to 1"):
        flow.trajectory(torch.zeros(1, 2), [0.0, 0.5])
    with pytest.raises(ValueError, match="did you mean"):
        CNF(MLPField(2), solver=SolverSettings("dopri55")).sample(2)
    with pytest.raises(ValueError, match="at least 1"):
        HypernetworkField(2, 0)
