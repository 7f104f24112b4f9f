"""Flow matching against closed forms: the field it learns, the pairs it joins, and the likelihood of what it made."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core.cnf.continuous import CNF
from node_core.cnf.hypernetwork import HypernetworkField
from node_core.cnf.matching import (
    Pairs,
    flow_matching_loss,
    independent_pairs,
    reflow_pairs,
    spread_times,
    transport_pairs,
)
from node_core.cnf.targets import TARGETS
from node_core.fields.mlp.mlp import MLPField
from node_core.settings import SolverSettings

TIGHT = SolverSettings(rtol=1e-8, atol=1e-8)
MEAN, STD = torch.tensor([1.5, -0.5], dtype=torch.float64), 0.4


class GaussianPair(nn.Module):
    """E[x - z | z_t = y] of independent z from N(0, I) and x from N(MEAN, STD^2 I), in closed form; t from t0 to t1."""

    dim = 2

    def __init__(self, t0: float = 0.0, t1: float = 1.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.shift = nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.t0, self.span = t0, t1 - t0

    def forward(self, t: Any, y: Tensor) -> Tensor:
        s = (torch.as_tensor(t) - self.t0) / self.span
        slope = (s * STD**2 - (1 - s)) / ((1 - s) ** 2 + s**2 * STD**2)
        return (self.gain * (MEAN + slope * (y - s * MEAN)) + self.shift) / self.span


def gaussian_pairs(n: int, seed: int = 0) -> Pairs:
    generator = torch.Generator().manual_seed(seed)
    z, x = torch.randn((2, n, 2), generator=generator, dtype=torch.float64)
    return Pairs(z, MEAN + STD * x)


@pytest.mark.parametrize(("t0", "t1"), [(0.0, 1.0), (0.5, 3.0)])
def test_the_field_of_a_gaussian_pair_is_the_least_of_the_loss(t0: float, t1: float) -> None:
    field, n = GaussianPair(t0, t1), 400_000
    flow = CNF(field, t0=t0, t1=t1)
    s = spread_times(n, np.random.default_rng(1)).double()
    loss = flow_matching_loss(
        flow, gaussian_pairs(n), s[torch.randperm(n, generator=torch.Generator().manual_seed(2))]
    )
    # What is left is the variance of x - z that z_t does not explain, STD^2 / ((1 - s)^2 + s^2 STD^2) a dimension.
    left = torch.trapezoid(
        2 * STD**2 / ((1 - (q := torch.linspace(0, 1, 10_001).double())) ** 2 + q**2 * STD**2), q
    )
    assert loss.item() == pytest.approx(left.item(), rel=0.01)
    for gradient in torch.autograd.grad(loss, [field.gain, field.shift]):
        assert float(gradient.abs().max()) < 0.02
    with torch.no_grad():
        field.gain.fill_(1.1)
    worse = flow_matching_loss(flow, gaussian_pairs(n), s)
    assert worse.item() > loss.item() + 0.01


@pytest.mark.parametrize(("t0", "t1"), [(0.0, 1.0), (0.5, 3.0)])
def test_the_flow_of_that_field_has_the_density_of_the_data(t0: float, t1: float) -> None:
    """So time runs as it does for a flow that was trained by likelihood: from the noise at t0 to the data at t1."""
    flow = CNF(GaussianPair(t0, t1), t0=t0, t1=t1, solver=TIGHT)
    x = gaussian_pairs(50, 3).x
    exact = -0.5 * ((x - MEAN) / STD).square().sum(1) - 2 * math.log(STD * math.sqrt(2 * math.pi))
    with torch.no_grad():
        torch.testing.assert_close(flow.log_prob(x), exact, rtol=0, atol=1e-6)
        samples = flow.sample(4000, seed=1)
    torch.testing.assert_close(samples.mean(0), MEAN, rtol=0, atol=0.03)
    torch.testing.assert_close(samples.std(0), torch.full((2,), STD, dtype=samples.dtype), rtol=0.05, atol=0)


def fine_log_prob(flow: CNF, x: Tensor, steps: int = 400) -> Tensor:
    """Log p(x) by Runge-Kutta 4 in float64, the trace from the whole Jacobian by autograd: nothing of the engine's."""

    def rate(t: float, y: Tensor) -> tuple[Tensor, Tensor]:
        y = y.detach().requires_grad_()
        f = flow.field(torch.tensor(t, dtype=y.dtype), y)
        rows = [torch.autograd.grad(f[:, d].sum(), y, retain_graph=True)[0][:, d] for d in range(2)]
        return f.detach(), sum(rows, torch.zeros(len(y), dtype=y.dtype))

    h, y, log = (flow.t0 - flow.t1) / steps, x, torch.zeros(len(x), dtype=x.dtype)
    for k in range(steps):
        t = flow.t1 + k * h
        f1, d1 = rate(t, y)
        f2, d2 = rate(t + h / 2, y + h / 2 * f1)
        f3, d3 = rate(t + h / 2, y + h / 2 * f2)
        f4, d4 = rate(t + h, y + h * f3)
        y, log = y + h / 6 * (f1 + 2 * f2 + 2 * f3 + f4), log + h / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
    return flow.base.log_prob(y) + log


