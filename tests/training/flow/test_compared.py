"""Four trainings of one field: what their pictures are compared by, and the beginnings that come with the project."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS as DENSITIES
from node_core.runs.snapshot import pack, unpack
from node_core.training.flow.build import entropy_of
from node_core.training.flow.compared import HELD_OUT, PATHS, SHOWN, advance, chance_of, nll_of, trained_by
from node_core.training.flow.config import TEACHER, CNFConfig
from node_core.training.flow.ways import EULER_STEPS, TARGETS, WAYS, checkpoint_name, recipe, start_of

SMALL = CNFConfig(TargetConfig("blobs"), hidden=(12, 12), batch=64, objective="flow_matching")


def test_a_picture_travels_and_holds_what_is_compared() -> None:
    snapshot, state = advance(SMALL, None, 1e-9)
    sent = unpack(pack(snapshot))
    assert sent.arrays["deviation"].shape == (PATHS,)
    assert all(sent.arrays[f"euler_{n}"].shape == (SHOWN, 2) for n in EULER_STEPS)
    ends, chance = sent.scalars["energy"], sent.scalars["energy_chance"]
    assert isinstance(ends, float) and isinstance(chance, float)
    assert ends > chance > 0  # it has learned nothing yet
    assert sent.scalars["loss"] is None
    (row,) = snapshot.rows
    assert row["nll"] == sent.scalars["nll"]
    assert 0 < row["seconds"] == sent.scalars["seconds"]
    again, _ = advance(SMALL, state, 0.0)
    assert again.scalars["nll"] == sent.scalars["nll"]


def test_a_coarse_tolerance_lowers_the_nfe_and_leaves_the_likelihood() -> None:
    config = replace(SMALL, start="", target=TargetConfig("eight_gaussians"), hidden=(64, 64))
    config = replace(config, start=start_of(config, WAYS[1]))
    fine, _ = advance(config, None, 0.0)
    coarse, _ = advance(replace(config, rtol=0.1, atol=0.1), None, 0.0)
    assert coarse.scalars["nll"] == pytest.approx(fine.scalars["nll"], abs=1e-6)
    assert coarse.scalars["nfe_forward"] < fine.scalars["nfe_forward"]  # type: ignore[operator]


def test_the_samples_own_chance_cancels_in_the_likelihood() -> None:
    target, config = DENSITIES["eight_gaussians"], TargetConfig("eight_gaussians")
    entropy = entropy_of(config)
    assert entropy is not None
    x = torch.from_numpy(target.sample(200, 3))
    log_p = torch.from_numpy(np.asarray(target.log_density(x.numpy()), dtype=np.float32))  # type: ignore[misc]
    assert nll_of(target, x, log_p, entropy) == pytest.approx(entropy, abs=1e-5)
    assert nll_of(target, x, log_p - 0.25, entropy) == pytest.approx(entropy + 0.25, abs=1e-5)
    energy = DENSITIES["energy_1"]  # known only up to a factor: the plain mean
    assert nll_of(energy, x, log_p, None) == pytest.approx(-float(log_p.mean()))


def test_chance_is_small_beside_what_another_density_is_away() -> None:
    assert 0 < chance_of(TargetConfig("two_moons")) < 10.0 / HELD_OUT**0.5


def test_parts_are_trained_one_after_the_other_and_their_history_is_one() -> None:
    first = replace(SMALL, iterations=10)
    trainer, rows = trained_by([first, replace(first, objective="reflow", iterations=16)], looks=3)
    assert trainer.iteration == 16
    assert [row["iteration"] for row in rows] == [3, 6, 9, 10, 12, 14, 16]
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert TEACHER in trainer.export().carried


@pytest.mark.parametrize("target", TARGETS)
def test_the_beginnings_that_come_along_are_what_they_are_called(target: str) -> None:
    found = {}
    for way in WAYS:
        config = replace(recipe(way, target)[-1], lr=0.005, lr_end=1.0, iterations=100_000)
        config = replace(config, start=start_of(config, way))
        assert config.start == checkpoint_name(target, way)
        snapshot, state = advance(config, None, 0.0)
        found[way.name] = snapshot.scalars
        assert snapshot.rows[-1]["nll"] < snapshot.rows[0]["nll"] - 0.3
        assert (TEACHER in state.carried) == (way.name == "reflow")
        assert 0 <= snapshot.scalars["gap"] < 0.6  # type: ignore[operator]
    bends = {name: scalars["straightness"] for name, scalars in found.items()}
    assert bends["transport"] < bends["likelihood"] < bends["matching"]  # type: ignore[operator]
    assert bends["reflow"] < 0.1 * bends["matching"]  # type: ignore[operator]
    one_step = {name: scalars["energy_1"] for name, scalars in found.items()}
    assert max(one_step["transport"], one_step["reflow"]) < 0.1 * one_step["matching"]  # type: ignore[operator, type-var]


def test_another_width_or_seed_has_no_such_beginning() -> None:
    config = recipe(WAYS[0], "two_moons")[0]
    for other in (replace(config, hidden=(8, 8)), replace(config, seed=1), replace(config, base="disc")):
        assert [start_of(other, way) for way in WAYS] == [""] * 4
