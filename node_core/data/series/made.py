"""Made series, all seeded: the paper's spirals, a pendulum, mixtures of sines, events of a Poisson process."""

from __future__ import annotations

import numpy as np

from node_core.checks import check_number, check_whole
from node_core.data.dataset import MAX_NOISE, MAX_SEED
from node_core.data.series.series import Floats, SeriesSet

MAX_SERIES, MAX_TIMES = 5_000, 2_000
EVENT_SPAN = (0.0, 10.0)
_TURNS, _LONGER, _WIDTH = 6 * np.pi, 5, 0.3
_PENDULUM_SPAN, _SINES_SPAN = (0.0, 12.0), (0.0, 10.0)
_SHORT = 20  # steps between two times of a pendulum
_MOST_EVENTS = 30.0  # a unit of time, above every rate that `event_rates` gives


def spirals(
    seed: int = 0, n_train: int = 1000, n_test: int = 200, n_times: int = 100, noise: float = 0.3
) -> SeriesSet:
    """Spirals in the plane, half of them clockwise, each from a random place on it (Chen et al. 2018, section 5.1).

    Two curves of angle s in [0, 6 pi], sampled at 5 n_times places; a series is n_times neighbours of one of them,
    begun at a random place of the middle. Counter-clockwise r = 0.3 s around (5, 0), outward; clockwise
    r = 15 / (1 + 6 pi - s) around (-5, 0). Times are the first n_times values of s for all.

    Args:
        seed: of everything.
        n_train, n_test: series; the last n_test are for testing.
        n_times: observations a series, at equal distances.
        noise: standard deviation of what is added to both coordinates; `truth` is without it.
    """
    _check(seed, n_train, n_times, noise)
    check_whole("n_test", n_test, 0, MAX_SERIES)
    rng = np.random.default_rng(seed)
    s = np.linspace(0, _TURNS, _LONGER * n_times)
    back = 1 + _TURNS - s
    r = _WIDTH * 50 / back
    clockwise = np.stack([r * np.cos(back) - 5, r * np.sin(back)], axis=1)
    counter = np.stack([_WIDTH * s * np.cos(s) + 5, _WIDTH * s * np.sin(s)], axis=1)
    count = n_train + n_test
    turns = np.concatenate([_halves(rng, n_train), _halves(rng, n_test)])
    starts = rng.integers(n_times, (_LONGER - 1) * n_times, count)
    truth = [(counter if turn else clockwise)[k : k + n_times] for turn, k in zip(turns, starts, strict=True)]
    return SeriesSet(
        "spirals",
        "time",
        ("x", "y"),
        times=(s[:n_times],) * count,
        values=tuple(y + noise * rng.standard_normal(y.shape) for y in truth),
        source="Made here after Chen et al. 2018, section 5.1.",
        n_test=n_test,
        truth=tuple(truth),
    )


def pendulum(
    seed: int = 0, n_train: int = 200, n_test: int = 50, n_times: int = 40, noise: float = 0.1
) -> SeriesSet:
    """A pendulum with friction, angle'' = -sin(angle) - 0.1 angle', of which only the angle is seen (rad).

    Released from 0.5 to 2.5 rad on either side, at rest, watched for 12 units of time at n_times random moments, other
    ones for each series. What drives it, the velocity, a model has to find out by itself.
    """
    _check(seed, n_train, n_times, noise)
    check_whole("n_test", n_test, 0, MAX_SERIES)
    rng = np.random.default_rng(seed)
    count = n_train + n_test
    times = _moments(rng, count, n_times, _PENDULUM_SPAN)
    angle = rng.uniform(0.5, 2.5, count) * rng.choice([-1.0, 1.0], count)

    truth = tuple(_swing(angle, np.stack(times))[:, :, None])
    return _noisy("pendulum", "angle", times, truth, noise, rng, n_test, "rad")


def sines(
    seed: int = 0, n_train: int = 200, n_test: int = 50, n_times: int = 40, noise: float = 0.1
) -> SeriesSet:
    """Two sines added, a slow and a fast one: a sin(2 pi t / 7 + p) + b sin(2 pi t / 2.4 + q), at random moments.

    a in [0.5, 1.5], b in [0.1, 0.6] and the phases p, q differ from series to series; 10 units of time.
    """
    _check(seed, n_train, n_times, noise)
    check_whole("n_test", n_test, 0, MAX_SERIES)
    rng = np.random.default_rng(seed)
    count = n_train + n_test
    times = _moments(rng, count, n_times, _SINES_SPAN)
    a, b = rng.uniform(0.5, 1.5, count), rng.uniform(0.1, 0.6, count)
    p, q = rng.uniform(0, 2 * np.pi, (2, count))
    truth = tuple(
        (a[i] * np.sin(2 * np.pi * ts / 7 + p[i]) + b[i] * np.sin(2 * np.pi * ts / 2.4 + q[i]))[:, None]
        for i, ts in enumerate(times)
    )
    return _noisy("sines", "value", times, truth, noise, rng, n_test, "")


