"""What the page of limits measures: each limit is there, its remedy helps, and both are counted right."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from node_core.fields.systems.systems import SYSTEMS
from node_core.solvers.stability import real_axis_limit
from node_core.studies.limits import flows, gains, gaps, speed, stiff
from node_core.studies.limits.flows_config import FlowsConfig
from node_core.studies.limits.gains_config import GainsConfig
from node_core.studies.limits.gaps_config import GapsConfig
from node_core.studies.limits.questions import HORIZONS, SWAPS
from node_core.studies.limits.snippets import (
    flows_snippet,
    gains_snippet,
    gaps_snippet,
    horizons_snippet,
    speed_snippet,
    stiff_snippet,
    swap_snippet,
)
from node_core.studies.limits.speed_config import SpeedConfig, SpeedLane
from node_core.studies.limits.stiff_config import StiffConfig, StiffResult


def test_swapped_pairs_are_those_of_two_classes_that_end_in_the_other_order() -> None:
    start, labels = np.array([-1.0, -0.5, 0.5, 1.0]), np.array([0, 0, 1, 1])
    assert flows.swapped(start, start, labels) == 0.0
    assert flows.swapped(start, -start, labels) == 1.0
    assert (
        flows.swapped(start, np.array([-0.5, -1.0, 1.0, 0.5]), labels) == 0.0
    )  # within a class: not counted
    assert flows.swapped(start, np.array([0.0, -1.0, -0.5, 1.0]), labels) == 0.25
    assert flows.swapped(start, start, np.zeros(4)) == 0.0


def test_no_flow_of_the_line_flips_the_sign_and_both_remedies_do() -> None:
    result = flows.run(FlowsConfig("sign_flip", shown=12))
    plain, augmented, resnet = result.nets
    assert (plain.swapped, augmented.swapped, resnet.swapped) == (0.0, 1.0, 1.0)
    assert plain.loss > 0.9 > 0.01 > max(augmented.loss, resnet.loss)
    assert resnet.nfe == 3
    assert plain.paths.shape == (flows.TIMES, 12, 1) and resnet.paths.shape == (4, 12, 1)
    assert len({net.iterations for net in result.nets}) == 1


def test_the_annulus_costs_the_plane_more_evaluations_and_more_errors() -> None:
    plain, augmented, resnet = flows.run(FlowsConfig("annulus")).nets
    assert plain.accuracy < augmented.accuracy == resnet.accuracy == 1.0
    assert plain.nfe > 1.5 * augmented.nfe
    assert math.isnan(plain.swapped)


@pytest.fixture(scope="module")
def stiff_result() -> StiffResult:
    return stiff.run(StiffConfig(mus=(1.0, 20.0), iterations=150))


def test_the_explicit_method_pays_for_mu_and_the_implicit_one_does_not(stiff_result: StiffResult) -> None:
    for field in ("formula", "net"):
        gentle, hard = (stiff_result.solve(field, "dopri5", mu) for mu in (1.0, 20.0))
        other = stiff_result.solve(field, "rodas5p", 20.0)
        assert hard.done and other.done
        assert hard.steps > 20 * gentle.steps
        assert hard.steps > 2 * other.steps
        assert hard.fastest < 5 * gentle.fastest < 0
        # the step is held where the region ends, up to the controller's feeling its way
        limit = abs(real_axis_limit("dopri5"))
        assert 0.9 * limit < -hard.h_lambda.real.min() < 2.5 * limit
        assert -other.h_lambda.real.min() > 5 * limit


def test_what_is_not_finished_says_so() -> None:
    result = stiff.run(StiffConfig(mus=(20.0,), iterations=1, max_steps=40))
    assert not result.solve("formula", "dopri5", 20.0).done
    assert result.solve("formula", "dopri5", 20.0).steps == 40


def test_the_net_learns_lienards_form_of_van_der_pol() -> None:
    # x' = mu (x - x^3/3 - w) and w' = x / mu make x'' = mu (1 - x^2) x' - x
    mu, y = 7.0, torch.tensor([[1.3, 0.2], [-0.4, 1.0]], dtype=torch.float64)
    x = y[:, 0]
    scale = torch.tensor([mu, 1 / mu], dtype=torch.float64)
    dx, dw = (stiff.lienard(y) * scale).unbind(-1)
    second = mu * ((1 - x * x) * dx - dw)
    truth = SYSTEMS["van_der_pol"].field(mu=mu)(0.0, torch.stack([x, dx], -1))
    assert torch.allclose(truth, torch.stack([dx, second], -1))
    net, error = stiff.learned(StiffConfig(iterations=300))
    assert error < 0.2
    assert torch.allclose(stiff.at_mu(net, mu)(0.0, y), net(0.0, y) * scale)


def lane(accuracy: list[float], seconds: list[float]) -> SpeedLane:
    steps = np.arange(1, len(accuracy) + 1)
    return SpeedLane("mlp", 7, steps, np.array(seconds), np.array(accuracy), np.zeros(len(accuracy)))


def test_the_target_is_reached_where_it_is_first_met() -> None:
    assert lane([0.5, 0.9, 0.8, 0.95], [1, 2, 3, 4]).reached(0.9) == 1
    assert lane([0.5, 0.6], [1, 2]).reached(0.9) is None


def test_all_nets_learn_the_same_points_and_every_iteration_is_counted() -> None:
    result = speed.run(SpeedConfig(iterations=5))
    assert [each.name for each in result.lanes] == ["mlp", "resnet", "odenet", "loose", "kinetic", "jacobian"]
    assert result.judged == 240
    for each in result.lanes:
        assert each.iteration.tolist() == [1, 2, 3, 4, 5]
        assert (np.diff(each.seconds) > 0).all()
        assert not each.message
    assert set(result.lane("resnet").nfe) == {3.0}
    assert set(result.lane("mlp").nfe) == {0.0}
    assert result.lane("odenet").nfe.min() >= 7
    # the same weights at first, and the penalty pulls them elsewhere
    plain, kinetic = result.lane("odenet"), result.lane("kinetic")
    assert plain.accuracy[0] == kinetic.accuracy[0]
    assert plain.parameters == kinetic.parameters < result.lane("resnet").parameters


def test_digits_are_judged_on_the_test_images() -> None:
    result = speed.run(SpeedConfig("digits", iterations=12))
    assert result.judged == 360
    assert result.lane("odenet").iteration.tolist() == [11, 12]
    assert result.lane("odenet").nfe.size == 12
    shares = result.lane("mlp").accuracy * 360
    assert np.allclose(shares, shares.round())
    assert result.lane("loose").parameters == result.lane("odenet").parameters


def test_times_in_between_cost_nothing_and_a_tighter_tolerance_less_error() -> None:
    loose, tight = (gains.run(GainsConfig(rtol=rtol, times=20)) for rtol in (1e-2, 1e-5))
    assert loose.nfe == loose.nfe_asked < tight.nfe == tight.nfe_asked
    assert tight.error < 0.1 * loose.error
    assert loose.least < loose.most <= tight.most
    assert loose.accuracies[-1] == 1.0 and (np.diff(loose.nfes) >= 0).all()


def test_a_spline_fills_clean_gaps_best_and_noisy_ones_badly_and_foresees_nothing() -> None:
    clean, noisy = (gaps.run(GapsConfig(noise, iterations=3)) for noise in (0.0, 0.3))
    spline = clean.way("spline")
    assert spline.inside < 0.3 < noisy.way("spline").inside
    assert spline.beyond > 10 * spline.inside
    assert [way.name for way in clean.ways] == ["spline", "gru", "latent_ode"]
    assert clean.series == 50
    assert spline.inside < min(clean.way("gru").inside, clean.way("latent_ode").inside)
    assert spline.parameters == 0 < clean.way("gru").parameters
    again = gaps.run(GapsConfig(0.0, iterations=3))
    assert [way.inside for way in again.ways] == [way.inside for way in clean.ways]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SpeedConfig("moons"), "task 'moons' is unknown"),  # type: ignore[arg-type]
        (lambda: SpeedConfig(iterations=0), "iterations = 0"),
        (lambda: SpeedConfig(target=1.5), "target = 1.5"),
        (lambda: SpeedConfig(loose=math.nan), "rtol = nan"),
        (lambda: StiffConfig(mus=()), "give increasing numbers"),
        (lambda: StiffConfig(mus=(10.0, 1.0)), "give increasing numbers"),
        (lambda: StiffConfig(mus=(1e9,)), "mu = 1000000000.0"),
        (lambda: StiffConfig(max_steps=10**9), "max_steps"),
        (lambda: FlowsConfig("moons"), "data 'moons' is unknown"),  # type: ignore[arg-type]
        (lambda: GainsConfig(times=1), "times = 1"),
        (lambda: GapsConfig(noise=math.inf), "noise = inf"),
        (lambda: GapsConfig(observations=1), "observations = 1"),
    ],
)
def test_what_can_not_be_asked_is_refused_in_a_sentence(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    "code",
    [
        flows_snippet(FlowsConfig("annulus")),
        gains_snippet(GainsConfig()),
        stiff_snippet(StiffConfig(mus=(1.0,), iterations=2)),
        speed_snippet(SpeedConfig(iterations=2)),
        gaps_snippet(GapsConfig(iterations=1)),
    ],
)
def test_the_code_runs_as_it_stands(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "snippet", "exec"), {})
    assert capsys.readouterr().out


def test_the_long_code_compiles() -> None:
    for code in (horizons_snippet(HORIZONS["linear"]), *(swap_snippet(asked) for asked in SWAPS.values())):
        compile(code, "snippet", "exec")
