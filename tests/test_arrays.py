"""NumPy's arrays in, NumPy's arrays out: the same solution as of tensors, by every method, and no gradients."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from node_core import odeint
from node_core.fields.systems.systems import SYSTEMS
from node_core.solution import SolveError
from node_core.solvers.events import Event
from node_core.solvers.methods import METHODS
from tests.solvers.problems import GENERAL, Counting, D

TS = [0.0, 0.4, 0.5, 1.2]
Y0: Any = np.array([1.0, 0.5])
solve: Any = odeint  # what comes back are arrays, whatever the types of its fields say


def swing(t: Any, y: Any) -> Any:
    """x' = v, v' = -sin x cos t, of states (..., 2)."""
    return np.stack((y[..., 1], -np.sin(y[..., 0]) * np.cos(t)), -1)


def swing_of_tensors(t: Any, y: torch.Tensor) -> torch.Tensor:
    return torch.stack((y[..., 1], -torch.sin(y[..., 0]) * torch.cos(t)), -1)


def steps(name: str) -> dict[str, Any]:
    return {"rtol": 1e-7, "atol": 1e-7} if METHODS[name].adaptive else {"dt": 0.2}


# In rows, too: one method of each kind.
ROWS = ("rk4", "dopri5", "trapezoid", "rodas5p", "scipy_lsoda")
CASES = [*((name, (2,)) for name in GENERAL), *((name, (3, 2)) for name in ROWS)]


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_arrays_give_the_solution_that_tensors_give(name: str, shape: tuple[int, ...]) -> None:
    y0 = np.broadcast_to(Y0, shape) + 0.1 * np.arange(int(np.prod(shape))).reshape(shape)
    counted = Counting(swing)
    found = solve(counted, y0, TS, method=name, **steps(name))
    known = solve(swing_of_tensors, torch.tensor(y0), TS, method=name, dense=True, **steps(name))
    for array in (found.ys, found.ts, found([0.3, 0.2]), found(1.0)):
        assert type(array) is np.ndarray and array.dtype == np.float64
    assert found.ys.shape == (4, *shape) and found([0.3, 0.2]).shape == (2, *shape)
    np.testing.assert_allclose(found.ys, known.ys, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found([1.1, 0.3, 0.9]), known([1.1, 0.3, 0.9]), rtol=1e-9, atol=1e-9)
    assert found.stats.engine == ("scipy" if METHODS[name].family == "scipy" else "numpy")
    if METHODS[name].family == "explicit":
        assert (found.stats.nfe, len(found.steps)) == (known.stats.nfe, len(known.steps))
        assert counted.calls >= found.stats.nfe


def test_what_scipy_users_pass_is_taken() -> None:
    exact = solve_ivp(swing, (0.0, 1.2), Y0, rtol=1e-10, atol=1e-10).y[:, -1]

    def as_list(t: float, y: np.ndarray) -> list[float]:
        return [y[1], -np.sin(y[0]) * np.cos(t)]

    kept = np.empty(2)

    def reusing(t: float, y: np.ndarray) -> np.ndarray:
        kept[:] = as_list(t, y)
        return kept

    for f in (swing, as_list, reusing):
        for method in ("dopri8", "rodas5p", "scipy_lsoda"):
            ys = solve(f, Y0, TS, method=method, rtol=1e-9, atol=1e-9).ys
            np.testing.assert_allclose(ys[-1], exact, rtol=1e-6, atol=1e-7)
    whole = solve(lambda t, y: -y, np.array([1, 2]), [0, 1])
    np.testing.assert_allclose(whole.ys[-1], np.array([1.0, 2.0]) / np.e, rtol=1e-5)
    half = solve(lambda t, y: -y, Y0.astype(np.float32), torch.tensor([0.0, 1.0]))
    assert half.ys.dtype == np.float64


@pytest.mark.parametrize("method", ["dopri5", "rodas5p", "scipy_radau"])
def test_events_and_jumps_and_jacobians_are_given_arrays(method: str) -> None:
    def event(t: float, y: np.ndarray) -> np.ndarray:
        assert type(t) is float and type(y) is np.ndarray and y.shape == (1, 2)
        return y[:, 0] - 0.2

    def force(t: float, y: np.ndarray) -> np.ndarray:
        return np.stack((y[:, 1], -y[:, 0] + (t < 0.5) * 1.0), -1)

    def jacobian(t: float, y: np.ndarray) -> np.ndarray:
        return np.array([[0.0, 1.0], [-1.0, 0.0]]).reshape(1, 2, 1, 2)

    options: dict[str, Any] = {} if method == "dopri5" else {"jacobian": jacobian}
    found = solve(
        force,
        Y0[None],
        [0.0, 9.0],
        method=method,
        event=event,
        direction=-1,
        jumps=[0.5],
        rtol=1e-9,
        atol=1e-9,
        **options,
    )
    assert type(found.t_event) is float
    assert found.y_event.shape == (1, 2) and found.y_event[0, 0] == pytest.approx(0.2, abs=1e-7)
    assert found(found.t_event)[0, 0] == pytest.approx(0.2, abs=1e-7)


def test_crossings_that_are_recorded_are_arrays() -> None:
    turns = Event(lambda t, y: y[0, 1], terminal=False)
    found = solve(lambda t, y: np.stack((y[:, 1], -y[:, 0]), -1), Y0[None], [0.0, 7.0], event=[turns])
    assert found.ys.shape == (2, 1, 2)
    (crossings,) = found.events
    assert type(crossings.t) is np.ndarray and crossings.y.shape == (3, 1, 2)
    np.testing.assert_allclose(np.diff(crossings.t), np.pi, rtol=1e-5)


def test_a_system_of_this_library_brings_its_jacobian() -> None:
    field = SYSTEMS["van_der_pol"].field()
    found = solve(field, np.array([2.0, 0.0]), [0.0, 3.0], method="rodas5p")
    known = solve(field, torch.tensor([2.0, 0.0], dtype=D), [0.0, 3.0], method="rodas5p")
    np.testing.assert_allclose(found.ys, known.ys, rtol=1e-12)
    assert found.stats.nfe == known.stats.nfe


def test_what_failed_and_what_travels_holds_arrays() -> None:
    with pytest.raises(SolveError, match="max_steps") as caught:
        solve(swing, Y0, TS, max_steps=3)
    failed: Any = caught.value.solution
    assert type(failed.ys) is np.ndarray
    solution = solve(swing, Y0, TS)
    copy = pickle.loads(pickle.dumps(solution))
    np.testing.assert_array_equal(copy.ys, solution.ys)
    np.testing.assert_allclose(copy([0.1, 1.1]), solution([0.1, 1.1]), rtol=1e-12)


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (swing, {"gradient": "adjoint"}, r"gradient='adjoint' asks for derivatives, but y0 is a NumPy array"),
    (swing, {"params": [torch.ones(1)]}, r"params asks for derivatives"),
    (swing, {"record_adjoint": True}, r"record_adjoint=True asks for derivatives"),
    (swing, {"ts": torch.tensor([0.0, 1.0], requires_grad=True)}, r"ts with gradients asks for derivatives"),
    (swing, {"ts": [0.0, torch.tensor(1.0, requires_grad=True)]}, r"ts with gradients"),
    (swing, {"batch": "per_sample"}, r"batch='per_sample' works on tensors"),
    (swing, {"y0": np.array([1j, 0.0])}, r"y0 is an array of complex128.*y0\.astype\(float\)"),
    (swing, {"y0": np.array(["a", "b"])}, r"y0 is an array of <U1"),
    (swing, {"y0": np.array([True, False])}, r"y0 is an array of bool"),
    (swing, {"y0": np.array([np.nan, 0.0])}, r"y0 contains NaN"),
    (torch.nn.Linear(2, 2), {}, r"f is a module, Linear, which computes with tensors"),
    (lambda t, y: torch.tanh(y), {}, r"f cannot take arrays of NumPy's .*torch\.from_numpy\(y0\)"),
    (lambda t, y: y.cos(), {}, r"f cannot take arrays of NumPy's"),
    (lambda t, y: None, {}, r"f\(t, y\) returned None"),
    (lambda t, y: y[:1], {}, r"returned shape \(1,\) for a state of shape \(2,\)"),
    (lambda t, y: y * 1j, {}, r"returned an array of complex128"),
    (lambda t, y: np.negative(y, out=y), {}, r"changed y in place.*y\.copy\(\)"),
    (lambda y, t: y, {}, r"f is a function of \(y, t\)"),
    (lambda y: y, {}, r"f takes \(y\), but it is called as f\(t, y\)"),
]


@pytest.mark.parametrize("method", ["dopri5", "rk4", "rodas5p", "scipy_lsoda"])
@pytest.mark.parametrize(("f", "change", "match"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_what_arrays_cannot_do_is_said(method: str, f: Any, change: dict[str, Any], match: str) -> None:
    fixed = {} if METHODS[method].adaptive else {"dt": 0.1}
    options: dict[str, Any] = {"y0": Y0.copy(), "ts": [0.0, 1.0], "method": method, **fixed, **change}
    with pytest.raises(ValueError, match=re.compile(match, re.S)):
        solve(f, options.pop("y0"), options.pop("ts"), **options)


def test_derivatives_by_later_times_are_refused() -> None:
    solution = solve(swing, Y0, TS)
    with pytest.raises(ValueError, match="asks for derivatives, but y0 is a NumPy array"):
        solution(torch.tensor([0.5], requires_grad=True))
    with pytest.raises(ValueError, match="nothing was recorded of a backward pass"):
        _ = solution.adjoint
