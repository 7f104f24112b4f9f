"""The code shown on the ODE-Net page runs as it stands, and prints what the page shows."""

from collections.abc import Callable

import pytest

from node_core.data.dataset import DataConfig
from node_core.studies.classifier.hlambda_config import HLambdaConfig
from node_core.studies.classifier.regularizer_race_config import RegularizerRaceConfig
from node_core.studies.classifier.snippets import hlambda_snippet, race_snippet, swap_snippet, train_snippet
from node_core.studies.classifier.solver_swap_config import SolverSwapConfig
from node_core.training.classifier.config import TrainConfig

SMALL = TrainConfig(DataConfig("moons", n=60), hidden=(8,), batch=32, start="moons")
Printed = Callable[[str], list[str]]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    def execute(code: str) -> list[str]:
        exec(compile(code, "snippet", "exec"), {})
        return capsys.readouterr().out.splitlines()

    return execute


def own(n: int, labels: tuple[int, ...]) -> TrainConfig:
    """Points of a user's own, class after class."""
    points = tuple((0.1 * k, 1.0 - 0.05 * k) for k in range(n))
    return TrainConfig(DataConfig("drawn", n, points=points, labels=labels), hidden=(8,), batch=32)


@pytest.mark.parametrize(
    "config",
    [SMALL, own(30, (0,) * 25 + (1,) * 3 + (2,) * 2), own(20, tuple(range(20)))],
    ids=["moons", "few of a class", "more classes than are written"],
)
def test_training_prints_a_line_every_fifty_iterations(config: TrainConfig, printed: Printed) -> None:
    lines = printed(train_snippet(config))
    assert [line.split()[0] for line in lines] == [str(50 * k) for k in range(11)]


def test_of_own_points_a_few_of_every_class_are_written() -> None:
    names: dict = {}
    text = train_snippet(own(500, (0,) * 450 + (1,) * 50))
    exec(text[: text.index("for snapshot")], names)
    data = names["config"].data
    assert data.n == len(data.points) == 12
    assert sorted(data.labels) == [0] * 6 + [1] * 6


def test_the_swap_prints_its_verdict_and_a_line_a_solver(printed: Printed) -> None:
    lines = printed(swap_snippet(SolverSwapConfig(SMALL, iterations=5, methods=("euler",), dts=(1.0, 0.5))))
    assert len(lines) == 1 + 2 + 2
    assert lines[-1].startswith("euler 0.5 ")


def test_the_cloud_prints_its_largest_value(printed: Printed) -> None:
    (line,) = printed(hlambda_snippet(HLambdaConfig(SMALL, iterations=3, points=5)))
    assert float(line.split()[-1]) > 0


def test_the_race_prints_a_line_a_lane(printed: Printed) -> None:
    asked = RegularizerRaceConfig(SMALL, iterations=2, lanes=("none", "steer"))
    assert [line.split()[0] for line in printed(race_snippet(asked))] == ["none", "steer"]
