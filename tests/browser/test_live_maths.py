"""The canvas's numbers, computed in the browser, against node_core's."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from node_core import odeint
from node_core.fields.mlp import MLPField
from node_core.training.snapshot import Snapshot, pack

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "live"


def module(name: str) -> str:
    return "data:text/javascript;base64," + base64.b64encode((ASSETS / name).read_bytes()).decode()


def message(field: MLPField) -> str:
    arrays = {}
    for name, value in field.named_parameters():
        kind, k = name.split("_")
        arrays[f"{'W' if kind == 'weight' else 'b'}{k}"] = value.detach().numpy()
    scalars: dict[str, Any] = {"activation": field.activation, "time_dependent": field.time_dependent}
    return base64.b64encode(pack(Snapshot(arrays, scalars))).decode()


RECEIVE = """
    const { unpack } = await import(wire);
    const { Field, trajectory } = await import(mlp);
    const bytes = Uint8Array.from(atob(message), (c) => c.charCodeAt(0));
    const snapshot = unpack(bytes.buffer);
"""


def run(page: Page, body: str, **values: object) -> Any:
    values |= {"wire": module("wire.js"), "mlp": module("mlp.js")}
    return page.evaluate(f"async ({{{', '.join(values)}}}) => {{ {RECEIVE} {body} }}", values)


@pytest.mark.parametrize("activation", ["tanh", "softplus", "elu"])
@pytest.mark.parametrize(("dim", "time_dependent"), [(1, True), (2, False), (3, True)])
def test_the_field_in_the_browser_is_the_field_of_the_engine(
    page: Page, activation: str, dim: int, time_dependent: bool
) -> None:
    field = MLPField(dim, (24, 17), activation=activation, time_dependent=time_dependent, seed=4)
    rng = np.random.default_rng(1)
    states = np.concatenate([rng.normal(size=(20, dim)), 60 * rng.normal(size=(5, dim))])
    got = run(
        page,
        """const field = Field.of(snapshot);
        return states.map((y) => Array.from(field.evaluate(t, y, new Float64Array(y.length))));""",
        message=message(field),
        states=states.tolist(),
        t=0.7,
    )
    with torch.no_grad():
        expected = field(torch.tensor(0.7), torch.tensor(states, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_the_path_in_the_browser_is_the_path_of_the_engine(page: Page) -> None:
    field = MLPField(3, (16, 16), time_dependent=True, seed=2)
    got = run(
        page,
        "return Array.from(trajectory(Field.of(snapshot), [0.5, -1], 0, 1, 64));",
        message=message(field),
    )
    y0 = torch.tensor([[0.5, -1.0, 0.0]])  # the augmented component begins at 0
    with torch.no_grad():
        path = odeint(field, y0, torch.linspace(0, 1, 65), method="rk4", dt=1 / 64).ys[:, 0].numpy()
    np.testing.assert_allclose(np.reshape(got, (65, 3)), path, atol=1e-5)


def test_a_message_reads_the_same_in_the_browser(page: Page) -> None:
    sent = Snapshot(
        {
            "labels": np.array([1, 2, 255]),
            "points": np.array([[0.5, -2.0], [1e-3, 7.0]]),
            "empty": np.zeros((0, 2)),
        },
        {"loss": float("nan"), "iteration": 3, "what": "é", "extent": [-1.0, 1.0, -1.0, 1.0]},
    )
    got = run(
        page,
        """const arrays = Object.entries(snapshot.arrays).map(([name, { data, shape }]) =>
            [name, { data: Array.from(data), shape, type: data.constructor.name }]);
        return { arrays: Object.fromEntries(arrays), scalars: snapshot.scalars };""",
        message=base64.b64encode(pack(sent)).decode(),
    )
    assert got["scalars"] == {"loss": None, "iteration": 3, "what": "é", "extent": [-1, 1, -1, 1]}
    assert got["arrays"]["labels"] == {"data": [1, 2, 255], "shape": [3], "type": "Uint8Array"}
    np.testing.assert_allclose(got["arrays"]["points"]["data"], [0.5, -2, 1e-3, 7], rtol=1e-6)
    assert got["arrays"]["empty"]["shape"] == [0, 2]


def test_an_unknown_activation_is_an_error_not_a_wrong_picture(page: Page) -> None:
    field = MLPField(2, (4,))
    text = run(
        page,
        """try { new Field(Field.of(snapshot).layers, "relu", false); return "none"; }
        catch (error) { return error.message; }""",
        message=message(field),
    )
    assert text == 'no activation "relu"'


def test_the_integral_s_inset_stands_where_it_hides_less_of_the_path(page: Page) -> None:
    sides = page.evaluate(
        """async (particles) => {
            const { freeSide } = await import(particles);
            const box = { x: 2, y: 200, width: 150, height: 100 };
            const side = (...path) => freeSide(path, box, 360);
            return [side([200, 50]), side([60, 250]), side([300, 250]), side([60, 250], [300, 250])];
        }""",
        linked("particles.js", "theme.js"),
    )
    assert sides == [2, 208, 2, 2]  # out of the way, under the left one, under the right one, under both
