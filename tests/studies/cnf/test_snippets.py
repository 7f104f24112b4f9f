"""The code shown on the CNF page runs as it stands, and prints what the page shows."""

import ast
from collections.abc import Callable
from dataclasses import replace

import pytest

from node_core.cnf.painted import TargetConfig
from node_core.studies.cnf.cost_config import WAYS
from node_core.studies.cnf.snippets import (
    area_snippet,
    audit_snippet,
    cost_snippet,
    flow_snippet,
    runner_snippet,
    theorem_snippet,
    ways_snippet,
)
from node_core.training.flow.config import CNFConfig

SMALL = CNFConfig(hidden=(8, 8), batch=32)
DRAWN = TargetConfig("drawn", strokes=(((0.0, 0.0), (1.0, 1.0)),))


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    def execute(code: str) -> str:
        exec(compile(code, "snippet", "exec"), {})
        return capsys.readouterr().out

    return execute


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, target=TargetConfig("blobs")),
        CNFConfig(DRAWN, "planar", depth=2, batch=32, objective="reverse_kl"),
        replace(SMALL, target=TargetConfig("image", image=b"not looked at")),
    ],
    ids=["target", "drawing", "picture"],
)
def test_training_prints_a_line_every_twenty_iterations(config: CNFConfig, printed) -> None:
    lines = printed(flow_snippet(config)).splitlines()
    assert [line.split()[0] for line in lines] == ["0", "20", "40", "60", "80", "100"]
    assert float(lines[-1].split()[1]) > float(lines[0].split()[1])


def test_four_trainings_print_a_line_each(printed) -> None:
    code = ways_snippet(replace(SMALL, target=TargetConfig("blobs")))
    for long, short in (("800", "80"), ("600", "60"), ("60)", "6)")):
        code = code.replace(f"iterations={long}", f"iterations={short}")
    lines = printed(code).splitlines()
    assert [line.split()[0] for line in lines] == ["likelihood", "flow", "OT", "then"]


def test_the_area_is_what_log_p_changes_by(printed) -> None:
    config = CNFConfig(TargetConfig("two_moons"), start="two_moons", rtol=1e-5, atol=1e-5)
    area, change = map(float, printed(theorem_snippet(config, 7)).split())
    assert area == pytest.approx(change, abs=2e-3)
    assert abs(change) > 0.05


def test_a_small_area_and_what_the_trace_says_of_it(printed) -> None:
    config = CNFConfig(TargetConfig("two_moons"), start="two_moons")
    area, linear, rest = map(float, printed(area_snippet(config, 7, 0.5, 0.1)).split())
    assert area == pytest.approx(linear + rest)
    assert area != linear


def test_the_audit_prints_its_checks(printed) -> None:
    out = printed(audit_snippet(replace(SMALL, target=TargetConfig("blobs"))))
    assert "Dormand-Prince" in out
    assert len(out.splitlines()) == 3


def test_the_race_and_the_cost_are_code() -> None:
    for code in (runner_snippet("cnf", 8), cost_snippet()):
        ast.parse(code)


def test_a_runner_of_the_race_can_be_trained(printed) -> None:
    count, kl, _ = map(float, printed(runner_snippet("planar", 2)).split())
    assert count == 10
    assert 0 < kl < 5


def test_the_cost_prints_every_way(printed) -> None:
    out = printed(cost_snippet())
    assert [way for way in WAYS if f"{way} " in out] == list(WAYS)
