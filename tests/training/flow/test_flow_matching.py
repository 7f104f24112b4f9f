"""Flow matching as a training: the objective changes while a run goes on, and reflow straightens what it finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from node_core.cnf.continuous import CNF
from node_core.cnf.painted import TargetConfig
from node_core.cnf.straightness import energy_distance, euler_samples, straightness
from node_core.runs.state import TrainState
from node_core.training.flow.checkpoint import read_flow, save_flow
from node_core.training.flow.config import MATCHING, TEACHER, CNFConfig, cnf_needs_reset
from node_core.training.flow.train import FlowTrainer, advance, keep, resume, trained_flow

SMALL = CNFConfig(TargetConfig("blobs"), hidden=(24, 24), batch=256, lr=0.01, objective="flow_matching")


def trained(config: CNFConfig, iterations: int, state: TrainState | None = None) -> TrainState:
    trainer = FlowTrainer(config, state)
    for _ in range(iterations):
        trainer.iterate()
    return trainer.export()


def flow_of(config: CNFConfig, state: TrainState) -> CNF:
    flow = trained_flow(config, state)
    assert isinstance(flow, CNF)
    return flow


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reflow_straightens_and_one_euler_step_comes_nearer(seed: int) -> None:
    config = replace(SMALL, seed=seed)
    curved = trained(config, 400)
    straight = trained(replace(config, objective="reflow"), 250, curved)
    before, after = flow_of(config, curved), flow_of(config, straight)
    z, x = before.base.sample(400, 77), torch.from_numpy(FlowTrainer(config).target.sample(1000, 88))
    assert straightness(after, z) < 0.5 * straightness(before, z)
    far, near = (energy_distance(euler_samples(flow, z, 1), x) for flow in (before, after))
    assert near < 0.5 * far
    with torch.no_grad():  # and what it makes is what it made
        worse = float(before.log_prob(x).mean() - after.log_prob(x).mean())
    assert worse < 0.15


def test_pairs_joined_by_transport_make_a_straighter_flow() -> None:
    z = flow_of(SMALL, trained(SMALL, 0)).base.sample(400, 77)
    found = [
        straightness(flow_of(config, trained(config, 300)), z)
        for config in (SMALL, replace(SMALL, objective="ot_flow_matching"))
    ]
    assert found[1] < 0.3 * found[0]


def test_the_objective_changes_while_the_run_goes_on_and_the_net_is_kept() -> None:
    likelihood = replace(SMALL, objective="likelihood", divergence="hutchinson")
    state = trained(likelihood, 2)
    for objective in (*MATCHING, "likelihood"):
        config = replace(likelihood, objective=objective)
        assert not cnf_needs_reset(likelihood, config)
        _, same = advance(config, state, 0.0)
        np.testing.assert_array_equal(same.parameters, state.parameters)
        snapshot, state = advance(config, same, 1e-9)
        row = snapshot.rows[-1]
        assert ("matching" in row) == ("nll" in row) == (objective in MATCHING)
        assert np.isfinite(row["loss"])
        assert (TEACHER in state.carried) == (objective == "reflow")
        assert TEACHER not in snapshot.arrays
    assert state.iteration == 6
    assert cnf_needs_reset(likelihood, replace(likelihood, objective="reverse_kl"))
    assert cnf_needs_reset(replace(SMALL, objective="forward_kl"), likelihood)


def test_the_flow_that_reflow_learns_from_stays_what_it_was() -> None:
    first = trained(SMALL, 3)
    config = replace(SMALL, objective="reflow")
    state = trained(config, 2, first)
    np.testing.assert_array_equal(state.carried[TEACHER], first.parameters)
    assert not np.array_equal(state.parameters, first.parameters)
    found = read_flow(save_flow(config, state))
    np.testing.assert_array_equal(found.state.carried[TEACHER], first.parameters)
    _, resumed, _ = resume(config, keep(config, state, []))
    np.testing.assert_array_equal(
        trained(config, 2, resumed).parameters, trained(config, 2, state).parameters
    )
    # Under another objective there is nobody to learn from: neither in the file nor when it comes back.
    assert not read_flow(save_flow(SMALL, state)).state.carried


def test_the_likelihood_of_a_matched_flow_is_told_exactly_whatever_the_trace_is_said_to_be() -> None:
    state = trained(SMALL, 5)
    told = {
        advance(replace(SMALL, divergence=rule), state, 0.0)[0].scalars["log_likelihood"]
        for rule in ("exact", "hutchinson")
    }
    assert len(told) == 1