@pytest.mark.parametrize("kind", ["mlp", "hypernetwork"])
def test_the_likelihood_of_a_matched_net_is_that_of_a_fine_reference(kind: str) -> None:
    field = (
        MLPField(2, (24, 24), time_dependent=True, dtype=torch.float64)
        if kind == "mlp"
        else HypernetworkField(2, 24, 12, dtype=torch.float64)
    )
    flow, target = CNF(field, solver=TIGHT), TARGETS["blobs"]
    optimiser, rng = torch.optim.Adam(field.parameters(), 0.01), np.random.default_rng(0)
    for k in range(150):
        x = torch.from_numpy(target.sample(256, k)).double()
        loss = flow_matching_loss(
            flow, Pairs(flow.base.sample(256, k, torch.float64), x), spread_times(256, rng)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    x = torch.from_numpy(target.sample(40, 999)).double()
    with torch.no_grad():
        found = flow.log_prob(x)
    torch.testing.assert_close(found, fine_log_prob(flow, x), rtol=0, atol=1e-5)
    with torch.no_grad():
        assert float(found.mean()) > float(flow.base.log_prob(x).mean()) + 0.3  # it has learned something


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [1, 7, 64, 512])
def test_transport_never_costs_more_than_independent_pairs(seed: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    z, x = (torch.from_numpy(rng.normal(size=(200, 2)).astype(np.float32)) for _ in range(2))
    joined, plain = transport_pairs(z, x, block), independent_pairs(z, x)
    assert joined.cost <= plain.cost + 1e-6
    assert torch.equal(joined.z, z)
    assert sorted(joined.x.tolist()) == sorted(x.tolist())  # the same points, each once
    if block == 1:
        assert torch.equal(joined.x, x)
    else:
        assert joined.cost < plain.cost


def test_transport_is_the_cheapest_of_all_assignments_in_its_block() -> None:
    rng = np.random.default_rng(4)
    z, x = torch.from_numpy(rng.normal(size=(2, 6, 3)))
    least = min(float((x[list(p)] - z).square().sum()) for p in itertools.permutations(range(6)))
    assert 6 * transport_pairs(z, x).cost == pytest.approx(least)


def test_reflow_pairs_are_the_ends_of_the_flow_s_own_paths() -> None:
    flow = CNF(GaussianPair(), solver=TIGHT)
    z, x = reflow_pairs(flow, 30, seed=5)
    torch.testing.assert_close(z, flow.base.sample(30, 5, torch.float64))
    # Each Gaussian is carried by its own straight line: x = MEAN + STD z.
    torch.testing.assert_close(x, MEAN + STD * z, rtol=0, atol=1e-6)


def test_spread_times_are_uniform_and_spread() -> None:
    s = spread_times(1000, np.random.default_rng(3)).sort().values
    assert 0 <= float(s[0]) < 0.001
    torch.testing.assert_close(s.diff(), torch.full((999,), 1e-3), rtol=0, atol=1e-6)


def test_what_cannot_be_joined_is_refused_in_a_sentence() -> None:
    flow, x = CNF(MLPField(2)), torch.zeros(4, 2)
    with pytest.raises(ValueError, match="give one of each for a pair"):
        flow_matching_loss(flow, Pairs(x, x), torch.zeros(3))
    with pytest.raises(ValueError, match="works on points of shape"):
        flow_matching_loss(flow, Pairs(torch.zeros(4, 3), x), torch.zeros(4))
    with pytest.raises(ValueError, match="as many of one as of the other"):
        transport_pairs(x, torch.zeros(3, 2))
    with pytest.raises(ValueError, match="block = 0: choose 1 to 1024"):
        transport_pairs(x, x, 0)
    with pytest.raises(ValueError, match="n = 10000000: choose 1 to 200000"):
        reflow_pairs(flow, 10_000_000, 0)
