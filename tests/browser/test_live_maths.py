"""The canvas's numbers, computed in the browser, against node_core's."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.runs.snapshot import Snapshot, pack

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "live"


def module(name: str) -> str:
    return "data:text/javascript;base64," + base64.b64encode((ASSETS / name).read_bytes()).decode()


def linked(name: str, imported: str) -> str:
    """A module whose one import is put into it by value."""
    text = (ASSETS / name).read_text(encoding="utf-8").replace(f"./{imported}", module(imported))
    return "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()


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


@pytest.mark.parametrize("activation", ["tanh", "softplus", "elu"])
@pytest.mark.parametrize(("dim", "time_dependent", "count"), [(1, True, 9), (2, False, 8), (3, True, 3)])
def test_many_states_at_once_get_the_fields_values_too(
    page: Page, activation: str, dim: int, time_dependent: bool, count: int
) -> None:
    field = MLPField(dim, (24, 17), activation=activation, time_dependent=time_dependent, seed=4)
    rng = np.random.default_rng(2)
    states = np.concatenate([rng.normal(size=(count - 1, dim)), 60 * rng.normal(size=(1, dim))])
    ts = rng.uniform(size=count)
    got = run(
        page,
        """const field = Field.of(snapshot);
        const out = new Float64Array(states.flat().length + 1).fill(7);
        field.evaluateMany(Float64Array.from(ts), Float64Array.from(states.flat()), states.length, out);
        return Array.from(out);""",
        message=message(field),
        states=states.tolist(),
        ts=ts.tolist(),
    )
    with torch.no_grad():
        rows = [
            field(torch.tensor(float(t)), torch.tensor(y, dtype=torch.float32))
            for t, y in zip(ts, states, strict=True)
        ]
    np.testing.assert_allclose(
        np.reshape(got[:-1], (count, dim)), torch.stack(rows).numpy(), rtol=1e-5, atol=1e-5
    )
    assert got[-1] == 7, "it wrote past the states"


def test_particles_drift_along_the_engines_paths(page: Page) -> None:
    field = MLPField(2, (16, 16), time_dependent=True, seed=2)
    got = page.evaluate(
        """async ({ message, wire, mlp, flow }) => {
            const [{ unpack }, { Field }] = [await import(wire), await import(mlp)];
            const { Particles } = await import(flow);
            const bytes = Uint8Array.from(atob(message), (c) => c.charCodeAt(0));
            const particles = new Particles();
            particles.use(Field.of(unpack(bytes.buffer)), [-2, 2, -2, 2], 0, 1);
            particles.move(0);
            for (let i = 0; i < particles.count; i++) particles.born(i, 0);
            const starts = Array.from(particles.y.slice(0, 20));
            // Frames of different lengths, as a display has them, until half of the particles' lives.
            for (let k = 0; k < 104; k++) particles.move(particles.life / 208 * (k % 2 ? 0.8 : 1.2));
            return { starts, ends: Array.from(particles.y.slice(0, 20)), age: particles.age[3] };
        }""",
        {
            "message": message(field),
            "wire": module("wire.js"),
            "mlp": module("mlp.js"),
            "flow": linked("flow.js", "mlp.js"),
        },
    )
    assert got["age"] == pytest.approx(0.5)
    y0 = torch.tensor(got["starts"], dtype=torch.float32).reshape(-1, 2)
    with torch.no_grad():
        ends = odeint(field, y0, torch.tensor([0.0, 0.5]), rtol=1e-6, atol=1e-6).ys[-1].numpy()
    np.testing.assert_allclose(np.reshape(got["ends"], (10, 2)), ends, atol=2e-4)


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


def test_the_dots_of_a_resnet_stay_where_its_jumps_lead_and_never_beside_them(page: Page) -> None:
    got = page.evaluate(
        """async ({ paths }) => {
            const { Paths } = await import(paths);
            const out = [];
            for (const t of [0, 0.2, 0.5, 0.7, 1]) {
                const scene = {
                    t, times: [0, 1], now: { arrays: {}, scalars: { path: "jumps" } },
                    projection: { toScreen: (y, at, time, out) => Object.assign(out, [time, y[at]]) },
                };
                out.push([...new Paths(scene).headOf({ data: [5, 7, 9], shape: [3, 1, 1] }, 0, [0, 0])]);
            }
            return out;
        }""",
        {"paths": linked("paths.js", "marks.js")},
    )
    assert got == [[0, 5], [0, 5], [0.5, 7], [0.5, 7], [1, 9]]


def test_the_steps_below_the_picture_are_those_of_the_solver_there_and_back(page: Page) -> None:
    arrays = {
        "forward_t": [0.0, 0.4, 0.4], "forward_dt": [0.4, 0.9, 0.6], "forward_accepted": [1, 0, 1],
        "backward_t": [1.0, 0.3], "backward_dt": [-0.7, -0.3], "backward_accepted": [1, 1],
    }  # fmt: skip
    got = page.evaluate(
        """async ({ steps, arrays }) => {
            const { attempts, counted, stepAt } = await import(steps);
            const found = Object.fromEntries(Object.entries(arrays).map(([name, data]) => [name, { data }]));
            const [there, back] = ["forward", "backward"].map((way) => attempts(found, way));
            return [there.map(({ t, h }) => [t, h]), back.map(({ t, h }) => [t, h]), counted(there), counted(back),
                stepAt(there, 0.5).h, stepAt(back, 0.2).h, counted(attempts({}, "forward"))];
        }""",
        {"steps": module("steps.js"), "arrays": arrays},
    )
    there, back, *rest = got
    assert there == [[0.0, 0.4], [0.4, 0.9], [0.4, 0.6]]
    assert np.allclose(back, [[0.3, 0.7], [0.0, 0.3]])
    assert rest == ["2 steps, 1 rejected", "2 steps", 0.6, 0.3, "0 steps"]


def test_a_path_is_coloured_by_how_far_it_leaves_its_chord(page: Page) -> None:
    got = page.evaluate(
        """async ({ theme }) => {
            const { bendColours, bendOf } = await import(theme);
            const colours = bendColours({ classes: ["#000000", "#ff0000", "#000000", "#000000", "#0000ff"] });
            return [[0, 0.1, 0.5, 1, 70, NaN].map(bendOf), colours];
        }""",
        {"theme": module("theme.js")},
    )
    assert got[0] == [0, 0, 2, 4, 4, 0]
    assert [got[1][0], got[1][2], got[1][4]] == ["rgb(0,0,255)", "rgb(128,0,128)", "rgb(255,0,0)"]
