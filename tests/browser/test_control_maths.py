"""The control lesson's plants and drivers, computed in the browser, against node_core's."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from node_core import odeint
from node_core.models.control.controlled import Controlled
from node_core.models.control.plant import Plant
from node_core.models.control.plants import PLANTS
from node_core.models.control.policies import LinearPolicy, NetPolicy, Policy, Unsteered
from pages.ui.control.stage import described

ASSETS = Path(__file__).resolve().parents[2] / "assets"
DT, STEPS = 0.02, 100
DRIVERS = {
    "net": "new Net(layers, plant)",
    "linear": "new Linear(gain, plant)",
    "nobody": "NOBODY",
}
ROLL = """async ({ twin, plant, starts, layers, gain, dt, steps }) => {
    const { Linear, Net, NOBODY, Twin, roll } = await import(twin);
    const driver = %s;
    return starts.map((x) => Array.from(roll(new Twin(plant, driver), x, dt, steps)));
}"""


def module(text: str) -> str:
    return "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()


def twin() -> str:
    """The twin's module with what it imports put into it by value."""
    text = (ASSETS / "control" / "twin.js").read_text(encoding="utf-8")
    for name, path in (("../mlp.js", "live/mlp.js"), ("./plants.js", "control/plants.js")):
        assert name in text
        text = text.replace(name, module((ASSETS / path).read_text(encoding="utf-8")))
    return module(text)


def policy_of(plant: Plant, driver: str) -> tuple[Policy, dict[str, Any]]:
    """A driver, and what the browser is given of it."""
    if driver == "net":
        net = NetPolicy(plant, plant.limits, hidden=32, seed=3)
        w1, b1, w2, b2 = (p.detach().double().numpy() for p in net.parameters())
        layers = [{"W": w.ravel().tolist(), "b": b.tolist()} for w, b in ((w1, b1), (5.0 * w2, b2))]
        with torch.no_grad():
            net.weight_2.mul_(5.0)  # so that the bound is felt
        return net.double(), {"layers": layers}
    if driver == "linear":
        gain = np.random.default_rng(1).normal(size=(len(plant.controls), plant.dim)) * 3.0
        return LinearPolicy(plant, gain, plant.limits), {"gain": gain.ravel().tolist()}
    return Unsteered(plant), {}


@pytest.mark.parametrize("driver", list(DRIVERS))
def test_every_plant_goes_in_the_browser_where_the_engine_s_goes(page: Page, driver: str) -> None:
    for plant in PLANTS.values():
        task = plant.tasks[0]
        parameters = {p.name: 1.1 * p.default + 0.05 for p in plant.parameters}
        policy, told = policy_of(plant, driver)
        low, high = np.array(task.low), np.array(task.high)
        starts = low + np.random.default_rng(2).uniform(size=(3, plant.dim)) * (high - low)
        asked = {
            "twin": twin(),
            "plant": json.loads(json.dumps(described(plant, task, parameters, plant.limits))),
            "starts": starts.tolist(),
            "layers": told.get("layers"),
            "gain": told.get("gain"),
            "dt": DT,
            "steps": STEPS,
        }
        got = page.evaluate(ROLL % DRIVERS[driver], asked)
        loop = Controlled(plant.field(**parameters), policy)
        ts = torch.linspace(0, DT * STEPS, STEPS + 1, dtype=torch.float64)
        with torch.no_grad():
            path = odeint(loop, torch.tensor(starts), ts, method="rk4", dt=DT).ys.numpy()
        found = np.reshape(got, (3, STEPS + 1, plant.dim)).transpose(1, 0, 2)
        np.testing.assert_allclose(found, path, atol=1e-5, err_msg=plant.key)


def test_an_unknown_plant_is_an_error_not_a_wrong_picture(page: Page) -> None:
    said = page.evaluate(
        """async ({ twin }) => {
            const { NOBODY, Twin } = await import(twin);
            try { new Twin({ key: "rocket", states: [], limits: [] }, NOBODY); return "none"; }
            catch (error) { return error.message; }
        }""",
        {"twin": twin()},
    )
    assert said == 'no plant "rocket"'
