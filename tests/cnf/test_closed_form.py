"""The closed-form augmented fields against autograd, stage by stage and through whole solves."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from node_core.cnf.continuous import CNF
from node_core.cnf.divergence import Divergence
from node_core.cnf.field import AugmentedField, ClosedFormField, augmented
from node_core.cnf.hypernetwork import HypernetworkField
from node_core.fields.mlp.mlp import MLPField
from node_core.settings import SolverSettings

STAGES = 4
TAPED = ["one hidden layer", "two, with time", "two, elu", "hypernetwork"]


def random(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fields() -> dict[str, MLPField | HypernetworkField]:
    return {
        "one hidden layer": MLPField(2, (8,), dtype=torch.float64),
        "two, with time": MLPField(3, (8, 7), time_dependent=True, dtype=torch.float64),
        "two, elu": MLPField(2, (6, 5), "elu", dtype=torch.float64),
        "three, softplus": MLPField(2, (6, 5, 4), "softplus", time_dependent=True, dtype=torch.float64),
        "hypernetwork": HypernetworkField(3, 6, 5, dtype=torch.float64),
    }


def closed_form(field: nn.Module) -> ClosedFormField:
    closed = augmented(field, Divergence())
    assert isinstance(closed, ClosedFormField)
    return closed


every_field = pytest.mark.parametrize("name", list(fields()))


@every_field
# 700 rows make more than one group of stages, 3 rows a single one.
@pytest.mark.parametrize("rows", [3, 700])
def test_a_linearization_equals_autograd(name: str, rows: int) -> None:
    field = fields()[name]
    closed = closed_form(field)
    ts = [0.1, 0.5, 0.9, 1.3]
    ys = random(STAGES, field.dim + 1, rows).transpose(1, 2)
    gs = random(STAGES, field.dim + 1, rows, seed=6).transpose(1, 2)
    with torch.no_grad():
        linear = closed.linearize(ts, ys)
        products = {i: linear.vjp(i, gs[i]) for i in (3, 2, 0, 1)}
    parameters = list(field.parameters())
    totals = [torch.zeros_like(p) for p in parameters]
    for i in range(STAGES):
        y = ys[i].detach().requires_grad_()
        t = torch.tensor(ts[i], dtype=torch.float64, requires_grad=True)
        value = closed(t, y)
        gy, gt, *gp = torch.autograd.grad(
            value, (y, t, *parameters), gs[i], allow_unused=True, materialize_grads=True
        )
        torch.testing.assert_close(products[i], gy, rtol=0, atol=1e-10)
        with torch.no_grad():
            torch.testing.assert_close(closed.compiled()(ts[i], ys[i]), value, rtol=0, atol=1e-12)
            found = closed.compiled().vjp(ts[i], ys[i], gs[i])
        torch.testing.assert_close(found.y, gy, rtol=0, atol=1e-10)
        torch.testing.assert_close(found.t, gt, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(found.value, value, rtol=0, atol=1e-12)
        for ours, theirs in zip(found.parameters, gp, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-10)
        totals = [a + b for a, b in zip(totals, gp, strict=True)]
    for ours, theirs in zip(linear.parameter_gradients(), totals, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-10)


@every_field
def test_stages_that_take_no_cotangent_add_nothing(name: str) -> None:
    field = fields()[name]
    closed = closed_form(field)
    ys, g = random(STAGES, 5, field.dim + 1), random(5, field.dim + 1, seed=6)
    with torch.no_grad():
        several, one = closed.linearize([0.1, 0.2, 0.3, 0.4], ys), closed.linearize([0.3], ys[2:3])
        several.vjp(2, g)
        one.vjp(0, g)
        for ours, theirs in zip(several.parameter_gradients(), one.parameter_gradients(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@every_field
@pytest.mark.parametrize(
    # 200 rows are enough for the solve's own activations to be kept for the way back.
    ("gradient", "rows"),
    [("backprop", 6), ("backprop", 200), ("checkpointed", 6), ("adjoint", 6)],
)
def test_the_gradient_of_a_likelihood_equals_autograd_through_the_solver(
    name: str, gradient: str, rows: int
) -> None:
    field = fields()[name]
    x = random(rows, field.dim)

    class Bare(nn.Module):
        """The same field without its closed forms."""

        dim = field.dim

        def __init__(self) -> None:
            super().__init__()
            self.inner = field

        def forward(self, t: Tensor, z: Tensor) -> Tensor:
            return self.inner(t, z)

    if gradient == "adjoint" and field.__dict__.get("activation") == "elu":
        pytest.skip("the trace of an ELU net jumps at its kinks: its adjoint equation has no smooth solution")
    tight = 1e-9 if gradient == "adjoint" else 1e-6
    ours = CNF(field, solver=SolverSettings(rtol=tight, atol=tight, gradient=gradient))
    theirs = CNF(Bare(), solver=SolverSettings(rtol=tight, atol=tight))
    assert not isinstance(theirs.augmented_field(x), ClosedFormField)
    found = torch.autograd.grad(-ours.log_prob(x).mean(), list(field.parameters()), materialize_grads=True)
    expected = torch.autograd.grad(
        -theirs.log_prob(x).mean(), list(field.parameters()), allow_unused=True, materialize_grads=True
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-7 if gradient == "adjoint" else 1e-10)


def test_kept_activations_find_their_stages_among_rejected_attempts_and_may_be_asked_twice() -> None:
    field = MLPField(2, (9, 7), time_dependent=True, dtype=torch.float64)
    with torch.no_grad():
        for p in field.parameters():
            p.mul_(6.0)
    x, found = random(200, 2), []
    for gradient in ("backprop", "checkpointed"):
        flow = CNF(field, t1=2.0, solver=SolverSettings(rtol=1e-4, atol=1e-4, gradient=gradient))
        there = flow.inverse(x)
        assert there.solution.stats.n_rejected > 0
        loss = -(flow.base.log_prob(there.points) + there.log_det).mean()
        found.append(torch.autograd.grad(loss, list(field.parameters()), retain_graph=True))
        found.append(torch.autograd.grad(loss, list(field.parameters())))
    for gradients in found[1:]:
        for a, b in zip(found[0], gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def flow_of(field: MLPField | HypernetworkField) -> Any:
    return closed_form(field).compiled()


@pytest.mark.parametrize("name", TAPED)
# 5 rows share a frame with the other stages, 600 rows do not.
@pytest.mark.parametrize("rows", [5, 600])
def test_a_tape_goes_back_as_a_linearization_does(name: str, rows: int) -> None:
    field = fields()[name]
    flow = flow_of(field)
    ts = [0.1, 0.5, 0.9, 1.3]
    ys, gs = random(STAGES, field.dim + 1, rows), random(STAGES, field.dim + 1, rows, seed=6)
    gs[1, -1] = 0.0  # a stage without a weight on the trace
    with torch.no_grad():
        tape, values = flow.tape(rows), torch.empty_like(ys)
        for t, y, value in zip(ts, ys, values, strict=True):
            tape.write(t, y, value)
            torch.testing.assert_close(value, flow(t, y.T).T, rtol=0, atol=1e-12)
        # An attempt that overflowed lies beside the others, and is not asked for.
        tape.write(2.0, torch.full_like(ys[0], torch.inf), torch.empty_like(ys[0]))
        found = tape.find([*values])
        for _ in range(2):  # the graph may be kept, and asked again
            linear, expected = tape.sweep(), flow.linearize(ts, ys.mT)
            for i in (3, 1, 0):  # stage 2 takes no cotangent
                torch.testing.assert_close(
                    linear.vjp(found[i], gs[i]), expected.vjp(i, gs[i].T).T, rtol=0, atol=1e-12
                )
            for a, b in zip(linear.parameter_gradients(), expected.parameter_gradients(), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("name", TAPED)
def test_a_full_tape_still_evaluates_and_does_not_find_what_it_did_not_keep(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = fields()[name]
    flow, rows = flow_of(field), 600
    monkeypatch.setattr("node_core.cnf.tape.TAPE_BYTES", flow.make_frame(1, rows).bytes)
    tape, ys = flow.tape(rows), random(2, field.dim + 1, rows)
    values = torch.empty_like(ys)
    with torch.no_grad():
        for y, value in zip(ys, values, strict=True):
            tape.write(0.5, y, value)
            torch.testing.assert_close(value, flow(0.5, y.T).T, rtol=0, atol=1e-12)
    assert tape.find([values[0]]) == [0]
    assert tape.find([*values]) is None
    # A value that takes the place of a kept one is another value.
    with torch.no_grad():
        tape.write(0.5, ys[1], values[0])
    assert tape.find([values[0]]) is None


def test_a_tapes_memory_goes_back_to_the_flow_and_not_into_its_copies() -> None:
    flow, x = CNF(MLPField(2, (8, 8))), torch.zeros(300, 2)
    pool = flow._pool
    loss = flow.log_prob(x).mean()
    assert not pool.blocks("mlp")
    loss.backward()
    del loss
    kept = pool.blocks("mlp")
    assert kept
    flow.log_prob(x).mean().backward()
    assert {id(block) for block in pool.blocks("mlp")} == {id(block) for block in kept}
    assert not copy.deepcopy(flow)._pool.blocks("mlp")


def test_a_cotangent_is_taken_only_once() -> None:
    for name in ("two, elu", "hypernetwork"):
        field = fields()[name]
        linear = closed_form(field).linearize([0.0, 0.1], random(2, 4, field.dim + 1))
        g = random(4, field.dim + 1)
        linear.vjp(0, g)
        with pytest.raises(RuntimeError, match="already took its cotangent"):
            linear.vjp(0, g)


def test_estimators_and_penalties_take_the_way_through_autograd() -> None:
    field = MLPField(2)
    assert type(augmented(field, Divergence("hutchinson"))) is AugmentedField
    assert type(augmented(field, Divergence(), penalties=True)) is AugmentedField
