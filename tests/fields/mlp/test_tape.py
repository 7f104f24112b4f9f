"""The tape of a solve: the way back from what the way there computed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from node_core.fields.mlp import tape as mlp_tape
from node_core.fields.mlp.mlp import MLPField
from node_core.fields.mlp.stages import runs
from node_core.fields.mlp.tape import MLPTape
from node_core.odeint import odeint

DTYPE = torch.float64


def field(time_dependent: bool = False, activation: str = "tanh", gain: float = 1.0) -> MLPField:
    found = MLPField(2, (5, 7), activation, time_dependent, seed=3, dtype=DTYPE)
    with torch.no_grad():
        for p in found.parameters():
            p.mul_(gain)
    return found


def states(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=DTYPE, generator=torch.Generator().manual_seed(1))


def gradients(f: MLPField, mode: str, ts: list[float], **options: object) -> tuple[Tensor, ...]:
    y0 = states(6, 2).requires_grad_()
    solution = odeint(f, y0, ts, gradient=mode, **options)  # type: ignore[arg-type]
    loss = (solution.ys * states(*solution.ys.shape)).sum()
    return torch.autograd.grad(loss, (y0, *f.parameters()))


@pytest.mark.parametrize("activation", ["tanh", "softplus", "elu"])
@pytest.mark.parametrize("time_dependent", [False, True])
def test_its_products_are_those_of_the_field(activation: str, time_dependent: bool) -> None:
    f = field(time_dependent, activation)
    compiled = f.compiled()
    tape = compiled.tape(4)
    ts, ys, gs = [0.1, 0.7, 0.3], states(3, 2, 4), states(3, 2, 4).flip(0)
    values = torch.empty_like(ys)
    for t, y, out in zip(ts, ys, values, strict=True):
        tape.write(t, y, out)
    stages = tape.find(list(values))
    assert stages == [0, 1, 2]
    sweep = tape.sweep()
    expected = [compiled.vjp(t, y.T, g.T) for t, y, g in zip(ts, ys, gs, strict=True)]
    for i, found in reversed(list(enumerate(expected))):
        torch.testing.assert_close(values[i].T, found.value)
        torch.testing.assert_close(sweep.vjp(i, gs[i]).T, found.y)
    for k, total in enumerate(sweep.parameter_gradients()):
        torch.testing.assert_close(total, sum(found.parameters[k] for found in expected))


def test_only_the_evaluations_that_took_a_cotangent_count() -> None:
    tape = field().compiled().tape(3)
    values = torch.empty(4, 2, 3, dtype=DTYPE)
    for y, out in zip(states(4, 2, 3), values, strict=True):
        tape.write(0.0, y, out)
    tape.write(0.0, torch.full((2, 3), torch.inf, dtype=DTYPE), values[2])  # an attempt that exploded
    sweep, g = tape.sweep(), states(2, 3)
    sweep.vjp(1, g)
    sweep.vjp(3, g)
    both = sweep.parameter_gradients()
    sweep = tape.sweep()
    sweep.vjp(3, g)
    one = sweep.parameter_gradients()
    assert all(bool(torch.isfinite(a).all()) for a in both)
    assert not torch.equal(both[0], one[0])


def test_a_cotangent_is_taken_once_a_sweep() -> None:
    tape = field().compiled().tape(3)
    tape.write(0.0, states(2, 3), torch.empty(2, 3, dtype=DTYPE))
    for _ in range(2):
        sweep = tape.sweep()
        sweep.vjp(0, states(2, 3))
        with pytest.raises(RuntimeError, match="already took its cotangent"):
            sweep.vjp(0, states(2, 3))


def test_without_a_cotangent_the_gradients_are_zero() -> None:
    f = field()
    tape = f.compiled().tape(3)
    for p, zero in zip(f.parameters(), tape.sweep().parameter_gradients(), strict=True):
        assert zero.shape == p.shape
        assert not zero.any()


def test_a_value_made_elsewhere_is_not_found() -> None:
    tape = field().compiled().tape(3)
    out = torch.empty(2, 3, dtype=DTYPE)
    tape.write(0.0, states(2, 3), out)
    assert tape.find([out]) == [0]
    assert tape.find([out, out.clone()]) is None
    assert tape.find([None]) is None


@pytest.mark.parametrize("room", [0, 5, 20])
def test_past_its_memory_it_keeps_nothing_and_the_gradient_is_the_same(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    f, ts = field(), [0.0, 2.0]
    expected = gradients(f, "checkpointed", ts)
    row_bytes = (
        2 * (6 + 8) * 6 * 8
    )  # activations and cotangents of both layers with their ones, batch 6, float64
    monkeypatch.setattr(mlp_tape, "TAPE_BYTES", room * row_bytes)
    kept: list[int] = []
    write = MLPTape.write

    def spy(self: MLPTape, t: float, y: Tensor, out: Tensor) -> None:
        write(self, t, y, out)
        kept.append(len(self.groups) * self.size)

    monkeypatch.setattr(MLPTape, "write", spy)
    found = gradients(f, "backprop", ts)
    assert len(kept) > 20  # there was more to keep than room for it
    assert (kept[-1] > 0) == (room > 0)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("method", ["dopri5", "bosh3", "dopri8", "rk4"])
def test_rejected_attempts_and_outputs_inside_steps_leave_the_gradient_exact(method: str) -> None:
    f = field(gain=3.0)
    options: dict[str, object] = {"method": method, "rtol": 1e-4, "atol": 1e-4}
    options |= {"dt": 0.05} if method == "rk4" else {"dt0": 2.0}
    ts = [0.0, 0.33, 0.34, 3.0]
    if method != "rk4":
        assert odeint(f, states(6, 2), ts, **options).steps.n_rejected > 0  # type: ignore[arg-type]
    found, expected = (gradients(f, mode, ts, **options) for mode in ("backprop", "checkpointed"))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_it_can_be_gone_back_through_twice() -> None:
    f = field()
    loss = odeint(f, states(6, 2), [0.0, 1.0]).ys[-1].square().sum()
    first = torch.autograd.grad(loss, list(f.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(f.parameters()))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_frozen_weights_get_no_gradient_and_the_state_its_own() -> None:
    f = field()
    y0 = states(6, 2).requires_grad_()
    (expected,) = torch.autograd.grad(odeint(f, y0, [0.0, 1.0]).ys[-1].sum(), y0)
    (found,) = torch.autograd.grad(odeint(f, y0, [0.0, 1.0], params=()).ys[-1].sum(), y0)
    torch.testing.assert_close(found, expected)


def test_neighbours_are_worked_on_together() -> None:
    assert runs({5, 1, 2, 3, 7, 8}) == [(1, 4), (5, 6), (7, 9)]
    assert runs(set()) == []
