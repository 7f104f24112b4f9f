"""Lotka-Volterra fitted to two series by least squares, from several starts, with how sure one can be. No torch.

In logarithms u, v of prey and predator, with all observations equally noisy there:

    u' = alpha - beta exp(v),   v' = delta exp(u) - gamma,   theta = (log alpha, log beta, log gamma, log delta, u0, v0)

Laplace: near the best theta the posterior (flat prior on theta) is normal with covariance s^2 (J^T J)^-1, J the
derivative of the curve at the observations, s^2 = residuals^2 / (values - 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares
from scipy.stats import t as student

from node_core.data.series.series import SeriesSet
from node_core.studies.series.questions_config import Floats, RatesConfig, RatesResult
from node_core.training.series.data import series_of

DRAWS, TIMES = 200, 161
HORIZONS = (0.35, 0.65, 1.0)  # of the learned part: a curve that is fitted whole at once gets stuck
SAME = 1e-3  # relative, of two sums of squares
MAX_LOG = 20.0


@dataclass(frozen=True)
class Fit:
    """A least-squares fit: theta (6,), sum of squares, derivative of the curve (n, 6), how many starts ended there."""

    theta: Floats
    squares: float
    jacobian: Floats
    found: int


def run(config: RatesConfig) -> RatesResult:
    """Fit, and draw from the Laplace approximation.

    Raises:
        ValueError: not two values, or too few observations for six unknowns.
    """
    series = series_of(config.run)
    t, logs, split = observations(config, series)
    fit = best_fit(t[t <= split], logs[t <= split], config.starts, config.seed)
    n = int(np.isfinite(logs[t <= split]).sum())
    noise = float(np.sqrt(fit.squares / (n - 6)))
    covariance = noise**2 * np.linalg.inv(fit.jacobian.T @ fit.jacobian)
    width = student.ppf(0.975, n - 6) * np.sqrt(np.diag(covariance))[:4]
    spread = np.sqrt(np.diag(covariance))[:4]
    ts = np.linspace(t[0], t[-1], TIMES)
    rng = np.random.default_rng(config.seed)
    drawn = rng.multivariate_normal(fit.theta, covariance, DRAWS)
    curves = np.stack([curve(theta, ts) for theta in drawn])
    low, high = np.nanquantile(curves, (0.025, 0.975), axis=0)
    off = (curve(fit.theta, t) - logs)[t > split]
    seen = np.isfinite(off)
    return RatesResult(
        config,
        np.exp(fit.theta[:4]),
        np.exp(fit.theta[:4] - width),
        np.exp(fit.theta[:4] + width),
        covariance[:4, :4] / np.outer(spread, spread),
        noise,
        fit.found,
        ts,
        np.exp(curve(fit.theta, ts)),
        np.exp(low),
        np.exp(high),
        t,
        np.exp(logs),
        split,
        float(np.sqrt(np.mean(off[seen] ** 2))) if seen.any() else float("nan"),
    )


def observations(config: RatesConfig, series: SeriesSet) -> tuple[Floats, Floats, float]:
    """Times (n,), logarithms (n, 2) of the series that is shown, and where its learned part ends.

    Raises:
        ValueError: it has not two values, one of them is not positive, or too few were observed.
    """
    if series.dim != 2:
        raise ValueError(f"Lotka-Volterra has two values, prey and predator, these series {series.dim}.")
    first = len(series.times) - series.n_test if series.n_test else 0
    shown = first + config.run.shown % (len(series.times) - first)
    t, values = series.times[shown], series.values[shown]
    if (values <= 0).any():
        raise ValueError("logarithms are fitted, but a value is zero or negative.")
    split = float(t[0] + (1.0 - config.run.holdout) * (t[-1] - t[0]) + 1e-9)
    count = int(np.isfinite(values[t <= split]).sum())
    if count < 8:
        raise ValueError(
            f"{count} values are too few for six unknowns: at least 8 are needed before the split."
        )
    return t, np.log(values), split


def best_fit(t: Floats, logs: Floats, starts: int, seed: int) -> Fit:
    """The least squares from so many random starts, each by a growing horizon."""
    rng = np.random.default_rng(seed)
    span, level = t[-1] - t[0], np.nanmean(logs, axis=0)
    first = np.where(np.isfinite(logs[0]), logs[0], level)
    ends = []
    for _ in range(starts):
        # one to three periods of 2 pi / sqrt(alpha gamma) over the series, balance near the mean of each animal
        speed = 2 * np.pi * rng.uniform(1.0, 3.0) / span * np.exp(rng.normal(0.0, 0.3, 2))
        theta = np.concatenate((np.log(speed)[[0, 0, 1, 1]], first))
        theta[1] -= level[1]
        theta[3] -= level[0]
        ends.append(_fit_from(theta, t, logs))
    ends.sort(key=lambda end: end[1])
    theta, squares, jacobian = ends[0]
    found = sum(end[1] <= squares * (1 + SAME) for end in ends)
    return Fit(theta, squares, jacobian, found)


def _fit_from(theta: Floats, t: Floats, logs: Floats) -> tuple[Floats, float, Floats]:
    for share in HORIZONS:
        part = t <= t[0] + share * (t[-1] - t[0]) + 1e-9
        seen = np.isfinite(logs[part])

        def residuals(now: Floats, part: Floats = part, seen: Floats = seen) -> Floats:
            return (curve(now, t[part]) - logs[part])[seen]

        found = least_squares(residuals, theta, x_scale=1.0, max_nfev=60)
        theta = found.x
    return theta, float(2 * found.cost), found.jac


def curve(theta: Floats, ts: Floats) -> Floats:
    """Logarithms of prey and predator at ts, from u0, v0 at ts[0]: (K, 2); far off where the solver gave up."""
    rates = np.exp(np.clip(theta[:4], -MAX_LOG, MAX_LOG))
    alpha, beta, gamma, delta = rates

    def rhs(_: float, y: Floats) -> tuple[float, float]:
        u, v = np.exp(np.minimum(y, MAX_LOG))
        return alpha - beta * v, delta * u - gamma

    solved = solve_ivp(rhs, (ts[0], ts[-1]), theta[4:], "LSODA", ts, rtol=1e-8, atol=1e-8)
    out = np.full((len(ts), 2), 2 * MAX_LOG)
    out[: solved.y.shape[1]] = np.clip(solved.y.T, -2 * MAX_LOG, 2 * MAX_LOG)
    return out
