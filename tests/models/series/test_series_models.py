"""Models of series against closed forms, batches against one by one, masks, Lotka-Volterra against its relatives."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Poisson, kl_divergence
from torch.distributions import Normal as TorchNormal

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.models.series.latent import LatentODE
from node_core.models.series.layers import Between
from node_core.models.series.likelihood import (
    Normal,
    counts_log_likelihood,
    events_log_likelihood,
    normal_log_likelihood,
)
from node_core.models.series.mechanistic import LotkaVolterra, UniversalODE
from node_core.models.series.observed import Observed, pack, together
from node_core.models.series.recurrent import RecurrentPredictor
from node_core.settings import SolverSettings

TIGHT = SolverSettings(rtol=1e-6, atol=1e-6)
ENCODERS = pytest.mark.parametrize("encoder", ["gru", "ode_rnn"])
CONTINUOUS = pytest.mark.parametrize("continuous", [False, True], ids=["gru", "ode_rnn"])


def irregular(seed: int = 0, n: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
    """Series of 3 to 9 random times each, two values, a fifth of them not observed."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        ts = np.sort(rng.uniform(0.1, 3.0, rng.integers(3, 10)))
        xs = rng.standard_normal((len(ts), 2))
        xs[rng.random(xs.shape) < 0.2] = np.nan
        xs[0] = 1.0
        found.append((ts, xs))
    return found


def batch(parts: list[tuple[np.ndarray, np.ndarray]]) -> Observed:
    return together([t for t, _ in parts], [x for _, x in parts])


def test_series_stand_on_the_union_of_their_times() -> None:
    found = together(
        [np.array([0.0, 2.0]), np.array([1.0, 2.0])],
        [np.array([[1.0], [np.nan]]), np.array([[3.0], [4.0]])],
    )
    assert found.times.tolist() == [0.0, 1.0, 2.0]
    assert found.mask[..., 0].tolist() == [[True, False, False], [False, True, True]]
    assert found.values[..., 0].tolist() == [[1.0, 0.0, 0.0], [0.0, 3.0, 4.0]]
    assert found.n_values == 3


def test_packing_goes_backward_to_the_start() -> None:
    observed = together(
        [np.array([1.0, 2.0, 4.0]), np.array([3.0])], [np.array([[1.0], [2.0], [4.0]]), np.array([[3.0]])]
    )
    packed = pack(observed, 0.0, backward=True)
    assert packed.values[..., 0].tolist() == [[4.0, 2.0, 1.0], [3.0, 0.0, 0.0]]
    assert packed.gaps.tolist() == [[2.0, 1.0, 1.0], [3.0, 0.0, 0.0]]
    assert packed.valid.tolist() == [[True, True, True], [True, False, False]]
    assert packed.counts.tolist() == [3, 1]
    forward = pack(observed, 4.0)
    assert forward.values[..., 0].tolist() == [[1.0, 2.0, 4.0], [3.0, 0.0, 0.0]]
    assert forward.gaps.tolist() == [[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]]


def test_divergence_and_normal_likelihood_are_the_closed_forms() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_std = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    q = TorchNormal(mean, log_std.exp())
    p = TorchNormal(torch.zeros_like(mean), torch.ones_like(mean))
    torch.testing.assert_close(Normal(mean, log_std).divergence(), kl_divergence(q, p).sum(-1))
    predicted, values = torch.randn(2, 2, 6, 3, generator=generator, dtype=torch.float64)
    mask = torch.rand(2, 6, 3, generator=generator) < 0.6
    expected = (TorchNormal(predicted, 0.3).log_prob(values) * mask).sum((-2, -1))
    torch.testing.assert_close(normal_log_likelihood(predicted, values, mask, 0.3), expected)


