"""Planar flows and affine couplings against the determinant of autograd's Jacobian, and against their own inverse."""

import pytest
import torch
from torch import Tensor

from node_core.cnf.bases import MixtureBase, StandardNormal, UniformDisc
from node_core.cnf.flow import Flow, grid_points
from node_core.cnf.planar import PlanarFlow
from node_core.cnf.realnvp import RealNVP


def random(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shaken(flow: Flow, size: float) -> Flow:
    """The same flow with weights far from where they began (RealNVP begins as the identity)."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(size * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return flow


def flows() -> dict[str, Flow]:
    double = torch.float64
    return {
        "planar": shaken(PlanarFlow(6, dtype=double), 0.4),
        "planar from data, 3 dimensions": shaken(PlanarFlow(4, dim=3, data_to_noise=True, dtype=double), 1.0),
        "coupling": shaken(RealNVP(4, 8, dtype=double), 0.4),
        "coupling, 5 dimensions": shaken(RealNVP(3, 8, dim=5, dtype=double), 0.4),
    }


every_flow = pytest.mark.parametrize("name", list(flows()))


@every_flow
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_log_determinant_is_that_of_autograds_jacobian(name: str, direction: str) -> None:
    flow = flows()[name]
    go = getattr(flow, direction)
    points = random(5, flow.dim)
    end, log_det = go(points)
    assert float((end - points).detach().abs().max()) > 0.1  # not the identity
    for i in range(len(points)):
        jacobian = torch.autograd.functional.jacobian(lambda p: go(p[None])[0][0], points[i])
        expected = torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(log_det[i].detach(), expected, rtol=0, atol=1e-8)


@every_flow
def test_forward_and_inverse_undo_each_other(name: str) -> None:
    flow = flows()[name]
    z = random(200, flow.dim)
    x, there = flow.forward(z)
    back, again = flow.inverse(x)
    torch.testing.assert_close(back, z, rtol=0, atol=1e-8)
    torch.testing.assert_close(again, -there, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["planar", "coupling"])
def test_the_density_integrates_to_one(name: str) -> None:
    flow = flows()[name]
    extent = ((-15.0, 15.0), (-15.0, 15.0))
    _, area = grid_points(extent, 500)
    assert abs(float(flow.density_grid(extent, 500).sum()) * area - 1.0) < 1e-3


@every_flow
def test_samples_carry_their_own_log_density(name: str) -> None:
    flow = flows()[name]
    x, log_prob = flow.sample_with_log_prob(50, seed=4)
    torch.testing.assert_close(flow.log_prob(x), log_prob, rtol=0, atol=1e-7)
    assert torch.equal(flow.sample(50, seed=4), x)


def test_the_gradient_through_a_planar_inverse_is_that_of_finite_differences() -> None:
    flow = PlanarFlow(3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: flow.log_prob(x), random(4, 2).requires_grad_())


def test_planar_layers_stay_invertible_whatever_their_weights() -> None:
    flow = PlanarFlow(8, dtype=torch.float64)
    with torch.no_grad():
        flow.u.copy_(-7.0 * flow.w)  # u . w far below -1
    assert all(float(layer.slope.detach()) >= -1.0 for layer in flow._layers())
    _, log_det = flow.forward(random(500, 2))
    assert bool(torch.isfinite(log_det).all())
    assert flow.layer_outputs(random(7, 2)).shape == (9, 7, 2)


@pytest.mark.parametrize(
    "base",
    [
        StandardNormal(2, 0.7),
        MixtureBase([(-1.0, 0.5), (2.0, 0.0)], 0.4, [1.0, 3.0]),
        UniformDisc(1.5, 0.05),
        UniformDisc(1.0, 0.25),
    ],
    ids=["normal", "mixture", "disc", "soft disc"],
)
def test_a_base_integrates_to_one_and_its_samples_follow_it(
    base: StandardNormal | MixtureBase | UniformDisc,
) -> None:
    points, area = grid_points(((-9.0, 9.0), (-9.0, 9.0)), 1200, torch.float64)
    density = base.log_prob(points).exp()
    assert abs(float(density.sum()) * area - 1.0) < 1e-5
    entropy = -float((density * base.log_prob(points)).sum()) * area
    drawn = base.log_prob(base.sample(40_000, 1, torch.float64))
    assert abs(float(drawn.mean()) + entropy) < 4 * float(drawn.std()) / 200 + 1e-6
    assert torch.equal(base.sample(9, 3), base.sample(9, 3))
    # Samples spread as the density does.
    variance = (density.unsqueeze(1) * points**2).sum(0) * area
    torch.testing.assert_close(
        base.sample(40_000, 2, torch.float64).square().mean(0), variance, rtol=0.04, atol=0.02
    )


def test_mistakes_are_sentences() -> None:
    with pytest.raises(ValueError, match="points of shape"):
        PlanarFlow(2).log_prob(torch.zeros(4, 3))
    with pytest.raises(ValueError, match="at least 1 layer"):
        PlanarFlow(0)
    with pytest.raises(ValueError, match="at least two coordinates"):
        RealNVP(dim=1)
    with pytest.raises(ValueError, match="quarter of the radius"):
        UniformDisc(1.0, 0.5)
    with pytest.raises(ValueError, match="positive numbers"):
        MixtureBase([(0.0, 0.0)], weights=[-1.0])
    with pytest.raises(ValueError, match="at least 1"):
        PlanarFlow(1).sample(0)
    with pytest.raises(ValueError, match="from 0"):
        PlanarFlow(1).sample(3, seed=-1)
    with pytest.raises(ValueError, match="upper end"):
        grid_points(((1.0, 1.0), (0.0, 1.0)), 4)
