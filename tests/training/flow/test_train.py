"""Training of flows: what it reaches, that chunks change nothing, and what a picture holds."""

import math
import pickle
from dataclasses import replace
from itertools import count
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from node_core.cnf.flow import Flow, grid_points
from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS, Target
from node_core.runs.snapshot import pack, unpack
from node_core.runs.state import TrainState
from node_core.training.flow import picture
from node_core.training.flow.build import entropy_of, log_target
from node_core.training.flow.config import CNFConfig, cnf_needs_reset
from node_core.training.flow.picture import integral
from node_core.training.flow.train import FlowTrainer, advance, train, trained_flow

SMALL = CNFConfig(TargetConfig("two_moons"), hidden=(12, 12), batch=64, lr=0.01)
KINDS = [
    SMALL,
    replace(SMALL, field="hypernetwork", width=12, hyper_hidden=8),
    replace(SMALL, kinetic=0.01, jacobian=0.01, divergence="hutchinson"),
    replace(SMALL, divergence="hutch++", base="mixture"),
    replace(SMALL, method="rk4", dt=0.25, gradient="adjoint", base="disc"),
    replace(SMALL, objective="reverse_kl", target=TargetConfig("energy_1")),
    replace(SMALL, objective="forward_kl", target=TargetConfig("energy_2")),
    replace(SMALL, flow="planar", depth=4),
    replace(SMALL, flow="planar", depth=4, objective="reverse_kl"),
    replace(SMALL, flow="realnvp", depth=4, hyper_hidden=8),
    replace(SMALL, objective="flow_matching"),
    replace(SMALL, objective="ot_flow_matching", t1=2.0, field="hypernetwork", width=12, hyper_hidden=8),
    replace(SMALL, objective="reflow"),
]


def label(config: CNFConfig) -> str:
    return (
        f"{config.flow} {config.field} {config.divergence} {config.method} {config.base} {config.objective}"
    )


def run(config: CNFConfig, chunks: list[int], state: TrainState | None = None) -> TrainState:
    """A clock on which each look takes a second: a budget of k - 0.5 is k iterations."""
    ticks = count(1000)
    for iterations in chunks:
        budget = iterations - 0.5 if iterations else 0.0
        _, state = advance(config, state, budget, clock=lambda: float(next(ticks)))
        state = pickle.loads(pickle.dumps(state))
    assert state is not None
    return state


@pytest.mark.parametrize("config", KINDS, ids=label)
def test_a_run_is_the_same_however_it_is_cut_into_chunks(config: CNFConfig) -> None:
    whole, pieces = run(config, [4]), run(config, [0, 1, 3])
    assert whole.iteration == pieces.iteration == 4
    np.testing.assert_array_equal(whole.parameters, pieces.parameters)
    np.testing.assert_array_equal(whole.moment_2, pieces.moment_2)
    assert whole.row == pieces.row
    assert np.isfinite(whole.row["loss"])
    begun = run(config, [0])
    assert float(np.abs(begun.parameters - whole.parameters).max()) > 1e-3


@pytest.mark.parametrize("config", [KINDS[0], KINDS[7], KINDS[8], KINDS[9]], ids=label)
def test_a_picture_travels_and_holds_paths_densities_and_the_audit(config: CNFConfig) -> None:
    snapshot, _ = advance(config, None, 0.0)
    sent = unpack(pack(snapshot))
    times = len(sent.arrays["trajectory_ts"])
    assert sent.arrays["trajectories"].shape == (times, 200, 2)
    assert sent.arrays["lattice"].shape == (times, 18, 33, 2)
    assert sent.arrays["movie"].dtype == np.uint8
    assert sent.arrays["movie"].reshape(len(sent.arrays["movie"]), -1).max(1).min() == 255
    np.testing.assert_array_equal(sent.arrays["grid"], sent.arrays["movie"][-1])
    round_trip = sent.scalars["round_trip"]
    assert isinstance(round_trip, float)
    assert round_trip < 0.05
    assert sent.scalars["entropy"] == pytest.approx(entropy_of(config.target))


def test_an_estimated_run_s_pictures_depend_on_its_seed_and_iteration_alone() -> None:
    config = CNFConfig(divergence="hutchinson", hidden=(8, 8), batch=16)
    pictures = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        trainer = FlowTrainer(config)
        trainer.iterate()
        pictures.append([trainer.snapshot(), FlowTrainer(config, trainer.export()).snapshot()])
    scores = [[p.scalars["log_likelihood"] for p in pair] for pair in pictures]
    assert scores[0] == scores[1]
    assert scores[0][0] == scores[0][1]


def test_a_flow_learns_eight_gaussians_to_a_tenth_of_a_nat_and_keeps_integrating_to_one() -> None:
    config = CNFConfig(hidden=(48, 48), batch=384, lr=0.012, lr_end=0.05, iterations=220)
    state: TrainState | None = None
    trainer = FlowTrainer(config, state)
    for _ in range(config.iterations):
        trainer.iterate()
    flow = trained_flow(config, trainer.export())
    x = torch.from_numpy(trainer.target.sample(4000, 99))
    with torch.no_grad():
        likelihood = float(flow.log_prob(x).mean())
    best = entropy_of(config.target)
    assert best is not None
    assert -likelihood - best < 0.1
    assert -likelihood - best > -0.05  # nobody beats the entropy but by the luck of the draw
    assert abs(integral(flow, trainer.target, 160) - 1.0) < 1e-3