def events(seed: int = 0, n_train: int = 200, n_test: int = 50) -> SeriesSet:
    """Events of an inhomogeneous Poisson process: `times` are when they happened, each value is 1.

    The rates are those of `event_rates`; the events come by thinning a process of the highest rate (Lewis and Shedler
    1979). `window` is (0, 10): that nothing happened is an observation too.
    """
    check_whole("n_train", n_train, 1, MAX_SERIES)
    check_whole("n_test", n_test, 0, MAX_SERIES)
    count = n_train + n_test
    parameters = _rate_parameters(seed, count)
    rng = np.random.default_rng([seed, 1])
    times = []
    for i in range(count):
        ts = np.empty(0)
        while (
            not ts.size
        ):  # a series without an event would have no time at all; at these rates none ever was
            tried = np.sort(rng.uniform(*EVENT_SPAN, rng.poisson(_MOST_EVENTS * 10.0)))
            ts = tried[rng.uniform(0, _MOST_EVENTS, tried.size) < _rate(parameters[:, i], tried)]
        times.append(np.unique(ts))
    return SeriesSet(
        "events",
        "time",
        ("event",),
        times=tuple(times),
        values=tuple(np.ones((ts.size, 1)) for ts in times),
        source="Made here: a Poisson process with a rate that changes.",
        n_test=n_test,
        window=EVENT_SPAN,
    )


def event_rates(seed: int, n_series: int, ts: Floats) -> Floats:
    """The true rates behind `events(seed, n_train, n_test)` with n_series = n_train + n_test.

    lambda(t) = exp(a + b sin(2 pi t / 5 + p)), with a in [0.5, 1.5], b in [0.8, 1.6], p in [0, 2 pi).

    Args:
        seed: as there.
        n_series: train and test together.
        ts: times (n,).

    Returns:
        Events a unit of time, (n_series, n).
    """
    parameters = _rate_parameters(seed, n_series)
    return np.stack([_rate(parameters[:, i], ts) for i in range(n_series)])


def _rate_parameters(seed: int, count: int) -> Floats:
    check_whole("seed", seed, 0, MAX_SEED)
    rng = np.random.default_rng([seed, 0])
    return np.stack(
        [rng.uniform(0.5, 1.5, count), rng.uniform(0.8, 1.6, count), rng.uniform(0, 2 * np.pi, count)]
    )


def _rate(parameters: Floats, ts: Floats) -> Floats:
    a, b, p = parameters
    return np.exp(a + b * np.sin(2 * np.pi * ts / 5 + p))


def _check(seed: int, n_train: int, n_times: int, noise: float) -> None:
    check_whole("seed", seed, 0, MAX_SEED)
    check_whole("n_train", n_train, 1, MAX_SERIES)
    check_whole("n_times", n_times, 2, MAX_TIMES)
    check_number("noise", noise, 0, MAX_NOISE)


def _halves(rng: np.random.Generator, count: int) -> Floats:
    """0 and 1, equally often, in random order."""
    return rng.permutation(np.arange(count) % 2)


def _moments(rng: np.random.Generator, count: int, n: int, span: tuple[float, float]) -> tuple[Floats, ...]:
    """n random times for each series, first and last at the ends of the span, no two closer than a hundredth of 1/n."""
    t0, t1 = span
    gaps = rng.exponential(1.0, (count, n - 1)) + 0.01
    ts = np.concatenate([np.zeros((count, 1)), np.cumsum(gaps, axis=1)], axis=1)
    return tuple(t0 + (t1 - t0) * (ts / ts[:, -1:]))


def _swing(angle: Floats, ts: Floats) -> Floats:
    """Angles of pendulums at their own times ts (n, n_times), released at rest: the classical Runge-Kutta method.

    In steps so short that the error stays below 1e-5; SciPy's solvers would have the server load them.
    """

    def rhs(y: Floats) -> Floats:
        return np.stack([y[1], -np.sin(y[0]) - 0.1 * y[1]])

    y = np.stack([angle, np.zeros_like(angle)])
    found = [y[0]]
    for h in np.diff(ts, axis=1).T / _SHORT:
        for _ in range(_SHORT):
            k1 = rhs(y)
            k2 = rhs(y + 0.5 * h * k1)
            k3 = rhs(y + 0.5 * h * k2)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + rhs(y + h * k3))
        found.append(y[0])
    return np.stack(found, axis=1)


def _noisy(
    name: str,
    value: str,
    times: tuple[Floats, ...],
    truth: tuple[Floats, ...],
    noise: float,
    rng: np.random.Generator,
    n_test: int,
    unit: str,
) -> SeriesSet:
    return SeriesSet(
        name,
        "time",
        (value,),
        times=times,
        values=tuple(y + noise * rng.standard_normal(y.shape) for y in truth),
        value_units=(unit,),
        source="Made here.",
        n_test=n_test,
        truth=truth,
    )
