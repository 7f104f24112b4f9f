"""gradient="reversible": the paper's scheme, its exact gradient, its O(1) states, and its weakness, which is told."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from node_core import MLPField, SolveError, odeint
from node_core.gradients.reversible import Trail
from node_core.solution import Solution, Status
from node_core.solvers.methods import METHODS
from node_core.solvers.steppers.reversible import damping_rate
from node_core.solvers.tableaus.tableaus import TABLEAUS
from tests.gradients.test_gradients import FIELDS, TimeNet, start
from tests.solvers.problems import D, vector

EXPLICIT = [name for name, method in METHODS.items() if method.family == "explicit"]
TIMES = [0.0, 0.4, 1.1, 2.0]


def both_ways(
    field: nn.Module, y0: Tensor, ts: Any, **options: Any
) -> tuple[list[Tensor], list[Tensor], float]:
    """The gradient by undoing the steps, the same by autograd through the replayed scheme, and what was lost."""
    wanted = [y0, *(p for p in field.parameters() if p.requires_grad)]
    sol = odeint(field, y0, ts, gradient="reversible", **options)
    loss = (sol.ys.square() * torch.linspace(0.5, 1.5, len(sol.ys), dtype=y0.dtype).view(-1, 1, 1)).sum()
    undone = torch.autograd.grad(loss, wanted, retain_graph=True, materialize_grads=True)
    lost = sol.reconstruction_error
    graph = torch.autograd.grad(loss, wanted, create_graph=True, materialize_grads=True)
    return list(undone), [g.detach() for g in graph], lost


@pytest.mark.parametrize("method", EXPLICIT)
@pytest.mark.parametrize("name", FIELDS)
def test_the_gradient_is_backpropagation_s_of_the_same_scheme(name: str, method: str) -> None:
    steps = {"rtol": 1e-4, "atol": 1e-4} if METHODS[method].adaptive else {"dt": 0.05}
    undone, graph, lost = both_ways(FIELDS[name](), start().requires_grad_(), TIMES, method=method, **steps)
    for a, b in zip(undone, graph, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)
    assert 0 < lost < 1e-10


def test_in_float32_it_is_so_to_float32_s_digits() -> None:
    field = MLPField(2, (8,), seed=1)
    undone, graph, lost = both_ways(field, start().float().requires_grad_(), TIMES, rtol=1e-4, atol=1e-4)
    for a, b in zip(undone, graph, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert lost < 1e-4


@pytest.mark.parametrize("method", ["euler", "rk4", "dopri5"])
def test_the_scheme_is_the_paper_s(method: str) -> None:
    """That of McCallum and Foster, written out, on the steps that the solver took."""
    field, y0 = TimeNet(), start().requires_grad_()
    steps: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5} if METHODS[method].adaptive else {"dt": 0.1}
    sol = odeint(field, y0, [0.0, 1.0], gradient="reversible", method=method, **steps)
    tableau, rate = TABLEAUS[method], damping_rate([0.0, 1.0], D)

    def increment(t: float, y: Tensor, h: float) -> Tensor:
        k: list[Tensor] = []
        for a, c in zip(tableau.a, tableau.c, strict=True):
            stage = y + h * sum((w * s for w, s in zip(a, k, strict=True)), torch.zeros_like(y))
            k.append(field(torch.tensor(t + c * h, dtype=D), stage))
        return h * sum((w * s for w, s in zip(tableau.b, k, strict=True)), torch.zeros_like(y))

    y = z = y0
    for t, h, accepted in zip(sol.steps.t, sol.steps.dt, sol.steps.accepted, strict=True):
        if accepted:
            coupling = math.exp(-rate * h)
            y = coupling * y + (1.0 - coupling) * z + increment(t, z, h)
            z = z - increment(t + h, y, -h)
    torch.testing.assert_close(sol.ys[-1], y, rtol=1e-13, atol=1e-14)
    wanted = [y0, field.a, field.b]
    for a, b in zip(
        torch.autograd.grad(sol.ys[-1].sum(), wanted), torch.autograd.grad(y.sum(), wanted), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", ["midpoint", "bosh3", "rk4", "dopri5", "tsit5", "dopri8"])
def test_it_keeps_the_order_of_its_method(method: str) -> None:
    """A pendulum, whose steps are forced by tolerances or by dt; the slope of error over step length."""

    def pendulum(t: Any, y: Tensor) -> Tensor:
        return torch.stack([y[1], -torch.sin(y[0])])

    def end(n: int) -> Tensor:
        y0 = vector(1.0, 0.0).requires_grad_()
        dt = 2.0 / n
        loose: dict[str, Any] = {"rtol": 1e3, "atol": 1e3, "dt0": dt, "max_step": dt}
        steps = loose if METHODS[method].adaptive else {"dt": dt}
        return odeint(pendulum, y0, [0.0, 2.0], method=method, gradient="reversible", **steps).ys[-1].detach()

    exact = odeint(pendulum, vector(1.0, 0.0), [0.0, 2.0], method="dopri8", rtol=1e-13, atol=1e-13).ys[-1]
    counts = (4, 8) if method == "dopri8" else (16, 32)
    few, many = (float((end(n) - exact).norm()) for n in counts)
    assert math.log2(few / many) > TABLEAUS[method].order - 0.4


def test_outputs_events_and_jumps_are_in_its_gradient_and_time_may_run_backward() -> None:
    field = TimeNet()
    cases: list[dict[str, Any]] = [
        {"ts": [2.0, 1.3, 0.0]},
        {"ts": TIMES, "jumps": [0.7]},
        {"ts": TIMES, "event": lambda t, y: t - 1.7 + 0.1 * y.sum()},
        {"ts": TIMES, "max_step": 0.2},
        {"ts": TIMES, "method": "rk4", "dt": 0.3, "event": lambda t, y: t - 1.234},
    ]
    for case in cases:
        undone, graph, _ = both_ways(field, start().requires_grad_(), **case)
        for a, b in zip(undone, graph, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


def test_the_record_holds_the_reconstructed_states() -> None:
    y0 = start().requires_grad_()
    sol = odeint(TimeNet(), y0, [0.0, 2.0], gradient="reversible", record_adjoint=True, dense=True)
    sol.ys[-1].square().sum().backward()
    with torch.no_grad():
        forward = sol(sol.adjoint.t).numpy()
    assert 0 < np.abs(sol.adjoint.z - forward).max() < 1e-10
    assert 0 < sol.reconstruction_error < 1e-10


def bytes_of_tensors() -> int:
    """What all tensors that Python knows hold, each piece of memory once."""
    pieces = {}
    for found in gc.get_objects():
        if issubclass(type(found), Tensor):
            storage = found.untyped_storage()
            pieces[storage.data_ptr()] = storage.nbytes()
    return sum(pieces.values())


@pytest.fixture
def _nothing_before() -> Iterator[None]:
    """Hide from the collector what other tests have left: it is not what is measured, and not all of it has storage."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_nothing_before")