def test_reverse_kl_moves_the_flow_onto_an_energy() -> None:
    config = CNFConfig(
        TargetConfig("energy_1"), objective="reverse_kl", hidden=(24, 24), batch=256, lr=0.01, iterations=100
    )
    trainer = FlowTrainer(config)
    first = trainer.iterate()["loss"]
    for _ in range(99):
        trainer.iterate()
    target = TARGETS["energy_1"]
    points, area = grid_points(target.extent, 200)
    log_z = math.log(float(log_target(target, points).exp().sum()) * area)
    # The loss is KL(q || p) - log Z; KL cannot be negative.
    reached = trainer.row["loss"] + log_z
    assert -0.05 < reached < 0.35 < 0.5 * (first + log_z)


def test_forward_kl_needs_no_samples_of_the_target() -> None:
    config = CNFConfig(
        TargetConfig("blobs"),
        objective="forward_kl",
        hidden=(24, 24),
        batch=384,
        lr=0.015,
        lr_end=0.1,
        iterations=160,
    )
    trainer = FlowTrainer(config)
    for _ in range(160):
        trainer.iterate()
    x = torch.from_numpy(trainer.target.sample(3000, 5))
    with torch.no_grad():
        likelihood = float(trainer.flow.log_prob(x).mean())
    best = entropy_of(config.target)
    assert best is not None
    assert -likelihood - best < 0.1
    assert trainer.row["effective_share"] > 0.5


@pytest.mark.parametrize("flow", ["planar", "realnvp"])
def test_discrete_flows_learn_too(flow: Literal["planar", "realnvp"]) -> None:
    config = replace(SMALL, flow=flow, depth=6, lr=0.02, batch=256, iterations=150)
    losses = [row["loss"] for snapshot in train(config, 50) for row in snapshot.rows]
    assert len(losses) == 150
    assert np.mean(losses[-10:]) < np.mean(losses[:5]) - 0.3


def test_live_fields_change_on_the_run_and_structure_needs_a_reset() -> None:
    state = run(SMALL, [2])
    assert not cnf_needs_reset(SMALL, replace(SMALL, lr=0.5, rtol=1e-4, divergence="hutchinson"))
    run(replace(SMALL, lr=0.001, rtol=1e-4, divergence="hutchinson"), [1], state)
    other = replace(SMALL, hidden=(8,))
    assert cnf_needs_reset(SMALL, other)
    with pytest.raises(ValueError, match="reset it to begin anew"):
        advance(other, state, 0.0)


def test_a_run_that_explodes_says_so_and_keeps_its_weights() -> None:
    wild = FlowTrainer(replace(SMALL, lr=100.0))

    def explode() -> None:
        for _ in range(50):
            wild.iterate()

    with pytest.raises(ValueError, match="lower the learning rate"):
        explode()
    assert bool(np.isfinite(wild.export().parameters).all())


def test_the_densities_are_drawn_for_a_share_of_the_time_and_no_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [10.0]

    def movie(flow: Flow, target: Target) -> NDArray[np.uint8]:
        now[0] += 0.3
        return np.zeros((7, 4, 4), np.uint8)

    monkeypatch.setattr("node_core.training.flow.train.time.perf_counter", lambda: now[0])
    monkeypatch.setattr(picture, "movie", movie)
    trainer = FlowTrainer(SMALL)
    trainer.snapshot(now=100.0)
    monkeypatch.undo()
    state = trainer.export()
    assert not state.kept.is_due(101.5, trainer.picture_share)
    assert state.kept.is_due(102.5, trainer.picture_share)


def test_after_an_explosion_the_last_good_state_is_one_to_go_on_from() -> None:
    config = replace(SMALL, lr=1.0)
    _, state = advance(config, None, 0.0)  # as a live run begins
    with pytest.raises(ValueError, match="last good state"):  # noqa: PT012 (which chunk explodes is its own matter)
        for _ in range(300):
            _, state = advance(config, state, 1e-9)
    calmed, _ = advance(replace(config, lr=0.001), state, 1e-9)
    assert calmed.scalars["loss"] < 25  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"flow": "glow"}, "choose one of cnf, planar"),
        ({"hidden": ()}, "1 to 3 widths"),
        ({"target": TargetConfig("face")}, "is unknown"),
        ({"target": TargetConfig("checkerboard"), "objective": "reverse_kl"}, "density with a gradient"),
        ({"method": "scipy_lsoda"}, "no stages"),
        ({"flow": "planar", "kinetic": 0.1}, "paths in time"),
        ({"flow": "planar", "objective": "flow_matching"}, "needs a field in time"),
        ({"kinetic": 0.1, "objective": "reflow"}, "solves nothing"),
        ({"method": "rk4", "dt": 1e-5}, "more than"),
        ({"lr": float("nan")}, "choose 1e-08 to 100"),
        ({"batch": 0}, "choose 1 to 20000"),
    ],
)
def test_a_mistake_is_a_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(SMALL, **changes)  # type: ignore[arg-type]
