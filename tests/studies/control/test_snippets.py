"""The code that the Control page shows runs as it stands, and says what the page shows."""

import ast

import numpy as np
import pytest

from node_core.studies.control.snippets import control_snippet, costate_snippet
from node_core.training.control.config import ControlConfig

SMALL = ControlConfig("cart_pole", "balance", hidden=4, limit=10.0, horizon=0.5, batch=4)


def executed(code: str) -> None:
    exec(compile(code, "snippet", "exec"), {})


def test_the_training_prints_a_line_every_twenty_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    executed(control_snippet(SMALL).replace(", 11)", ", 2)"))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["0", "20"]
    assert 0.0 <= float(lines[1][2]) <= 1.0


def test_the_costate_is_what_finite_differences_of_the_cost_say(capsys: pytest.CaptureFixture[str]) -> None:
    executed(costate_snippet(SMALL))
    gradient, differences = ast.literal_eval(capsys.readouterr().out.replace("] [", "], ["))
    np.testing.assert_allclose(gradient, differences, rtol=1e-3, atol=1e-4)
