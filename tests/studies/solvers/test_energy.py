"""The energy over many periods: exact where it is known, and drifting where theory says that it drifts."""

import math
import re

import numpy as np
import pytest

from node_core.runs.shipped import find
from node_core.solvers.methods import METHODS
from node_core.studies.solvers import energy
from node_core.studies.solvers.energy_config import (
    METHODS_COMPARED,
    STAGES,
    EnergyConfig,
    EnergyResult,
    energy_question,
)
from node_core.studies.solvers.problem import field_of
from node_core.studies.solvers.race_config import Problem
from node_core.studies.solvers.shipped import first_energy
from node_core.studies.solvers.snippets import energy_snippet
from node_core.visualization.solvers.energy import energy_figure, energy_info

OSCILLATOR = Problem("harmonic_oscillator", (1.0, 0.0), (0.0, 1.0), (("omega", 2.0),))
SHORT = 40  # periods: what drifts has begun to, and what does not is seen not to


@pytest.fixture(scope="module")
def result() -> EnergyResult:
    patch = pytest.MonkeyPatch()
    patch.setattr(energy, "PERIODS", SHORT)
    found = energy.run(EnergyConfig(OSCILLATOR, 24))
    patch.undo()
    return found


def pendulum(theta: float, v: float, damping: float = 0.0) -> Problem:
    return Problem("pendulum", (theta, v), (0.0, 1.0), (("omega", 1.0), ("damping", damping)))


def test_all_methods_of_fixed_steps_pay_the_same(result: EnergyResult) -> None:
    assert [curve.method for curve in result.curves] == list(METHODS_COMPARED)
    for curve in result.curves:
        assert curve.reached == pytest.approx(SHORT)
        if not METHODS[curve.method].adaptive:
            assert curve.nfe == pytest.approx(24)
            assert curve.dt == pytest.approx(result.period * STAGES[curve.method] / 24)


def test_runge_kutta_loses_what_its_stability_function_says(result: EnergyResult) -> None:
    """|R(i z)|^2 = 1 - z^6 / 72 + z^8 / 576 a step, z = h omega."""
    assert result.period == pytest.approx(math.pi, rel=1e-9)
    curve = result.curves[0]
    z = 2.0 * curve.dt
    a_step = 1.0 - z**6 / 72 + z**8 / 576
    assert curve.error[-1] == pytest.approx(1.0 - a_step ** (SHORT * 6), rel=1e-6)


def test_symplectic_methods_go_to_and_fro_about_the_energy_that_they_keep(result: EnergyResult) -> None:
    """Leapfrog keeps v^2 + (1 - z^2 / 4) x^2: from a turning point its energy rises by z^2 / 4 / (1 - z^2 / 4)."""
    level = {curve.method: curve for curve in result.curves if METHODS[curve.method].family == "symplectic"}
    for curve in level.values():
        assert curve.error.max() < 1.01 * curve.error[curve.periods <= 10].max()
    z = 2.0 * level["leapfrog"].dt
    assert level["leapfrog"].error.max() == pytest.approx(z**2 / 4, rel=0.02)
    assert level["leapfrog"].error.max() < level["semi_implicit_euler"].error.max()


def test_the_sentence_tells_who_drifts_and_who_does_not(result: EnergyResult) -> None:
    info = energy_info(result)
    drifts, level = info.sentence.split("To and fro, without drifting, go ")
    assert re.match(
        r"After 40 periods Runge-Kutta 4 has lost \d+(\.\d+)? % and |After 40 periods Runge", drifts
    )
    assert "Leapfrog" in level and "Yoshida" in level and "Runge-Kutta" not in level
    assert [line.dash for line in info.lines.series] == ["solid", "solid", "dash", "dash", "dash"]
    assert len(energy_figure(info).data) == 5


@pytest.mark.parametrize(("theta", "v"), [(2.0, 0.0), (0.0, 2.5), (0.3, -2.5), (-1.0, 0.5)])
def test_the_period_is_that_of_the_elliptic_integral(theta: float, v: float) -> None:
    field = field_of(pendulum(theta, v))
    period = energy.period_of(field, np.array([theta, v]))
    end = field.exact(np.array([period]), [theta, v])
    assert end is not None
    turned = 0.0 if 0.5 * v * v - math.cos(theta) < 1.0 else math.copysign(2 * math.pi, v)
    assert end[0] - [theta + turned, v] == pytest.approx([0.0, 0.0], abs=1e-7)
    half = field.exact(np.array([period / 2]), [theta, v])
    assert half is not None and np.abs(half[0] - [theta, v]).max() > 0.1


def test_what_keeps_no_energy_or_never_comes_round_is_told() -> None:
    with pytest.raises(ValueError, match="Friction takes energy from the pendulum: set it to 0"):
        energy_question(pendulum(1.0, 0.0, 0.1), 60, 1e-4)
    with pytest.raises(
        ValueError, match=r"Van der Pol.* keeps no energy that is known here: choose the pendulum"
    ):
        energy_question(Problem("van_der_pol", (1.0, 0.0), (0.0, 1.0)), 60, 1e-4)
    with pytest.raises(ValueError, match="choose one of 24, 36"):
        energy_question(OSCILLATOR, 25, 1e-4)
    for theta in (0.0, math.pi):
        with pytest.raises(ValueError, match=r"does not come round .* Start elsewhere"):
            energy.run(EnergyConfig(pendulum(theta, 0.0)))


def test_the_snippet_runs_and_the_first_answer_comes_with_the_project(
    result: EnergyResult, capsys: pytest.CaptureFixture[str]
) -> None:
    code = energy_snippet(result.config, result.period)
    exec(compile(code.replace(", 1000\n", ", 10\n"), "snippet", "exec"), {})
    assert capsys.readouterr().out.startswith("semi_implicit_euler [ 0. ")
    for system, period in (("harmonic_oscillator", 2 * math.pi), ("pendulum", 12.697086)):
        shipped = find("node_core.studies.solvers.energy:run", first_energy(system))
        assert shipped is not None
        assert shipped.answer.period == pytest.approx(period, rel=1e-6)
        assert [curve.reached for curve in shipped.answer.curves] == pytest.approx([1000.0] * 5)
