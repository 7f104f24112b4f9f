"""States that are nestings of tensors, single numbers or complex: the same solve as of one tensor, in every mode."""

from __future__ import annotations

import copy
import math
import pickle
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from node_core import odeint
from node_core.gradients.names import GRADIENTS, goes_with
from node_core.solvers.methods import METHODS
from tests.solvers.problems import D

C = torch.complex128
TS = [0.0, 0.6, 1.0]
MODES = pytest.mark.parametrize("mode", GRADIENTS)
SOME_METHODS = pytest.mark.parametrize("method", ["dopri5", "rodas5p", "scipy_radau"])


class Pair(NamedTuple):
    x: Any
    v: Any


@dataclass(frozen=True)
class Body:
    x: Any
    v: Any


class Net(nn.Module):
    """x' = tanh(W [x, v] t), v' = -x, s' = sum of v: three leaves of different shapes, in rows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 3, dtype=D)

    def joined(self, t: Any, y: Tensor) -> Tensor:
        x, v = y[..., :3], y[..., 3:4]
        dx = torch.tanh(self.linear(torch.cat((x, v), -1)) * (1 + t))
        return torch.cat((dx, -x[..., :1], v), -1)

    def forward(self, t: Any, y: Any) -> Any:
        x, (v, s) = y["x"], y["rest"]
        d = self.joined(t, torch.cat((x, v[:, :, 0], s[:, None]), -1))
        # in another order, and a list for a tuple
        return {"rest": [d[:, 3:4, None], d[:, 4]], "x": d[:, :3]}


def start() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 5, dtype=D, requires_grad=True)


def taken_apart(y: Tensor) -> dict[str, Any]:
    return {"x": y[..., :3], "rest": (y[..., 3:4, None], y[..., 4])}


def joined(state: Any) -> Tensor:
    return torch.cat((state["x"], state["rest"][0][..., 0], state["rest"][1][..., None]), -1)


@SOME_METHODS
@MODES
def test_a_nested_state_is_solved_and_differentiated_as_one_tensor(method: str, mode: str) -> None:
    if not goes_with(mode, METHODS[method].family):
        pytest.skip("the mode does not go back through these methods")
    net, y0 = Net(), start()
    arguments: dict[str, Any] = {"method": method, "gradient": mode, "dense": True, "record_adjoint": True}
    arguments |= {"rtol": 1e-5, "atol": 1e-5}
    ts = torch.tensor(TS, dtype=D, requires_grad=True)

    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, t: Any, y: Tensor) -> Tensor:
            return self.net.joined(t, y)

    sols = [odeint(net, taken_apart(y0), ts, **arguments), odeint(Joined(), y0, ts, **arguments)]
    found, known = sols
    assert found.ys["x"].shape == (3, 2, 3)
    assert isinstance(found.ys["rest"], tuple) and found.ys["rest"][0].shape == (3, 2, 1, 1)
    assert found.ys["rest"][1].shape == (3, 2)
    torch.testing.assert_close(joined(found.ys), known.ys, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(joined(found(0.3)), known(0.3), rtol=1e-12, atol=1e-12)
    grads = []
    for sol in sols:
        ys, at = (sol.ys, sol(0.3)) if sol is known else (joined(sol.ys), joined(sol(0.3)))
        loss = (ys[1] * ys[2]).sum() + at.sin().sum()
        grads.append(torch.autograd.grad(loss, (y0, ts, net.linear.weight)))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    a_found, a_known = found.adjoint, known.adjoint
    assert a_found.a["rest"][1].shape == (len(a_found.t), 2)
    as_tensors = {"x": a_found.a["x"], "rest": a_found.a["rest"]}
    np.testing.assert_allclose(as_tensors["x"], a_known.a[..., :3], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(a_found.z["rest"][1], a_known.z[..., 4], rtol=1e-9, atol=1e-9)
    if a_found.curve is not None and a_known.curve is not None:
        np.testing.assert_allclose(a_found.curve.a["x"], a_known.curve.a[..., :3], rtol=1e-9, atol=1e-9)


class Spin(nn.Module):
    """z' = A z + r cos(t) conj(z): complex, and not holomorphic."""

    def __init__(self) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.tensor([[-0.1 + 1.0j, 0.3], [0.2j, -0.2 + 0.5j]], dtype=C))
        self.r = nn.Parameter(torch.tensor(0.4, dtype=D))

    def forward(self, t: Any, z: Tensor) -> Tensor:
        return z @ self.A.T + self.r * torch.cos(t) * z.conj()


