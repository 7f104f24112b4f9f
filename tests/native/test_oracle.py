"""The compiled solve against torch's, which is the oracle: steps, evaluations, values, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from node_core import MLPField, Solution, odeint
from node_core.native.library import SWITCH, functions
from node_core.solvers.methods import METHODS

pytestmark = pytest.mark.skipif(
    functions(torch.float64) is None,
    reason="the kernel is not compiled here: make run, or node_core/native/build.py",
)
FIXED = [name for name, method in METHODS.items() if method.tableau and not method.adaptive]
ADAPTIVE = [name for name, method in METHODS.items() if method.tableau and method.adaptive]
INSIDE = [0.0, 0.11, 0.7, 0.75, 1.5]  # some within steps, two of them in one


def field(
    hidden: tuple[int, ...] = (7, 5),
    activation: str = "tanh",
    timed: bool = True,
    dim: int = 2,
    dtype: torch.dtype = torch.float64,
    gain: float = 3.0,
) -> MLPField:
    found = MLPField(dim, hidden, activation, timed, seed=3, dtype=dtype)
    with torch.no_grad():
        for p in found.parameters():
            p.mul_(gain)
    return found


def states(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)


def solve(
    monkeypatch: pytest.MonkeyPatch, f: MLPField, y0: Tensor, ts: list[float], native: bool, **options: Any
) -> tuple[Solution, list[Tensor]]:
    """A solve, and its gradients by the start and the parameters."""
    monkeypatch.setenv(SWITCH, "1" if native else "0")
    y0 = y0.clone().requires_grad_()
    found = odeint(f, y0, ts, **options)
    assert found.stats.engine == ("native" if native else "closed form")
    weights = states(*found.ys.shape, dtype=found.ys.dtype)
    return found, list(torch.autograd.grad((found.ys * weights).sum(), (y0, *f.parameters())))


def compare(
    monkeypatch: pytest.MonkeyPatch, f: MLPField, y0: Tensor, ts: list[float], **options: Any
) -> Solution:
    """Both in float64: the same but for rounding."""
    ours, gradients = solve(monkeypatch, f, y0, ts, True, **options)
    oracle, expected = solve(monkeypatch, f, y0, ts, False, **options)
    np.testing.assert_array_equal(ours.steps.accepted, oracle.steps.accepted)
    np.testing.assert_allclose(ours.steps.t, oracle.steps.t, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.steps.dt, oracle.steps.dt, rtol=1e-6)
    np.testing.assert_allclose(ours.steps.error_ratio, oracle.steps.error_ratio, rtol=1e-4, atol=1e-7)
    assert ours.stats.nfe == oracle.stats.nfe
    assert ours.backward_stats.nfe == oracle.backward_stats.nfe
    np.testing.assert_allclose(ours.backward_steps.t, oracle.backward_steps.t, rtol=1e-6, atol=1e-8)
    assert torch.equal(ours.ts, oracle.ts)
    torch.testing.assert_close(ours.ys, oracle.ys, rtol=1e-12, atol=1e-12)
    for a, b in zip(gradients, expected, strict=True):
        scale = max(float(b.abs().max()), 1.0)
        torch.testing.assert_close(a, b, rtol=0.0, atol=1e-10 * scale)
    return ours


@pytest.mark.parametrize("gradient", ["backprop", "checkpointed"])
@pytest.mark.parametrize("ts", [INSIDE, [1.5, 0.2, -0.5]], ids=["forward", "backward"])
@pytest.mark.parametrize("method", ADAPTIVE)
def test_adaptive_methods(
    monkeypatch: pytest.MonkeyPatch, method: str, ts: list[float], gradient: str
) -> None:
    options = {"method": method, "rtol": 1e-5, "atol": 1e-6, "gradient": gradient}
    compare(monkeypatch, field(), states(30, 2), ts, **options)


@pytest.mark.parametrize("controller", ["i", "pi", "pid"])
def test_controllers_and_rejections(monkeypatch: pytest.MonkeyPatch, controller: str) -> None:
    f = field(gain=4.0)
    options = {"controller": controller, "rtol": 1e-6, "atol": 1e-6, "dt0": 2.0}
    assert compare(monkeypatch, f, states(9, 2), [0.0, 3.0], **options).stats.n_rejected > 0
    compare(monkeypatch, f, states(9, 2), [0.0, 3.0], **options, max_step=0.05)


@pytest.mark.parametrize("ts", [INSIDE, [1.5, 0.2, -0.5]], ids=["forward", "backward"])
@pytest.mark.parametrize("method", FIXED)
def test_fixed_steps(monkeypatch: pytest.MonkeyPatch, method: str, ts: list[float]) -> None:
    compare(monkeypatch, field(), states(30, 2), ts, method=method, dt=0.1)


@pytest.mark.parametrize("activation", ["tanh", "softplus", "elu"])
@pytest.mark.parametrize("hidden", [(5,), (20, 17), (6, 40, 9)])
@pytest.mark.parametrize("timed", [False, True])
def test_fields(
    monkeypatch: pytest.MonkeyPatch, hidden: tuple[int, ...], activation: str, timed: bool
) -> None:
    f = field(hidden, activation, timed, gain=1.5)
    compare(monkeypatch, f, states(25, 2), [0.0, 0.4, 1.0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 4), (50, 5), (24, 8), (2, 5, 16), (31, 33)])
@pytest.mark.parametrize("timed", [False, True])
def test_shapes_of_states(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], timed: bool) -> None:
    f = field((9, 18), timed=timed, dim=shape[-1], gain=1.0)
    compare(monkeypatch, f, states(*shape), [0.0, 0.5, 2.0])


@pytest.mark.parametrize("method", ["dopri5", "dopri8"])
def test_float32_takes_the_same_steps_up_to_rounding(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """At a tolerance above the rounding of float32; below, an error estimate is noise, and so is the next step."""
    f, y0 = field((20, 17), gain=3.0, dtype=torch.float32), states(40, 2, dtype=torch.float32)
    options = {"method": method, "rtol": 1e-3, "atol": 1e-3}
    ours, gradients = solve(monkeypatch, f, y0, [0.0, 1.0, 3.0], True, **options)
    oracle, expected = solve(monkeypatch, f, y0, [0.0, 1.0, 3.0], False, **options)
    assert len(ours.steps) == len(oracle.steps)
    assert ours.stats.nfe == oracle.stats.nfe
    torch.testing.assert_close(ours.ys, oracle.ys, rtol=1e-4, atol=1e-4)
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0.0, atol=1e-3 * float(b.abs().max()))


def test_activations_far_from_zero_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for activation in ("tanh", "softplus", "elu"):
        for dtype, unit in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
            f = MLPField(1, (4,), activation, dtype=dtype)
            with torch.no_grad():
                next(f.parameters()).copy_(torch.tensor([[1.0], [10.0], [-3.0], [300.0]]))
            y0 = torch.tensor(
                [-1e5, -90.0, -20.0, -1.0, -1e-4, 0.0, 1e-4, 0.3, 20.0, 90.0, 1e5], dtype=dtype
            )[:, None]
            values = []
            for native in "01":
                monkeypatch.setenv(SWITCH, native)
                values.append(odeint(f, y0, [0.0, 1.0], method="euler", dt=1.0, params=()).ys[-1] - y0)
            torch.testing.assert_close(values[1], values[0], rtol=unit * 10, atol=unit * 1e5 * 5)
