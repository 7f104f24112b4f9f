"""What a training configuration refuses, and what makes a new run of it."""

from dataclasses import replace
from typing import Any

import pytest

from node_core.data.dataset import DataConfig
from node_core.training.classifier.build import build_model
from node_core.training.classifier.config import (
    LIVE_FIELDS,
    STRUCTURE,
    TrainConfig,
    needs_reset,
    parameter_shapes,
)

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": "transformer"}, "model 'transformer' is unknown"),
    ({"hidden": ()}, "1 to 3 widths"),
    ({"hidden": (8, 8, 8, 8)}, "1 to 3 widths"),
    ({"augment": 17}, "augment = 17"),
    ({"layers": 0, "model": "resnet"}, "layers = 0"),
    ({"method": "dopri6"}, "Unknown method 'dopri6'"),
    ({"method": "scipy_adams"}, "take gradient = 'adjoint'"),
    ({"gradient": "magic"}, "gradient 'magic' is unknown"),
    ({"rtol": 1e-9}, "rtol = 1e-09"),
    ({"atol": float("nan")}, "atol = nan"),
    ({"dt": 1e-6}, "dt = 1e-06"),
    ({"t1": 0.0}, "t1 = 0.0: choose more than 0"),
    ({"lr": 0.0}, "lr = 0.0"),
    ({"lr": float("inf")}, "lr = inf"),
    ({"batch": 0}, "batch = 0"),
    ({"kinetic": -1.0}, "kinetic = -1.0"),
    ({"steer": 0.99}, "steer = 0.99"),
    ({"steer": 0.5, "model": "resnet"}, "needs a model with a time"),
    ({"loss": "flow_map"}, "needs targets"),
    ({"per_sample": True, "method": "rk4"}, "per_sample = True needs"),
    ({"model": "resnet", "layers": 200, "hidden": (64, 64)}, "more than 50000"),
    ({"start": "../../etc/passwd"}, "checkpoint's name"),
    ({"data": DataConfig("rings")}, "data set 'rings' is unknown"),
    ({"data": DataConfig("drawn")}, "the drawing is empty"),
    ({"data": DataConfig("drawn", 4, points=((0.0, 1.0),) * 4, labels=(1,) * 4)}, "the same class"),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_a_senseless_value_is_refused_with_a_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**values)


def test_what_is_live_needs_no_reset() -> None:
    old = TrainConfig()
    new = replace(
        old, method="rk4", rtol=0.1, atol=0.01, dt=0.2, gradient="adjoint", lr=0.1, batch=5, kinetic=1.0, jacobian=1.0,
        steer=0.5, t1=2.0, iterations=7,
    )  # fmt: skip
    assert not needs_reset(old, new)
    assert set(STRUCTURE).isdisjoint(LIVE_FIELDS)


@pytest.mark.parametrize(
    "change",
    [
        {"data": DataConfig("moons")},
        {"data": DataConfig(seed=1)},
        {"hidden": (8,)},
        {"augment": 1},
        {"seed": 1},
        {"model": "resnet"},
        {"activation": "elu"},
        {"time_dependent": True},
    ],
)
def test_what_is_structure_needs_a_reset(change: dict[str, Any]) -> None:
    assert needs_reset(TrainConfig(), replace(TrainConfig(), **change))


def test_the_number_of_layers_is_live_only_where_they_share_their_weights() -> None:
    shared = TrainConfig(model="resnet", shared=True)
    assert not needs_reset(shared, replace(shared, layers=20))
    separate = TrainConfig(model="resnet", shared=False)
    assert needs_reset(separate, replace(separate, layers=20))
    assert not needs_reset(TrainConfig(model="rknet"), TrainConfig(model="rknet", layers=20))


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        TrainConfig(time_dependent=True, augment=2, hidden=(5, 6, 7)),
        TrainConfig(model="resnet", layers=3, hidden=(4,)),
        TrainConfig(model="resnet", layers=3, shared=True),
        TrainConfig(model="rknet"),
        TrainConfig(data=DataConfig("blobs"), hidden=(4,)),
        TrainConfig(data=DataConfig("sign_flip"), loss="flow_map", augment=1),
    ],
)
def test_the_shapes_known_without_torch_are_the_models(config: TrainConfig) -> None:
    named = build_model(config).named_parameters()
    assert list(parameter_shapes(config).items()) == [(name, tuple(p.shape)) for name, p in named]