@pytest.mark.parametrize("method", ["rk4", "rodas5p", "scipy_lsoda"])
@MODES
def test_complex_states_and_parameters_have_torchs_gradients(method: str, mode: str) -> None:
    if not goes_with(mode, METHODS[method].family):
        pytest.skip("the mode does not go back through these methods")
    f = Spin()
    z0 = torch.tensor([1.0 + 1.0j, 0.5 - 0.2j], dtype=C, requires_grad=True)
    inputs = (z0, f.A, f.r)

    def gradients(mode: str, **arguments: Any) -> tuple[Tensor, ...]:
        zs = odeint(f, z0, TS, gradient=mode, **arguments).ys
        assert zs.dtype == C and zs.shape == (3, 2)
        loss = (zs[-1] * torch.tensor([1 - 2j, 0.3j], dtype=C)).real.sum() + zs[1].abs().sum()
        return torch.autograd.grad(loss, inputs)

    # What the method itself would give: the discrete gradient, or for SciPy's that of the solution.
    ours = METHODS[method].family != "scipy"
    steps: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5} if METHODS[method].adaptive else {"dt": 0.1}
    arguments = {"method": method, **steps}
    exact = gradients("backprop", **(arguments if ours else {"method": "dopri8"}))
    for a, b in zip(gradients(mode, **arguments), exact, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mode", ["backprop", "checkpointed"])
def test_complex_gradients_are_those_of_finite_differences_twice(mode: str) -> None:
    f, z0 = Spin(), torch.tensor([1.0 + 1.0j, 0.5 - 0.2j], dtype=C, requires_grad=True)

    def solve(z: Tensor, A: Tensor) -> Tensor:
        return odeint(f, z, [0.0, 0.5], method="heun", dt=0.5, gradient=mode).ys[-1]

    assert torch.autograd.gradcheck(solve, (z0, f.A))
    assert torch.autograd.gradgradcheck(solve, (z0, f.A))


@pytest.mark.parametrize("method", METHODS)
def test_a_complex_state_and_a_single_number_are_solved_by_every_method(method: str) -> None:
    arguments: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5} if METHODS[method].adaptive else {"dt": 0.02}
    z0 = torch.tensor([1.0 + 2.0j, -0.5j], dtype=C)
    y0 = torch.tensor(2.0, dtype=D)
    sol = odeint(lambda t, z: 1j * z, z0.conj(), [0.0, 1.0], method=method, **arguments)
    for t, z in ((1.0, sol.ys[-1]), (0.5, sol([[0.5]])[0, 0])):
        torch.testing.assert_close(z, z0.conj() * complex(math.cos(t), math.sin(t)), rtol=0, atol=0.03)
    sol = odeint(lambda t, y: -y, y0, [0.0, 0.5, 1.0], method=method, **arguments)
    assert sol.ys.shape == (3,) and sol([0.1, 0.2]).shape == (2,) and sol([]).shape == (0,)
    assert float(sol.ys[-1]) == pytest.approx(2 * math.exp(-1), abs=0.01)


def test_every_container_comes_back_as_it_was() -> None:
    one, two = torch.tensor([1.0, 0.0], dtype=D), torch.tensor(0.5, dtype=D)
    for y0 in (
        (one, two),
        [one, two],
        Pair(one, two),
        Body(one, two),
        OrderedDict(x=one, v=two),
        {"x": (one, [two, {}])},
    ):
        sol = odeint(lambda t, y: y, y0, [0.0, 1.0], dense=True)
        for state in (sol.ys, sol(0.5), copy.deepcopy(sol).ys, pickle.loads(pickle.dumps(sol))(0.5)):
            assert type(state) is type(y0)
        assert sol.structure is not None
        kinds = [repr(sol.structure.map(lambda leaf: None, state)) for state in (sol.ys, y0)]
        assert kinds[0] == kinds[1]
    assert odeint(lambda t, y: y, Body(one, two), [0.0, 1.0]).ys.v.shape == (2,)


