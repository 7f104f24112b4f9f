"""The solvers against others: SciPy's DOP853 at 1e-12 for every system, torchdiffeq for costs and answers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torchdiffeq import odeint as peer_odeint

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.systems import SYSTEMS
from tests.solvers.problems import Counting, D, forced, rotation, vector

TOLERANCES = (1e-4, 1e-6, 1e-8)
# Spans over which a local error is not yet magnified beyond the factors below; Lorenz is chaotic.
SPANS = {
    "lorenz": (0.0, 2.0),
    "van_der_pol": (0.0, 8.0),
    "fitzhugh_nagumo": (0.0, 40.0),
    "pendulum": (0.0, 10.0),
    "lotka_volterra": (0.0, 6.0),
    "harmonic_oscillator": (0.0, 10.0),
    "linear_spiral": (0.0, 10.0),
    "robertson": (0.0, 100.0),
}
# Largest true error over tolerance, max |y - exact| / (tol + tol max |exact|): how far the system magnifies the
# errors of single steps. Stated here, so that a solver that became worse by a factor of a few fails.
FACTORS = {
    "linear_decay": 5.0,
    "linear_spiral": 15.0,
    "harmonic_oscillator": 15.0,
    "pendulum": 150.0,
    "lotka_volterra": 60.0,
    "van_der_pol": 300.0,
    "lorenz": 300.0,
    "fitzhugh_nagumo": 300.0,
    "robertson": 20.0,
    "sudden_bend": 30.0,
    "struck_oscillator": 30.0,
    "learned": 100.0,
}
STIFF = [key for key, system in SYSTEMS.items() if system.stiff]
EXPLICIT = ("bosh3", "fehlberg45", "dopri5", "tsit5", "dopri8")
IMPLICIT = ("rodas5p", "scipy_radau", "scipy_lsoda")


@functools.cache
def reference(key: str) -> tuple[list[float], np.ndarray]:
    """Five times and the states there."""
    system = SYSTEMS[key]
    t0, t1 = SPANS.get(key, system.t_span)
    ts = np.linspace(t0, t1, 5)
    method, tolerance = ("Radau", 1e-10) if system.stiff else ("DOP853", 1e-12)
    solved = solve_ivp(
        system.field(),
        (t0, t1),
        np.array(system.y0),
        method=method,
        t_eval=ts,
        rtol=tolerance,
        atol=1e-2 * tolerance,
        # shorter than what lies between two jumps of the field
        max_step=0.004 if system.jumps else np.inf,
    )
    return ts.tolist(), solved.y.T


CASES = [(key, name) for key in SYSTEMS for name in (IMPLICIT if key in STIFF else (*EXPLICIT, "rodas5p"))]


@pytest.mark.parametrize(("key", "name"), CASES)
def test_the_true_error_is_within_a_stated_factor_of_the_tolerance(key: str, name: str) -> None:
    ts, exact = reference(key)
    system = SYSTEMS[key]
    size = np.abs(exact).max(0)
    errors = []
    for tolerance in TOLERANCES:
        atol = tolerance * 1e-4 if system.stiff else tolerance
        field = system.field()
        solution = odeint(
            field, vector(*system.y0), ts, method=name, rtol=tolerance, atol=atol, jumps=field.jumps
        )
        found = np.abs(solution.ys.numpy() - exact)
        errors.append(float(found.max()))
        assert (found / (atol + tolerance * size)).max() < FACTORS[key], tolerance
    # A tolerance a hundred times tighter helps by more than ten, each time.
    assert errors[1] < errors[0] / 5
    assert errors[2] < errors[1] / 5


@pytest.mark.parametrize("key", [key for key, system in SYSTEMS.items() if system.exact is not None])
def test_it_agrees_with_the_formula_where_there_is_one(key: str) -> None:
    system = SYSTEMS[key]
    ts, states = reference(key)
    assert system.exact is not None
    exact = system.exact(np.array(ts), np.array(system.y0), system.defaults)
    assert exact is not None
    np.testing.assert_allclose(states, exact, rtol=0, atol=1e-9)
    field = system.field()
    ys = odeint(field, vector(*system.y0), ts, method="dopri8", rtol=1e-11, atol=1e-11, jumps=field.jumps).ys
    np.testing.assert_allclose(ys.numpy(), exact, rtol=0, atol=1e-8)


def peer_problems() -> dict[str, tuple[Any, torch.Tensor, tuple[float, float]]]:
    """Fields that torchdiffeq can take too."""
    net = MLPField(2, (32, 32), dtype=D, seed=2)
    batch = torch.randn(16, 2, dtype=D, generator=torch.Generator().manual_seed(1))
    found: dict[str, tuple[Any, torch.Tensor, tuple[float, float]]] = {
        "forced": (forced, vector(1.0), (0.0, 10.0)),
        "rotation": (rotation, vector(1.0, 0.0), (0.0, 10.0)),
        "net": (
            lambda t, y: net(t, y),
            batch,
            (0.0, 5.0),
        ),
    }
    for key in ("lotka_volterra", "van_der_pol", "pendulum", "lorenz"):
        system = SYSTEMS[key]
        found[key] = (system.field(), vector(*system.y0), SPANS[key])
    return found


PEERS = peer_problems()


@pytest.mark.parametrize("key", list(PEERS))
@pytest.mark.parametrize("tolerance", [1e-5, 1e-8])
def test_dopri5_costs_and_answers_what_torchdiffeqs_does(key: str, tolerance: float) -> None:
    f, y0, span = PEERS[key]
    ts = torch.linspace(*span, 4, dtype=D)
    counting = Counting(f)
    with torch.no_grad():
        theirs = peer_odeint(counting, y0, ts, method="dopri5", rtol=tolerance, atol=tolerance)
        ours = odeint(f, y0, ts, rtol=tolerance, atol=tolerance, controller="i")
        looser = odeint(f, y0, ts, rtol=1.5 * tolerance, atol=1.5 * tolerance, controller="i")
    assert isinstance(theirs, torch.Tensor)
    torch.testing.assert_close(ours.ys, theirs, rtol=500 * tolerance, atol=500 * tolerance)
    # They step past the end, which can save one step of six evaluations.
    assert abs(ours.stats.nfe - counting.calls) <= 0.12 * counting.calls + 6
    # Their error estimate is 2/3 of the published one (1/60 for 1/40 in the last weight), which saves them 8 %.
    assert abs(looser.stats.nfe - counting.calls) <= 0.1 * counting.calls + 6


@pytest.mark.parametrize(
    ("ours", "theirs"), [("rk4_38", "rk4"), ("euler", "euler"), ("midpoint", "midpoint")]
)
def test_fixed_steps_give_the_digits_of_torchdiffeqs(ours: str, theirs: str) -> None:
    ts = torch.linspace(0.0, 2.0, 21, dtype=D)
    mine = odeint(forced, vector(1.0, 0.3), ts, method=ours, dt=0.1)
    other = peer_odeint(forced, vector(1.0, 0.3), ts, method=theirs)
    assert isinstance(other, torch.Tensor)
    torch.testing.assert_close(mine.ys, other, rtol=1e-13, atol=1e-13)


def test_the_classical_rk4_and_the_three_eighths_rule_give_other_digits() -> None:
    def f(t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return t - y * y

    classical = float(odeint(f, vector(1.0), [0.0, 0.5], method="rk4", dt=0.5).ys[-1])
    kutta = float(odeint(f, vector(1.0), [0.0, 0.5], method="rk4_38", dt=0.5).ys[-1])
    assert round(classical, 4) == 0.7654
    assert round(kutta, 4) == 0.7624
    # By hand: k = -1, -0.3125, -0.599853515625, 0.00994...
    k1 = -1.0
    k2 = 0.25 - (1 + 0.25 * k1) ** 2
    k3 = 0.25 - (1 + 0.25 * k2) ** 2
    k4 = 0.5 - (1 + 0.5 * k3) ** 2
    assert classical == pytest.approx(1 + (k1 + 2 * k2 + 2 * k3 + k4) / 12, abs=1e-15)


def test_the_stiff_van_der_pol_agrees_with_radau() -> None:
    field = SYSTEMS["van_der_pol"].field(mu=1000.0)
    ts = [0.0, 500.0, 1500.0, 2000.0]
    solved = solve_ivp(
        field,
        (0.0, 2000.0),
        [2.0, 0.0],
        method="Radau",
        t_eval=ts,
        rtol=1e-10,
        atol=1e-12,
        jac=field.jacobian,
    )
    ys = odeint(field, vector(2.0, 0.0), ts, method="rodas5p", rtol=1e-8, atol=1e-8).ys
    np.testing.assert_allclose(ys[:, 0].numpy(), solved.y[0], rtol=1e-5)


def relay(t: Any, y: Any) -> Any:
    """x' = v, v' = -0.3 v - sign(x): the force jumps wherever x changes its sign."""
    x, v = y[..., 0], y[..., 1]
    if isinstance(y, np.ndarray):
        return np.stack((v, -0.3 * v - np.sign(x)), -1)
    return torch.stack((v, -0.3 * v - torch.sign(x)), -1)


class NumpyRelay:
    """The same for a solve that runs in numpy."""

    accepts_numpy = True

    def __call__(self, t: Any, y: Any) -> Any:
        return relay(t, y)


@pytest.mark.parametrize("field", [relay, NumpyRelay()])
@pytest.mark.parametrize("batch", ["shared", "per_sample"])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-6])
def test_a_relay_takes_step_for_step_what_scipy_takes(field: Any, batch: str, tolerance: float) -> None:
    # Every jump of the force rejects steps: what follows a rejection decides the work and the error. The integral
    # controller is SciPy's.
    y0 = np.array([1.0, 0.0])
    theirs = solve_ivp(relay, (0, 10), y0, rtol=tolerance, atol=tolerance, first_step=0.01)
    start = torch.tensor(y0) if batch == "shared" else torch.tensor(y0)[None]
    settings: dict[str, Any] = {"rtol": tolerance, "atol": tolerance, "dt0": 0.01, "batch": batch}
    ours = odeint(field, start, [0.0, 10.0], controller="i", **settings)
    log = ours.steps
    assert log.n_rejected > 30
    # Rounding differs between numpy and torch, and each rejection magnifies it.
    np.testing.assert_allclose(log.t[log.accepted], theirs.t[:-1], rtol=1e-6)
    pi = odeint(field, start, [0.0, 10.0], **settings)
    assert pi.stats.nfe < 1.2 * theirs.nfev


@pytest.mark.parametrize("method", ["bosh3", "fehlberg45", "dopri5", "tsit5", "dopri8", "rodas5p"])
def test_a_solve_up_to_where_a_step_of_its_own_ended_takes_these_steps_and_no_more(method: str) -> None:
    y0 = vector(1.0)

    def f(t: Any, y: torch.Tensor) -> torch.Tensor:
        return y

    steps = odeint(f, y0, [0.0, 20.0], method=method, rtol=1e-4, atol=1e-4).steps
    ends = (steps.t + steps.dt)[steps.accepted]
    for count, end in enumerate(ends[:-1].tolist(), start=1):
        again = odeint(f, y0, [0.0, end], method=method, rtol=1e-4, atol=1e-4).steps
        assert again.n_accepted == count
        assert again.dt.min() > 0.0
