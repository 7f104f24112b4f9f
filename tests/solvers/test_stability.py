"""R(z) against exp(z), known stability limits, and one real step of each method."""

import cmath
import math
import re
import subprocess
import sys

import numpy as np
import pytest

from node_core.solvers.methods import METHODS, method_named
from node_core.solvers.stability import (
    imaginary_axis_limit,
    real_axis_limit,
    rosenbrock,
    scaled_eigenvalues,
    stability_formula,
    stability_function,
    stability_polynomial,
    stability_region,
    with_stability_function,
)
from node_core.solvers.tableaus.tableau_rosenbrock import RODAS5P
from node_core.solvers.tableaus.tableaus import TABLEAUS

WITH_R = with_stability_function()


def test_the_methods_come_in_the_order_of_the_front_door() -> None:
    assert list(METHODS) == [
        *("euler", "midpoint", "heun", "ralston", "rk4", "rk4_38"),
        *("bosh3", "fehlberg45", "dopri5", "tsit5", "dopri8"),
        *("implicit_euler", "trapezoid", "rodas5p"),
        *("scipy_lsoda", "scipy_radau", "scipy_adams"),
    ]


def test_each_method_is_filed_under_its_own_name_with_a_tableau_exactly_if_explicit() -> None:
    for name, method in METHODS.items():
        assert method.name == name
        assert (method.tableau is not None) == (method.family == "explicit")
        assert method.label
        assert method.description.endswith(".")
        assert method.tableau is None or method.tableau.name == name
    assert method_named("dopri5") is METHODS["dopri5"]


def test_a_misspelt_method_is_answered_with_the_closest_name_and_all_names() -> None:
    with pytest.raises(ValueError, match="Unknown method 'Dopri_5': did you mean 'dopri5'") as caught:
        method_named("Dopri_5")
    assert all(name in str(caught.value) for name in METHODS)
    with pytest.raises(ValueError, match="choose one of: euler, midpoint"):
        method_named("???")


@pytest.mark.parametrize("name", WITH_R)
def test_the_stability_function_agrees_with_exp_to_the_order_of_the_method(name: str) -> None:
    order = METHODS[name].order
    # Small enough for the first error term to lead, large enough for z^9 to stand out of rounding.
    radii = np.array([0.5, 0.25] if order == 8 else [0.125, 0.0625])
    direction = cmath.exp(0.7j)
    errors = np.abs(stability_function(name, radii * direction) - np.exp(radii * direction))
    slope = math.log2(errors[0] / errors[1])
    # The first error coefficients of tsit5, dopri8 and Rodas5P nearly vanish on linear problems.
    assert order + 0.7 < slope < order + (2.3 if name in ("tsit5", "dopri8", "rodas5p") else 1.3)


@pytest.mark.parametrize("name", list(TABLEAUS))
def test_the_polynomial_starts_with_the_series_of_exp(name: str) -> None:
    tableau = TABLEAUS[name]
    coefficients = stability_polynomial(tableau)
    exact = [1 / math.factorial(k) for k in range(tableau.order + 1)]
    np.testing.assert_allclose(coefficients[: tableau.order + 1], exact, rtol=1e-11)


@pytest.mark.parametrize("name", list(TABLEAUS))
def test_one_step_on_the_linear_equation_multiplies_by_the_stability_function(name: str) -> None:
    tableau, z = TABLEAUS[name], -1.3 + 0.8j
    stages: list[complex] = []
    for row in tableau.a:
        stages.append(z * (1 + sum(weight * k for weight, k in zip(row, stages, strict=True))))
    y1 = 1 + sum(weight * k for weight, k in zip(tableau.b, stages, strict=True))
    assert abs(complex(stability_function(name, z)) - y1) < 1e-12


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("euler", -2.0),
        ("midpoint", -2.0),
        ("heun", -2.0),
        ("bosh3", -2.5127453),
        ("rk4", -2.7852936),
        ("rk4_38", -2.7852936),
        ("dopri5", -3.3065678),
    ],
)
def test_the_real_limits_are_the_textbook_ones(name: str, limit: float) -> None:
    assert real_axis_limit(name) == pytest.approx(limit, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("euler", 0.0), ("midpoint", 0.0), ("heun", 0.0), ("bosh3", math.sqrt(3)), ("rk4", 2 * math.sqrt(2))],
)
def test_the_imaginary_limits_are_the_textbook_ones(name: str, limit: float) -> None:
    assert imaginary_axis_limit(name) == pytest.approx(limit, abs=1e-7)


@pytest.mark.parametrize("name", list(TABLEAUS))
def test_the_real_limit_is_where_the_magnitude_first_exceeds_one(name: str) -> None:
    limit = real_axis_limit(name)
    inside = np.abs(stability_function(name, np.linspace(limit, 0.0, 4001)))
    assert inside.max() <= 1.0 + 1e-9
    assert abs(complex(stability_function(name, limit * 1.0001))) > 1.0