def test_rows_take_steps_of_their_own_in_every_leaf() -> None:
    rates = torch.tensor([1.0, 20.0, 3.0], dtype=D)
    y0 = {
        "x": torch.ones(3, 2, 1, dtype=D),
        "log_p": torch.zeros(3, dtype=D, requires_grad=True),
        "rate": rates,
    }

    def f(t: Tensor, y: Any) -> Any:
        assert t.shape == (len(y["rate"]), 1, 1)
        return {
            "x": -y["rate"][:, None, None] * y["x"],
            "log_p": t[:, 0, 0],
            "rate": torch.zeros_like(y["rate"]),
        }

    sol = odeint(f, y0, [0.0, 1.0], batch="per_sample")
    expected = torch.exp(-rates)[:, None, None].expand(3, 2, 1)
    torch.testing.assert_close(sol.ys["x"][-1], expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(sol.ys["log_p"][-1], torch.full((3,), 0.5, dtype=D), rtol=0, atol=1e-5)
    assert len(sol.steps.of(1)) > len(sol.steps.of(0))
    alone = {key: value[:1] for key, value in y0.items()}
    first = odeint(f, alone, [0.0, 1.0], batch="per_sample").ys["x"][-1]
    torch.testing.assert_close(first, sol.ys["x"][-1, :1], rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match=r"first axis of every leaf.*y0\['x'\] \(3, 2\), y0\['t'\] \(\)"):
        odeint(f, {"x": torch.ones(3, 2), "t": torch.tensor(0.0)}, [0.0, 1.0], batch="per_sample")


@MODES
def test_an_event_sees_the_structure_and_stops_in_it(mode: str) -> None:
    """A ball falls from x0: t = sqrt(2 x0 / g), and v = -sqrt(2 g x0)."""
    g, x0 = 9.81, torch.tensor(5.0, dtype=D, requires_grad=True)

    def touches(t: Any, y: Body) -> Tensor:
        return y.x

    touches.direction = -1  # type: ignore[attr-defined]
    sol = odeint(
        lambda t, y: Body(y.v, torch.full_like(y.v, -g)),
        Body(x0, torch.zeros((), dtype=D)),
        [0.0, 5.0],
        event=touches,
        gradient=mode,
    )
    assert sol.t_event is not None and sol.y_event.v.shape == ()
    assert sol.t_event.item() == pytest.approx(math.sqrt(10 / g), abs=1e-6)
    (slope,) = torch.autograd.grad(sol.y_event.v, x0)
    assert float(slope) == pytest.approx(-math.sqrt(g / 10), abs=1e-5)
    assert sol.events[0].y.v.shape == (1,)
    state = pickle.loads(pickle.dumps(sol)).y_event
    assert isinstance(state, Body) and not state.v.requires_grad


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("method", ["dopri5", "rodas5p"])
def test_a_jump_and_tangents_and_second_derivatives_pass_through_a_structure(method: str) -> None:
    def f(t: Any, y: Any) -> Any:
        return (y[0] * (1.0 if t < 0.5 else -2.0), y[0] ** 2)

    def end(x: Tensor) -> Tensor:
        y0 = (x, torch.zeros(2, dtype=D))
        return odeint(f, y0, [0.0, 1.0], method=method, jumps=[0.5], rtol=1e-7, atol=1e-7).ys[1][-1]

    def exact(x: Tensor) -> Tensor:
        return x**2 * ((math.e - 1) / 2 + math.e * (1 - math.exp(-2)) / 4)

    x = torch.tensor([0.5, 2.0], dtype=D, requires_grad=True)
    torch.testing.assert_close(end(x), exact(x), rtol=0, atol=1e-5)
    (first,) = torch.autograd.grad(end(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(first, 2 * exact(x) / x, rtol=0, atol=1e-5)
    torch.testing.assert_close(second, 2 * exact(x) / x**2, rtol=0, atol=1e-4)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(
            end(forward_ad.make_dual(x.detach(), torch.ones(2, dtype=D)))
        ).tangent
    torch.testing.assert_close(tangent, first.detach(), rtol=0, atol=1e-6)


Y0 = {"x": torch.ones(2, dtype=D), "rest": (torch.zeros((), dtype=D), torch.ones(1, dtype=C))}
RETURNED: list[tuple[Any, str]] = [
    (lambda y: y["x"], r"f\(t, y\) is a Tensor, but y is a dict with the keys 'x', 'rest': return dy/dt in"),
    (lambda y: {"x": y["x"]}, r"f\(t, y\) is a dict with the keys 'x', but y is a dict"),
    (
        lambda y: {**y, "rest": y["rest"][:1]},
        r"f\(t, y\)\['rest'\] is a tuple of 1, but y\['rest'\] is a tuple of 2",
    ),
    (lambda y: {**y, "x": y["x"][:1]}, r"f\(t, y\)\['x'\] has shape \(1,\), but y\['x'\] has \(2,\)"),
    (
        lambda y: {**y, "x": y["x"].float()},
        r"f\(t, y\)\['x'\] is torch\.float32, but y\['x'\] is torch\.float64",
    ),
    (
        lambda y: {**y, "rest": (0.0, y["rest"][1])},
        r"f\(t, y\)\['rest'\]\[0\] is float, not a tensor.*like y\['rest'\]",
    ),
    (
        lambda y: {**y, "rest": (y["rest"][0], y["rest"][1].real)},
        r"\['rest'\]\[1\] is torch\.float64, but .*complex128",
    ),
]


@pytest.mark.parametrize(("made", "match"), RETURNED)
def test_what_f_returns_in_another_structure_is_named_by_its_path(made: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        odeint(lambda t, y: made(y), Y0, [0.0, 1.0])


REFUSED: list[tuple[Any, str]] = [
    (
        {"x": torch.ones(2), "v": torch.ones(2, dtype=D)},
        r"y0\['x'\] is torch\.float32 and y0\['v'\] is torch\.float64",
    ),
    (
        (torch.ones(2), torch.ones(2, dtype=C)),
        r"y0\[0\] is torch\.float32 and y0\[1\] is torch\.complex128.*complex",
    ),
    ((torch.ones(2), 1.0), r"y0\[1\] is float, not a tensor: pass torch\.tensor\(y0\[1\]"),
    (Body(torch.ones(2), torch.ones(2, dtype=torch.int64)), r"y0\.v has type torch\.int64"),
    ([torch.ones(2), torch.tensor(math.nan)], r"y0\[1\] contains NaN"),
    ({"x": {"y": torch.empty(2, device="meta")}}, r"y0\['x'\]\['y'\] is on the device 'meta'"),
    ((torch.ones(0), torch.ones(0, 2)), r"y0 has no entry"),
    (
        defaultdict(list, x=torch.ones(2)),
        r"y0 is defaultdict, not a tensor: pass a dict of tensors, dict\(y0\)",
    ),
    ({"x": 1.0}, r"y0 is dict, not a tensor: pass a dict of tensors"),
]


@pytest.mark.parametrize(("y0", "match"), REFUSED)
def test_leaves_that_cannot_be_solved_for_are_named_by_their_path(y0: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        odeint(lambda t, y: y, y0, [0.0, 1.0])


def test_what_goes_with_one_tensor_alone_is_told_so() -> None:
    with pytest.raises(ValueError, match=r"jacobian= is df/dy of a state that is one real tensor"):
        odeint(lambda t, y: y, Y0, [0.0, 1.0], method="rodas5p", jacobian=lambda t, y: torch.eye(5))
    net = nn.Linear(2, 2)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        pytest.raises(
            ValueError, match=r"\['x'\] is torch\.bfloat16.*under torch\.autocast.*\.to\(y\['x'\]\.dtype\)"
        ),
    ):
        odeint(lambda t, y: {"x": net(y["x"])}, {"x": torch.ones(2)}, [0.0, 1.0])

    def writes(t: Any, y: Any) -> Any:
        y["x"].mul_(2)
        return y

    with pytest.raises(ValueError, match=r"changed y in place"):
        odeint(writes, {"x": torch.ones(2)}, [0.0, 1.0])


@pytest.mark.filterwarnings("ignore:ComplexHalf support:UserWarning")
def test_half_precision_has_no_complex_numbers() -> None:
    with pytest.raises(ValueError, match=r"y0 has type torch\.complex32.*y0\.cfloat\(\)"):
        odeint(lambda t, y: y, torch.ones(2, dtype=torch.complex32), [0.0, 1.0])


def test_a_hidden_solve_looks_for_what_a_nested_field_depends_on() -> None:
    net, y0 = Net(), start()
    with pytest.raises(
        ValueError, match=r"f depends on tensors that require gradients.*pass them as params="
    ):
        odeint(lambda t, y: net(t, y), taken_apart(y0), TS, gradient="checkpointed")
    sol = odeint(lambda t, y: net(t, y), taken_apart(y0), TS, gradient="adjoint", params=net.parameters())
    sol.ys["x"].sum().backward()
    assert net.linear.weight.grad is not None and bool(net.linear.weight.grad.any())
