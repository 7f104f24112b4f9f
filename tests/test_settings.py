"""One way to say how an ODE is solved: every argument of `odeint` is said by the settings or by their `solve`."""

import inspect
from dataclasses import fields

import pytest
import torch

import node_core
from node_core import settings as module
from node_core.cnf.continuous import CNF
from node_core.fields.mlp.mlp import MLPField
from node_core.models.odenet import ODENet, RKNet
from node_core.odeint import odeint
from node_core.settings import SolverSettings

OWN = {entry.name for entry in fields(SolverSettings)}
ASKED = set(inspect.signature(SolverSettings.solve).parameters) - {"self"}


def test_the_settings_and_what_is_solved_are_together_all_that_odeint_takes() -> None:
    assert set(inspect.signature(odeint).parameters) - {"foreign"} == OWN | ASKED
    assert not OWN & ASKED


def test_every_argument_is_handed_on_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    called = inspect.signature(odeint)
    found: dict[str, object] = {}

    def spy(*args: object, **kwargs: object) -> str:
        found.update(called.bind(*args, **kwargs).arguments)
        return "solved"

    monkeypatch.setattr(module, "odeint", spy)
    wanted: dict[str, object] = {name: f"the {name}" for name in OWN | ASKED} | {"dt": 0.5}
    settings = SolverSettings(**{name: wanted[name] for name in OWN})  # type: ignore[arg-type]
    assert settings.solve(**{name: wanted[name] for name in ASKED}) == "solved"  # type: ignore[arg-type, comparison-overlap]
    assert found == wanted


def test_it_solves_as_odeint_does() -> None:
    field, y0 = MLPField(2, (8,), dtype=torch.float64), torch.ones(3, 2, dtype=torch.float64)
    ours = SolverSettings("bosh3", 1e-4, 1e-6, controller="pid").solve(field, y0, [0.0, 2.0])
    theirs = odeint(field, y0, [0.0, 2.0], method="bosh3", rtol=1e-4, atol=1e-6, controller="pid")
    assert torch.equal(ours.ys, theirs.ys)
    assert ours.stats.nfe == theirs.stats.nfe


@pytest.mark.parametrize("dt", [0.0, -0.1, float("inf"), float("nan")])
def test_a_senseless_step_is_refused(dt: float) -> None:
    with pytest.raises(ValueError, match=f"dt = {dt}: choose a positive step"):
        SolverSettings("rk4", dt=dt)


def test_models_and_flows_take_the_same_settings() -> None:
    settings = SolverSettings("rk4", dt=0.25)
    net, flow = ODENet(2, 2, (8,), t1=0.5, solver=settings), CNF(MLPField(2, (8,)), solver=settings)
    assert net.solver is flow.solver is settings
    assert net.solve(torch.ones(1, 2)).stats.n_accepted == 2
    assert flow.inverse(torch.ones(1, 2)).solution.stats.n_accepted == 4


def test_another_solver_ends_where_the_model_does() -> None:
    net, x = ODENet(2, 2, (8,), t1=2.0), torch.ones(1, 2)
    tight = SolverSettings(rtol=1e-6, atol=1e-6)
    assert net.solve(x, solver=tight).ts.tolist() == [0.0, 2.0]
    torch.testing.assert_close(net.classify(x, tight).logits, net(x), rtol=1e-2, atol=1e-2)
    assert RKNet(2, 2, (8,), steps=8, t1=2.0).solve(x).stats.n_accepted == 8


def test_the_flows_own_name_for_it_is_the_same_class() -> None:
    assert node_core.SolverChoice is node_core.SolverSettings is SolverSettings
