"""Training a controller: seeded, cut into chunks at will, kept in files, and plain words where it can't go on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from node_core.models.control.lqr import lqr
from node_core.runs.snapshot import pack, unpack
from node_core.settings import SolverSettings
from node_core.training.control import picture
from node_core.training.control.build import held_out, horizon_at, loop_of, trained_policy
from node_core.training.control.checkpoint import read_controller, save_controller
from node_core.training.control.config import LIVE_FIELDS, STRUCTURE, ControlConfig, control_needs_reset
from node_core.training.control.train import ControlTrainer, advance, initial_state, keep, resume
from node_core.training.trainer import DivergedError

BALANCE = ControlConfig("cart_pole", "balance", hidden=8, limit=10.0, horizon=1.0, batch=16, iterations=40)


def test_a_run_is_the_same_however_it_is_cut() -> None:
    whole = ControlTrainer(BALANCE)
    rows = [whole.iterate() for _ in range(6)]
    state = None
    for _ in range(3):
        snapshot, state = advance(BALANCE, state, 1e9, most=2)
    assert state is not None
    np.testing.assert_array_equal(state.parameters, whole.export().parameters)
    assert snapshot.rows[-1]["loss"] == rows[-1]["loss"]
    assert {"success", "cost", "horizon", "gradient_norm", "nfe_backward"} <= set(snapshot.rows[-1])


def test_it_learns_and_a_growing_horizon_grows() -> None:
    trainer = ControlTrainer(replace(BALANCE, grow=20))
    before = trainer.draw(dear=False)
    rows = [trainer.iterate() for _ in range(40)]
    assert trainer.draw(dear=False).loss < 0.5 * before.loss
    horizons = [row["horizon"] for row in rows]
    assert horizons[0] == pytest.approx(0.4)
    assert horizons[-1] == 1.0
    assert all(np.diff(horizons) >= 0)
    assert horizon_at(replace(BALANCE, curriculum="fixed"), 0) == 1.0


def test_the_picture_has_what_it_promises() -> None:
    snapshot, state = advance(BALANCE, None, 1e-9)
    found = unpack(pack(snapshot))
    arrays, scalars = found.arrays, found.scalars
    assert arrays["grid"].shape == (picture.GRID, picture.GRID)
    assert arrays["field"].shape == (picture.FIELD, picture.FIELD, 2)
    assert arrays["trajectories"].shape[1:] == (picture.SHOWN, 4)
    assert arrays["path"].shape == (121, 4)
    assert arrays["path_control"].shape == (121, 1)
    assert arrays["costate"].shape == (len(arrays["costate_ts"]), 4)
    gain = lqr(BALANCE.of_plant().field(), BALANCE.cost).gain
    np.testing.assert_allclose(arrays["gain"], gain, rtol=1e-6)
    assert scalars["plane"] == [2.0, 3.0]
    assert scalars["limits"] == [10.0]
    # the browser's policy, from what it gets
    x = arrays["path"]
    seen = np.stack([x[:, 0] / 2, x[:, 1] / 2, np.sin(x[:, 2]), np.cos(x[:, 2]), x[:, 3] / 4], 1)
    inner = np.tanh(seen @ arrays["W1"].T + arrays["b1"])
    u = 10.0 * np.tanh(inner @ arrays["W2"].T + arrays["b2"])
    np.testing.assert_allclose(u, arrays["path_control"], atol=1e-4)
    # the field's samples lie on the extent
    rates = loop_of(BALANCE, trained_policy(BALANCE, state))(0.0, torch.tensor([[0.0, 0, -np.pi, -8, 0]]))
    np.testing.assert_allclose(arrays["field"][0, 0], rates[0, 2:4].detach(), rtol=1e-5)


def test_the_hamiltonian_is_constant_along_the_path() -> None:
    """H = l / T + costate . f does not change in time, whatever the policy: the closed loop does not depend on t."""
    config = ControlConfig(hidden=8)
    trainer = ControlTrainer(config)
    arrays, cost = picture.closely(trainer.policy, config)
    assert arrays["path_to_go"][0] == pytest.approx(cost)
    ts, at = arrays["path_ts"], arrays["costate_ts"]
    costate = np.array([np.interp(ts, at, np.asarray(row, float)) for row in np.asarray(arrays["costate"]).T])
    y = torch.nn.functional.pad(torch.from_numpy(np.asarray(arrays["path"], np.float32)), (0, 1))
    with torch.no_grad():
        rates = loop_of(config, trainer.policy)(0.0, y).numpy()
    inside = (ts > 0.2) & (ts < config.judged - 0.2)
    energy = (rates[:, 2] / config.judged + (costate.T * rates[:, :2]).sum(1))[inside]
    assert np.ptp(energy) < 0.05 * np.ptp(rates[:, 2] / config.judged)


def test_a_basin_without_control_is_empty_and_one_that_is_held_is_not() -> None:
    trainer = ControlTrainer(ControlConfig("pendulum", "balance", limit=20.0, grow=1, horizon=2.0))
    before = picture.basin(trainer.policy, trainer.config, 9)
    for _ in range(60):
        trainer.iterate()
    after = picture.basin(trainer.policy, trainer.config, 9)
    assert (after > 0).sum() > (before > 0).sum()
    assert after[4, 4] == 255  # the target itself


def test_a_plant_that_nobody_can_follow_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "judge_of", lambda config: SolverSettings(max_steps=2))
    snapshot, _ = advance(BALANCE, None, 1e9, most=1)
    assert snapshot.scalars["success"] == 0.0
    assert snapshot.scalars["cost"] == picture.LARGEST
    assert not snapshot.arrays["grid"].any()
    assert "costate" not in snapshot.arrays


def test_held_out_starts_are_the_same_for_every_seed_and_inside_of_the_box() -> None:
    x = held_out(replace(BALANCE, seed=5, spread=2.0))
    torch.testing.assert_close(x, held_out(replace(BALANCE, spread=2.0)))
    assert 0.9 < float(x.abs().max()) <= 1.0


def test_a_run_is_kept_and_resumed() -> None:
    _, state = advance(BALANCE, None, 1e9, most=3)
    rows = ({"iteration": 3.0, "loss": 1.0, "nfe_forward": 20.0, "nfe_backward": 20.0},)
    raw = keep(BALANCE, state, rows)
    config, again, history = resume(replace(BALANCE, lr=0.02), raw)
    assert config.lr == 0.02
    assert history == rows
    np.testing.assert_array_equal(again.parameters, state.parameters)
    with pytest.raises(ValueError, match="other settings"):
        resume(replace(BALANCE, hidden=9), raw)
    with pytest.raises(ValueError, match="can't be used"):
        read_controller(raw[:-3])


def test_a_file_with_parameters_of_the_plant_is_read_and_a_wrong_one_refused() -> None:
    config = replace(BALANCE, parameters=(1.0, 0.2, 0.5, 9.81))
    raw = save_controller(config, initial_state(config))
    assert read_controller(raw).config == config
    header = raw.replace(b"[1.0, 0.2, 0.5,", b"[1.0, null,  5,")
    with pytest.raises(ValueError, match="no list of numbers"):
        read_controller(header)


def test_what_is_live_and_what_is_not() -> None:
    assert {"limit", "horizon", "curriculum", "effort", "gradient", "parameters"} <= set(LIVE_FIELDS)
    assert not set(STRUCTURE) & set(LIVE_FIELDS)
    assert not control_needs_reset(BALANCE, replace(BALANCE, limit=5.0, horizon=2.0))
    assert control_needs_reset(BALANCE, replace(BALANCE, task="swing_up"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"limit": 0.0}, "limit = 0: without any force nothing can be steered"),
        ({"limit": 1e9}, "limit = 1000000000.0: choose more than 0 to 40"),
        ({"horizon": 0.0}, "horizon = 0: a trial that is over at once teaches nothing"),
        ({"horizon": float("nan")}, "horizon = nan"),
        ({"plant": "rocket"}, "plant 'rocket' is unknown"),
        ({"task": "hold"}, "has no task 'hold'"),
        ({"parameters": (1.0,)}, "has 4 parameters, not 1"),
        ({"method": "euler", "dt": 1e-5}, "more than 1000 steps"),
        ({"gradient": "magic"}, "gradient 'magic' is unknown"),
        ({"batch": 0}, "batch = 0"),
        ({"start": "../x"}, "start = "),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(BALANCE, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"effort": 100.0, "lr": 100.0, "clip": 1e9}, {"start": "nobody"}])
def test_what_goes_wrong_later_is_told(change: dict[str, object]) -> None:
    config = replace(BALANCE, **change)  # type: ignore[arg-type]
    if "start" in change:
        with pytest.raises(ValueError, match="no pre-trained controller 'nobody'"):
            initial_state(config)
        return
    trainer = ControlTrainer(config)
    trainer.largest_loss = 1e-3  # so that any cost is an exploded one
    with pytest.raises(DivergedError, match=r"since iteration 1: lower the learning rate \(now 100\)"):
        trainer.iterate()
