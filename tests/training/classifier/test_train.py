"""The engine of live training: the same run however it is cut, live changes, explosions, and what a picture holds."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np
import pytest
import torch

from node_core.data.dataset import DataConfig
from node_core.runs.snapshot import Snapshot, pack, unpack
from node_core.runs.state import TrainState
from node_core.training.classifier import build
from node_core.training.classifier.config import TrainConfig
from node_core.training.classifier.train import Trainer, advance, train
from node_core.training.trainer import DivergedError

SMALL = TrainConfig(data=DataConfig("moons", n=60), hidden=(8, 8), batch=32, lr=0.02)
MODELS = [
    SMALL,
    replace(SMALL, augment=1, time_dependent=True, kinetic=0.1, jacobian=0.01, steer=0.3),
    replace(SMALL, augment=4, jacobian=0.01),
    replace(SMALL, model="rknet", layers=3),
    replace(SMALL, model="resnet", layers=3),
    replace(SMALL, model="resnet", layers=4, shared=True, kinetic=0.1, jacobian=0.1),
    replace(SMALL, method="euler", dt=0.25),
    replace(SMALL, gradient="adjoint"),
    replace(SMALL, data=DataConfig("sign_flip", n=40), loss="flow_map", augment=1),
]


def ticking() -> Callable[[], float]:
    """A clock on which each look takes a second: a budget of k - 0.5 is k iterations."""
    ticks = count(1000)
    return lambda: float(next(ticks))


def looks(*times: float) -> Callable[[], float]:
    """A clock that shows these times, the last one for ever."""
    shown = iter(times)
    return lambda: float(next(shown, times[-1]))


def run(
    config: TrainConfig, chunks: list[int], state: TrainState | None = None
) -> tuple[list[Snapshot], TrainState]:
    clock, snapshots = ticking(), []
    for iterations in chunks:
        snapshot, state = advance(config, state, iterations - 0.5 if iterations else 0.0, clock=clock)
        state = pickle.loads(pickle.dumps(state))
        snapshots.append(snapshot)
    assert state is not None
    return snapshots, state


@pytest.mark.parametrize("config", MODELS)
def test_no_evaluations_are_told_before_there_were_any(config: TrainConfig) -> None:
    before, after = run(config, [0, 1])[0]
    assert before.scalars["nfe_backward"] is None  # "50 + 0" would say that a way back costs nothing
    assert after.scalars["nfe_backward"]
    assert before.scalars["nfe_forward"]


def assert_same_picture(one: Snapshot, two: Snapshot) -> None:
    assert dict(one.scalars) == dict(two.scalars)
    assert set(one.arrays) == set(two.arrays)
    for name in one.arrays:
        np.testing.assert_array_equal(one.arrays[name], two.arrays[name], err_msg=name)


@pytest.mark.parametrize("config", MODELS, ids=lambda c: f"{c.model} {c.method} {c.loss} {c.augment}")
def test_a_run_is_the_same_however_it_is_cut_into_chunks(config: TrainConfig) -> None:
    whole, end = run(config, [6])
    pieces, same_end = run(config, [0, 1, 2, 3])
    assert end.iteration == same_end.iteration == 6
    for name in ("parameters", "moment_1", "moment_2"):
        np.testing.assert_array_equal(getattr(end, name), getattr(same_end, name))
    assert_same_picture(whole[-1], pieces[-1])
    plain = [{k: v for k, v in row.items() if "_accuracy" not in k} for s in pieces for row in s.rows]
    assert plain == [{k: v for k, v in row.items() if "_accuracy" not in k} for row in whole[-1].rows]
    assert [row["iteration"] for row in plain] == [1, 2, 3, 4, 5, 6]


def test_another_seed_is_another_run() -> None:
    _, one = run(SMALL, [2])
    _, two = run(replace(SMALL, seed=1), [2])
    assert not np.allclose(one.parameters, two.parameters)


def test_the_iterator_makes_the_same_run_as_the_chunks() -> None:
    config = replace(SMALL, iterations=5)
    snapshots = list(train(config, every=2))
    assert [s.scalars["iteration"] for s in snapshots] == [0, 2, 4, 5]
    assert [s.finished for s in snapshots] == [False, False, False, True]
    chunks, _ = run(config, [0, 2, 2, 1])
    for a, b in zip(snapshots, chunks, strict=True):
        assert_same_picture(a, b)
    with pytest.raises(ValueError, match="every = 0"):
        next(train(config, every=0))


@pytest.mark.parametrize("config", MODELS, ids=lambda c: f"{c.model} {c.method} {c.loss} {c.augment}")
def test_the_loss_falls(config: TrainConfig) -> None:
    config = replace(config, lr=0.03, batch=1000)
    first, *_, last = islice(train(config, every=15), 4)
    assert isinstance(first.scalars["full_loss"], float)
    assert isinstance(last.scalars["full_loss"], float)
    assert last.scalars["full_loss"] < 0.8 * first.scalars["full_loss"]


def test_the_moons_are_learned() -> None:
    config = replace(SMALL, data=DataConfig("moons", n=100), lr=0.05)
    *_, last = islice(train(config, every=25), 5)
    assert last.scalars["accuracy"] == 1.0


def test_the_optimiser_is_adam() -> None:
    trainer = Trainer(replace(SMALL, batch=1000))
    twin = Trainer(replace(SMALL, batch=1000))
    adam = torch.optim.Adam(twin.model.parameters(), lr=SMALL.lr)
    x = torch.from_numpy(twin.data.x[twin.data.train])
    labels = torch.from_numpy(twin.data.labels[twin.data.train])
    for _ in range(3):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(twin.model(x), labels).backward()
        adam.step()
        trainer.iterate()
    ours = trainer.export().parameters
    theirs = torch.cat([p.detach().reshape(-1) for p in twin.model.parameters()]).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_live_change_takes_effect_at_the_next_iteration_without_a_reset() -> None:
    _, state = run(SMALL, [3])
    loose, after = run(SMALL, [1], state)
    tight, _ = run(replace(SMALL, rtol=1e-6, atol=1e-6), [1], state)
    assert tight[0].rows[0]["iteration"] == loose[0].rows[0]["iteration"] == 4
    assert tight[0].rows[0]["nfe_forward"] > loose[0].rows[0]["nfe_forward"]
    euler, _ = run(replace(SMALL, method="euler", dt=0.25), [1], state)
    assert euler[0].rows[0]["nfe_forward"] == 4
    _, slow = run(replace(SMALL, lr=SMALL.lr / 10), [1], state)
    step, slow_step = after.parameters - state.parameters, slow.parameters - state.parameters
    np.testing.assert_allclose(slow_step, step / 10, rtol=0.05, atol=1e-6)
    penalised, _ = run(replace(SMALL, kinetic=1.0), [1], state)
    assert penalised[0].rows[0]["kinetic"] > 0
    small, _ = run(replace(SMALL, batch=4), [1], state)
    assert small[0].rows[0]["loss"] != loose[0].rows[0]["loss"]


def test_a_state_of_another_structure_is_refused() -> None:
    _, state = run(SMALL, [1])
    with pytest.raises(ValueError, match="reset it"):
        advance(replace(SMALL, seed=5), state, 0.0)


@pytest.mark.parametrize("chunks", [[50], [1] * 50], ids=["one chunk", "single steps"])
@pytest.mark.parametrize("base", [SMALL, replace(SMALL, model="resnet")], ids=["odenet", "resnet"])
def test_an_exploding_rate_stops_with_a_sentence_and_the_state_before_goes_on(
    base: TrainConfig, chunks: list[int]
) -> None:
    good = replace(base, activation="softplus")
    _, state = run(good, [5])
    clock, sentence = ticking(), ""
    for iterations in chunks:
        try:
            _, state = advance(replace(good, lr=100.0), state, iterations - 0.5, clock=clock)
        except DivergedError as error:
            sentence = str(error)
            break
    assert "lower the learning rate (now 100)" in sentence
    assert np.isfinite(state.parameters).all()
    snapshots, after = run(good, [3], state)
    assert after.iteration == state.iteration + 3
    assert snapshots[-1].scalars["full_loss"] < 1e3  # type: ignore[operator]


def test_a_loss_that_is_no_number_says_since_when() -> None:
    _, state = run(SMALL, [4])
    broken = replace(state, parameters=np.full_like(state.parameters, np.nan))
    with pytest.raises(DivergedError, match=r"since iteration 5|in iteration 5"):
        advance(SMALL, broken, 0.5)


def test_a_chunk_tells_what_went_into_the_iterations() -> None:
    ticks = iter(range(100))
    snapshot, _ = advance(TrainConfig(), None, 3.0, clock=lambda: float(next(ticks)))
    # The clock ticks at each look: before the trainer is made, after each of three iterations, and before the picture.
    assert (snapshot.spent, len(snapshot.rows)) == (4.0, 3)


def test_a_chunk_can_be_told_how_many_iterations_it_may_make() -> None:
    snapshot, state = advance(TrainConfig(), None, 10.0, most=3)
    assert (snapshot.scalars["iteration"], state.iteration, len(snapshot.rows)) == (3, 3, 3)


@pytest.mark.parametrize(
    ("settings", "ts"),
    [
        ({"method": "euler", "dt": 0.5}, [0, 0.5, 1]),
        ({"method": "heun", "dt": 0.4}, [0, 0.4, 0.8, 1]),
        ({"method": "euler", "dt": 0.1}, np.linspace(0, 1, 11)),
        ({"method": "rk4", "dt": 0.5}, np.linspace(0, 1, 33)),
        ({}, np.linspace(0, 1, 33)),
    ],
)
def test_fixed_steps_of_low_order_are_drawn_as_chords(settings: dict[str, Any], ts: Any) -> None:
    config = TrainConfig(**settings)
    snapshot, _ = advance(config, None, 0.0)
    assert snapshot.arrays["trajectory_ts"] == pytest.approx(np.asarray(ts), abs=1e-6)
    paths = snapshot.arrays["trajectories"]
    assert len(paths) == len(ts)
    if settings.get("method") == "euler":
        field = build.build_model(config).field
        start = torch.from_numpy(paths[0])
        with torch.no_grad():
            step = start + config.dt * field(torch.tensor(0.0), start)
        assert paths[1] == pytest.approx(step.numpy(), abs=1e-5)


def test_a_zero_budget_only_draws() -> None:
    _, state = run(SMALL, [2])
    snapshots, after = run(SMALL, [0], state)
    assert after.iteration == 2
    assert snapshots[0].rows == ()
    np.testing.assert_array_equal(after.parameters, state.parameters)


def test_the_boundary_is_drawn_only_within_its_share_of_time_and_shown_meanwhile() -> None:
    config = replace(SMALL, lr=0.1)
    first, state = advance(config, None, 0.0, clock=looks(100))
    state = replace(state, kept=replace(state.kept, cost=1.0, time=100.0))
    soon, state = advance(config, state, 0.5, clock=looks(101, 102, 101))
    np.testing.assert_array_equal(soon.arrays["grid"], first.arrays["grid"])
    later, state = advance(config, state, 0.5, clock=looks(121, 122, 121))
    assert (later.arrays["grid"] != first.arrays["grid"]).any()
    assert state.kept.time > 110
    # A clock set back must not stop it for good.
    assert state.kept.is_due(0.0, Trainer.picture_share)


@pytest.mark.parametrize("config", MODELS, ids=lambda c: f"{c.model} {c.method} {c.loss} {c.augment}")
def test_a_picture_holds_what_the_canvas_draws(config: TrainConfig) -> None:
    snapshots, _ = run(config, [2])
    snapshot = snapshots[0]
    wire = unpack(pack(snapshot))
    assert set(wire.arrays) == set(snapshot.arrays)
    dim = config.dim + config.augment
    times, n, width = snapshot.arrays["trajectories"].shape
    assert (width, n) == (dim, len(snapshot.arrays["trajectory_labels"]))
    assert len(snapshot.arrays["trajectory_ts"]) == times
    assert snapshot.arrays["trajectory_ts"][-1] == pytest.approx(config.t1)
    np.testing.assert_array_equal(
        snapshot.arrays["trajectories"][0, :, : config.dim], snapshot.arrays["points"][:n]
    )
    assert snapshot.arrays["points"].shape == (config.data.n, config.dim)
    assert snapshot.arrays["steps"][-1] == pytest.approx(config.t1)
    if config.dim == 2:
        assert snapshot.arrays["grid"].shape == (64, 64)
        assert snapshot.arrays["grid"].dtype == np.uint8
        assert np.ptp(snapshot.arrays["grid"]) > 2
    else:
        assert "grid" not in snapshot.arrays
    assert ("W1" in snapshot.arrays) == (config.model != "resnet")
    if config.model != "resnet":
        assert snapshot.arrays["W1"].shape[1] == dim + int(config.time_dependent)
        assert snapshot.arrays["forward_accepted"].sum() == snapshot.rows[-1]["accepted"]
        assert (snapshot.arrays["backward_dt"] < 0).all()


def test_the_weights_of_a_picture_are_a_copy_of_those_it_was_drawn_with() -> None:
    trainer = Trainer(SMALL)
    snapshot = trainer.snapshot()
    before = {name: array.copy() for name, array in snapshot.arrays.items()}
    trainer.iterate()
    for name, array in snapshot.arrays.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_the_boundary_is_the_models_probability_with_row_zero_at_the_bottom() -> None:
    snapshots, state = run(replace(SMALL, data=DataConfig("blobs", n=60)), [20])
    config = replace(SMALL, data=DataConfig("blobs", n=60))
    grid, extent = snapshots[0].arrays["grid"], snapshots[0].scalars["extent"]
    assert grid.shape == (64, 64, 3)
    assert isinstance(extent, list)
    model = build.trained_model(config, state)
    row, column = 5, 50
    x = extent[0] + (extent[1] - extent[0]) * column / 63
    y = extent[2] + (extent[3] - extent[2]) * row / 63
    with torch.no_grad():
        p = model(torch.tensor([[x, y]])).softmax(1)[0].numpy()
    # The point alone takes other steps than the whole grid, both within the tolerance.
    np.testing.assert_allclose(grid[row, column] / 255, p, atol=0.02)


def test_paths_can_have_steps_of_their_own() -> None:
    config = replace(SMALL, per_sample=True, rtol=1e-4, atol=1e-4)
    snapshots, _ = run(config, [10])
    steps = snapshots[0].arrays["steps"]
    shared = run(replace(config, per_sample=False), [10])[0][0]
    assert steps.shape[0] == snapshots[0].arrays["trajectories"].shape[1]
    lengths = np.isfinite(steps).sum(1)
    assert lengths.min() >= 1
    assert np.nanmax(steps) == pytest.approx(1.0)
    np.testing.assert_allclose(snapshots[0].arrays["trajectories"], shared.arrays["trajectories"], atol=0.02)


def test_the_state_is_small() -> None:
    _, state = run(replace(SMALL, hidden=(48, 48)), [1])
    assert len(pickle.dumps(state)) < 64_000
