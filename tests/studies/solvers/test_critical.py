"""The longest stable step: by the formulas, by what a step does just below and above it, and at an equilibrium."""

import math
from typing import Any

import numpy as np
import pytest

from node_core.fields.systems.systems import SYSTEMS
from node_core.solvers.methods import METHODS
from node_core.solvers.stability import stability_function
from node_core.studies.solvers import race
from node_core.studies.solvers.problem import eigenvalues, field_of
from node_core.studies.solvers.race_config import FORMULA, Problem, RaceConfig, RaceResult
from node_core.visualization.solvers.sentences import critical_sentence

FIXED = tuple(m.name for m in METHODS.values() if not m.adaptive)
METHOD_PAIRS = [FIXED[i : i + 4] for i in range(0, len(FIXED), 4)]


def raced(
    system: str, methods: tuple[str, ...] = ("euler", "rk4"), dt: float = 0.1, **values: Any
) -> RaceResult:
    found = SYSTEMS[system]
    start, end = found.frame(**values).t_span
    problem = Problem(
        system,
        found.y0,
        (start, min(end, start + 400 * dt)),
        tuple((found.defaults | values).items()),
        atol_ratio=found.atol_ratio,
    )
    return race.run(RaceConfig(problem, methods, dt=dt))


@pytest.mark.parametrize("b", [-10.0, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("a", [-2.0, -0.1])
def test_eulers_step_on_the_spiral_is_that_of_the_formula_and_its_path_obeys(a: float, b: float) -> None:
    limit = -2 * a / (a * a + b * b)
    result = raced("linear_spiral", a=a, b=b)
    assert result.critical is not None and result.critical.at == ()
    assert dict(result.critical.steps)["euler"] == pytest.approx(limit, rel=1e-9)
    assert f"Euler below h = {limit:.3g} = −2a/(a² + b²)" in critical_sentence(result)
    for factor in (0.97, 1.03):
        race_there = raced("linear_spiral", dt=factor * limit, a=a, b=b)
        size = np.linalg.norm(race_there.lanes[0].step_y, axis=1)
        assert (size[-2] > size[0]) == (factor > 1)  # the last step is cut, and damps
        assert ("is too long for" in critical_sentence(race_there)) == (factor > 1)


@pytest.mark.parametrize("methods", METHOD_PAIRS)
@pytest.mark.parametrize("system", ["linear_decay", "linear_spiral", "struck_oscillator", "sudden_bend"])
def test_below_it_nothing_is_amplified_and_above_it_something_is(
    system: str, methods: tuple[str, ...]
) -> None:
    result = raced(system, methods)
    found = result.critical
    assert found is not None and found.at == ()
    for name, h in found.steps:
        if math.isinf(h):
            assert METHODS[name].stiff
            continue
        rates = np.array(found.rates)
        assert np.abs(stability_function(name, 0.999 * h * rates)).max() <= 1.0 + 1e-9
        assert np.abs(stability_function(name, 1.001 * h * rates)).max() > 1.0 or system == "sudden_bend"


def test_an_oscillator_is_damped_by_nothing_so_eulers_every_step_is_too_long() -> None:
    result = raced("harmonic_oscillator", ("euler", "rk4", "trapezoid"))
    said = critical_sentence(result)
    assert "Euler with no step" in said and "Trapezoidal rule with any step" in said
    assert "Runge-Kutta 4 below h = 2.83" in said and "eigenvalues of ∂f/∂y: ±1i" in said
    assert said.endswith("h = 0.1 is too long for Euler.")


@pytest.mark.parametrize(
    ("system", "values"),
    [
        ("pendulum", {}),
        ("pendulum", {"damping": 2.0}),
        ("lotka_volterra", {}),
        ("lotka_volterra", {"delta": 0.1}),
        ("fitzhugh_nagumo", {"current": 2.0}),
        ("lorenz", {"rho": 0.0}),
    ],
)
def test_elsewhere_it_is_that_of_an_equilibrium_and_says_so(system: str, values: dict[str, Any]) -> None:
    result = raced(system, dt=0.4, **values)
    found, problem = result.critical, result.config.problem
    assert found is not None and len(found.at) == SYSTEMS[system].dim
    speed = np.abs(field_of(problem)(0.0, np.array(found.at))).max()
    assert speed < 1e-8 * np.abs(field_of(problem)(0.0, np.array(problem.y0))).max()
    own = eigenvalues(problem, np.zeros(1), np.array([found.at]))[0]
    np.testing.assert_allclose(
        np.sort_complex(found.rates), np.sort_complex(own), atol=1e-6 * np.abs(own).max()
    )
    said = critical_sentence(result)
    assert "at the equilibrium" in said
    assert said.startswith("Stable: ") and own.real.max() <= 1e-6 * np.abs(own).max()


@pytest.mark.parametrize(
    ("system", "values"),
    [
        ("robertson", {}),
        ("lorenz", {}),
        ("van_der_pol", {}),
        ("van_der_pol", {"mu": 1000.0}),
        ("fitzhugh_nagumo", {}),
        ("lorenz", {"beta": 0.0}),
        ("lorenz", {"sigma": 0.0}),
    ],
)
def test_an_equilibrium_that_repels_and_a_line_of_them_say_nothing(
    system: str, values: dict[str, Any]
) -> None:
    result = raced(system, **values)
    assert result.critical is None
    assert critical_sentence(result) == ""


@pytest.mark.parametrize("formula", ["-sqrt(x)", "1 + x^2", "exp(x)"])
def test_a_typed_field_without_an_equilibrium_says_nothing(formula: str) -> None:
    problem = Problem(FORMULA, (1.0,), (0.0, 0.5), (), (("x", formula),))
    result = race.run(RaceConfig(problem, ("euler", "rk4"), dt=0.05))
    assert critical_sentence(result) == ""


@pytest.mark.parametrize("coarse", [0.01, 1.0])
@pytest.mark.parametrize("key", SYSTEMS)
def test_what_is_said_is_what_the_numbers_say_at_both_ends_of_every_parameter(
    key: str, coarse: float
) -> None:
    system = SYSTEMS[key]
    for parameter in system.parameters:
        for value in (parameter.minimum, parameter.maximum):
            changed: Any = {parameter.name: value}
            result = raced(key, dt=coarse, **changed)
            said = critical_sentence(result)
            assert "nan" not in said and "inf" not in said
            if result.critical is None:
                continue
            for lane, (_, h) in zip(result.lanes, result.critical.steps, strict=True):
                long = said.partition("is too long for ")[2]
                assert (lane.label in long) == (coarse > h * (1 + 1e-9) and result.critical.decays)
