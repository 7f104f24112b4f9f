"""The committed learned field: its file is checked, and all of its faces agree."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from node_core.fields.systems.learned import CHECKPOINT, MAX_BYTES, SHAPES, load_weights
from node_core.fields.systems.systems import SYSTEMS
from node_core.odeint import odeint
from node_core.studies.adjoint.make_learned_field import spirals, train
from node_core.studies.gradients.task import learned_module


def test_the_field_is_the_same_in_numpy_in_torch_and_as_a_module() -> None:
    y = np.random.default_rng(0).normal(size=(7, 2))
    with torch.no_grad():
        module = learned_module()(0.0, torch.from_numpy(y)).numpy()
    field = SYSTEMS["learned"].field()
    np.testing.assert_allclose(field(0.0, y), module, rtol=1e-11)
    np.testing.assert_allclose(field(0.0, torch.from_numpy(y)).numpy(), module, rtol=1e-11)


def test_the_field_has_learned_the_spirals() -> None:
    y0 = torch.tensor([[0.3, 0.0], [0.0, 1.8]], dtype=torch.float64)
    ts = torch.linspace(0.0, 3.0, 31, dtype=torch.float64)
    with torch.no_grad():
        gap = (odeint(learned_module(), y0, ts).ys - spirals(y0, ts)).norm(dim=-1).max()
    assert gap < 0.15


def test_the_note_beside_the_weights_is_of_these_weights() -> None:
    facts = json.loads(CHECKPOINT.with_suffix(".json").read_text())
    assert facts["final_loss"] < 3e-4
    assert "make_learned_field" in facts["made_by"]


def test_training_is_seeded_and_learns() -> None:
    first, losses = train(warm_up=60, iterations=3)
    again, _ = train(warm_up=60, iterations=3)
    for p, q in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)
    assert losses[-1] < 0.5


def _weights() -> dict[str, np.ndarray]:
    return {name: np.zeros(shape) for name, shape in SHAPES.items()}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weight_1": np.zeros((3, 2))}, "weight_1"),
        ({"bias_1": np.full(SHAPES["bias_1"], np.nan)}, "finite"),
        ({"bias_2": np.zeros(2, dtype=np.float32)}, "float32"),
        ({"more": np.zeros(1)}, "more"),
    ],
)
def test_a_file_with_other_arrays_is_refused(
    change: dict[str, np.ndarray], match: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(_weights() | change, path)
    with pytest.raises(ValueError, match=match):
        load_weights(path)


def test_a_missing_a_damaged_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ValueError, match="no checkpoint"):
        load_weights(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load_weights(path)
    path.write_bytes(bytes(MAX_BYTES + 1))
    with pytest.raises(ValueError, match="more than"):
        load_weights(path)
