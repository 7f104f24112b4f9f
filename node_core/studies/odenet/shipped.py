"""What the ODE-Net page shows first, and for each of its cases: these answers come with the project."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from node_core.data.dataset import DataConfig
from node_core.data.toy import DATASETS
from node_core.studies.classifier.regularizer_race_config import RegularizerRaceConfig
from node_core.studies.classifier.solver_swap_config import SolverSwapConfig
from node_core.training.classifier.checkpoint import pretrained_for
from node_core.training.classifier.config import TrainConfig


def _case(name: str, n: int, **values: Any) -> tuple[str, TrainConfig]:
    config = TrainConfig(data=DataConfig(name, n, DATASETS[name].noise, 0), **values)
    return "node_core.training.classifier.train:advance", replace(config, start=pretrained_for(config))


_ANNULUS: dict[str, Any] = {"lr": 0.02, "rtol": 1e-4, "atol": 1e-4}
_FLIP: dict[str, Any] = {"lr": 0.02, "loss": "flow_map"}

QUESTIONS = {
    "circles": _case("circles", 400),
    "spirals": _case("two_spirals", 400, hidden=(48, 48), augment=1),
    "annulus": _case("annulus", 2000, **_ANNULUS),
    "annulus_larger": _case("annulus", 2000, augment=1, **_ANNULUS),
    "flip": _case("sign_flip", 200, **_FLIP),
    "flip_larger": _case("sign_flip", 200, augment=1, **_FLIP),
    "flip_resnet": _case("sign_flip", 200, model="resnet", layers=3, **_FLIP),
    "regularisers": ("node_core.studies.classifier.regularizer_race:run", RegularizerRaceConfig()),
    "swap": ("node_core.studies.classifier.solver_swap:run", SolverSwapConfig()),
}