def test_samples_of_a_posterior_have_its_moments() -> None:
    posterior = Normal(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -1.0]]))
    draws = posterior.sample(torch.randn(20_000, 2, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(draws.mean(0), posterior.mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(draws.std(0), posterior.log_std[0].exp(), atol=0.03, rtol=0)


def test_poisson_likelihoods_are_the_closed_forms() -> None:
    log_rate = torch.tensor([[0.3], [1.2], [-0.4]], dtype=torch.float64)
    counts = torch.tensor([[2.0], [5.0], [0.0]], dtype=torch.float64)
    mask = torch.tensor([[True], [True], [False]])
    expected = Independent(Poisson(log_rate[:2].exp() * 0.5), 2).log_prob(counts[:2])
    torch.testing.assert_close(counts_log_likelihood(log_rate, counts, mask, 0.5), expected)
    # counts in ever smaller intervals are events; their order and the intervals' widths are left out
    rng = np.random.default_rng(0)
    events = np.sort(rng.uniform(0, 2, 7))

    def rate(t: np.ndarray) -> np.ndarray:
        return 1.0 + 0.5 * np.sin(3 * t)

    exact = events_log_likelihood(
        torch.from_numpy(np.log(rate(events))), torch.tensor(2.0 - 0.5 / 3 * (math.cos(6.0) - 1.0))
    )
    width = 2.0 / 4096
    edges = np.linspace(0, 2, 4097)
    counted = torch.from_numpy(np.histogram(events, edges)[0].astype(float)).unsqueeze(-1)
    fine = torch.from_numpy(np.log(rate(0.5 * (edges[1:] + edges[:-1])))).unsqueeze(-1)
    found = counts_log_likelihood(fine, counted, torch.ones_like(counted, dtype=torch.bool), width)
    torch.testing.assert_close(found - 7 * math.log(width), exact, atol=2e-3, rtol=0)


@ENCODERS
def test_an_irregular_batch_is_its_series_one_by_one(encoder: str) -> None:
    parts = irregular()
    model = LatentODE(2, 3, (16,), encoder, 8, 8)  # type: ignore[arg-type]
    whole = batch(parts)
    with torch.no_grad():
        posterior = model.encode(whole, 0.0)
        decoded = model.decode(posterior.mean, torch.cat((torch.zeros(1), whole.times)), TIGHT)
        for i, part in enumerate(parts):
            alone = batch([part])
            found = model.encode(alone, 0.0)
            torch.testing.assert_close(found.mean[0], posterior.mean[i], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(found.log_std[0], posterior.log_std[i], atol=1e-5, rtol=1e-4)
            own = model.decode(found.mean, torch.cat((torch.zeros(1), alone.times)), TIGHT)
            at = torch.searchsorted(whole.times, alone.times) + 1
            torch.testing.assert_close(own.values[1:, 0], decoded.values[at, i], atol=1e-4, rtol=1e-4)


@ENCODERS
def test_what_is_not_observed_changes_nothing(encoder: str) -> None:
    observed = batch(irregular())
    model = LatentODE(2, 3, (16,), encoder, 8, 8)  # type: ignore[arg-type]
    spoilt = observed._replace(values=torch.where(observed.mask, observed.values, 1e6))
    with torch.no_grad():
        for one, other in zip(model.encode(observed, 0.0), model.encode(spoilt, 0.0), strict=True):
            torch.testing.assert_close(one, other, atol=0, rtol=0)
    predicted = torch.zeros_like(observed.values)
    for values in (spoilt.values, torch.where(observed.mask, observed.values, torch.nan)):
        found = normal_log_likelihood(predicted, values, observed.mask, 0.1)
        torch.testing.assert_close(found, normal_log_likelihood(predicted, *observed[1:], 0.1))


@CONTINUOUS
def test_a_recurrent_net_foresees_without_looking_ahead(continuous: bool) -> None:
    parts = irregular(n=3)
    model = RecurrentPredictor(2, 8, continuous, 8, 8)
    before, packed = model(batch(parts), 0.0)
    for i, (ts, xs) in enumerate(parts):
        alone, own = model(batch([(ts, xs)]), 0.0)
        n = int(own.counts[0])
        torch.testing.assert_close(alone[0, :n], before[i, :n], atol=1e-5, rtol=1e-4)
        changed = xs.copy()
        changed[-1] = 9.0
        after, _ = model(batch([(ts, changed)]), 0.0)
        torch.testing.assert_close(after[0], alone[0], atol=0, rtol=0)
    assert packed.counts.tolist() == [np.isfinite(xs).any(1).sum() for _, xs in parts]


@CONTINUOUS
def test_predictions_at_observed_times_are_those_of_training(continuous: bool) -> None:
    observed = batch(irregular(n=1))
    model = RecurrentPredictor(2, 8, continuous, 8, 8)
    with torch.no_grad():
        expected = model(observed, 0.0).values
    found, states = model.predict(observed, 0.0, observed.times, 0.1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    further, _ = model.predict(observed, 0.0, torch.linspace(0, 8, 50, dtype=torch.float64), 0.1)
    assert bool(further.isfinite().all()) and states.shape == (1, len(observed.times), 8)


def test_the_gaps_of_an_ode_rnn_are_those_of_a_solver() -> None:
    field = MLPField(5, (8,), seed=3)
    h = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    gaps = torch.tensor([0.3, 0.0, 1.1])
    with torch.no_grad():
        found = Between(field, "rk4", 0.1)(h, gaps)
        torch.testing.assert_close(found[1], h[1], atol=0, rtol=0)
        for i in (0, 2):
            exact = odeint(field, h[i : i + 1], [0.0, float(gaps[i])], rtol=1e-6, atol=1e-7).ys[-1]
            torch.testing.assert_close(found[i : i + 1], exact, atol=1e-5, rtol=1e-5)
        back = Between(field, "rk4", 0.1)(found, -gaps)
        torch.testing.assert_close(back, h, atol=1e-4, rtol=1e-4)


def field_values(u: Tensor, rates: dict[str, float]) -> Tensor:
    x, y = u.exp().unbind(-1)
    slopes = (rates["alpha"] * x - rates["beta"] * x * y, rates["delta"] * x * y - rates["gamma"] * y)
    return torch.stack((slopes[0] / x, slopes[1] / y), -1)


def test_lotka_volterra_in_logarithms_is_lotka_volterra() -> None:
    rates = {"alpha": 0.55, "beta": 0.028, "gamma": 0.8, "delta": 0.024}
    field = LotkaVolterra(0.55, 0.028, 0.8, 0.024)
    assert {name: round(float(value.detach()), 6) for name, value in field.rates().items()} == rates
    u = torch.tensor([[3.0, 1.5], [-1.0, 2.0]])
    torch.testing.assert_close(field(0.0, u).detach(), field_values(u, rates))
    assert all(float(value.detach()) > 0 for value in field.rates().values())
    ys = odeint(field, torch.tensor([[3.4, 1.4]]), np.linspace(0.0, 20.0, 40), rtol=1e-7, atol=1e-7).ys[:, 0]
    x, y = ys.detach().exp().unbind(-1)
    kept = rates["delta"] * x - rates["gamma"] * x.log() + rates["beta"] * y - rates["alpha"] * y.log()
    torch.testing.assert_close(kept, kept[:1].expand(40), atol=2e-3, rtol=0)


def test_a_universal_ode_with_a_zero_net_is_what_is_known() -> None:
    known = LotkaVolterra(0.5, 0.4, 0.9, 0.7)
    whole = UniversalODE(known, MLPField(2, (16,), seed=1))
    u = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole(0.0, u), known(0.0, u), atol=0, rtol=0)
    ts = np.linspace(0.0, 5.0, 11)
    torch.testing.assert_close(odeint(whole, u, ts).ys, odeint(known, u, ts).ys, atol=1e-6, rtol=1e-6)
    linear = UniversalODE(LotkaVolterra(0.5, 1.0, 0.9, 1.0, form="linear"), MLPField(2, (16,)))
    torch.testing.assert_close(linear(0.0, u).detach(), torch.tensor([0.5, -0.9]).expand(7, 2))
    torch.testing.assert_close((known(0.0, u) - linear(0.0, u)).detach(), known.interaction(u).detach())
    assert not UniversalODE(known, MLPField(2, (16,)), zero=False)(0.0, u).equal(known(0.0, u))


def test_a_universal_ode_depends_on_t_where_one_of_its_parts_does() -> None:
    class Driven(MLPField):
        def forward(self, t: float | Tensor, y: Tensor) -> Tensor:
            return super().forward(t, y) * t

    known = LotkaVolterra(0.5, 1.0, 0.9, 1.0)
    assert UniversalODE(known, MLPField(2)).autonomous
    assert not UniversalODE(known, MLPField(2, time_dependent=True)).autonomous
    assert not UniversalODE(known, Driven(2)).autonomous


@pytest.mark.parametrize("form", ["whole", "linear"])
def test_the_gradient_of_lotka_volterra_is_that_of_differences(form: str) -> None:
    field = LotkaVolterra(0.5, 0.4, 0.9, 0.7, form=form).double()  # type: ignore[arg-type]
    y0 = torch.tensor([[0.2, -0.3]], dtype=torch.float64)

    def loss() -> Tensor:
        return odeint(field, y0, [0.0, 2.0], rtol=1e-9, atol=1e-9).ys[-1].square().sum()

    (gradient,) = torch.autograd.grad(loss(), field.logs)
    for k in range(len(field.logs)):
        with torch.no_grad():
            field.logs[k] += 1e-5
            above = loss()
            field.logs[k] -= 2e-5
            below = loss()
            field.logs[k] += 1e-5
        assert float(gradient[k]) == pytest.approx(float(above - below) / 2e-5, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LatentODE(2, encoder="lstm"), "'gru' or 'ode_rnn'"),  # type: ignore[arg-type]
        (lambda: LotkaVolterra(alpha=-1.0), "positive"),
        (lambda: Between(MLPField(2), "dopri"), "choose one of"),
        (lambda: Between(MLPField(2), max_step=0.0), "positive"),
        (lambda: Between(MLPField(2, time_dependent=True)), "no common time"),
    ],
)
def test_arguments_out_of_range_are_refused(make: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()  # type: ignore[operator]


def test_seeds_make_models() -> None:
    one, same, other = (
        torch.cat([p.flatten() for p in LatentODE(2, seed=seed).parameters()]) for seed in (1, 1, 2)
    )
    state = torch.random.get_rng_state()
    LatentODE(2)
    assert one.equal(same) and not one.equal(other)
    assert state.equal(torch.random.get_rng_state()), "torch's own generator belongs to the user"


@pytest.mark.parametrize("steps", [1, 8, 9])
def test_short_and_long_solves_of_a_net_have_the_gradient_of_euler_by_hand(steps: int) -> None:
    field = MLPField(3, (8,), seed=2)
    y = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = odeint(field, y, [0.0, 1.0], method="euler", dt=1.0 / steps)
    h = y
    for _ in range(steps):
        h = h + field(0.0, h) / steps
    wanted = [y, *field.parameters()]
    ours = torch.autograd.grad(found.ys[-1].square().sum(), wanted)
    for one, other in zip(ours, torch.autograd.grad(h.square().sum(), wanted), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert found.stats.nfe == steps and found.backward_stats.nfe == steps
