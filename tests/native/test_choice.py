"""When the compiled kernel runs, when torch does, and that nobody can tell but by the clock."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from node_core import MLPField, SolveError, Status, odeint
from node_core.native import build, library
from node_core.native import solve as native_solve
from node_core.native.library import SWITCH, functions

pytestmark = pytest.mark.skipif(
    functions(torch.float64) is None,
    reason="the kernel is not compiled here: make run, or node_core/native/build.py",
)
TS = [0.0, 0.4, 1.0]


def field(dtype: torch.dtype = torch.float64, **options: Any) -> MLPField:
    return MLPField(2, (8, 6), seed=1, dtype=dtype, **options)


def states(rows: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(rows, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)


class Doubled(MLPField):
    """Computes something else than the class above it."""

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return 2.0 * super().forward(t, y)


def hooked() -> MLPField:
    found = field()
    found.register_forward_hook(lambda module, inputs, value: 2.0 * value)
    return found


def test_it_runs_where_it_can_and_torch_where_not() -> None:
    f, y0 = field(), states()

    def engine(f: Any = f, y0: Tensor = y0, **options: Any) -> str:
        return odeint(f, y0, TS, **options).stats.engine

    assert engine() == engine(field(torch.float32), states(dtype=torch.float32)) == "native"
    for gradient in ("backprop", "checkpointed", "adjoint", "adjoint_seminorm", "interpolated"):
        assert engine(gradient=gradient) == "native"
    watched = odeint(f, y0.clone().requires_grad_(), TS, record_adjoint=True)
    watched.ys.sum().backward()
    assert (watched.stats.engine, watched.backward_stats.engine) == ("native", "closed form")
    assert engine(max_step=0.1) == engine(record_adjoint=True) == engine(params=()) == "native"
    for options in ({"event": lambda t, y: y.sum() - 100.0}, {"jumps": [0.5]}):
        assert engine(**options) == "closed form"
    assert engine(atol=0.0) == "native"
    assert engine(min_step=1e-9) == engine(norm=lambda e: e.abs().max()) == "closed form"
    assert engine(atol=torch.full((2,), 1e-6)) == "closed form"
    assert engine(method="rk4", dt=[0.0, 0.3, 0.5, 1.0]) == "closed form"
    assert engine(batch="per_sample") == engine(method="rodas5p") == "torch"
    for other in (Doubled(2, (8,), dtype=torch.float64), hooked(), lambda t, y: f(t, y)):
        assert engine(other) == "torch"


def test_a_switch_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    assert odeint(field(), states(), TS).stats.engine == "closed form"


def test_without_a_compiler_there_is_none_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    build.main([str(tmp_path)])
    assert "solves run in torch" in capsys.readouterr().out
    monkeypatch.setattr(library, "library_path", lambda variant: tmp_path / variant)
    assert library._functions.__wrapped__() == {}


@pytest.mark.parametrize("gradient", ["backprop", "checkpointed"])
def test_second_derivatives_are_those_of_torch(monkeypatch: pytest.MonkeyPatch, gradient: str) -> None:
    found = []
    for native in "10":
        monkeypatch.setenv(SWITCH, native)
        f, y0 = field(), states().requires_grad_()
        ys = odeint(f, y0, TS, gradient=gradient).ys
        (first,) = torch.autograd.grad(ys.square().sum(), y0, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), (y0, *f.parameters())))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("method", ["dopri5", "bosh3", "dopri8", "fehlberg45"])
def test_dense_output_and_its_gradient(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    found = []
    for native in "10":
        monkeypatch.setenv(SWITCH, native)
        f, y0 = field(), states().requires_grad_()
        solution = odeint(f, y0, TS, method=method, dense=True)
        with torch.no_grad():
            copied = pickle.loads(pickle.dumps(solution))([0.3, 0.9])
        values = solution([0.9, 0.05, 0.4])
        if native == "1":
            torch.testing.assert_close(copied, solution([0.3, 0.9]).detach(), rtol=1e-10, atol=1e-10)
        found.append((values, *torch.autograd.grad(values.square().sum(), y0)))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


def test_dense_output_is_that_of_the_weights_of_the_solve() -> None:
    f = field()
    with torch.no_grad():
        solution, other = (odeint(f, states(), TS, method="bosh3") for _ in range(2))
        for p in f.parameters():
            p.add_(1.0)
        torch.testing.assert_close(other([0.2]), solution([0.2]))
        assert not torch.equal(odeint(f, states(), TS).ys, solution.ys)


@pytest.mark.parametrize("room", [0, 3000, 10_000])
def test_past_its_memory_the_way_back_makes_the_activations_again(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    found = []
    for size in (10**9, room):
        monkeypatch.setattr(native_solve, "TAPE_BYTES", size)
        f, y0 = field(), states().requires_grad_()
        for method in ("dopri5", "bosh3", "dopri8"):
            ys = odeint(f, y0, TS, method=method).ys
            found.append(torch.autograd.grad(ys.square().sum(), (y0, *f.parameters())))
    for some, all_of_them in zip(found[3:], found[:3], strict=True):
        for a, b in zip(some, all_of_them, strict=True):
            assert torch.equal(a, b)


def test_it_can_be_gone_back_through_twice() -> None:
    f, y0 = field(), states().requires_grad_()
    loss = odeint(f, y0, TS).ys.square().sum()
    first = torch.autograd.grad(loss, y0, retain_graph=True)
    assert torch.equal(first[0], torch.autograd.grad(loss, y0)[0])


def test_a_solve_that_cannot_go_on_ends_as_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    exploding = field(activation="elu")
    with torch.no_grad():
        for p in exploding.parameters():
            p.copy_(p.abs() * 100.0)
    cases: tuple[tuple[MLPField, dict[str, Any]], ...] = (
        (field(), {"max_steps": 2, "dt0": 1e-3}),
        (exploding, {}),
        (exploding, {"method": "rk4", "dt": 0.05}),
        (field(), {"rtol": 1e-17, "atol": 1e-300}),
    )
    for f, options in cases:
        ended = []
        for native in "10":
            monkeypatch.setenv(SWITCH, native)
            solution = odeint(f, states(), [0.0, 50.0], on_error="return", **options)
            ended.append((solution.status, solution.message, solution.ys.shape, len(solution.steps)))
        assert ended[0] == ended[1]
        assert ended[0][0] is not Status.SUCCESS


def test_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"method": "rk4", "dt": 1e-4, "max_steps": 10**10, "time_limit": 0.02}
    with pytest.raises(
        SolveError, match=r"time_limit = 0\.02 s is over at t = .* of 100000: raise"
    ) as caught:
        odeint(field(), states(), [0.0, 1e-3, 1e5], **options)  # type: ignore[arg-type]
    partial = caught.value.solution
    assert partial is not None and partial.status is Status.TIME_LIMIT
    assert partial.stats.engine == "native"
    assert 0.0 < partial.steps.t[-1] < 1e5 and len(partial.ys) == 2


def test_threads_solve_side_by_side() -> None:
    fields = [field(), MLPField(2, (30,), "softplus", seed=5, dtype=torch.float64)]
    y0 = states(200)

    def gradient(f: MLPField) -> tuple[Tensor, ...]:
        return torch.autograd.grad(odeint(f, y0, TS, rtol=1e-8).ys.square().sum(), list(f.parameters()))

    expected, found = [gradient(f) for f in fields], {}

    def work(i: int) -> None:
        found[i] = [gradient(fields[i]) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(2):
        for gradients in found[i]:
            assert all(torch.equal(a, b) for a, b in zip(gradients, expected[i], strict=True))
