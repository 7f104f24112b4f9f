"""What the remedy of a diagnosis sets on the Solvers page: controls that are there, to values that they can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from node_core.solution import Cause, Diagnosis
from node_core.studies.solvers.race_config import FORMULA, Lane, Problem, RaceConfig
from pages.ui.solvers.remedy import remedy_of

FIELD = Problem(FORMULA, (1.0,), (0.0, 2.0), (), (("x", "x^2"),))
STIFF = Problem("van_der_pol", (2.0, 0.0), (0.0, 2000.0), (("mu", 1000.0),))


def controls(problem: Problem, changes: dict[str, Any], method: str = "dopri5", **options: Any) -> Any:
    names = options.pop("methods", ("euler", "dopri5"))
    none, no = np.empty(0), np.empty(0, dtype=bool)
    states = np.empty((0, len(problem.y0)))
    lane = Lane(
        method, method, True, none, states, none, states, none, none, none, none, no, states, None, "", "", 0, 0, 0, 0.0
    )  # fmt: skip
    config = RaceConfig(problem, names, **{"dt": problem.t_span[1] / 200, **options})
    return dict(remedy_of(config, lane, Diagnosis(Cause.UNKNOWN, "", {}, "", changes)).controls)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"ts": (0.0, 0.99)}, {"formula_to": 0.99}),
        ({"method": "rodas5p"}, {"methods": ["euler", "rodas5p"]}),
        ({"jumps": (0.5, 1.25)}, {"formula_told": True, "formula_jumps": "0.5, 1.25"}),
        ({"max_step": None}, {"formula_max_step": None}),
        ({"max_steps": 40_000}, {"rtol": 1e-2}),
        ({"rtol": 2e-14}, {"rtol": 1e-10}),
        ({"dt": 0.0049}, {"formula_dt": 0.004}),
        ({}, {}),
    ],
)
def test_a_remedy_sets_the_controls_of_the_page(changes: dict[str, Any], wanted: dict[str, Any]) -> None:
    found = controls(FIELD, changes)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == (pytest.approx(value) if isinstance(value, float) else value)


def test_a_stiff_system_has_a_list_of_methods_of_its_own_and_no_method_races_twice() -> None:
    found = controls(STIFF, {"method": "rodas5p"}, methods=("dopri5", "rodas5p", "euler"))
    assert found == {"stiff_methods": ["rodas5p", "euler"]}
