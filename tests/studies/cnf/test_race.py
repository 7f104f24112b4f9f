"""The precomputed race: the file in the tree is what its script makes, and says what the page claims."""

import math

import numpy as np
import pytest

from node_core.cnf import energies
from node_core.cnf.targets import TARGETS
from node_core.studies.cnf import race_config as cnf_race_config
from node_core.studies.cnf.make_race import ITERATIONS, log_normaliser, race_config, run_one, truth
from node_core.studies.cnf.race_config import (
    CELLS,
    LEARNED,
    RACE_TARGET,
    SIZES,
    TIMES,
    from_text,
    load_race,
    to_text,
)


def test_the_file_holds_six_runners_and_two_learned_densities() -> None:
    race = load_race()
    assert [(r.flow, r.size) for r in race.runners] == [(f, s) for f in ("planar", "cnf") for s in SIZES]
    assert [learned.target for learned in race.learned] == list(LEARNED)
    assert race.iterations == ITERATIONS
    assert all(len(learned.movie) == len(TIMES) for learned in race.learned)
    assert np.array_equal(race.truth, truth(TARGETS[RACE_TARGET]))


def test_at_equal_size_the_continuous_flow_fits_better_and_more_units_help() -> None:
    kl = {(r.flow, r.size): r.kl for r in load_race().runners}
    for size in SIZES:
        assert 0 < kl["cnf", size] < kl["planar", size]
    assert kl["cnf", 2] > kl["cnf", 8] > kl["cnf", 32]


def test_the_file_survives_writing_and_reading() -> None:
    race = load_race()
    again = from_text(to_text(race))
    assert to_text(again) == to_text(race)
    assert again.runners[3].picture.shape == (CELLS, CELLS)


def test_a_missing_file_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(cnf_race_config, "FILE", tmp_path / "none.json")
    load_race.cache_clear()
    with pytest.raises(ValueError, match="make_race"):
        load_race()


def test_the_normaliser_is_that_of_a_fine_sum() -> None:
    half = energies.WINDOW
    at = np.linspace(-half, half, 801)
    x, y = np.meshgrid(at, at)
    energy = TARGETS[RACE_TARGET].energy
    assert energy is not None
    values = np.exp(-energy(np.stack([x.ravel(), y.ravel()], 1), np))
    inside = values.sum() * (at[1] - at[0]) ** 2
    assert log_normaliser(TARGETS[RACE_TARGET]) == pytest.approx(math.log(inside), abs=1e-2)


def test_a_runner_gets_better_while_it_trains() -> None:
    runner = run_one("planar", 2, log_normaliser(TARGETS[RACE_TARGET]), iterations=60)
    assert runner.loss[-1] < runner.loss[0]
    assert runner.kl > 0
    assert runner.picture.max() == 255
    assert runner.parameters == 2 * 5


def test_planar_flows_have_as_many_layers_as_cnfs_have_units() -> None:
    assert race_config("planar", 8).depth == race_config("cnf", 8).width == 8
    assert race_config("cnf", 8).field == "hypernetwork"