@pytest.mark.parametrize("name", ["implicit_euler", "trapezoid", "rodas5p", "scipy_radau"])
def test_the_stiff_methods_are_stable_in_the_whole_left_half_plane(name: str) -> None:
    assert real_axis_limit(name) == -math.inf
    assert imaginary_axis_limit(name) == math.inf
    region = stability_region(name, (-30.0, 0.0), (-30.0, 30.0), 61)
    assert region.magnitude.max() <= 1.0 + 1e-9


def test_the_stiff_methods_damp_at_infinity_and_the_trapezoidal_rule_does_not() -> None:
    for name in ("implicit_euler", "rodas5p", "scipy_radau"):
        assert abs(complex(stability_function(name, -1e8))) < 1e-6
    assert abs(complex(stability_function("trapezoid", -1e8))) == pytest.approx(1.0)


def test_the_region_has_one_row_for_each_imaginary_part() -> None:
    region = stability_region("euler", (-3.0, 1.0), (0.0, 2.0), 5)
    np.testing.assert_allclose(region.re, [-3, -2, -1, 0, 1])
    np.testing.assert_allclose(region.im, [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(region.magnitude[4], np.abs(1 + region.re + 2j))


def test_a_pole_counts_as_unstable_and_raises_no_warning() -> None:
    region = stability_region("implicit_euler", (0.0, 2.0), (-1.0, 1.0), 3)
    assert region.magnitude[1, 1] == math.inf


def test_the_triangular_formula_equals_the_matrix_formula() -> None:
    rng = np.random.default_rng(3)
    matrix, b = np.tril(rng.normal(size=(4, 4))), rng.normal(size=4)
    z = 0.4 - 0.9j
    exact = 1 + z * b @ np.linalg.solve(np.eye(4) - z * matrix, np.ones(4))
    assert abs(complex(rosenbrock(z, matrix, b)) - exact) < 1e-11


def test_h_lambda_of_a_spiral_is_dt_times_its_eigenvalues() -> None:
    spiral = np.array([[-0.1, -2.0], [2.0, -0.1]])
    exploded = np.full((2, 2), np.inf)
    found = scaled_eigenvalues(np.stack([spiral, spiral, exploded]), [0.5, 0.25, 0.1])
    np.testing.assert_allclose(np.sort_complex(found[0]), [-0.05 - 1j, -0.05 + 1j])
    np.testing.assert_allclose(np.sort_complex(found[1]), [-0.025 - 0.5j, -0.025 + 0.5j])
    assert np.isnan(found[2]).all()


def test_bad_input_is_refused_with_the_value_and_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"'scipy_adams' is a multistep method .* choose one of euler"):
        stability_function("scipy_adams", 0.0)
    with pytest.raises(ValueError, match="n is 1: give between 2"):
        stability_region("euler", (-1.0, 1.0), (-1.0, 1.0), 1)
    with pytest.raises(ValueError, match=r"im_range is \(1\.0, -1\.0\)"):
        stability_region("euler", (-1.0, 1.0), (1.0, -1.0), 10)
    with pytest.raises(ValueError, match="zeros above the diagonal"):
        rosenbrock(0.0, [[0.0, 1.0], [0.0, 0.0]], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"give \(time, dim, dim\)"):
        scaled_eigenvalues(np.eye(2), 0.1)
    with pytest.raises(ValueError, match="one for each of 3 Jacobians"):
        scaled_eigenvalues(np.zeros((3, 2, 2)), [0.1, 0.2])


def test_methods_and_stability_load_without_torch() -> None:
    code = "import sys, node_core.solvers.stability; print(sorted({'torch', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("method", with_stability_function())
def test_the_formula_that_is_written_is_the_function_that_is_computed(method: str) -> None:
    formula = stability_formula(method)
    z = 0.7 * np.exp(1j * np.linspace(0.1, 3.0, 7))
    if method == "rodas5p":  # the numerator is not written out: it has degree 6
        circle = np.exp(2j * np.pi * np.arange(32) / 32)
        numerator = stability_function(method, circle) * (1 - RODAS5P.gamma * circle) ** 7
        assert np.abs(np.fft.fft(numerator) / 32)[7:].max() < 1e-12
        assert "P_6(z)" in formula and f"{RODAS5P.gamma:.4f}" in formula
        return
    for sign in (r"\begin{gathered} ", r" \end{gathered}", r" \\"):
        formula = formula.replace(sign, "")
    text = formula.removeprefix("R(z) = ").replace(r"\cdot 10^", "*10.0**").replace("z^", "z**")
    text = re.sub(r"\\t?frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", r"((\1)/(\2))", text)
    text = text.replace("{", "(").replace("}", ")")
    text = re.sub(r"\) z", ") * z", re.sub(r"(\d)z", r"\1*z", text))
    np.testing.assert_allclose(eval(text, {"z": z}), stability_function(method, z), rtol=2e-3)
