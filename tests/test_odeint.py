"""The front door: what it refuses, what it counts and records, and what it says when a solve cannot go on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.fields.systems.systems import SYSTEMS
from node_core.solution import SolveError, Status
from node_core.solvers.methods import METHODS
from tests.solvers.problems import (
    ADAPTIVE,
    FIXED,
    OWN,
    Counting,
    D,
    forced,
    forced_exact,
    rotation,
    step_arguments,
    vector,
)

EACH = pytest.mark.parametrize("name", list(METHODS))
NAN = math.nan

BAD_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"f": 3}, r"f is int, not a function"),
    ({"y0": 1.0}, r"y0 is float, not a tensor: pass torch\.tensor"),
    ({"y0": [1.0, 0.0]}, r"y0 is list, not a tensor"),
    ({"y0": np.ones(2)}, r"y0 is ndarray, not a tensor"),
    ({"y0": torch.tensor([1, 0])}, r"y0 has type torch\.int64.*y0\.float\(\)"),
    ({"y0": torch.tensor([1j, 0])}, r"y0 has type torch\.complex64"),
    ({"y0": (torch.ones(2), torch.ones(3))}, r"y0 is a tuple of 2 tensors: join them.*torch\.cat"),
    ({"y0": torch.tensor(1.0)}, r"y0 has shape \(\): it needs.*pass y0\[None\]"),
    ({"y0": torch.ones(0, 2)}, r"y0 has shape \(0, 2\)"),
    ({"y0": vector(1.0, NAN)}, r"y0 contains NaN or infinity"),
    ({"y0": vector(1.0, math.inf)}, r"y0 contains NaN or infinity"),
    ({"ts": [0.0]}, r"ts has shape \(1,\): give at least two"),
    ({"ts": []}, r"ts has shape \(0,\)"),
    ({"ts": 1.0}, r"ts has shape \(\)"),
    ({"ts": None}, r"ts=None is no sequence of times"),
    ({"ts": "ab"}, r"ts='ab' is no sequence of times"),
    ({"ts": [[0.0, 1.0]]}, r"ts has shape \(1, 2\)"),
    ({"ts": [0.0, NAN]}, r"ts contains NaN"),
    ({"ts": [0.0, math.inf]}, r"ts contains NaN or infinity"),
    ({"ts": [0.0, 2.0, 1.0]}, r"ts goes from 2 to 1: times must be strictly increasing"),
    ({"ts": [0.0, 0.0, 1.0]}, r"ts goes from 0 to 0"),
    ({"ts": [0.0, 0.0]}, r"ts goes from 0 to 0"),
    ({"ts": [0.0, -1.0, -0.5]}, r"ts goes from -1 to -0\.5"),
    ({"rtol": 0.0}, r"rtol=0\.0 must be a positive number"),
    ({"rtol": -1e-6}, r"rtol=-1e-06 must be"),
    ({"rtol": NAN}, r"rtol=nan must be"),
    ({"rtol": torch.tensor(1e-3)}, r"rtol=tensor.* is a tensor: pass a plain number, float\(rtol\)"),
    ({"jacobian": 3}, r"jacobian is int, not a function"),
    ({"params": 3}, r"params=3 is no tensor: pass tensors"),
    (
        {"params": torch.nn.Linear(2, 2)},
        r"params is a module, Linear: pass its tensors, params=net\.parameters",
    ),
    ({"jacobian": lambda t, y: 1.0, "method": "rodas5p"}, r"Jacobian at t = 0 is float, not a tensor"),
    ({"rtol": "tight"}, r"rtol='tight' must be"),
    ({"atol": 0.0}, r"atol=0\.0 must be"),
    ({"atol": NAN}, r"atol=nan must be"),
    ({"atol": math.inf}, r"atol=inf must be"),
    ({"dt": 0.1}, r"method='dopri5' chooses its own steps: pass rtol and atol"),
    ({"dt0": 0.0}, r"dt0=0\.0 must be a positive"),
    ({"dt0": -0.1}, r"dt0=-0\.1 must be.*sign follows from ts"),
    ({"method": "rk4"}, r"method='rk4' needs a step size: pass dt, for example dt=0\.01"),
    ({"method": "rk4", "dt": 0.0}, r"dt=0\.0 must be a positive"),
    ({"method": "rk4", "dt": -0.1}, r"dt=-0\.1 must be"),
    ({"method": "rk4", "dt": NAN}, r"dt=nan must be"),
    ({"method": "rk4", "dt0": 0.1}, r"takes equal steps: pass dt instead of dt0"),
    (
        {"method": "rk4", "dt": 1e-6},
        r"dt=1e-06 would take 1e\+06 steps, more than max_steps=10000: take dt of at least 0\.0001",
    ),
    ({"method": "dopri6"}, r"'dopri6': did you mean 'dopri[58]'"),
    ({"method": "RK4"}, r"did you mean 'rk4'"),
    ({"method": None}, r"None"),
    ({"gradient": "magic"}, r"gradient='magic' is none of 'backprop'"),
    ({"controller": "pd"}, r"controller='pd' is none of 'i', 'pi', 'pid'"),
    ({"method": "rk4", "dt": 0.1, "controller": "pd"}, r"controller='pd' is none of"),
    ({"batch": "each"}, r"batch='each' is none of 'shared', 'per_sample'"),
    ({"on_error": "ignore"}, r"on_error='ignore' is none of"),
    ({"max_steps": 0}, r"max_steps=0 must be a whole number of at least 1"),
    ({"max_steps": 2.5}, r"max_steps=2\.5 must be a whole number"),
    ({"max_steps": True}, r"max_steps=True must be"),
    ({"time_limit": 0.0}, r"time_limit=0\.0 must be.*in seconds"),
    ({"params": [1.0]}, r"params holds float: pass tensors"),
    ({"event": "ground"}, r"event is str, not a function"),
]


@pytest.mark.parametrize(("change", "match"), BAD_ARGUMENTS, ids=[str(i) for i in range(len(BAD_ARGUMENTS))])
def test_a_mistake_gets_a_sentence_with_the_value_and_the_remedy(change: dict[str, Any], match: str) -> None:
    options: dict[str, Any] = {"f": rotation, "y0": vector(1.0, 0.0), "ts": [0.0, 1.0], **change}
    for on_error in ("raise", "return"):  # a mistake is never returned
        with pytest.raises(ValueError, match=match):
            odeint(
                options["f"],
                options["y0"],
                options["ts"],
                **{"on_error": on_error, **{k: v for k, v in options.items() if k not in ("f", "y0", "ts")}},
            )


def equal_steps(name: str, dt: float) -> dict[str, Any]:
    """`dt` for the methods that need it."""
    return {"dt": dt} if name in FIXED else {}


def loose(name: str) -> dict[str, Any]:
    """Tolerances that float32 can hold."""
    return {"rtol": 1e-5, "atol": 1e-5} if METHODS[name].adaptive else {}


def test_too_small_a_step_is_refused_before_the_field_is_called() -> None:
    f = Counting(rotation)
    with pytest.raises(ValueError, match="more than max_steps"):
        odeint(f, vector(1.0, 0.0), [0.0, 1.0], method="euler", dt=1e-9)
    assert f.calls == 0


@EACH
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize(
    ("returned", "match"),
    [
        (lambda y: torch.ones(3, dtype=D), r"returned shape \(3,\) for a state of shape \(2,\)"),
        (lambda y: torch.ones(1, dtype=D), r"returned shape \(1,\)"),
        (lambda y: torch.ones(2, 2, dtype=D), r"returned shape \(2, 2\)"),
        (lambda y: [y[1], -y[0]], r"returned list, not a tensor"),
        (lambda y: None, r"returned NoneType, not a tensor"),
        (lambda y: y.float(), r"returned torch\.float32 for a state of torch\.float64"),
    ],
)
def test_a_field_that_returns_the_wrong_thing_is_told(
    name: str, grad: bool, returned: Any, match: str
) -> None:
    with torch.set_grad_enabled(grad), pytest.raises(ValueError, match=match):
        odeint(lambda t, y: returned(y), vector(1.0, 0.0), [0.0, 1.0], method=name, **step_arguments(name))


@EACH
def test_what_the_field_itself_raises_passes_through(name: str) -> None:
    def broken(t: Any, y: torch.Tensor) -> torch.Tensor:
        raise KeyError("spam")

    with pytest.raises(KeyError, match="spam"):
        odeint(broken, vector(1.0), [0.0, 1.0], method=name, **step_arguments(name))


@EACH
def test_a_field_that_is_nan_at_the_start_is_told(name: str) -> None:
    with pytest.raises(SolveError, match=r"not finite at t = 0|stops being finite just after t = 0"):
        odeint(lambda t, y: y * NAN, vector(1.0), [0.0, 1.0], method=name, **step_arguments(name))


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_solution_that_blows_up_ends_just_before_it(name: str) -> None:
    with pytest.raises(SolveError) as caught:
        odeint(lambda t, y: y * y, vector(1.0), [0.0, 0.5, 2.0], method=name)
    assert caught.value.solution is not None
    solution = caught.value.solution
    assert solution.status in (Status.STEP_UNDERFLOW, Status.NON_FINITE, Status.NO_CONVERGENCE)
    assert f"method={name!r}" in str(caught.value)
    last = float((solution.steps.t + solution.steps.dt)[solution.steps.accepted][-1])
    assert last == pytest.approx(1.0, abs=1e-3)
    assert solution.ts.tolist() == [0.0, 0.5]
    assert float(solution.ys[1]) == pytest.approx(2.0, rel=1e-4)
    assert torch.isfinite(solution.ys).all()


def test_euler_explodes_where_the_message_says() -> None:
    solution = odeint(
        lambda t, y: -100 * y**3, vector(10.0), [0.0, 0.1, 10.0], method="euler", dt=0.1, on_error="return"
    )
    assert solution.status is Status.NON_FINITE
    assert "exploded" in solution.message
    assert "smaller dt than 0.1" in solution.message
    assert not solution.steps.accepted[-1]
    assert f"t = {solution.steps.t[-1] + 0.1:.6g}" in solution.message
    assert len(solution.ys) == len(solution.ts) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["euler", "rk4", *ADAPTIVE])
def test_a_state_that_overflows_is_no_success(name: str, dtype: torch.dtype) -> None:
    top = torch.finfo(dtype).max / 2
    y0 = torch.full((2,), top, dtype=dtype)
    solution = odeint(
        lambda t, y: torch.full_like(y, top / 4),
        y0,
        [0.0, 1.0, 20.0],
        method=name,
        on_error="return",
        max_steps=500,
        **equal_steps(name, 0.5),
    )
    if METHODS[name].family == "scipy" and dtype is torch.float32:
        pytest.skip("SciPy's solvers run in float64, where this is no overflow")
    assert not solution.status.ok
    assert torch.isfinite(solution.ys).all()


@EACH
def test_max_steps_returns_what_was_computed(name: str) -> None:
    ts, needed = np.linspace(0.0, 20.0, 41), step_arguments(name, dt=0.05)
    if name in FIXED:
        with pytest.raises(ValueError, match="more than max_steps=20"):
            odeint(rotation, vector(1.0, 0.0), ts, method=name, max_steps=20, **needed)
        return
    solution = odeint(rotation, vector(1.0, 0.0), ts, method=name, max_steps=20, on_error="return", **needed)
    assert solution.status is Status.MAX_STEPS
    assert "max_steps = 20" in solution.message
    assert len(solution.steps) == 20
    assert 1 <= len(solution.ts) == len(solution.ys) < 41
    np.testing.assert_allclose(solution.ys[:, 0].numpy(), np.cos(solution.ts.numpy()), atol=1e-5)
    with pytest.raises(SolveError, match="raise max_steps"):
        odeint(rotation, vector(1.0, 0.0), ts, method=name, max_steps=20, **needed)


def test_a_failed_solve_still_has_the_gradient_of_what_it_computed() -> None:
    y0 = vector(1.0, 0.0).requires_grad_()
    solution = odeint(rotation, y0, [0.0, 0.5, 50.0], max_steps=30, on_error="return")
    (slope,) = torch.autograd.grad(solution.ys[1, 0], y0)
    torch.testing.assert_close(slope, vector(math.cos(0.5), math.sin(0.5)), rtol=1e-5, atol=1e-5)


@EACH
@pytest.mark.parametrize("ts", [[0.0, 2.0], [0.0, 0.31, 0.7, 1.5, 2.0], [2.0, 1.0, 0.0]])
@pytest.mark.parametrize("mode", ["no_grad", "grad", "tracked"])
def test_function_evaluations_are_counted_exactly(name: str, ts: list[float], mode: str) -> None:
    if mode == "tracked" and METHODS[name].family == "scipy":
        pytest.skip("SciPy's solvers do not record")
    f, y0 = Counting(forced), vector(1.0, 0.5)
    y0.requires_grad_(mode == "tracked")
    # A given Jacobian: what deriving one costs is not part of the NFE.
    jacobian = lambda t, y: torch.eye(2, dtype=D) * torch.cos(torch.as_tensor(t, dtype=D))  # noqa: E731
    with torch.set_grad_enabled(mode != "no_grad"):
        solution = odeint(f, y0, ts, method=name, jacobian=jacobian, **step_arguments(name))
    assert solution.stats.nfe == f.calls
    np.testing.assert_allclose(
        solution.ys[-1, 0].item(), forced_exact(ts[-1]) / forced_exact(ts[0]), rtol=0.1
    )


@pytest.mark.parametrize(
    ("name", "stages"),
    [("euler", 1), ("midpoint", 2), ("heun", 2), ("ralston", 2), ("rk4", 4), ("rk4_38", 4)],
)
def test_a_fixed_step_costs_its_stages_and_nothing_more(name: str, stages: int) -> None:
    ts = np.arange(21) * 0.1
    with torch.no_grad():
        stats = odeint(forced, vector(1.0), ts, method=name, dt=0.1).stats
    assert stats.nfe == 20 * stages
    assert (stats.n_accepted, stats.n_rejected) == (20, 0)


@pytest.mark.parametrize(
    ("name", "a_step", "retry"), [("bosh3", 3, 3), ("dopri5", 6, 6), ("tsit5", 6, 6), ("fehlberg45", 6, 5)]
)
def test_an_adaptive_step_costs_its_stages_without_the_first(name: str, a_step: int, retry: int) -> None:
    f = SYSTEMS["sudden_bend"].field()
    with torch.no_grad():
        stats = odeint(f, vector(1.0, 0.0), [0.0, 6.0], method=name).stats
    assert stats.n_rejected > 0
    # Two evaluations choose the first step; without FSAL (fehlberg45) one of them is the first stage of the first step.
    start = 2 if a_step == retry else 1
    assert stats.nfe == start + a_step * stats.n_accepted + retry * stats.n_rejected


def test_the_evaluations_of_a_gradient_with_respect_to_the_times_are_counted() -> None:
    f, ts = Counting(forced), torch.tensor([0.0, 0.5, 1.0], dtype=D, requires_grad=True)
    solution = odeint(f, vector(1.0), ts)
    assert solution.stats.nfe == f.calls
    (slope,) = torch.autograd.grad(solution.ys[-1].sum(), ts)
    exact = float(forced_exact(1.0))
    np.testing.assert_allclose(slope.numpy(), [-exact, 0.0, exact * math.cos(1.0)], atol=1e-5)


@EACH
@pytest.mark.parametrize("ts", [[0.0, 3.0], [3.0, 0.0]])
def test_every_attempt_is_recorded_and_the_accepted_ones_join_the_ends(name: str, ts: list[float]) -> None:
    f = SYSTEMS["lotka_volterra"].field()
    steps = odeint(f, vector(2.0, 0.5), ts, method=name, **equal_steps(name, 0.004), max_steps=20_000).steps
    good = steps.accepted
    start, end = steps.t[good], (steps.t + steps.dt)[good]
    assert start[0] == ts[0]
    assert end[-1] == pytest.approx(ts[1], abs=1e-12)
    np.testing.assert_allclose(end[:-1], start[1:], rtol=1e-12, atol=1e-12)
    assert (np.sign(steps.dt) == np.sign(ts[1] - ts[0])).all()
    if METHODS[name].adaptive and METHODS[name].family != "scipy":
        np.testing.assert_array_equal(good, steps.error_ratio <= 1)
        # An attempt after a rejected one starts at the same place with a shorter step.
        again = np.flatnonzero(~good)
        np.testing.assert_array_equal(steps.t[again + 1], steps.t[again])
        assert (np.abs(steps.dt[again + 1]) < np.abs(steps.dt[again])).all()
    else:
        assert good.all()
        assert np.isnan(steps.error_ratio).all()


@pytest.mark.parametrize("name", ["dopri5", "fehlberg45", "rk4"])
@pytest.mark.parametrize("controller", ["i", "pi", "pid"])
def test_recording_and_gradients_do_not_change_the_steps(name: str, controller: str) -> None:
    f = SYSTEMS["van_der_pol"].field()
    logs = []
    for tracked, dense in ((False, False), (False, True), (True, None)):
        y0 = vector(2.0, 0.5).requires_grad_(tracked)
        logs.append(
            odeint(
                f,
                y0,
                [0.0, 4.0],
                method=name,
                controller=controller,
                dense=dense,
                **equal_steps(name, 0.01),
            )
        )
    for other in logs[1:]:
        np.testing.assert_allclose(other.steps.dt, logs[0].steps.dt, rtol=1e-6)
        torch.testing.assert_close(other.ys, logs[0].ys, rtol=1e-9, atol=1e-9)


@EACH
@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 4, 2), (1, 2)])
def test_states_of_every_shape_are_solved_in_their_shape(name: str, shape: tuple[int, ...]) -> None:
    y0 = torch.randn(shape, dtype=D)
    ts = [0.0, 0.4, 1.0]
    solution = odeint(rotation, y0, ts, method=name, **step_arguments(name, dt=0.01))
    assert solution.ys.shape == (3, *shape)
    torch.testing.assert_close(solution.ys[0], y0, rtol=0, atol=0)
    x, v = y0[..., 0], y0[..., 1]
    exact = torch.stack((math.cos(1.0) * x + math.sin(1.0) * v, math.cos(1.0) * v - math.sin(1.0) * x), -1)
    torch.testing.assert_close(
        solution.ys[-1], exact, rtol=0, atol=3e-2 if METHODS[name].order == 1 else 1e-3
    )


@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 4, 2)])
@pytest.mark.parametrize("grad", [True, False])
def test_a_closed_form_field_gives_what_a_plain_one_gives(shape: tuple[int, ...], grad: bool) -> None:
    field, y0 = MLPField(2, (8, 8), dtype=D), torch.randn(shape, dtype=D)
    with torch.set_grad_enabled(grad):
        closed = odeint(field, y0, [0.0, 0.3, 1.0])
        plain = odeint(lambda t, y: field(t, y), y0, [0.0, 0.3, 1.0])
    assert closed.ys.shape == plain.ys.shape == (3, *shape)
    torch.testing.assert_close(closed.ys, plain.ys, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(closed.steps.dt, plain.steps.dt, rtol=1e-6)
    assert closed.stats.nfe == pytest.approx(plain.stats.nfe, abs=1)


@pytest.mark.parametrize("name", OWN)
def test_float32_is_solved_to_its_precision(name: str) -> None:
    solution = odeint(
        rotation,
        torch.tensor([[1.0, 0.0]]),
        [0.0, 1.0],
        method=name,
        **{**step_arguments(name, dt=0.01), **loose(name)},
    )
    assert solution.ys.dtype == torch.float32
    assert solution(0.5).dtype == torch.float32
    assert float(solution.ys[-1, 0, 0]) == pytest.approx(
        math.cos(1.0), abs=1e-2 if METHODS[name].order == 1 else 2e-4
    )


@pytest.mark.parametrize("name", [name for name in OWN if METHODS[name].adaptive])
def test_a_tolerance_below_float32_is_named_and_does_not_go_on_for_ever(name: str) -> None:
    solution = odeint(
        rotation,
        torch.tensor([[1.0, 0.0]]),
        [0.0, 10.0],
        method=name,
        rtol=1e-12,
        atol=1e-12,
        on_error="return",
    )
    assert solution.status is Status.STEP_UNDERFLOW
    assert "number type" in solution.message
    assert "y0.double()" in solution.message
    assert len(solution.steps) < 200


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("ts", [[0.0, 1e12], [1e11, 1e11 + 1.0], [0.0, 1e-12]])
def test_long_late_and_tiny_spans_are_solved(name: str, ts: list[float]) -> None:
    solution = odeint(
        lambda t, y: -y / (1 + y * y), vector(1e-3), ts, method=name, on_error="return", max_steps=300
    )
    if ts[1] == 1e12 and name not in ("rodas5p", "scipy_radau", "scipy_lsoda"):
        assert (
            solution.status is Status.MAX_STEPS
        )  # stiff on that scale: as it should be for an explicit method
    else:
        assert solution.status is Status.SUCCESS, solution.message


@pytest.mark.parametrize("t", [0.0, 2.5, -3.0])
def test_the_field_gets_its_time_as_a_tensor_of_the_states_type(t: float) -> None:
    seen: set[tuple[Any, ...]] = set()

    def f(t: Any, y: torch.Tensor) -> torch.Tensor:
        seen.add((type(t), t.dtype, tuple(t.shape)))
        return y * torch.cos(t)

    for name in METHODS:
        odeint(
            f,
            torch.ones(2),
            [t, t + 0.1],
            method=name,
            **{**equal_steps(name, 0.05), **loose(name)},
        )
    assert seen == {(torch.Tensor, torch.float32, ())}


def test_the_users_tensors_are_left_alone() -> None:
    y0, ts = vector(1.0, 0.0), torch.tensor([0.0, 1.0], dtype=D)
    for name in METHODS:
        solution = odeint(rotation, y0, ts, method=name, **step_arguments(name))
        solution.ys.mul_(0.0)
        assert y0.tolist() == [1.0, 0.0]
        assert ts.tolist() == [0.0, 1.0]


def test_a_time_limit_ends_a_solve_with_its_status() -> None:
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 1e9], time_limit=1e-9, on_error="return")
    assert solution.status is Status.TIME_LIMIT
    assert "time_limit = 1e-09 s" in solution.message
    assert len(solution.ys) == 1


@pytest.mark.parametrize("number", [np.float32(1e-3), np.float64(1e-3)])
def test_numpy_numbers_are_numbers(number: Any) -> None:
    plain = odeint(
        rotation, vector(1.0, 0.0), [0.0, 1.0], rtol=float(number), atol=float(number), max_steps=50
    )
    whole: Any = np.int64(50)
    numpys = odeint(rotation, vector(1.0, 0.0), [0.0, 1.0], rtol=number, atol=number, max_steps=whole)
    assert torch.equal(numpys.ys, plain.ys)


@pytest.mark.parametrize(("name", "named"), [("dopri5", True), ("rodas5p", False)])
def test_a_stiff_method_is_not_told_as_its_own_remedy(name: str, named: bool) -> None:
    with pytest.raises(SolveError) as caught:
        odeint(rotation, vector(1.0, 0.0), [0.0, 50.0], method=name, max_steps=3)
    assert ("take method='rodas5p'" in str(caught.value)) is named


def test_a_net_of_another_number_type_than_the_state_is_told_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"give both one type, for example with f\.double\(\)"):
        odeint(MLPField(2, (4,)), torch.ones(3, 2, dtype=torch.float64), [0.0, 1.0])
