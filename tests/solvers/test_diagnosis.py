"""A solve that fails or crawls names its cause: by row, backward, in float32, after a journey, within its budget."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.failures import FITTED, Failure
from node_core import Cause, SolveError, odeint
from node_core.solvers.diagnosis.scene import MOST_EVALUATIONS
from tests.solvers.problems import vector

D = torch.float64
QUICK = (
    *(
        "Prothero-Robinson, 1e4, bosh3",
        "Robertson, float32",
        "stiff backward in time",
        "Brusselator, 40 cells",
    ),
    *("y' = y^2", "y' = y^2, LSODA", "Kepler collision", "y' = y^2 by Euler", "y' = log(y)", "sqrt by rk4"),
    *(
        "a net with dropout",
        "a tolerance of 1e-17",
        "fast oscillator",
        "y' = -500 y by rk4",
        "max_step of 0.01",
    ),
    *("one stiff row of three, per_sample", "a train of pulses", "dry friction"),
)
BY_NAME = {failure.name: failure for failure in FITTED}


def solved(failure: Failure) -> Any:
    torch.manual_seed(0)
    y0 = torch.tensor(failure.y0, dtype=failure.dtype)
    return odeint(failure.f, y0, list(failure.span), on_error="return", **failure.options)


@pytest.mark.parametrize("name", QUICK)
def test_the_cause_of_a_failure_is_named(name: str) -> None:
    with torch.no_grad():
        solution = solved(BY_NAME[name])
    diagnosis = solution.diagnosis
    assert diagnosis.cause is BY_NAME[name].cause, solution.message
    assert diagnosis.evidence and diagnosis.remedy
    assert 0 < diagnosis.nfe <= MOST_EVALUATIONS
    assert solution.status.ok or str(diagnosis) in solution.message


def stiff(t: Any, y: Tensor) -> Tensor:
    return -1e3 * (y - torch.cos(t))


def test_stiffness_tells_where_h_lambda_lies_and_its_remedy_works() -> None:
    solution = odeint(stiff, vector(1.0), [0.0, 100.0], max_steps=400, on_error="return")
    found = solution.diagnosis
    assert found.cause is Cause.STIFFNESS
    assert found.numbers["h_lambda"] == pytest.approx(found.numbers["limit"], rel=0.2)
    assert found.numbers["limit"] == pytest.approx(3.3, rel=0.05)  # of dopri5, along the negative axis
    mended = odeint(stiff, vector(1.0), [0.0, 100.0], max_steps=400, **found.changes)
    assert mended.status.ok


def test_the_time_of_a_blow_up_is_extrapolated() -> None:
    with pytest.raises(SolveError, match=r"blows up at t = 0\.5") as caught:
        odeint(lambda t, y: y**3, vector(1.0), [0.0, 2.0])
    assert caught.value.solution is not None
    found = caught.value.solution.diagnosis
    assert found.numbers["t"] == pytest.approx(0.5, abs=1e-4)
    start, end = found.changes["ts"]
    assert odeint(lambda t, y: y**3, vector(1.0), [start, end]).status.ok


def test_jumps_that_are_found_can_be_passed_on() -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        return -y if t < 1.25 or t > 1.5 else 1e6 - y

    options: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}
    found = odeint(f, vector(1.0), [0.0, 2.0], max_steps=70, on_error="return", **options).diagnosis
    assert found.cause is Cause.JUMP
    assert [round(t, 6) for t in found.changes["jumps"]][:1] == [1.25]
    again = odeint(f, vector(1.0), [0.0, 2.0], jumps=[1.25, 1.5], **options)
    assert again.steps.n_rejected < 5


def test_the_number_of_steps_that_are_needed_is_about_right() -> None:
    def f(t: Any, y: Tensor) -> Tensor:
        return torch.stack((y[1], -100 * y[0]))

    found = odeint(f, vector(1.0, 0.0), [0.0, 30.0], max_steps=200, on_error="return").diagnosis
    assert found.cause is Cause.LENGTH
    needed = len(odeint(f, vector(1.0, 0.0), [0.0, 30.0]).steps)
    assert found.numbers["needed"] == pytest.approx(needed, rel=0.15)
    assert found.numbers["period"] == pytest.approx(2 * math.pi / 10, rel=1e-3)
    assert odeint(f, vector(1.0, 0.0), [0.0, 30.0], **found.changes).status.ok


def test_nothing_is_asked_of_a_solve_that_went_well() -> None:
    calls = 0

    def f(t: Any, y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return -y

    solution = odeint(f, vector(1.0), [0.0, 1.0])
    assert calls == solution.stats.nfe
    assert solution.diagnosis.cause is Cause.NONE
    assert calls == solution.stats.nfe and solution.diagnosis.nfe == 0


def test_what_a_diagnosis_asks_is_counted_apart() -> None:
    calls = 0

    def f(t: Any, y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return y * y

    solution = odeint(f, vector(1.0), [0.0, 2.0], on_error="return")
    assert calls == solution.stats.nfe + solution.diagnosis.nfe


def test_a_failure_leaves_the_random_numbers_as_they_were() -> None:
    def after(seed: int, on: bool) -> Tensor:
        torch.manual_seed(seed)
        if on:
            odeint(lambda t, y: y * y, vector(1.0), [0.0, 2.0], on_error="return")
        return torch.rand(3)

    torch.testing.assert_close(after(1, True), after(1, False))


def test_it_travels_as_plain_data_and_says_so_where_it_was_not_asked_before() -> None:
    failed = odeint(lambda t, y: y * y, vector(1.0), [0.0, 2.0], on_error="return")
    assert pickle.loads(pickle.dumps(failed)).diagnosis == failed.diagnosis
    assert b"torch" not in pickle.dumps(failed.diagnosis)
    well = pickle.loads(pickle.dumps(odeint(lambda t, y: -y, vector(1.0), [0.0, 1.0])))
    with pytest.raises(ValueError, match=r"read sol\.diagnosis before"):
        well.diagnosis  # noqa: B018


@pytest.mark.parametrize("gradient", ["backprop", "adjoint", "checkpointed"])
def test_it_is_the_same_where_gradients_are_recorded(gradient: str) -> None:
    y0 = vector(1.0).requires_grad_()
    solution = odeint(lambda t, y: y * y, y0, [0.0, 2.0], gradient=gradient, params=(), on_error="return")
    assert solution.diagnosis.cause is Cause.SINGULARITY


def test_a_backward_solve_that_fails_tells_why() -> None:
    y0 = vector(1.0).requires_grad_()
    ys = odeint(lambda t, y: -300.0 * (y - torch.cos(t)), y0, [0.0, 3.0], gradient="adjoint", params=(),
                method="rodas5p", max_steps=60, rtol=1e-3, atol=1e-3).ys  # fmt: skip
    with pytest.raises(SolveError, match=r"backward solve of the adjoint failed: .*gradient='checkpointed'"):
        ys[-1].sum().backward()


def test_a_diagnosis_that_fails_hides_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scene: object) -> None:
        raise KeyError("a fault of the diagnosis")

    monkeypatch.setattr("node_core.solvers.diagnosis.diagnose.OF_THE_FIELD", (broken,))
    with pytest.raises(SolveError, match="took max_steps = 3 steps") as caught:
        odeint(lambda t, y: -y, torch.ones(2), [0.0, 50.0], max_steps=3)
    assert caught.value.solution is not None
    assert caught.value.solution.diagnosis.cause is Cause.UNKNOWN


def test_a_solve_by_pairs_is_diagnosed_as_one_of_states() -> None:
    y0 = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(SolveError) as caught:
        odeint(lambda t, y: y * y, y0, [0.0, 2.0], gradient="reversible", max_steps=200)
    assert caught.value.solution is not None
    assert caught.value.solution.diagnosis.cause is Cause.SINGULARITY