def test_its_memory_does_not_grow_with_the_steps() -> None:
    seen: dict[int, int] = {}
    for n in (10, 1_000):
        calls, peak, every = 0, 0, max(1, n // 5)

        def f(t: Any, y: Tensor, every: int = every) -> Tensor:
            nonlocal calls, peak
            calls += 1
            if calls % every == 0:
                peak = max(peak, bytes_of_tensors())
            return torch.cos(t) * y

        y0 = torch.ones(512, dtype=D, requires_grad=True)
        sol = odeint(f, y0, [0.0, 1.0], method="euler", dt=1.0 / n, gradient="reversible", max_steps=n)
        sol.ys[-1].sum().backward()
        assert sol.stats.n_accepted == sol.backward_stats.n_accepted == n
        seen[n] = peak
    assert seen[1_000] - seen[10] < 100 * 512 * 8, "a state for each tenth step would be more"


def contracting(t: Any, y: Tensor) -> Tensor:
    return -y


def test_copies_that_come_apart_end_the_solve_with_a_sentence() -> None:
    """Where f contracts by exp(-60) the scheme is unstable, whatever the steps; the plain method is not."""
    for steps in ({"rtol": 1e-5, "atol": 1e-5}, {"method": "rk4", "dt": 0.1}):
        y0 = vector(1.0, 2.0).requires_grad_()
        with pytest.raises(SolveError, match=r"copies .* have come apart at t = .*gradient='checkpointed'"):
            odeint(contracting, y0, [0.0, 60.0], gradient="reversible", **steps)
        partial = odeint(contracting, y0, [0.0, 1.0, 60.0], gradient="reversible", on_error="return", **steps)
        assert partial.status is Status.NO_CONVERGENCE and len(partial.ys) == 2
        (found,) = torch.autograd.grad(partial.ys[-1].sum(), y0)
        torch.testing.assert_close(found, torch.full_like(found, math.exp(-1.0)), rtol=1e-4, atol=0)


def test_lost_digits_are_told() -> None:
    """Backward the states fly apart from where they came together, by exp(t), and with them float32's rounding."""

    def solve(span: float) -> Solution:
        y0 = torch.tensor([1.0, 2.0], requires_grad=True)
        return odeint(lambda t, y: 3.0 - y, y0, [0.0, span], method="rk4", dt=0.05, gradient="reversible")

    sol = solve(1.0)
    sol.ys[-1].sum().backward()
    assert sol.reconstruction_error < 1e-5
    sol = solve(12.0)
    with pytest.warns(RuntimeWarning, match="lost as many digits: take gradient='checkpointed'"):
        sol.ys[-1].sum().backward()
    assert sol.reconstruction_error > 3e-4


def test_a_drift_that_goes_away_again_is_seen_all_the_same() -> None:
    """The trail knows each state on the way, not the first alone: in any direction, and where nothing is a number."""
    y0 = vector(1.0, -1.0)
    trail = Trail(y0)
    trail.mark(torch.stack((2 * y0, 2 * y0)))
    assert trail.off(1, torch.stack((2 * y0, 2 * y0))) == 0.0
    for i in range(2):
        moved = 2 * torch.stack((y0, y0))
        moved[0, i] += 1e-3
        assert 1e-5 < trail.off(1, moved) < 1e-2
    assert trail.off(1, torch.full((2, 2), math.nan, dtype=D)) == math.inf


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "rodas5p"}, "undoes the steps of explicit methods, and method='rodas5p' is none"),
        ({"method": "trapezoid", "dt": 0.1}, "take gradient='checkpointed', or method='dopri5'"),
        ({"method": "scipy_lsoda"}, "take gradient='adjoint' or 'interpolated'"),
        ({"batch": "per_sample"}, "differentiated by gradient='backprop', not 'reversible'"),
    ],
)
def test_what_it_cannot_serve_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        odeint(contracting, start().requires_grad_(), [0.0, 1.0], gradient="reversible", **options)


def test_a_span_without_an_end_is_refused() -> None:
    options: dict[str, Any] = {"event": lambda t, y: y.sum() - 0.1, "gradient": "reversible"}
    with pytest.raises(ValueError, match="has no end: give ts one"):
        odeint(contracting, start().requires_grad_(), [0.0, math.inf], **options)


def test_an_f_that_draws_random_numbers_is_refused() -> None:
    def noisy(t: Any, y: Tensor) -> Tensor:
        return torch.randn_like(y) - y

    with pytest.raises(ValueError, match="another function when the steps are undone"):
        odeint(noisy, start().requires_grad_(), [0.0, 1.0], method="rk4", dt=0.1, gradient="reversible")


def test_without_gradients_the_method_alone_runs() -> None:
    options: dict[str, Any] = {"method": "dopri5", "gradient": "reversible"}
    found = odeint(contracting, start(), [0.0, 1.0], **options)
    assert found.stats.nfe == odeint(contracting, start(), [0.0, 1.0], method="dopri5").stats.nfe
