"""The backward solve of the continuous adjoints by a method and tolerances of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from node_core import Backward, odeint
from node_core.fields.mlp.mlp import MLPField
from tests.solvers.problems import D, vector

MODES = ("adjoint", "adjoint_seminorm", "interpolated")


def gradients(mode: str, **arguments: Any) -> tuple[torch.Tensor, Any]:
    torch.manual_seed(0)
    f, y0 = MLPField(2, (8,), dtype=D), vector(1.0, 0.5).requires_grad_()
    sol = odeint(f, y0, [0.0, 2.0, 4.0], gradient=mode, **arguments)
    sol.ys.square().sum().backward()
    assert y0.grad is not None
    return torch.cat([y0.grad, *(p.grad.reshape(-1) for p in f.parameters() if p.grad is not None)]), sol


@pytest.mark.parametrize("mode", MODES)
def test_a_tighter_way_back_takes_more_steps_and_is_nearer_to_the_exact_gradient(mode: str) -> None:
    exact, _ = gradients("backprop", rtol=1e-9, atol=1e-9)
    loose = {"rtol": 1e-9, "atol": 1e-9, "backward": Backward(rtol=0.1, atol=0.1)}
    (rough, rough_sol), (fine, fine_sol) = gradients(mode, **loose), gradients(mode, rtol=1e-9, atol=1e-9)
    assert rough_sol.stats.nfe == fine_sol.stats.nfe
    assert rough_sol.backward_stats.nfe < fine_sol.backward_stats.nfe
    assert float((fine - exact).abs().max()) < 1e-6 < float((rough - exact).abs().max())


@pytest.mark.parametrize(
    ("forward", "back"),
    [
        ({"method": "rk4", "dt": 0.05}, Backward("dopri8", 1e-8, 1e-8)),
        ({"method": "dopri5"}, Backward("rk4", dt=0.05)),
        ({"method": "rk4", "dt": 0.05}, Backward(dt=0.01)),
        ({"method": "dopri5"}, Backward("rodas5p")),
        ({"method": "scipy_lsoda"}, Backward("tsit5")),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_another_method_goes_back(mode: str, forward: dict[str, Any], back: Backward) -> None:
    if forward["method"].startswith("scipy") and mode == "adjoint_seminorm":
        pytest.skip("refused with SciPy's methods")
    exact, _ = gradients("backprop", rtol=1e-9, atol=1e-9)
    found, sol = gradients(mode, backward=back, **forward)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-3)
    if back.dt is not None:
        assert abs(sol.backward_steps.dt).max() == pytest.approx(back.dt)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"backward": Backward(rtol=1e-3)}, r"gradient='backprop' solves nothing backward.*'adjoint'"),
        (
            {"gradient": "adjoint", "backward": {"rtol": 1e-3}},
            r"backward is dict: pass node_core\.Backward\(method=",
        ),
        (
            {"gradient": "adjoint", "backward": Backward("rk4")},
            r"backward: method='rk4' needs a step size: pass dt",
        ),
        (
            {"gradient": "adjoint", "backward": Backward("rk4", 1e-3, dt=0.1)},
            r"backward: .*pass dt instead of rtol",
        ),
        (
            {"gradient": "adjoint", "backward": Backward(rtol=-1.0)},
            r"backward: rtol=-1\.0 must be a positive number",
        ),
        ({"gradient": "adjoint", "backward": Backward("dopri")}, r"dopri"),
        (
            {"gradient": "adjoint_seminorm", "backward": Backward("scipy_lsoda")},
            r"backward: gradient='adjoint_seminorm' has an error norm of its own",
        ),
    ],
)
def test_a_senseless_way_back_is_refused(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        odeint(lambda t, y: -y, vector(1.0), [0.0, 1.0], **arguments)
