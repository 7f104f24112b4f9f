"""The text of a snippet gives back the very values that it was written from."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from node_core.cnf.painted import TargetConfig
from node_core.data.dataset import DataConfig
from node_core.studies.cnf.audit_config import CNFAuditConfig
from node_core.studies.gradients.config import AdjointConfig, Task
from node_core.studies.snippets import WIDTH, assign, expression, script
from node_core.studies.solvers.race_config import Problem, RaceConfig
from node_core.training.classifier.config import TrainConfig
from node_core.training.flow.config import CNFConfig

LORENZ = Problem("lorenz", (1.0, 2.0, 3.0), (0.0, 5.0), (("sigma", 10.0), ("rho", 28.0), ("beta", 2.5)))


def executed(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "snippet", "exec"), names)
    return names


@pytest.mark.parametrize(
    "value",
    [
        TrainConfig(),
        TrainConfig(DataConfig("moons", n=100), hidden=(8, 8), method="euler", dt=0.25),
        CNFAuditConfig(CNFConfig(TargetConfig("drawn", (((0.0, 1.0), (1.0, 0.5)),)), "planar"), draws=8),
        AdjointConfig(Task("linear", (("omega", 3.0),), 2.0, (1.0, 2.0)), modes=("backprop",)),
        RaceConfig(LORENZ, ("euler", "dopri5"), dt=0.01),
        3.5,
        ("a", 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_executing_the_text_gives_the_value(value: Any) -> None:
    code = script([], assign("value", value))
    assert executed(code)["value"] == value
    assert max(map(len, code.splitlines())) <= WIDTH + 40


def test_only_what_differs_from_the_defaults_is_written_and_the_first_field() -> None:
    assert expression(TrainConfig()).text == "TrainConfig(DataConfig('circles'))"
    assert expression(TrainConfig(lr=0.5)).text == "TrainConfig(DataConfig('circles'), lr=0.5)"


def test_a_long_call_is_broken_into_one_line_an_argument() -> None:
    text = assign("config", TrainConfig(hidden=(8, 8, 8), method="rk4", lr=0.25, batch=12, steer=0.5)).text
    assert text == (
        "config = TrainConfig(\n    DataConfig('circles'),\n    hidden=(8, 8, 8),\n    method='rk4',\n"
        "    lr=0.25,\n    batch=12,\n    steer=0.5,\n)"
    )


def test_code_can_stand_for_a_value_and_brings_no_import_of_it() -> None:
    code = expression(CNFAuditConfig(CNFConfig(), draws=8), {"run": "config", "cells": "never written"})
    assert code.text == "CNFAuditConfig(config, draws=8)"
    assert code.imports == {"from node_core.studies.cnf.audit_config import CNFAuditConfig"}


@dataclass(frozen=True)
class Pair:
    first: DataConfig
    second: DataConfig = DataConfig("moons")  # noqa: RUF009 (frozen)


def test_values_within_values_are_written_and_imported_alike() -> None:
    pair = Pair(DataConfig("annulus"), DataConfig("moons", n=10))
    code = expression(pair)
    assert code.text == "Pair(DataConfig('annulus'), second=DataConfig('moons', n=10))"
    assert executed(script([], assign("pair", pair)))["pair"] == pair
    assert expression(replace(pair, second=DataConfig("moons"))).text == "Pair(DataConfig('annulus'))"


def test_imports_come_sorted_and_together() -> None:
    imports = [
        "from node_core import odeint",
        "import torch",
        "from itertools import islice",
        "from node_core import SolveError",
        "import numpy as np",
        "from itertools import count",
    ]
    assert script(imports, "print(1)") == (
        "from itertools import count, islice\n\nimport numpy as np\nimport torch\n"
        "from node_core import SolveError, odeint\n\nprint(1)\n"
    )
