"""The studies of the Control page on small cases: shapes, orderings that must hold, refusals."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from node_core.studies.control import energy, gradient, horizon, rivals, robustness
from node_core.studies.control.energy_config import EnergyConfig
from node_core.studies.control.gradient_config import GradientConfig
from node_core.studies.control.horizon_config import HorizonConfig, balance
from node_core.studies.control.rivals_config import RivalsConfig
from node_core.studies.control.robustness_config import RobustnessConfig, choices
from node_core.training.control.config import ControlConfig

SMALL = replace(balance(), hidden=8, batch=8)
PENDULUM = ControlConfig("pendulum", "balance", hidden=8, horizon=1.0)


def test_both_horizons_are_trained_alike_but_for_the_horizon() -> None:
    found = horizon.run(HorizonConfig(SMALL, iterations=12, looks=3))
    fixed, growing = sorted(found.courses, key=lambda course: course.curriculum)
    assert (fixed.horizon == 3.0).all()
    assert growing.horizon[0] == pytest.approx(0.4)
    assert fixed.gradient_norm[0] > 10 * growing.gradient_norm[0]
    assert len(fixed.iteration) == 12
    assert fixed.looked.tolist() == [4, 8, 12]
    assert fixed.success.shape == (3,)


def test_gradients_are_worse_the_longer_the_trial_in_every_mode() -> None:
    found = gradient.run(GradientConfig(SMALL, ("backprop", "adjoint"), (0.25, 3.0), 4))
    assert found.error.shape == found.nfe.shape == (2, 2)
    assert (found.error[:, 0] < 0.05).all()
    assert (found.error[:, 1] > 10 * found.error[:, 0]).all()
    assert found.norm[1] > 10 * found.norm[0]


def test_rivals_start_where_they_are_told() -> None:
    found = rivals.run(RivalsConfig(PENDULUM, far=2.0, points=2, iterations=10))
    assert [rival.name for rival in found.rivals] == ["net", "lqr", "ilqr"]
    np.testing.assert_allclose(found.distances, [0.4, 0.8])
    _, lqr, ilqr = found.rivals
    assert lqr.success[0] == 1.0
    assert (ilqr.cost <= 1.01 * lqr.cost).all()


def test_what_has_no_lqr_is_compared_without_it() -> None:
    found = rivals.run(
        RivalsConfig(ControlConfig("unicycle", "reach", hidden=4, limit=1.0), points=2, iterations=3)
    )
    assert [rival.name for rival in found.rivals] == ["net", "ilqr"]


def test_a_heavier_pendulum_is_harder_for_lqr_and_delay_breaks_it() -> None:
    mass = robustness.run(RobustnessConfig(PENDULUM, "mass", (1.0, 3.0), 8))
    np.testing.assert_allclose(mass.values, [1.0, 3.0])
    assert mass.names == ("net", "lqr")
    assert mass.usual == 1.0
    assert mass.success[1, 0] > mass.success[1, 1]
    delay = robustness.run(RobustnessConfig(PENDULUM, "delay", (0.0, 0.5), 8))
    assert delay.success[1].tolist() == [mass.success[1, 0], 0.0]


def test_energy_ends_at_the_level_of_the_target_for_who_arrives() -> None:
    found = energy.run(EnergyConfig(PENDULUM, iterations=5))
    assert found.level == pytest.approx(9.81)
    lqr = found.ways[1]
    assert lqr.name == "lqr"
    assert lqr.energy is not None
    assert lqr.energy[-1] == pytest.approx(found.level, abs=0.02)
    assert 0.0 < lqr.arrival < 2.0
    assert lqr.effort > 0
    assert len(found.ways[2].ts) == len(found.ways[2].u)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: HorizonConfig(iterations=1), "iterations = 1"),
        (lambda: GradientConfig(horizons=(2.0, 1.0)), "increasing"),
        (lambda: GradientConfig(modes=("magic",)), "mode 'magic' is unknown"),
        (lambda: RivalsConfig(far=0.0), "far = 0.0"),
        (lambda: RobustnessConfig(what="colour"), "choose one of mass, length, gravity, delay, noise"),
        (lambda: RobustnessConfig(values=(float("nan"),)), "mass = nan"),
        (lambda: EnergyConfig(iterations=0), "iterations = 0"),
    ],
)
def test_what_makes_no_sense_is_refused(ask: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ask()


def test_a_parameter_that_is_zero_has_no_factors() -> None:
    assert "friction" not in choices(ControlConfig())
    assert "friction" in choices(ControlConfig(parameters=(1.0, 1.0, 9.81, 0.5)))
