"""Linear stability: the factor R(z) by which a step multiplies the solution of y' = lambda y, z = dt lambda.

A Runge-Kutta step gives R(z) = 1 + z b^T (I - z A)^-1 1, a polynomial for an explicit method. A Rosenbrock
step gives the same formula with A + Gamma in place of A. The solution stays bounded where |R(z)| <= 1.
Source: Hairer, Wanner, Solving Ordinary Differential Equations II, IV.2, IV.3 and IV.7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node_core.solvers.methods import METHODS, method_named
from node_core.solvers.tableaus.tableau import ButcherTableau
from node_core.solvers.tableaus.tableau_rosenbrock import RODAS5P

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

_ROUNDING = 1e-13  # a low power of |R|^2 - 1 with a coefficient below this cancels in exact arithmetic
_LARGEST_GRID = 1000
# Where an implicit method is looked at along an axis: z far beyond any dt lambda that a page shows.
_RADII = np.logspace(-4, 8, 2401)
_SLACK = 1e-9  # |R| = 1 on the whole axis, up to rounding, counts as stable


@dataclass(frozen=True, eq=False)
class StabilityRegion:
    """|R(z)| on a rectangle of the complex plane.

    Attributes:
        re: real parts of z = dt lambda, shape (n,).
        im: imaginary parts, shape (n,).
        magnitude: |R(re + i im)|, shape (n, n), one row for each imaginary part.
    """

    re: FloatArray
    im: FloatArray
    magnitude: FloatArray


_IN_A_LINE = 5  # terms: a third of a page's width holds no more
_FORMULAS = {
    "implicit_euler": r"\frac{1}{1 - z}",
    "trapezoid": r"\frac{1 + z/2}{1 - z/2}",
    "scipy_radau": r"\frac{1 + 2z/5 + z^2/20}{1 - 3z/5 + 3z^2/20 - z^3/60}",
}


def stability_polynomial(tableau: ButcherTableau) -> FloatArray:
    """Coefficients of R, lowest power first, shape (stages + 1,): 1, then b^T A^(k - 1) 1 for z^k."""
    a = np.zeros((tableau.stages, tableau.stages))
    for index, row in enumerate(tableau.a):
        a[index, :index] = row
    powers = np.ones(tableau.stages)
    coefficients = [1.0]
    for _ in range(tableau.stages):
        coefficients.append(float(np.dot(tableau.b, powers)))
        powers = a @ powers
    return np.array(coefficients)


def rosenbrock(z: npt.ArrayLike, a_plus_gamma: npt.ArrayLike, b: npt.ArrayLike) -> ComplexArray:
    """R(z) = 1 + z b^T (I - z (A + Gamma))^-1 1 by forward substitution, for every z at once.

    Serves all methods with a lower triangular matrix: Rosenbrock ones, and implicit Runge-Kutta ones with A
    alone. A pole of R gives inf or nan.

    Raises:
        ValueError: if the matrix is not square and lower triangular, or b does not match it.
    """
    matrix, weights = np.asarray(a_plus_gamma, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if weights.ndim != 1 or matrix.shape != (weights.size, weights.size) or np.triu(matrix, 1).any():
        raise ValueError(
            f"The matrix of shape {matrix.shape} with {weights.size} weights is no lower triangular method: "
            "give a square matrix with zeros above the diagonal and one weight a row."
        )
    points = np.asarray(z, dtype=np.complex128)
    stages: list[ComplexArray] = []
    growth = np.zeros_like(points)
    with np.errstate(divide="ignore", invalid="ignore"):
        for index, row in enumerate(matrix):
            total = np.ones_like(points)
            for weight, stage in zip(row[:index], stages, strict=True):
                total = total + weight * points * stage
            stages.append(total / (1.0 - row[index] * points))
            growth = growth + weights[index] * stages[-1]
        return np.asarray(1.0 + points * growth, dtype=np.complex128)


def stability_function(method: str, z: npt.ArrayLike) -> ComplexArray:
    """R(z) of the named method, the shape of z.

    Raises:
        ValueError: for an unknown method, and for a multistep one, which has no such function.
    """
    tableau = method_named(method).tableau
    points = np.asarray(z, dtype=np.complex128)
    if tableau is not None:
        value = np.zeros_like(points)
        for coefficient in stability_polynomial(tableau)[::-1]:
            value = value * points + coefficient
        return value
    if method == "implicit_euler":
        return rosenbrock(points, [[1.0]], [1.0])
    if method == "trapezoid":
        return rosenbrock(points, [[0.0, 0.0], [0.5, 0.5]], [0.5, 0.5])
    if method == "rodas5p":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(RODAS5P.stability(points), dtype=np.complex128)
    if method == "scipy_radau":
        return _radau5(points)
    raise ValueError(
        f"Method {method!r} is a multistep method of varying order and has no R(z): "
        f"choose one of {', '.join(with_stability_function())}."
    )


def stability_formula(method: str) -> str:
    """R(z) written out, LaTeX.

    Raises:
        ValueError: as `stability_function`.
    """
    tableau = method_named(method).tableau
    if tableau is not None:
        terms = _terms(stability_polynomial(tableau))
        lines = [" + ".join(terms[i : i + _IN_A_LINE]) for i in range(0, len(terms), _IN_A_LINE)]
        text = ("R(z) = " + r" \\ + ".join(lines)).replace("+ -", "- ")
        return text if len(lines) == 1 else rf"\begin{{gathered}} {text} \end{{gathered}}"
    if method == "rodas5p":
        return rf"R(z) = \frac{{P_6(z)}}{{(1 - \gamma z)^7}}, \quad \gamma = {RODAS5P.gamma:.4f}"
    if method in _FORMULAS:
        return f"R(z) = {_FORMULAS[method]}"
    stability_function(method, 0.0)  # says which methods have one
    raise AssertionError(f"{method} has an R(z), but nobody wrote it out")


def _terms(coefficients: FloatArray) -> list[str]:
    """The terms of a polynomial, the lowest power first; a coefficient as a fraction where it is one."""
    terms = []
    for power, value in enumerate(coefficients):
        if abs(value) < _ROUNDING:
            continue
        z = "" if power == 0 else "z" if power == 1 else f"z^{{{power}}}"
        whole = round(1.0 / value)
        if abs(value * whole - 1.0) < 1e-9:
            terms.append((z or "1") if whole == 1 else rf"\tfrac{{{z}}}{{{whole}}}")
        else:
            digits, exponent = f"{value:.3e}".split("e")
            terms.append(rf"{digits} \cdot 10^{{{int(exponent)}}} {z}")
    return terms


def with_stability_function() -> tuple[str, ...]:
    """Names of the methods that have an R(z), in the order of METHODS."""
    return tuple(name for name in METHODS if name not in ("scipy_lsoda", "scipy_adams"))


def stability_region(
    method: str, re_range: tuple[float, float], im_range: tuple[float, float], n: int = 200
) -> StabilityRegion:
    """|R(z)| of the named method on an n by n grid over the rectangle re_range x im_range; inf at a pole.

    Raises:
        ValueError: for an unknown or multistep method, an empty range, or n outside 2 ... 1000.
    """
    if not 2 <= n <= _LARGEST_GRID:
        raise ValueError(f"n is {n}: give between 2 and {_LARGEST_GRID} points an axis.")
    for name, (low, high) in (("re_range", re_range), ("im_range", im_range)):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"{name} is ({low}, {high}): give two finite numbers, the smaller one first.")
    re, im = np.linspace(*re_range, n), np.linspace(*im_range, n)
    magnitude = np.abs(stability_function(method, re[None, :] + 1j * im[:, None]))
    return StabilityRegion(re, im, np.where(np.isfinite(magnitude), magnitude, np.inf))


def real_axis_limit(method: str) -> float:
    """Most negative z with |R| <= 1 from 0 on along the negative real axis; -inf for an A-stable method.

    Euler: -2, so that y' = lambda y with lambda < 0 needs dt <= 2 / |lambda|.

    Raises:
        ValueError: as `stability_function`.
    """
    return -_limit_along(method, -1.0)


def imaginary_axis_limit(method: str) -> float:
    """Largest y with |R(i y')| <= 1 for 0 <= y' <= y; 0 where slow oscillations grow, inf if A-stable.

    Raises:
        ValueError: as `stability_function`.
    """
    return _limit_along(method, 1j)


def longest_step(method: str, rates: npt.ArrayLike) -> float:
    """The longest h with |R(h' lambda)| <= 1 for all h' <= h and all eigenvalues that do not grow, Re lambda <= 0.

    Euler: -2 Re lambda / |lambda|^2, the least over all of them. inf where no h is too long, or nothing decays; 0 where
    every step amplifies what should stay as it is.

    Raises:
        ValueError: as `stability_function`.
    """
    steady = [complex(rate) for rate in np.ravel(np.asarray(rates)) if rate != 0 and complex(rate).real <= 0]
    return min((_limit_along(method, rate / abs(rate)) / abs(rate) for rate in steady), default=math.inf)


def scaled_eigenvalues(jacobians: npt.ArrayLike, dt: npt.ArrayLike) -> ComplexArray:
    """The h lambda of a path: dt times the eigenvalues of the Jacobian at each step.

    Args:
        jacobians: df/dy at the steps, shape (time, dim, dim).
        dt: steps, shape (time,) or a single one.

    Returns:
        shape (time, dim); nan where a Jacobian is not finite, as after an explosion.

    Raises:
        ValueError: if the shapes do not fit.
    """
    matrices, steps = np.asarray(jacobians, dtype=np.float64), np.asarray(dt, dtype=np.float64)
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
        raise ValueError(f"jacobians have shape {matrices.shape}: give (time, dim, dim).")
    if steps.shape not in ((), (matrices.shape[0],)):
        raise ValueError(
            f"dt has shape {steps.shape}: give one number, or one for each of {len(matrices)} Jacobians."
        )
    found = np.full(matrices.shape[:2], complex(np.nan, np.nan))
    finite = np.isfinite(matrices).all(axis=(1, 2))
    if finite.any():
        found[finite] = np.linalg.eigvals(matrices[finite])
    return np.asarray(found * steps.reshape(-1, 1), dtype=np.complex128)


def _radau5(z: ComplexArray) -> ComplexArray:
    """R of the three-stage Radau IIA method, the (2, 3) Pade approximation of exp (HW II, IV.3)."""
    numerator = 1.0 + z * (2 / 5 + z / 20)
    denominator = 1.0 + z * (-3 / 5 + z * (3 / 20 - z / 60))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(numerator / denominator, dtype=np.complex128)


def _limit_along(method: str, direction: complex) -> float:
    """Largest radius r with |R(r' direction)| <= 1 for all 0 <= r' <= r."""
    tableau = method_named(method).tableau
    if tableau is not None:
        return _polynomial_limit(stability_polynomial(tableau), direction)
    magnitude = np.abs(stability_function(method, _RADII * direction))
    outside = np.flatnonzero(~(magnitude <= 1.0 + _SLACK))
    return math.inf if outside.size == 0 else float(_RADII[outside[0]])


def _polynomial_limit(coefficients: FloatArray, direction: complex) -> float:
    """Smallest root r > 0 of |R(r direction)|^2 - 1 from which on it is positive; 0 if it starts positive."""
    along = coefficients * direction ** np.arange(coefficients.size)
    excess = np.convolve(along.real, along.real) + np.convolve(along.imag, along.imag)
    excess[0] -= 1.0
    first = int(np.flatnonzero(np.abs(excess) > _ROUNDING)[0])
    if excess[first] > 0.0:
        return 0.0
    # Divided by its lowest power, the excess starts negative; its first sign change is the limit.
    shifted = excess[first:]
    roots = np.roots(shifted[::-1])
    candidates = np.sort(
        roots.real[(np.abs(roots.imag) < 1e-8 * (1.0 + np.abs(roots.real))) & (roots.real > 0.0)]
    )
    for root in candidates:
        if np.polynomial.polynomial.polyval(root * (1.0 + 1e-6), shifted) > 0.0:
            return float(root)
    raise AssertionError("a stability polynomial is unbounded, so that |R| leaves 1 along every ray")
